# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed-form root against the pose, camera and errors of its specification; and beside the lifter's own root."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.camera import project
from video_mocap.backend.root.agreed import agreed_root
from video_mocap.backend.root.linear import depth_spread, linear_root

sys.path.insert(0, str(Path(__file__).parent))
from root_pose import CAMERA, ONES, POSE, ROOT, pixels


def test_exact():
    found = linear_root(POSE[None], pixels()[None], ONES, CAMERA)
    np.testing.assert_allclose(found, [ROOT], atol=1e-6)


def test_wrong_focal_length_scales_the_depth():
    wrong = np.diag([1145.0 * 1.5, 1145.0 * 1.5, 1.0])
    found = linear_root(POSE[None], pixels()[None], ONES, wrong)[0]
    np.testing.assert_allclose(found, [299.96, -99.90, 6744.28], atol=0.01)
    assert found[2] / ROOT[2] == pytest.approx(1.49873, abs=1e-5)


def test_noise_of_three_pixels():
    noise = np.random.default_rng(0).normal(0, 3, (500, 17, 2))
    poses = np.broadcast_to(POSE, (500, 17, 3))
    found = linear_root(poses, pixels() + noise, np.ones((500, 17)), CAMERA)
    assert np.linalg.norm(found - ROOT, axis=-1).mean() == pytest.approx(22.4, rel=0.08)


def test_any_camera_and_many_frames():
    camera = np.array([[900.0, 3.0, 500.0], [0.0, 1100.0, 300.0], [0.0, 0.0, 1.0]])
    roots = ROOT + np.random.default_rng(1).normal(0, 300, (40, 3))
    poses = np.broadcast_to(POSE, (40, 17, 3))
    images = project(poses + roots[:, None], camera)
    np.testing.assert_allclose(linear_root(poses, images, np.ones((40, 17)), camera), roots, atol=1e-6)


def test_missing_and_doubted_joints_do_not_count():
    image, confidence, pose = pixels().copy(), np.ones(17), POSE.copy()
    image[3] = np.nan
    pose[5] = np.nan
    image[7], confidence[7] = 9999.0, 0.0
    found = linear_root(pose[None], image[None], confidence[None], CAMERA)
    np.testing.assert_allclose(found, [ROOT], atol=1e-6)
    image[8] += 40
    confidence[8] = 1e-3
    doubted = linear_root(pose[None], image[None], confidence[None], CAMERA)
    believed = linear_root(pose[None], image[None], (confidence > 0)[None] * 1.0, CAMERA)
    assert np.linalg.norm(doubted - ROOT) < 0.01 * np.linalg.norm(believed - ROOT)


def test_frames_that_cannot_be_solved_are_missing():
    poses = np.repeat(POSE[None], 5, 0)
    images = np.repeat(pixels()[None], 5, 0)
    confidence = np.ones((5, 17))
    confidence[1, 2:] = 0  # two joints only
    confidence[2] = 0
    poses[3] = 0  # every joint at one place
    images[3] = images[3, :1]
    images[4] = -images[4]  # upside down: solved only behind the camera
    found = linear_root(poses, images, confidence, CAMERA)
    assert np.isfinite(found).all(-1).tolist() == [True, False, False, False, False]
    assert linear_root(poses[:0], images[:0], confidence[:0], CAMERA).shape == (0, 3)


def shaken(pixels_off, joints=17):
    """So many frames of somebody whose keypoints err by so many pixels: root, its spread, its true error in parts."""
    noise = np.random.default_rng(2).normal(0, pixels_off, (400, 17, 2))
    seen = np.zeros((400, 17))
    seen[:, :joints] = 1
    poses = np.broadcast_to(POSE, (400, 17, 3))
    found = linear_root(poses, pixels() + noise, seen, CAMERA)
    return found, depth_spread(poses, pixels() + noise, seen, CAMERA, found), found[:, 2] / ROOT[2] - 1


@pytest.mark.parametrize("pixels_off", [2.0, 10.0])
def test_the_linear_root_tells_its_error(pixels_off):
    _, spread, error = shaken(pixels_off)
    assert np.median(spread) == pytest.approx(error.std(), rel=0.15)


def test_fewer_joints_err_more_and_what_is_unknown_has_no_spread():
    assert np.median(shaken(3.0, joints=6)[1]) > 1.3 * np.median(shaken(3.0)[1])
    poses, images, seen = np.repeat(POSE[None], 3, 0), np.repeat(pixels()[None], 3, 0), np.ones((3, 17))
    seen[1] = 0
    spread = depth_spread(poses, images, seen, CAMERA, linear_root(poses, images, seen, CAMERA))
    np.testing.assert_allclose(spread[[0, 2]], 0, atol=1e-9)
    assert np.isnan(spread[1])


def test_the_surer_of_two_roots_counts_more():
    linear = np.array([[0.4, 0.2, 4.0]] * 4)
    found = agreed_root(linear, np.array([0.0, 0.006, 0.1, 0.5]), linear * 1.05)
    np.testing.assert_allclose(found[0], linear[0])
    assert found[1, 2] == pytest.approx(4.08, abs=0.01)
    assert found[3, 2] > found[2, 2] > 4.17
    np.testing.assert_allclose(found / found[:, 2:], linear / 4)


def test_a_root_that_is_wildly_wrong_does_not_pull_where_keypoints_say_otherwise():
    linear = np.array([[0.4, 0.2, 4.0]] * 3)
    for factor in (0.3, 0.5, 2.0, 5.0):
        found = agreed_root(linear, np.array([0.005, 0.02, 0.03]), factor * linear)
        np.testing.assert_allclose(found[:, 2], 4.0, rtol=0.02)
    # but where they say next to nothing it is the lifter that knows
    assert agreed_root(linear[:1], np.array([0.3]), 0.7 * linear[:1])[0, 2] == pytest.approx(2.8, rel=0.05)


def test_where_one_root_is_unknown_it_is_the_other():
    linear, learned = (
        np.array([[1.0, 0, 5], [np.nan] * 3, [np.nan] * 3]),
        np.array([[np.nan] * 3, [2.0, 0, 6], [np.nan] * 3]),
    )
    found = agreed_root(linear, np.array([0.02, np.nan, np.nan]), learned)
    np.testing.assert_array_equal(found, [[1.0, 0, 5], [2.0, 0, 6], [np.nan] * 3])
