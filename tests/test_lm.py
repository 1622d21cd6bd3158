# SPDX-License-Identifier: GPL-3.0-or-later
"""Levenberg-Marquardt on the camera problem of the specification and on the classics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from video_mocap.backend.camera import project
from video_mocap.backend.refinement.lm import levenberg_marquardt

POSE = (
    np.fromstring(
        "0 0 0 -130 10 0 -140 450 30 -150 890 60 130 -10 0 140 440 -40 150 880 -80 0 -230 10 0 -480 20 0 -560 -60 "
        "0 -680 0 150 -450 20 300 -250 60 320 -20 -100 -150 -450 20 -320 -280 0 -380 -50 -200",
        sep=" ",
    ).reshape(17, 3)
    / 1000
)


def image(parameters):
    rotation = Rotation.from_rotvec(parameters[:3]).as_matrix()
    return project(POSE @ rotation.T + parameters[3:], np.diag([2.29, 2.29, 1.0]))


def test_camera_from_reprojection():
    true = np.array([0.1, -0.3, 0.05, 0.3, -0.1, 4.5])
    target = image(true)
    solution = levenberg_marquardt(lambda p: (image(p) - target).ravel(), np.array([0.0, 0, 0, 0, 0, 5]))
    # Root mean square distance per point in pixels of a 1000 pixel wide image.
    pixels = np.array(solution.rms[:5]) * np.sqrt(2) * 500
    np.testing.assert_allclose(pixels, [84.0, 9.90, 9.67e-2, 8.3e-5, 2.2e-10], rtol=0.01)
    np.testing.assert_allclose(solution.parameters, true, atol=1e-10)
    assert solution.converged


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_rosenbrock_in_any_units(scale):
    def residuals(x):
        a, b = x[0], x[1] / scale
        return np.array([10 * (b - a * a), 1 - a])

    solution = levenberg_marquardt(residuals, np.array([-1.2, scale]), max_steps=200)
    np.testing.assert_allclose(solution.parameters, [1, scale], rtol=1e-6)


def test_given_jacobian_and_a_parameter_without_effect():
    A = np.array([[1.0, 2.0, 0.0], [3.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    b = np.array([1.0, 2.0, 3.0])
    solution = levenberg_marquardt(lambda x: A @ x - b, np.zeros(3), lambda _: A)
    np.testing.assert_allclose(solution.parameters[:2], np.linalg.lstsq(A[:, :2], b, rcond=None)[0], atol=1e-8)
    assert solution.parameters[2] == 0


def test_cost_never_rises_and_impossible_steps_are_not_taken():
    def residuals(x):
        with np.errstate(invalid="ignore"):
            return np.log(x) - 3.0

    solution = levenberg_marquardt(residuals, np.array([200.0]))
    assert (np.diff(solution.rms) < 0).all()
    assert solution.parameters[0] == pytest.approx(np.exp(3.0))
    with pytest.raises(ValueError, match="not finite at the start"):
        levenberg_marquardt(residuals, np.array([-1.0]))
