# SPDX-License-Identifier: GPL-3.0-or-later
"""Projection, rays and the intrinsics that are assumed."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.camera import guess_intrinsics, project, rays, to_camera
from video_mocap.backend.errors import UserError

CAMERA = np.array([[900.0, 0.0, 500.0], [0.0, 1100.0, 300.0], [0.0, 0.0, 1.0]])


def test_projection():
    np.testing.assert_allclose(project(np.array([[1.0, -0.5, 2.0], [0.0, 0.0, 7.0]]), CAMERA), [[950, 25], [500, 300]])
    assert np.isnan(project(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, -2.0], [np.nan] * 3]), CAMERA)).all()


def test_rays_are_the_inverse():
    points = np.random.default_rng(0).uniform(1, 3, (4, 5, 3))
    np.testing.assert_allclose(rays(project(points, CAMERA), CAMERA) * points[..., 2:], points)


def test_world_to_camera_for_static_and_moving_cameras():
    points = np.random.default_rng(0).normal(size=(2, 3, 4, 3))
    moving = np.repeat(np.eye(4)[None], 3, 0)
    moving[:, :3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    moving[:, 0, 3] = [0, 1, 2]
    out = to_camera(points, moving)
    np.testing.assert_allclose(out[1, 2, 3], points[1, 2, 3, [0, 2, 1]] * [1, -1, 1] + [2, 0, 0])
    np.testing.assert_allclose(to_camera(points, moving[0]), to_camera(points, moving[:1]))


def test_guessed_intrinsics():
    K, source = guess_intrinsics((1080, 1920))
    assert source == "assumed"
    np.testing.assert_allclose(K, [[1920, 0, 540], [0, 1920, 960], [0, 0, 1]])
    K, source = guess_intrinsics((1920, 1080), fov_degrees=90)
    assert (source, K[0, 0], K[1, 1]) == ("field of view given", pytest.approx(960), pytest.approx(960))
    K, source = guess_intrinsics((1920, 1080), focal_length=1500)
    assert (source, K[0, 0], K[0, 2]) == ("focal length given", 1500, 960)


@pytest.mark.parametrize("values", [(0, None), (float("nan"), None), (None, 180), (None, -3), (1000, 60)])
def test_impossible_values(values):
    with pytest.raises(UserError):
        guess_intrinsics((640, 480), *values)
