# SPDX-License-Identifier: GPL-3.0-or-later
"""The focal length is moved only where perspective rules the assumed one out."""

from __future__ import annotations

import numpy as np
from video_mocap.backend.camera import project
from video_mocap.backend.refinement.focal import FACTORS, estimate_focal, misfit, nearest_explanation
from video_mocap.rigging.joints import KEYPOINTS, TAKE

K = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])


def scene(distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Root-relative joints (F, 26, 3) of somebody with limbs towards and away from the camera, and their keypoints."""
    rng = np.random.default_rng(2)
    joints = rng.normal(0, 0.35, (40, len(TAKE), 3))
    joints -= joints[:, :1]
    keypoints = np.zeros((40, len(KEYPOINTS), 3))
    keypoints[..., :2] = np.nan
    for row, name in enumerate(KEYPOINTS.names):
        if name in TAKE:
            keypoints[:, row, :2] = project(joints[:, TAKE.index(name)] + [0, 0, distance], K)
            keypoints[:, row, 2] = 1
    return joints, keypoints


def estimate(distance: float, assumed: float, noise: float) -> float:
    joints, keypoints = scene(distance)
    keypoints[..., :2] += np.random.default_rng(3).normal(0, noise, keypoints[..., :2].shape)

    def intrinsics(factor: float) -> np.ndarray:
        focal = 1000.0 * assumed * factor
        return np.array([[focal, 0, 500], [0, focal, 500], [0, 0, 1.0]])

    return assumed * estimate_focal(lambda factor: misfit(joints, keypoints, KEYPOINTS.names, intrinsics(factor)))


def test_a_near_person_corrects_a_focal_length_that_is_too_short() -> None:
    assert 0.8 < estimate(2.5, assumed=0.6, noise=2.0) < 1.2


def test_a_right_one_is_left_alone() -> None:
    assert estimate(2.5, assumed=1.0, noise=2.0) == 1.0


def test_a_far_person_says_nothing() -> None:
    assert estimate(15.0, assumed=0.8, noise=6.0) == 0.8


def test_nearest_explanation() -> None:
    flat = np.ones(len(FACTORS))
    assert nearest_explanation(flat) == 1.0
    assert nearest_explanation([*flat[:-1], np.nan]) == 1.0
    steep = 1 + 5 * np.clip(-np.log(FACTORS / 1.3), 0, None)
    assert 1.2 < nearest_explanation(steep) < 1.31  # the tried factors are 16 % apart


def test_nothing_to_place_is_not_a_number() -> None:
    joints, keypoints = scene(3.0)
    keypoints[:] = (np.nan, np.nan, 0)
    assert np.isnan(misfit(joints, keypoints, KEYPOINTS.names, K))
