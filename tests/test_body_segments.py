# SPDX-License-Identifier: GPL-3.0-or-later
"""The person as rigid segments, which the refinement moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from video_mocap.backend.errors import UserError
from video_mocap.backend.refinement.banded import NormalEquations
from video_mocap.backend.refinement.body import measure_links
from video_mocap.backend.refinement.evidence import Options
from video_mocap.backend.refinement.order import in_front, parse_in_front
from video_mocap.backend.refinement.refine import refine
from video_mocap.backend.refinement.skeleton import Skeleton
from video_mocap.rigging.joints import H36M17, TAKE

from .test_refinement import evidence_of, observed, rest_pose, turning_person


def skeleton_of(truth: np.ndarray) -> Skeleton:
    return Skeleton(measure_links(truth, np.ones(truth.shape[:2])))


@pytest.mark.parametrize("joints", [len(H36M17), len(TAKE)])
def test_a_rigid_person_is_met_exactly(joints: int) -> None:
    truth = turning_person(30)
    truth[:, joints:] = np.nan
    skeleton = skeleton_of(truth)
    assert skeleton.rows.tolist() == list(range(joints))
    placed = skeleton.placed(skeleton.fitted(truth))
    # The rest pose's hips are not quite level with the pelvis.
    assert np.linalg.norm(placed - truth, axis=-1)[:, :joints].max() < 0.002


def test_left_and_right_of_the_head_are_not_exchanged() -> None:
    truth = turning_person(5)
    ears = [TAKE.index("left_ear"), TAKE.index("right_ear")]
    mirrored = truth.copy()
    mirrored[:, ears] = truth[:, ears[::-1]]
    skeleton = skeleton_of(truth)
    assert np.linalg.norm(skeleton.placed(skeleton.fitted(mirrored)) - mirrored, axis=-1)[:, ears].max() > 0.02


def test_the_derivative_is_that_of_a_small_step() -> None:
    truth = turning_person(4)
    skeleton = skeleton_of(truth)
    posture = skeleton.fitted(truth)
    step = 1e-6 * np.random.default_rng(0).normal(size=(4, skeleton.size))
    moved = skeleton.placed(skeleton.moved(posture, step)) - skeleton.placed(posture)
    expected = np.einsum("fjcd,fd->fjc", skeleton.derivative(posture), step)
    assert np.abs(moved - expected).max() < 1e-3 * np.abs(moved).max()


def test_steps_do_not_stretch_bones() -> None:
    truth = turning_person(10)
    skeleton = skeleton_of(truth)
    posture = skeleton.fitted(truth)
    step = 0.5 * np.random.default_rng(0).normal(size=(10, skeleton.size))
    x, y = (skeleton.placed(each) for each in (posture, skeleton.moved(posture, step)))
    lengths = [np.linalg.norm(p[:, 1:] - p[:, list(TAKE.parents[1:])], axis=-1) for p in (x, y)]
    assert np.abs(lengths[1] - lengths[0]).max() < 1e-12


def bent_backward(frames: int = 10) -> np.ndarray:
    """A standing person whose left knee is 6 cm behind the line from hip to ankle."""
    truth = turning_person(frames)
    leg = [TAKE.index(f"left_{joint}") for joint in ("hip", "knee", "ankle", "heel", "toe")]
    hip, _, ankle, heel, toe = (truth[:, row] for row in leg)
    forward = (toe - heel) / np.linalg.norm(toe - heel, axis=-1, keepdims=True)
    truth[:, leg[1]] = 0.5 * (hip + ankle) - 0.06 * forward
    return truth


def bends_backward(x: np.ndarray) -> np.ndarray:
    """(F, 2) metres by which the knees lie behind the line from hip to ankle, forwards being where the foot points."""
    found = []
    for side in ("left", "right"):
        hip, knee, ankle, heel, toe = (
            x[:, TAKE.index(f"{side}_{joint}")] for joint in ("hip", "knee", "ankle", "heel", "toe")
        )
        axis, foot = ankle - hip, toe - heel
        forward = foot - axis * ((foot * axis).sum(-1) / (axis * axis).sum(-1))[:, None]
        forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
        found.append(np.maximum(-((knee - 0.5 * (hip + ankle)) * forward).sum(-1), 0.0))
    return np.stack(found, axis=-1)


def test_a_knee_is_brought_back_from_where_no_knee_bends() -> None:
    wrong = bent_backward()
    # The picture says nothing of depth, and the lifter is wrong.
    evidence = evidence_of(wrong, observed(wrong), wrong - wrong[:, :1])
    without = refine(evidence, wrong, replace(Options(), limit=1e3))
    assert bends_backward(without)[:, 0].min() > 0.03
    assert bends_backward(refine(evidence, wrong)).max() < 0.015


def test_people_within_their_limits_are_left_alone() -> None:
    truth = turning_person(30)
    evidence = evidence_of(truth, observed(truth, noise=2.0), truth - truth[:, :1])
    with_limits, without = (refine(evidence, truth, replace(Options(), limit=limit)) for limit in (0.01, 1e3))
    assert np.abs(with_limits - without).max() < 1e-6


def test_what_the_user_says_is_in_front_is() -> None:
    """An arm that is lifted as if it went back as far as it really comes forward; the picture is nearly the same."""
    behind = np.repeat(rest_pose()[None] + [0, 0, 4.0], 40, axis=0)
    shoulder, wrist, thorax = (TAKE.index(name) for name in ("left_shoulder", "left_wrist", "thorax"))
    arm = [TAKE.index(f"left_{name}") for name in ("elbow", "wrist", "hand")]
    behind[:, arm] = behind[:, [shoulder]] + [[0.12, 0.1, 0.2], [0.1, 0.15, 0.4], [0.1, 0.15, 0.48]]
    evidence = evidence_of(behind, observed(behind), behind - behind[:, :1])

    def depth(said: str) -> np.ndarray:
        result = refine(replace(evidence, in_front=parse_in_front(said)), behind)
        return result[:, thorax, 2] - result[:, wrist, 2]

    assert depth("").max() < -0.05
    told = depth("left_wrist,thorax,0.5,1")
    assert told[17:29].min() > 0.03  # not in one frame: that would be a jump
    assert told[:8].max() < 0.0


def test_an_order_is_kept_before_a_camera_with_its_own_axes() -> None:
    x = np.zeros((1, len(TAKE), 3))
    camera = np.eye(4)[None]
    camera[:, :3, :3] = [[0, -1, 0], [0, 0, -1], [1, 0, 0]]  # looks along the world's x
    equations = NormalEquations(1, len(TAKE))
    in_front(equations, parse_in_front("left_wrist,thorax,0,1"), x, np.zeros(1), camera)
    before = x.copy()
    before[:, TAKE.index("left_wrist"), 0] = -0.05
    assert equations.value(before) < equations.value(x)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("left_wrist,thorax", "write NEARER,FARTHER,FROM,TO"),
        ("left_paw,thorax,0,1", "there is no joint left_paw"),
        ("thorax,thorax,0,1", "in front of itself"),
        ("nose,thorax,2,1", "before it begins"),
    ],
)
def test_an_order_that_is_none_is_refused(said: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        parse_in_front(said)


def test_several_orders_and_whose_they_are() -> None:
    first, second = parse_in_front("left_wrist,thorax,1.2,1.8; nose,right_hand,0,0.5,2;")
    assert (first.first, first.last, first.person, second.person) == (1.2, 1.8, None, 2)
