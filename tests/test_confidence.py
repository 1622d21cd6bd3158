# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints in a lifter's order, and how far its joints are to be believed."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.errors import UserError
from video_mocap.backend.lifting.confidence import output_confidence, select_keypoints
from video_mocap.rigging.joints import COCO17, H36M17, KEYPOINTS, TAKE

TIMES = np.arange(90) / 30


def coco_pose():
    points = np.ones((1, 17, 3))
    points[0, :, :2] = np.arange(34).reshape(17, 2)
    for name, xy in {
        "left_hip": (130, -10),
        "right_hip": (-130, 10),
        "left_shoulder": (150, -450),
        "right_shoulder": (-150, -450),
    }.items():
        points[0, COCO17.index(name), :2] = xy
    return points


def test_same_names_are_reordered_without_a_warning():
    points = np.random.default_rng(0).uniform(size=(4, len(KEYPOINTS), 3))
    out, warnings = select_keypoints(points, KEYPOINTS.names, COCO17.names)
    np.testing.assert_array_equal(out, points[:, :17])
    assert warnings == ()


def test_coco_to_h36m_by_midpoints_with_a_warning():
    points = coco_pose()
    points[0, COCO17.index("right_shoulder"), 2] = 0.4
    out, warnings = select_keypoints(points, COCO17.names, H36M17.names)
    np.testing.assert_allclose(out[0, H36M17.index("pelvis")], [0, 0, 1])
    np.testing.assert_allclose(out[0, H36M17.index("thorax")], [0, -450, 0.4])
    np.testing.assert_allclose(out[0, H36M17.index("spine")], [0, -225, 0.4])
    np.testing.assert_allclose(out[0, H36M17.index("neck")], points[0, COCO17.index("nose")])
    np.testing.assert_allclose(out[0, H36M17.index("left_knee")], points[0, COCO17.index("left_knee")])
    assert "more accurate" in warnings[0]
    points[0, COCO17.index("left_hip")] = [np.nan, np.nan, 0]
    out, _ = select_keypoints(points, COCO17.names, H36M17.names)
    assert np.isnan(out[0, 0, :2]).all()
    assert out[0, 0, 2] == 0


def test_a_few_lacking_joints_are_missing_and_many_are_an_error():
    points = coco_pose()
    out, _ = select_keypoints(points[:, 5:], COCO17.names[5:], COCO17.names)
    assert np.isnan(out[0, :5, :2]).all()
    assert not out[0, :5, 2].any()
    with pytest.raises(UserError, match="the keypoints lack nose, left_eye.* which the chosen lifter needs"):
        select_keypoints(points[:, 11:], COCO17.names[11:], COCO17.names)


def test_confidence_follows_the_2d_joints():
    confidence = np.full((90, 17), 0.9)
    confidence[:, COCO17.index("left_ankle")] = 0.2
    confidence[:, COCO17.index("right_hip")] = 0.6
    out = output_confidence(confidence, COCO17.names, TIMES, TAKE.names)
    for joint, expected in {"right_ankle": 0.9, "left_ankle": 0.2, "left_toe": 0.1, "pelvis": 0.6, "nose": 0.9}.items():
        np.testing.assert_allclose(out[:, TAKE.index(joint)], expected, atol=1e-9, err_msg=joint)


def test_confidence_falls_in_a_gap_and_ends_in_a_long_one():
    confidence = np.full((300, 17), 0.9)
    confidence[60:66] = 0
    confidence[150:250] = 0
    out = output_confidence(confidence, COCO17.names, np.arange(300) / 30, COCO17.names)
    np.testing.assert_allclose(out[59], 0.9)
    assert (out[60:66] > 0.2).all()
    assert (out[60:66] < 0.45).all()
    assert (np.diff(out[150:200, 0]) <= 0).all()
    assert not out[180:220].any()


def test_a_hidden_joint_of_a_visible_person_keeps_a_little():
    confidence = np.full((90, 17), 0.8)
    confidence[:, COCO17.index("left_wrist")] = 0
    out = output_confidence(confidence, COCO17.names, TIMES, TAKE.names)
    np.testing.assert_allclose(out[:, TAKE.index("left_wrist")], 0.04)
    assert (out[:, TAKE.index("left_hand")] > 0).all()
