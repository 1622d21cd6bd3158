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
#: Near the picture's edge: within so much of a person's scale, which is 6 % of somebody's height who stands. There a
#: point is worth nothing below the first of these confidences, and all of it above the second.
_NEAR, _DOUBTED, _BELIEVED = 0.13, 0.4, 0.7
_SOURCES = np.array([[POINTS.index(s) for s in _HANDS.get(name, (name, name))] for name in KEYPOINTS.names])


def to_keypoints(landmarks: np.ndarray, width: int, height: int) -> np.ndarray:
    """(M, 33, 4) x, y in pixels, visibility, presence to (M, 23, 3) `KEYPOINTS` with confidence 0..1.

    A hand is the mean of the knuckles of index finger and little finger, as sure as the less sure of them. MediaPipe
    places points outside the picture too; the farther outside, the less they are worth. Legs that the edge cuts off it
    squeezes into the picture, half sure of them (by 6 to 12 % of a person's height, in footage that was cut anew): they
    would come out as bent knees and a lean.
    """
    points = landmarks[:, _SOURCES]
    confidence = np.clip(points[..., 2] * points[..., 3], 0, 1).min(-1)
    people = np.concatenate([points[..., :2].mean(-2), confidence[..., None]], -1)
    scales, size = person_scales(people)[:, None], np.array([width, height])
    inside = np.minimum(people[..., :2], size - people[..., :2]).min(-1)
    outside = np.linalg.norm(people[..., :2] - np.clip(people[..., :2], 0, size), axis=-1)
    belief = np.clip((confidence - _DOUBTED) / (_BELIEVED - _DOUBTED), 0, 1)
    people[..., 2] *= np.where(inside < _NEAR * scales, belief, 1.0) * np.exp(-outside / (0.1 * scales))
    return people
