# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's points as keypoints: what those at the picture's edge are worth."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.detection.landmarks import POINTS, to_keypoints
from video_mocap.rigging.joints import KEYPOINTS

WIDTH, HEIGHT = 640, 480


def standing(bottom: float, sure: float) -> np.ndarray:
    """(1, 33, 4) somebody 300 pixels tall whose feet are at y = bottom, all points as sure."""
    heights = {"ear": 0.95, "shoulder": 0.8, "elbow": 0.65, "wrist": 0.5, "hip": 0.5, "knee": 0.27, "ankle": 0.04}
    points = np.zeros((1, len(POINTS), 4))
    for row, name in enumerate(POINTS):
        height = next((value for part, value in heights.items() if part in name), 0.9)
        if "heel" in name or "toe" in name:
            height = 0.0
        x = 320 + (40 if name.startswith("left") else -40)
        points[0, row] = x, bottom - 300 * height, sure, 1.0
    return points


@pytest.mark.parametrize(
    ("bottom", "sure", "worth"), [(475, 0.9, 0.9), (475, 0.35, 0.0), (475, 0.55, 0.275), (380, 0.5, 0.5)]
)
def test_feet_at_the_edge_count_only_if_they_are_sure(bottom: float, sure: float, worth: float) -> None:
    person = to_keypoints(standing(bottom, sure), WIDTH, HEIGHT)[0]
    assert person[KEYPOINTS.index("left_heel"), 2] == pytest.approx(worth, abs=0.01)
    assert person[KEYPOINTS.index("left_knee"), 2] == pytest.approx(sure, abs=0.01)


def test_the_farther_outside_the_less_a_point_is_worth() -> None:
    ankles = [
        to_keypoints(standing(bottom, 0.9), WIDTH, HEIGHT)[0, KEYPOINTS.index("left_ankle"), 2]
        for bottom in (490, 520, 560)
    ]
    assert 0.9 >= ankles[0] > ankles[1] > ankles[2]
