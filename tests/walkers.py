# SPDX-License-Identifier: GPL-3.0-or-later
"""A made person who walks across a picture, as 2D keypoints."""

from __future__ import annotations

import numpy as np
from video_mocap.rigging.joints import KEYPOINTS

FPS = 30
_HEIGHTS = {"shoulder": 0.8, "elbow": 0.63, "wrist": 0.5, "hip": 0.5, "knee": 0.27, "ankle": 0.05}
_HEIGHTS |= {"heel": 0.02, "toe": 0.0, "hand": 0.45}
_WIDTHS = {"eye": 0.02, "ear": 0.05, "shoulder": 0.11, "elbow": 0.15, "wrist": 0.17, "hand": 0.18}


def walker(x: float, phase: float = 0.0, facing: float = 1.0, height: float = 300) -> np.ndarray:
    """(K, 3): a person at x whose limbs swing with phase; facing: how wide they are seen, negative from behind."""
    person = np.zeros((len(KEYPOINTS), 3))
    for row, name in enumerate(KEYPOINTS.names):
        part, side = name.split("_")[-1], {"l": 1, "r": -1}.get(name[0] if "_" in name else "", 0)
        swing = side * 0.08 * np.sin(phase) * (part in ("knee", "ankle", "heel", "toe", "wrist", "hand"))
        across = side * _WIDTHS.get(part, 0.09) * facing
        person[row] = x + (across + swing) * height, 400 - _HEIGHTS.get(part, 0.95) * height, 0.9
    return person
