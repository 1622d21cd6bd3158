# SPDX-License-Identifier: GPL-3.0-or-later
"""How many people of still pictures are found, beside MediaPipe's own multi-person mode on the same pictures.

    python benchmarks/people_found.py ../shared/footage/labelled [MORE_FOLDERS ...] [--quality standard ...] [--json]
        [--detector mediapipe]

A folder holds `labels.json` (COCO keypoints) and `images/`, or is what `training_pictures.py` makes. A labelled person
is found if somebody's keypoint similarity (OKS, over the labelled joints) with them exceeds 0.5, and found well above
0.75; every detection counts for one person only. Crowds and people without a labelled keypoint need not be found.
`others` are detections of nobody who is labelled: false ones only where everybody is labelled (`info.complete` of the
labels), which is when the precision is printed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from video_mocap.backend.detection.base import create_detector
from video_mocap.backend.detection.landmarks import POINTS
from video_mocap.backend.detection.mediapipe_bundle import Landmarker, build_bundle, quiet_stderr, read_networks
from video_mocap.backend.errors import UserError
from video_mocap.backend.footage import FootageInfo, Frame
from video_mocap.backend.grouping.affinity import sigmas_of
from video_mocap.backend.observe import MOST_PERSONS, observe
from video_mocap.rigging.joints import COCO17, KEYPOINTS

Find = Callable[[np.ndarray], np.ndarray]
HEIGHTS = (0, 80, 120, 240, np.inf)
"""Edges of the classes of people, pixels of their box's longer side."""


@dataclass(frozen=True)
class Picture:
    """image: (H, W, 3) RGB. people: (P, 17, 3) labelled, 0 where not. areas: (P,) pixels. heights: (P,) pixels.
    hidden: (P,) who need not be found."""

    name: str
    image: np.ndarray
    people: np.ndarray
    areas: np.ndarray
    heights: np.ndarray
    hidden: np.ndarray


def read_labelled(folder: Path) -> tuple[list[Picture], bool]:
    """The labelled pictures of a folder, and whether everybody in them is labelled."""
    named, images = folder / "labels.json", folder / "images"
    if not named.exists():
        named, images = folder / "annotations.json", folder / "pictures"
    labels = json.loads(named.read_text())
    pictures = []
    for entry in labels["images"]:
        image = cv2.cvtColor(cv2.imread(str(images / Path(entry["file_name"]).name)), cv2.COLOR_BGR2RGB)
        own = [one for one in labels["annotations"] if one["image_id"] == entry["id"]]
        people = np.array([one["keypoints"] for one in own], float).reshape(-1, 17, 3)
        areas, boxes = (np.array([one[key] for one in own], float) for key in ("area", "bbox"))
        hidden = np.array([one["iscrowd"] for one in own], bool) | ~(people[..., 2] > 0).any(-1)
        pictures.append(Picture(entry["file_name"], image, people, areas, boxes.reshape(-1, 4)[:, 2:].max(-1), hidden))
    return pictures, bool(labels["info"].get("complete"))


def similarity(picture: Picture, found: np.ndarray) -> np.ndarray:
    """(P, M) COCO's OKS of (M, 17, 3) people found with the labelled ones; a joint that is not given counts 0."""
    distance = ((picture.people[:, None, :, :2] - found[None, ..., :2]) ** 2).sum(-1)
    tolerance = 8 * sigmas_of(COCO17.names) ** 2 * picture.areas[:, None]
    labelled = picture.people[..., 2] > 0
    each = np.nan_to_num(np.exp(-distance / tolerance[:, None]))
    return (each * labelled[:, None]).sum(-1) / np.maximum(labelled.sum(-1), 1)[:, None]


def product(quality: str, name: str = "mediapipe") -> Find:
    """What a capture finds with a detector in a clip of this one picture."""

    def find(image: np.ndarray) -> np.ndarray:
        detector = create_detector(name, MOST_PERSONS, quality)
        info = FootageInfo(Path("still"), image.shape[1], image.shape[0], 25.0, 1, 0.04, "images", "")
        try:
            return observe([Frame(0, 0.0, image)], info, detector).keypoints[:, 0]
        except UserError:  # nobody
            return np.zeros((0, len(KEYPOINTS), 3))
        finally:
            detector.close()

    return find


def mediapipe_itself(threshold: float, most: int = 50) -> Find:
    """MediaPipe's pose landmarker on the whole picture."""
    with quiet_stderr():
        landmarker = Landmarker(build_bundle(read_networks()), most, threshold)
    rows = [POINTS.index(name) for name in COCO17.names]

    def find(image: np.ndarray) -> np.ndarray:
        with quiet_stderr():
            people = landmarker(np.ascontiguousarray(image))[:, rows]
        return np.concatenate([people[..., :2] * image.shape[1::-1], people[..., 2:3]], -1)

    return find


def measure(pictures: list[Picture], complete: bool, find: Find) -> dict[str, object]:
    """People found by class of height, detections beside them, seconds a picture."""
    counts = {(low, high): [0, 0, 0] for low, high in pairwise(HEIGHTS)}
    detections = matched = 0
    began = time.perf_counter()
    found = [find(picture.image)[:, :17] for picture in pictures]
    seconds = (time.perf_counter() - began) / len(pictures)
    for picture, people in zip(pictures, found, strict=True):
        scores = similarity(picture, people)
        best = np.zeros(len(picture.people))
        rows, columns = linear_sum_assignment(-scores)
        best[rows] = scores[rows, columns]
        for (low, high), count in counts.items():
            own = best[(picture.heights >= low) & (picture.heights < high) & ~picture.hidden]
            for place, number in enumerate((len(own), int((own > 0.5).sum()), int((own > 0.75).sum()))):
                count[place] += number
        detections += len(people) - int((best[picture.hidden] > 0.3).sum())
        matched += int((best[~picture.hidden] > 0.5).sum())
    total = np.sum(list(counts.values()), 0)
    result: dict[str, object] = {"people": int(total[0]), "found": int(total[1]), "found_well": int(total[2])}
    result |= {f"{low}-{high} px": "{1}+{2} of {0}".format(*c) for (low, high), c in counts.items() if c[0]}
    result |= {"others": detections - matched, "seconds": round(seconds, 2)}
    return result | ({"precision": round(matched / max(detections, 1), 3)} if complete else {})


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--quality", nargs="*", default=["draft", "standard"])
    parser.add_argument("--detector", default="mediapipe", help="mediapipe, or X.safetensors of a training")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    ways = {"mediapipe, own mode": mediapipe_itself(0.5), "own mode at 0.3": mediapipe_itself(0.3)}
    ways |= {quality: product(quality, arguments.detector) for quality in arguments.quality}
    for folder in arguments.folders:
        pictures, complete = read_labelled(folder)
        for name, find in ways.items():
            result = measure(pictures, complete, find)
            line = "   ".join(f"{key} {value}" for key, value in result.items())
            print(json.dumps({"set": folder.name, "way": name, **result}) if arguments.json else f"{name:22}{line}")


if __name__ == "__main__":
    main()
