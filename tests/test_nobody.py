# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector takes for a person and is none does not get into a take, nor does it tilt the world."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend import pipeline
from video_mocap.backend.keypoints import Keypoints
from video_mocap.rigging.take import Take

sys.path.insert(0, str(Path(__file__).parent))
from filmed_people import someone_walking


@pytest.fixture(scope="module")
def alone() -> Keypoints:
    return someone_walking(2.0, 30.0).recording()


def machine(person: np.ndarray) -> np.ndarray:
    """(F, 17, 3) keypoints of a thing of a person's size: their points, each at another one's place."""
    order = np.random.default_rng(4).permutation(person.shape[1])
    return person[:, order]


def lifted(keypoints: Keypoints) -> Take:
    return pipeline.lift(keypoints, pipeline.CaptureOptions(device="cpu"))


def test_a_machine_is_left_out_and_named(alone: Keypoints) -> None:
    person = alone.keypoints[0]
    both = replace(alone, person_ids=np.array([1, 2]), keypoints=np.stack([person, machine(person)]))
    take, wanted = lifted(both), lifted(alone)
    assert take.person_ids.tolist() == [1]
    assert "person 2 was left out: no human pose lies on what was found there" in take.metadata["warnings"]
    np.testing.assert_allclose(take.joints, wanted.joints)


def test_who_is_hard_to_see_stays(alone: Keypoints) -> None:
    noisy = alone.keypoints[0].copy()
    noisy[..., :2] += np.random.default_rng(0).normal(0, 8, noisy[..., :2].shape)
    both = replace(alone, person_ids=np.array([1, 2]), keypoints=np.stack([alone.keypoints[0], noisy]))
    assert lifted(both).person_ids.tolist() == [1, 2]


def test_somebody_strange_who_is_alone_stays(alone: Keypoints) -> None:
    assert lifted(replace(alone, keypoints=machine(alone.keypoints[0])[None])).person_ids.tolist() == [1]
