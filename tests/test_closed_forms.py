# SPDX-License-Identifier: GPL-3.0-or-later
"""The roots of other systems against the pose, camera and numbers of their specification, in millimetres there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.root.closed_forms import (
    mehta_root,
    ratio_root,
    rootnet_depth,
    rootnet_root,
    search_root,
)
from video_mocap.backend.root.pnp import pnp_root
from video_mocap.backend.root.table import CLOSED_FORMS, DEFAULT, NETWORK, ROOTS, find_root

sys.path.insert(0, str(Path(__file__).parent))
from root_pose import CAMERA, ONES, POSE, ROOT, pixels

FLAT = POSE * [1, 1, 0]


def found(method, pose=POSE, image=None, confidence=ONES, camera=CAMERA):
    return method(pose[None], (pixels(pose) if image is None else image)[None], confidence, camera)[0]


def test_the_ratios_are_as_far_off_as_specified():
    np.testing.assert_allclose(found(mehta_root), [299.9217, -99.7248, 4489.0238], atol=1e-4)
    np.testing.assert_allclose(found(ratio_root), [299.9519, -99.7398, 4489.4843], atol=1e-4)
    assert np.linalg.norm(found(mehta_root) - ROOT) == pytest.approx(10.98, abs=0.005)
    assert np.linalg.norm(found(ratio_root) - ROOT) == pytest.approx(10.52, abs=0.005)


@pytest.mark.parametrize("method", [mehta_root, ratio_root])
def test_the_ratios_are_exact_for_a_flat_pose(method):
    np.testing.assert_allclose(found(method, FLAT), ROOT, atol=1e-6)


@pytest.mark.parametrize(("method", "error"), [(mehta_root, 24.9), (ratio_root, 23.8)])
def test_noise_of_three_pixels(method, error):
    noise = np.random.default_rng(0).normal(0, 3, (500, 17, 2))
    roots = method(np.broadcast_to(POSE, (500, 17, 3)), pixels() + noise, np.ones((500, 17)), CAMERA)
    assert np.linalg.norm(roots - ROOT, axis=-1).mean() == pytest.approx(error, rel=0.08)


@pytest.mark.parametrize("method", [search_root, pnp_root])
def test_search_and_pnp_are_exact(method):
    np.testing.assert_allclose(found(method), ROOT, atol=1e-3)


def test_a_larger_body_is_searched_as_much_farther_away():
    assert found(search_root, 1.1 * POSE, pixels())[2] == pytest.approx(4950, abs=1e-3)


def test_pnp_takes_up_a_turn_of_the_pose():
    angle = np.radians(8)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(found(pnp_root, POSE @ turn.T, pixels()), ROOT, atol=1.0)
    assert np.linalg.norm(found(search_root, POSE @ turn.T, pixels()) - ROOT) > 10


def test_the_box_of_rootnet():
    def metres(width, height, fx=1500.0, fy=1500.0):
        return float(rootnet_depth(np.array([width, height]), np.diag([fx, fy, 1.0])))

    assert metres(200, 400) == pytest.approx(10.60660, abs=1e-5)
    assert metres(400, 400) == pytest.approx(7.5)
    assert metres(500, 500) == pytest.approx(6.0)
    assert metres(500, 500, 1145.05, 1143.78) == pytest.approx(4.57766, abs=1e-5)
    # Run with another focal length than the true one, depth is wrong by their ratio.
    assert metres(500, 500) * 1000 / 1500 == pytest.approx(metres(500, 500, 1000.0, 1000.0))


def test_rootnet_puts_the_middle_of_the_keypoints_on_their_line_of_sight():
    pose, camera, confidence = POSE / 1000, CAMERA, ONES.copy()
    image = pixels()
    image[0], confidence[0, 0] = 9999.0, 0.0  # what is not seen does not widen the box
    side = 1.25 * np.ptp(image[1:], axis=0).max()
    root = found(rootnet_root, pose, image, confidence)
    assert root[2] == pytest.approx(2 * 1145 / side)
    corrected = rootnet_root(
        pose[None], image[None], confidence, camera, correction=np.array([ROOT[2] / 1000 / root[2]])
    )
    np.testing.assert_allclose(corrected[0], ROOT / 1000, atol=1e-6)


@pytest.mark.parametrize("name", list(CLOSED_FORMS))
def test_frames_that_cannot_be_solved_are_missing(name):
    poses, images, confidence = np.repeat(POSE[None] / 1000, 4, 0), np.repeat(pixels()[None], 4, 0), np.ones((4, 17))
    confidence[1, 2:] = 0  # two joints only
    confidence[2] = 0
    images[3] = np.nan
    roots = CLOSED_FORMS[name](poses, images, confidence, CAMERA)
    assert np.isfinite(roots).all(-1).tolist() == [True, False, False, False]
    assert CLOSED_FORMS[name](poses[:0], images[:0], confidence[:0], CAMERA).shape == (0, 3)


def test_roots_by_name():
    seen = POSE[None] / 1000, pixels()[None], ONES, CAMERA
    learned = ROOT[None] / 1000 * 1.05
    for name in ROOTS:
        assert np.isfinite(find_root(name, *seen, learned)).all()
    np.testing.assert_array_equal(find_root(NETWORK, *seen, learned), learned)
    np.testing.assert_allclose(find_root(DEFAULT, *seen, None), ROOT[None] / 1000, atol=1e-6)
    with pytest.raises(ValueError, match="does not know"):
        find_root(NETWORK, *seen, None)
