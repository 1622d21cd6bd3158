# SPDX-License-Identifier: GPL-3.0-or-later
"""The person's own skeleton, and the motion on it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.rotations import segment_rotations
from video_mocap.rigging.skeleton import rest_skeleton
from video_mocap.rigging.solve import forward_kinematics, posed_joints, resample, solve

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, take_of, walk

CORE = [TAKE.index(name) for name in TAKE.names if name not in ("neck", "head_top", "nose", "left_ear", "right_ear")]


def test_rest_pose_stands_facing_minus_y_with_left_at_plus_x() -> None:
    skeleton = solve(take_of(walk()[None], 24.0), 1).skeleton
    place = dict(zip(TAKE.names, skeleton.joints, strict=True))
    assert skeleton.joints[:, 2].min() == pytest.approx(0, abs=1e-9)
    assert place["left_wrist"][0] > 0.6
    assert place["left_toe"][1] < place["left_heel"][1]
    assert place["nose"][1] < 0
    np.testing.assert_allclose(skeleton.joints[TAKE.mirror], skeleton.joints * [-1, 1, 1], atol=1e-9)
    assert np.linalg.det(skeleton.frames) == pytest.approx(1)


def test_forward_kinematics_gives_the_take_back() -> None:
    joints = walk()
    motion = solve(take_of(joints[None], 24.0), 1)
    assert np.linalg.norm(posed_joints(motion) - joints, axis=-1)[:, CORE].max() < 1e-3


@pytest.mark.parametrize("name", ["cmu_127_11", "cmu_135_11"])
def test_round_trip_on_real_motion(name: str) -> None:
    """Bone lengths made constant by one pass, the second must reproduce every joint that positions determine."""
    joints, fps = library_clip(name)
    constant = posed_joints(solve(take_of(joints[None], fps), 1))
    again = posed_joints(solve(take_of(constant[None], fps), 1))
    assert np.linalg.norm(again - constant, axis=-1)[:, CORE].max() < 1e-3
    # And the first pass stays near a capture whose bones are not quite constant.
    assert np.linalg.norm(constant - joints, axis=-1)[:, CORE].mean() < 0.02


def test_bones_have_the_persons_lengths() -> None:
    motion = solve(take_of(1.1 * walk()[None], 24.0), 1)
    bones = dict(
        zip(motion.skeleton.names, np.linalg.norm(motion.skeleton.tails - motion.skeleton.heads, axis=1), strict=False)
    )
    assert bones["thigh.L"] == pytest.approx(1.1 * 0.449, abs=1e-6)
    assert bones["forearm.R"] == pytest.approx(1.1 * 0.223, abs=1e-6)


def test_what_was_never_seen_gets_proportions_of_the_person() -> None:
    joints = 0.8 * walk()
    for name in (
        "left_knee",
        "left_ankle",
        "left_heel",
        "left_toe",
        "right_knee",
        "right_ankle",
        "right_heel",
        "right_toe",
    ):
        joints[:, TAKE.index(name)] = np.nan
    skeleton = rest_skeleton(joints, segment_rotations(joints))
    thigh = skeleton.names.index("thigh.L")
    assert np.linalg.norm(skeleton.tails[thigh] - skeleton.heads[thigh]) == pytest.approx(0.8 * 0.449, rel=0.02)


def test_quaternions_do_not_change_sign() -> None:
    joints, fps = library_clip("cmu_135_11")
    rotations = solve(take_of(joints[None], fps), 1).rotations
    assert ((rotations[1:] * rotations[:-1]).sum(-1) >= 0).all()


def test_gap_of_the_whole_person_is_marked_and_bridged() -> None:
    joints = walk()
    joints[10:20] = np.nan
    motion = solve(take_of(joints[None], 24.0), 1)
    assert motion.observed.tolist() == [True] * 10 + [False] * 10 + [True] * 28
    heads, _ = forward_kinematics(motion)
    assert np.isfinite(heads).all()
    assert np.linalg.norm(np.diff(heads[:, 0], axis=0), axis=1).max() < 0.08


def test_unknown_person_and_unseen_person_are_said() -> None:
    take = take_of(walk()[None], 24.0)
    with pytest.raises(ValueError, match="no person 7; it has 1"):
        solve(take, 7)
    take.joints_confidence[:] = 0
    with pytest.raises(ValueError, match="person 1 has no frame"):
        solve(take, 1)


def test_resampling_keeps_the_motion() -> None:
    motion = solve(take_of(walk()[None], 24.0), 1)
    doubled = resample(motion, np.arange(95) / 48.0)
    np.testing.assert_allclose(posed_joints(doubled)[::2], posed_joints(motion), atol=1e-9)


def test_long_motion_is_resampled_without_a_table_of_all_pairs() -> None:
    short = solve(take_of(walk()[None], 24.0), 1)
    rows = np.arange(60_000) % 48
    times = np.arange(60_000) / 24.0 + 0.01 * (rows % 2)
    motion = replace(
        short,
        times=times,
        rotations=short.rotations[rows],
        root_translation=short.root_translation[rows],
        observed=rows < 30,
    )
    there = resample(motion, np.arange(60_000) / 24.0)
    np.testing.assert_array_equal(there.observed, rows < 30)
    np.testing.assert_allclose(there.root_translation[::2], motion.root_translation[::2], atol=1e-9)


def test_trunk_without_its_middle_joint_still_reaches_the_shoulders() -> None:
    joints = 0.9 * walk()
    upright = np.linalg.norm(joints[:, TAKE.index("thorax")] - joints[:, TAKE.index("pelvis")], axis=1)
    joints[:, TAKE.index("spine")] = np.nan
    posed = posed_joints(solve(take_of(joints[None], 24.0), 1))
    assert np.ptp(upright) < 1e-6
    assert np.linalg.norm(posed - joints, axis=-1)[:, TAKE.index("left_elbow")].max() < 1e-3
