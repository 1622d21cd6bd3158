# SPDX-License-Identifier: GPL-3.0-or-later
"""The person as rigid segments, which the refinement moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from video_mocap.backend.refinement.body import measure_links
from video_mocap.backend.refinement.evidence import Options
from video_mocap.backend.refinement.limits import bends_backward
from video_mocap.backend.refinement.refine import refine
from video_mocap.backend.refinement.skeleton import Skeleton
from video_mocap.rigging.joints import H36M17, TAKE

from .test_refinement import evidence_of, observed, turning_person


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
