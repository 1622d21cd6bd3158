# SPDX-License-Identifier: GPL-3.0-or-later
"""A Keypoint R-CNN of detectron2 with seeded random weights, a picture for it, and the recording of what it says.

Run it where detectron2 is installed to write the recording again: `python tests/keypoint_rcnn.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from video_mocap.backend.detection import detectron2_network

RECORDING = Path(__file__).with_name("keypoint_rcnn.npz")
#: The picture is looked at with its short side so long; the library's own way of doing so rounds each side.
SHORT, LONG = 192, 400
SEED = 5


def picture() -> np.ndarray:
    """(241, 322, 3) uint8 RGB: soft coloured spots, not symmetric in anything."""
    spots = np.random.default_rng(SEED).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    return cv2.resize(spots, (322, 241), interpolation=cv2.INTER_CUBIC)


def random_network(most: int = 6) -> tuple[Any, Any]:
    """(settings, network) with random weights; the last layers scaled so that scores and logits are not extreme."""
    torch.manual_seed(SEED)
    found = detectron2_network.settings("R_50", most)
    found.INPUT.MIN_SIZE_TEST, found.INPUT.MAX_SIZE_TEST = SHORT, LONG
    found.MODEL.ROI_HEADS.NMS_THRESH_TEST = 0.2  # boxes that differ
    model = detectron2_network.build(found).eval().requires_grad_(False)
    for name, value in model.named_parameters():
        if "fpn_output" in name:
            value /= 1300  # features of about one
    model.roi_heads.box_predictor.cls_score.weight *= 10
    model.roi_heads.box_predictor.bbox_pred.weight *= 20
    model.roi_heads.keypoint_head.score_lowres.weight *= 8
    return found, model


def by_the_library(found: Any, model: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """What detectron2 itself gives for an RGB picture, as its `DefaultPredictor` does it: boxes, scores, keypoints in
    pixels of the picture, heatmaps, and the size (h, w) that it was looked at in."""
    from detectron2.data import transforms

    resize = transforms.ResizeShortestEdge([found.INPUT.MIN_SIZE_TEST] * 2, found.INPUT.MAX_SIZE_TEST)
    bgr = image[:, :, ::-1]
    small = resize.get_transform(bgr).apply_image(bgr)
    given = {"image": torch.as_tensor(small.astype("float32").transpose(2, 0, 1)), "height": 241, "width": 322}
    with torch.no_grad():
        said = model([given])[0]["instances"]
    return {
        "size": np.array(small.shape[:2]),
        "boxes": said.pred_boxes.tensor.numpy(),
        "scores": said.scores.numpy(),
        "keypoints": said.pred_keypoints.numpy(),
        "heatmaps": said.pred_keypoint_heatmaps.numpy(),
    }


def record() -> None:
    """Write the recording: the two largest boxes, heatmaps in 16 bits, the library's keypoints from just these."""
    from detectron2.structures import heatmaps_to_keypoints

    found, model = random_network()
    said = by_the_library(found, model, picture())
    rows = np.argsort((said["boxes"][:, 2:] - said["boxes"][:, :2]).prod(-1))[-2:]
    heatmaps = said["heatmaps"][rows].astype(np.float16)
    boxes = said["boxes"][rows]
    keypoints = heatmaps_to_keypoints(torch.tensor(heatmaps.astype(np.float32)), torch.tensor(boxes)).numpy()
    np.savez_compressed(
        RECORDING,
        rows=rows,
        size=said["size"],
        boxes=boxes,
        scores=said["scores"][rows],
        heatmaps=heatmaps,
        keypoints=keypoints,
    )


if __name__ == "__main__":
    record()
