# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's 33 points of a person, as this project's `KEYPOINTS`."""

from __future__ import annotations

import numpy as np

from ...rigging.joints import KEYPOINTS, mirror_rows
from .base import person_scales

_SIDED = (
    "ear",
    "mouth",
    "shoulder",
    "elbow",
    "wrist",
    "pinky",
    "index",
    "thumb",
    "hip",
    "knee",
    "ankle",
    "heel",
    "toe",
)
_EYES = tuple(f"{side}_{eye}" for side in ("left", "right") for eye in ("eye_inner", "eye", "eye_outer"))

#: MediaPipe's points in its own order, under this project's names where the point is the same.
POINTS = ("nose", *_EYES, *(f"{side}_{part}" for part in _SIDED for side in ("left", "right")))

MIRROR = mirror_rows(POINTS)
_HANDS = {"left_hand": ("left_index", "left_pinky"), "right_hand": ("right_index", "right_pinky")}
_SOURCES = np.array([[POINTS.index(s) for s in _HANDS.get(name, (name, name))] for name in KEYPOINTS.names])


def to_keypoints(landmarks: np.ndarray, width: int, height: int) -> np.ndarray:
    """(M, 33, 4) x, y in pixels, visibility, presence to (M, 23, 3) `KEYPOINTS` with confidence 0..1.

    A hand is the mean of the knuckles of index finger and little finger, as sure as the less sure of them. MediaPipe
    places points outside the picture too; the farther outside, the less they are worth.
    """
    points = landmarks[:, _SOURCES]
    confidence = np.clip(points[..., 2] * points[..., 3], 0, 1).min(-1)
    people = np.concatenate([points[..., :2].mean(-2), confidence[..., None]], -1)
    outside = np.linalg.norm(people[..., :2] - np.clip(people[..., :2], 0, [width, height]), axis=-1)
    people[..., 2] *= np.exp(-outside / (0.1 * person_scales(people)[:, None]))
    return people
