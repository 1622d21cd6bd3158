# SPDX-License-Identifier: GPL-3.0-or-later
"""What looking properly costs: the detection stage beside MediaPipe's own mode called once for every picture.

    python benchmarks/detection_speed.py CUTOUTS [--people 1 2 4 8] [--quality draft standard] [--pan 4]

CUTOUTS is what `crowd_cutouts.py` made. The made clip is of 1280 x 720 pixels at 30 Hz: so many people side by side,
before a camera that pans (the dear case: everything changes) or, with --pan 0, stands. Timed is the processor's time
of all threads, so other programs hardly count. The stage: detector and grouping. `first`: the first picture, which is
searched in all scales; `frame`: the mean of the others, searches included.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from crowds import figure, paste
from people_found import mediapipe_itself
from video_mocap.backend.detection.base import create_detector
from video_mocap.backend.grouping.people import group_people
from video_mocap.rigging.joints import KEYPOINTS

RATE = 30.0
SIZE = (1280, 720)
TALL = 260


def clip(folder: Path, people: int, frames: int, pan: int) -> list[np.ndarray]:
    """(H, W, 3) RGB pictures of so many people side by side; pan: pixels from picture to picture."""
    random = np.random.default_rng(people)
    wide = cv2.resize(cv2.imread(str(folder / "room_00.png")), (SIZE[0] + pan * frames, SIZE[1]))
    places = np.linspace(60, SIZE[0] - 240, people)
    cut_outs = [figure(folder, random)[0] for _ in range(people)]
    pictures = []
    for row in range(frames):
        picture = wide.copy()
        for place, person in zip(places, cut_outs, strict=True):
            scale = TALL / max(person.shape[:2])
            small = cv2.resize(person, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            paste(picture, small, int(place) + (pan * row if pan else row), 300)
        part = picture[:, pan * row : pan * row + SIZE[0]]
        pictures.append(np.ascontiguousarray(cv2.cvtColor(part, cv2.COLOR_BGR2RGB)))
    return pictures


def measure(pictures: list[np.ndarray], quality: str) -> tuple[float, float, float]:
    """Processor seconds of the first picture and of the others on average; people found on average."""
    detector, found, costs, before = create_detector("mediapipe", 16, quality), [], [], None
    try:
        detector.detect(np.zeros((64, 64, 3), np.uint8), -10.0)  # what is done once only
        for row, image in enumerate(pictures):
            began = time.process_time()
            before = group_people(detector.detect(image, row / RATE), KEYPOINTS, before)
            costs.append(time.process_time() - began)
            found.append(len(before))
    finally:
        detector.close()
    return costs[0], float(np.mean(costs[1:])), float(np.mean(found))


def once(pictures: list[np.ndarray]) -> tuple[float, float]:
    """Processor seconds of MediaPipe's own mode for a picture; people found."""
    find = mediapipe_itself(0.5)
    find(pictures[0])
    began = time.process_time()
    found = [len(find(image)) for image in pictures[1:]]
    return (time.process_time() - began) / len(found), float(np.mean(found))


def main() -> None:
    """Print a line for each number of people and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cutouts", type=Path)
    parser.add_argument("--people", nargs="*", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--quality", nargs="*", default=["draft", "standard"])
    parser.add_argument("--pan", type=int, default=4)
    parser.add_argument("--frames", type=int, default=91)
    arguments = parser.parse_args()
    for people in arguments.people:
        pictures = clip(arguments.cutouts, people, arguments.frames, arguments.pan)
        cost, found = once(pictures)
        print(f"{people} people, mediapipe once a frame: {found:.1f} found, {1 / cost:.1f} frames/s of a core")
        for quality in arguments.quality:
            first, frame, found = measure(pictures, quality)
            print(
                f"{people} people, {quality}: {found:.1f} found, {1 / frame:.1f} frames/s of a core "
                f"({cost / frame:.2f} of mediapipe's), first picture {first:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
