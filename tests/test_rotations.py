# SPDX-License-Identifier: GPL-3.0-or-later
"""Segment frames from positions: axes, hinges, twist, gaps."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.rigging import quaternions
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.rotations import (
    SEGMENT_PARENTS,
    SEGMENTS,
    complete_rest_pose,
    rotation_differences,
    segment_rotations,
)

UP, LEFT, FRONT = np.array([0.0, 0, 1]), np.array([1.0, 0, 0]), np.array([0.0, -1, 0])
#: A person in a T-pose, facing -Y, metres; the left side is made from the right.
T_POSE = {
    "pelvis": (0, 0, 0.9),
    "right_hip": (-0.1, 0, 0.9),
    "right_knee": (-0.1, 0, 0.5),
    "right_ankle": (-0.1, 0, 0.08),
    "right_heel": (-0.1, 0.05, 0),
    "right_toe": (-0.1, -0.18, 0),
    "spine": (0, 0, 1.15),
    "thorax": (0, 0, 1.4),
    "neck": (0, 0.02, 1.47),
    "head_top": (0, -0.02, 1.75),
    "right_shoulder": (-0.18, 0, 1.4),
    "right_elbow": (-0.46, 0, 1.4),
    "right_wrist": (-0.71, 0, 1.4),
    "right_hand": (-0.80, 0, 1.4),
    "nose": (0, -0.14, 1.6),
    "right_ear": (-0.073, -0.02, 1.62),
}


def t_pose() -> np.ndarray:
    points = {name: np.array(point, float) for name, point in T_POSE.items()}
    points |= {
        name.replace("right", "left"): point * [-1, 1, 1] for name, point in points.items() if name.startswith("right")
    }
    return np.array([[points[name] for name in TAKE.names]])


def about(axis: np.ndarray, angle: np.ndarray | float) -> np.ndarray:
    """(F, 3, 3) turns by `angle` (F,) about a fixed axis."""
    angles = np.atleast_1d(angle)[:, None]
    return quaternions.to_matrix(np.concatenate([np.cos(angles / 2), np.sin(angles / 2) * axis], 1))


def move(pose: np.ndarray, joints: list[str], pivot: str, turns: np.ndarray) -> np.ndarray:
    """Turn some joints of (F, 26, 3) about a pivot by (F, 3, 3)."""
    result, rows, centre = pose.copy(), [TAKE.index(name) for name in joints], pose[:, [TAKE.index(pivot)]]
    result[:, rows] = centre + np.einsum("fij,fkj->fki", turns, pose[:, rows] - centre)
    return result


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cosine = (np.einsum("...ij,...ij->...", a, b) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_axes_of_a_t_pose() -> None:
    solved = segment_rotations(t_pose())
    expected = {
        "hips": (LEFT, UP, FRONT),
        "chest": (LEFT, UP, FRONT),
        "head": (LEFT, UP, FRONT),
        "upper_arm.L": (-UP, LEFT, FRONT),
        "forearm.R": (UP, -LEFT, FRONT),
        "thigh.L": (LEFT, -UP, -FRONT),
        "shin.R": (LEFT, -UP, -FRONT),
        "foot.L": (LEFT, FRONT, -UP),
        "toe.R": (LEFT, FRONT, -UP),
    }
    for segment, axes in expected.items():
        np.testing.assert_allclose(solved[segment][0], np.stack(axes, -1), atol=1e-6, err_msg=segment)


def test_still_t_pose_is_identity_on_any_number_of_frames() -> None:
    clip = segment_rotations(np.repeat(t_pose(), 7, 0))
    assert np.abs(rotation_differences(clip, segment_rotations(t_pose())) - np.eye(3)).max() < 1e-9


def test_full_turn_has_no_flips() -> None:
    angles = np.linspace(0, 2 * np.pi, 181)
    turns = about(UP, angles)
    everything = [name for name in TAKE.names if name != "pelvis"]
    clip = segment_rotations(move(np.repeat(t_pose(), len(angles), 0), everything, "pelvis", turns))
    differences = rotation_differences(clip, segment_rotations(t_pose()))
    assert degrees_between(differences, turns[:, None]).max() < 1e-4
    steps = quaternions.continuous(quaternions.from_matrix(differences))
    assert np.abs(np.diff(steps, axis=0)).max() < 0.02
    assert ((steps[0] * steps[-1]).sum(-1) < -0.999).all()


@pytest.mark.parametrize("noise", [0.0, 0.004])
@pytest.mark.parametrize(
    ("axis", "lower", "pivot", "segment"),
    [
        (LEFT, ["left_ankle", "left_heel", "left_toe"], "left_knee", "thigh.L"),
        (-UP, ["left_wrist", "left_hand"], "left_elbow", "upper_arm.L"),
        (UP, ["right_wrist", "right_hand"], "right_elbow", "upper_arm.R"),
    ],
)
def test_hinge_survives_a_straight_limb(
    axis: np.ndarray, lower: list[str], pivot: str, segment: str, noise: float
) -> None:
    """Bend, straighten past zero by noise for a second, bend again: the roll of the limb stays."""
    angles = np.concatenate([np.linspace(1.2, 0, 30), np.zeros(30), np.linspace(0, 1.2, 30)])
    pose = move(np.repeat(t_pose(), len(angles), 0), lower, pivot, about(axis, angles))
    pose += np.random.default_rng(0).normal(0, noise, pose.shape)
    frames = segment_rotations(pose)[segment]
    rest = segment_rotations(t_pose())[segment]
    assert degrees_between(frames, rest).max() < (0.01 if noise == 0 else 20)


def test_roll_found_by_the_elbow_is_carried_through_the_straight_arm() -> None:
    """The arm is rolled by 60 degrees while bent, and keeps that while it is straight between."""
    angles = np.concatenate([np.linspace(1.2, 0, 20), np.zeros(10), np.linspace(0, 1.2, 20)])
    roll = about(LEFT, np.full(len(angles), np.radians(60)))
    pose = move(np.repeat(t_pose(), len(angles), 0), ["left_wrist", "left_hand"], "left_elbow", about(-UP, angles))
    pose = move(pose, ["left_wrist", "left_hand"], "left_elbow", roll)
    frames = segment_rotations(pose)["upper_arm.L"]
    assert degrees_between(frames, roll @ segment_rotations(t_pose())["upper_arm.L"]).max() < 2


def test_knee_that_seems_to_bend_forward_does_not_turn_the_thigh() -> None:
    pose = move(t_pose(), ["left_ankle", "left_heel", "left_toe"], "left_knee", about(LEFT, np.radians(-20)))
    assert degrees_between(segment_rotations(pose)["thigh.L"], segment_rotations(t_pose())["thigh.L"]).max() < 1e-4


def test_left_is_left() -> None:
    """Lifting the left arm turns the left arm only."""
    lifted = move(t_pose(), ["left_elbow", "left_wrist", "left_hand"], "left_shoulder", about(FRONT, np.radians(30)))
    turned = degrees_between(segment_rotations(lifted).rotations, segment_rotations(t_pose()).rotations)[0]
    moved = {name for name, angle in zip(SEGMENTS, turned, strict=True) if angle > 0.01}
    assert moved == {"upper_arm.L", "forearm.L", "hand.L"}
    assert segment_rotations(lifted)["upper_arm.L"][0, 2, 1] > 0.4


def test_gap_is_bridged_and_reported() -> None:
    angles = np.linspace(0, 0.8, 21)
    pose = move(np.repeat(t_pose(), 21, 0), ["left_wrist", "left_hand"], "left_elbow", about(-UP, angles))
    whole = segment_rotations(pose)
    pose[5:15, TAKE.index("left_wrist")] = np.nan
    gapped = segment_rotations(pose)
    assert degrees_between(gapped["forearm.L"], whole["forearm.L"]).max() < 0.5
    assert gapped.observed[:, SEGMENTS.index("forearm.L")].tolist() == [True] * 5 + [False] * 10 + [True] * 6


def test_what_was_never_seen_follows_its_parent() -> None:
    pose = move(t_pose(), [name for name in TAKE.names if name != "pelvis"], "pelvis", about(LEFT, 0.5))
    pose[:, [TAKE.index(f"{side}_{point}") for side in ("left", "right") for point in ("ankle", "heel", "toe")]] = (
        np.nan
    )
    clip, rest = segment_rotations(pose), segment_rotations(t_pose())
    differences = rotation_differences(clip, rest)
    shin = SEGMENTS.index("shin.L")
    assert not clip.observed[:, shin].any()
    np.testing.assert_allclose(differences[:, shin], differences[:, SEGMENT_PARENTS[shin]])


def test_confidence_zero_is_missing() -> None:
    confidence = np.ones((1, len(TAKE)))
    confidence[0, TAKE.index("left_hand")] = 0
    solved = segment_rotations(t_pose(), confidence)
    assert not solved.observed[0, SEGMENTS.index("hand.L")]
    assert solved.observed[0, SEGMENTS.index("hand.R")]


def test_rest_pose_of_a_rig_without_face_and_heels_matches_an_upright_person() -> None:
    rest = t_pose()
    for name in ("nose", "left_ear", "right_ear", "left_heel", "right_heel"):
        rest[:, TAKE.index(name)] = np.nan
    whole = segment_rotations(complete_rest_pose(rest))
    angles = degrees_between(whole.rotations, segment_rotations(t_pose()).rotations)[0]
    assert angles[SEGMENTS.index("head")] < 0.5
    assert angles[SEGMENTS.index("foot.L")] < 0.5


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="26"):
        segment_rotations(np.zeros((4, 17, 3)))


def arm_of(bend: np.ndarray, turn: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """(F, 26, 3) a T-pose whose left elbow is bent by `bend` and turned about the upper arm by `turn`, radians."""
    pose = np.repeat(t_pose(), len(bend), 0)
    elbow = pose[:, TAKE.index("left_elbow")]
    out = np.stack([np.cos(bend), -np.sin(bend) * np.cos(turn), np.sin(bend) * np.sin(turn)], -1)
    pose[:, TAKE.index("left_wrist")] = elbow + 0.26 * out
    pose[:, TAKE.index("left_hand")] = elbow + 0.35 * out
    if noise:
        pose += np.random.default_rng(0).normal(size=pose.shape) * noise
    return pose


def roll_speed(pose: np.ndarray) -> np.ndarray:
    """(F - 1,) degrees a frame by which the left upper arm turns about itself."""
    x = segment_rotations(pose)["upper_arm.L"][:, :, 0]
    return np.degrees(np.arccos(np.clip((x[1:] * x[:-1]).sum(-1), -1, 1)))


def test_a_nearly_straight_arm_does_not_roll_with_the_noise() -> None:
    still = np.zeros(90)
    assert np.percentile(roll_speed(arm_of(still + np.radians(15.0), still, 0.005)), 99) < 8.0


def test_an_arm_bent_by_thirty_degrees_rolls_as_it_is_measured() -> None:
    turn = np.radians(40.0) * np.sin(np.linspace(0, 12, 90))
    pose = arm_of(np.full(90, np.radians(30.5)), turn)
    x = segment_rotations(pose)["upper_arm.L"][:, :, 0]
    elbow, wrist = (pose[:, TAKE.index(f"left_{name}")] for name in ("elbow", "wrist"))
    normal = np.cross(elbow - pose[:, TAKE.index("left_shoulder")], wrist - elbow)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    assert np.degrees(np.arccos(np.clip((x * normal).sum(-1), -1, 1))).max() < 0.5


def test_a_still_limb_bent_by_seven_degrees_rolls_as_one_pose_of_it() -> None:
    still = np.zeros(30)
    pose = arm_of(still + np.radians(7.0), still + np.radians(60.0))
    clip, single = segment_rotations(pose)["upper_arm.L"], segment_rotations(pose[:1])["upper_arm.L"]
    assert np.abs(clip - single).max() < 1e-3


def test_a_hand_that_folds_right_back_does_not_flip() -> None:
    folds, around = np.radians(180.0 - 5.0 - 15.0 * np.abs(np.linspace(-1, 1, 160))), np.linspace(0, 60, 160)
    pose = np.repeat(t_pose(), 160, 0)
    out = np.stack([np.cos(folds), np.sin(folds) * np.cos(around), np.sin(folds) * np.sin(around)], -1)
    pose[:, TAKE.index("left_hand")] = pose[:, TAKE.index("left_wrist")] + 0.09 * out
    hand = segment_rotations(pose)["hand.L"]
    cosine = (np.einsum("fij,fij->f", hand[1:], hand[:-1]) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 15
