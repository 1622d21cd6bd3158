# SPDX-License-Identifier: GPL-3.0-or-later
"""Every metric against the numbers of its specification."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.evaluation import metrics
from video_mocap.rigging.joints import COCO17, H36M17

POSE = np.fromstring(
    "0 0 0 -130 10 0 -140 450 30 -150 890 60 130 -10 0 140 440 -40 150 880 -80 0 -230 10 0 -480 20 0 -560 -60 "
    "0 -680 0 150 -450 20 300 -250 60 320 -20 -100 -150 -450 20 -320 -280 0 -380 -50 -200",
    sep=" ",
).reshape(1, 17, 3)


def errors(predicted):
    """MPJPE, N-MPJPE, P-MPJPE of a pose in millimetres whose root is at 0."""
    return [float(f(predicted, POSE)[0]) for f in (metrics.mpjpe, metrics.n_mpjpe, metrics.p_mpjpe)]


def test_scaled_pose():
    np.testing.assert_allclose(errors(POSE * 1.1), [44.0536, 0, 0], atol=1e-4)


def test_turned_pose():
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    turned = POSE @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    np.testing.assert_allclose(errors(turned), [27.3116, 27.4139, 0], atol=1e-4)


def test_noisy_pose():
    noise = np.random.default_rng(7).normal(0, 30, (17, 3))
    np.testing.assert_allclose(errors(POSE + noise), [43.1960, 42.9308, 39.6213], atol=1e-4)


def test_mirrored_pose_is_not_right():
    assert metrics.p_mpjpe(POSE * [-1, 1, 1], POSE)[0] == pytest.approx(96.1472, abs=1e-4)


def test_alternating_jitter():
    truth = np.repeat(POSE, 60, 0) / 1000
    predicted = truth + 0.005 * np.where(np.arange(60) % 2, 1, -1)[:, None, None] * [0, 1, 0]
    assert metrics.mean(metrics.mpjpe(predicted, truth)) == pytest.approx(0.005)
    assert metrics.mpjve(predicted, truth) == pytest.approx(0.010)
    assert metrics.acceleration(predicted) == pytest.approx(0.020)
    assert metrics.acceleration_error(predicted, truth, 30.0) == pytest.approx(0.020 * 900)
    assert metrics.jitter(predicted, 30.0) / 10 == pytest.approx(108.0)
    assert metrics.jitter(truth, 30.0) == 0


def test_pck_and_auc_at_and_below_the_threshold():
    errors_m = np.array([10, 60, 140, 151, 400, np.nan]) / 1000
    assert metrics.pck_3d(errors_m) == pytest.approx(0.60)
    assert metrics.pck_3d(np.array([0.150])) == 1
    assert 100 * metrics.auc_3d(errors_m) == pytest.approx(32.903, abs=1e-3)
    assert 100 * metrics.auc_3d(errors_m, strict=True) == pytest.approx(30.968, abs=1e-3)


def test_reliability_and_calibration_error():
    confidence = np.array([0.05, 0.15, 0.15, 0.95, 1.0, 0.9, 0.92, 0.93])
    true = np.array([0, 1, 0, 1, 1, 0, 1, 1], bool)
    rows = metrics.reliability(confidence, true)
    np.testing.assert_allclose(rows, [[1 / 8, 0.05, 0], [2 / 8, 0.15, 0.5], [5 / 8, 0.94, 0.8]])
    assert metrics.calibration_error(confidence, true) == pytest.approx((0.05 + 2 * 0.35 + 5 * 0.14) / 8)
    fair = np.random.default_rng(0).uniform(size=20000)
    drawn = np.random.default_rng(1).uniform(size=20000)
    assert metrics.calibration_error(fair, drawn < fair) < 0.02
    assert metrics.calibration_error(fair, drawn < fair**2) > 0.1
    assert metrics.reliability(np.zeros(0), np.zeros(0, bool)) == []


def test_oks():
    truth = np.zeros((17, 2))
    out = metrics.oks(truth + np.array([10, 0]), truth, 20000)
    assert out.mean() == pytest.approx(0.776402, abs=1e-6)
    assert out[COCO17.index("nose")] == pytest.approx(0.396707, abs=1e-6)
    assert out[COCO17.index("left_hip")] == pytest.approx(0.946873, abs=1e-6)


def test_pose_structure_score():
    centres = np.random.default_rng(0).normal(size=(3, 17, 3))
    centres /= np.linalg.norm(centres, axis=(1, 2), keepdims=True)
    truth, predicted = 900 * centres[[0, 1, 2, 0]], 1100 * centres[[0, 1, 0, 0]]
    assert metrics.pss(predicted, truth, centres) == 0.75


def test_missing_joints_do_not_count():
    predicted = POSE + np.array([10, 0, 0])
    predicted[0, 4:] = np.nan
    assert metrics.mpjpe(predicted, POSE)[0] == pytest.approx(10)
    assert np.isnan(metrics.mpjpe(predicted, POSE, min_joints=5)[0])
    assert metrics.p_mpjpe(predicted, POSE)[0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(metrics.p_mpjpe(np.full_like(POSE, np.nan), POSE)[0])
    assert np.isnan(metrics.mean(np.array([np.nan])))


def test_root_is_one_joint_or_the_middle_of_two():
    moved = POSE + np.array([5, 6, 7])
    np.testing.assert_allclose(metrics.root_relative(moved, [0]), POSE)
    hips = [H36M17.index("left_hip"), H36M17.index("right_hip")]
    np.testing.assert_allclose(metrics.root_relative(moved, hips), POSE)


def test_paths():
    t = np.linspace(0, 2, 40)
    truth = np.stack([t, np.sin(t), 0.1 * t], axis=1)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    taken = 0.8 * truth @ turn.T + [3, 4, 5]
    error, scale = metrics.path_error(taken, truth, with_scale=True)
    assert error == pytest.approx(0, abs=1e-9)
    assert scale == pytest.approx(1.25)
    rigid, one = metrics.path_error(taken, truth, with_scale=False)
    assert rigid > 0.05
    assert one == 1
    assert metrics.mrpe(truth + np.array([0, 3, 4]), truth) == pytest.approx(5)
    assert np.isnan(metrics.path_error(taken[:2], truth[:2], True)[0])


def test_feet_slide_only_while_the_truth_stands():
    frames = np.arange(40)
    truth = np.zeros((40, 1, 3))
    truth[20:, 0, 0] = 0.05 * (frames[20:] - 19)  # walks off at 1.5 m/s
    taken = truth + np.array([0.0, 0.01, 0.0]) * frames[:, None, None]
    speed, own, samples = metrics.foot_sliding(taken, truth, 30.0)
    assert speed == pytest.approx(0.3)
    assert own == 0
    assert samples == 18


def test_bones_gravity_and_reprojection():
    points = np.zeros((10, 3, 3))
    points[:, 1, 0] = np.where(np.arange(10) % 2, 1.1, 0.9)
    points[:, 2, 0] = points[:, 1, 0] + 0.5
    assert metrics.bone_length_cv(points, [(0, 1), (1, 2)]) == pytest.approx(0.05)
    tilt = metrics.gravity_tilt(np.array([[0, -1.0, 0], [0, -2.0, 2.0]]), np.array([[0, -3.0, 0], [0, -1.0, 0]]))
    np.testing.assert_allclose(tilt, [0, 45], atol=1e-6)
    pixels = np.array([[3.0, 4.0], [np.nan, 1.0], [0.0, 0.0]])
    rms = metrics.reprojection_rms(np.zeros((3, 2)), pixels, np.array([1.0, 1.0, 3.0]))
    assert rms == pytest.approx(2.5)
