# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures per second of detectron2's Keypoint R-CNN as the detector uses it, beside the library's own way.

    python benchmarks/keypoint_rcnn.py [--device cuda] [--depth R_50] [--batches 1 8 32] [--seconds 10]

Needs detectron2, but no trained weights: random ones take as long, or longer, since they find as many people as they
may in every picture. The picture is 1280 x 720, looked at with 800 pixels on its short side or 1333 on the long one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from video_mocap.backend.detection import detectron2_network as network
from video_mocap.backend.detection.detectron2_heatmaps import keypoints_of
from video_mocap.backend.grouping.affinity import sigmas_of
from video_mocap.rigging.joints import COCO17

HEIGHT, WIDTH, SHORT, LONG, PEOPLE = 720, 1280, 800, 1333, 36


def ours(found: Any, model: Any, device: torch.device, image: np.ndarray, batch: int) -> Callable[[], int]:
    """Looks at `batch` pictures at once, to keypoints with confidence."""
    half = device.type == "cuda"
    detector = network.KeypointRCNN(model, device, found.INPUT.FORMAT == "BGR", SHORT, LONG, half)
    sigmas = sigmas_of(COCO17.names)

    def look() -> int:
        for each in detector.look([image] * batch):
            keypoints_of(each.boxes, each.scores, each.logits, sigmas)
        return batch

    return look


def theirs(found: Any, model: Any, device: torch.device, image: np.ndarray) -> Callable[[], int]:
    """What `DefaultPredictor` does: one picture, 32-bit numbers, keypoints of one box after the other."""
    transforms = import_module("detectron2.data.transforms")
    resize = transforms.ResizeShortestEdge([found.INPUT.MIN_SIZE_TEST] * 2, found.INPUT.MAX_SIZE_TEST)
    model = model.to(device).eval()
    model.roi_heads.keypoint_on = True
    bgr = image[:, :, ::-1]

    def look() -> int:
        small = resize.get_transform(bgr).apply_image(bgr)
        given = {"image": torch.as_tensor(small.astype("float32").transpose(2, 0, 1)), "height": HEIGHT, "width": WIDTH}
        with torch.no_grad():
            model([given])[0]["instances"].to("cpu")
        return 1

    return look


def rate(look: Callable[[], int], seconds: float) -> float:
    """Pictures per second, after one call that does not count."""
    look()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done += look()
    return done / (time.perf_counter() - began)


def main() -> None:
    """Print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--depth", default="R_50", choices=["R_50", "R_101", "X_101_32x8d"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device(options.device)
    found = network.settings(options.depth, PEOPLE)
    model = network.build(found)
    for name, value in model.named_parameters():
        if "fpn_output" in name:
            value.data /= 1300  # as after training, of about one: 16-bit numbers end at 65504
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(f"{options.depth} on {where}")
    print(f"detectron2's own way: {rate(theirs(found, model, device, image), options.seconds):.2f} pictures/s")
    for batch in options.batches:
        print(f"batch {batch}: {rate(ours(found, model, device, image, batch), options.seconds):.2f} pictures/s")


if __name__ == "__main__":
    main()
