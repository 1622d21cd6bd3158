# SPDX-License-Identifier: GPL-3.0-or-later
"""People of a take: names, merge, split, swap, delete."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging import people
from video_mocap.rigging.take import Take

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import take_of, walk


def crowd() -> Take:
    """Three people over 48 frames at 24 Hz: 1 in the first half, 2 in the second, 3 always; keypoints tell who."""
    joints = np.stack([walk() + np.array([shift, 0, 0]) for shift in (0.0, 1.0, 2.0)])
    joints[0, 24:] = np.nan
    joints[1, :24] = np.nan
    take = take_of(joints, 24.0)
    keypoints = np.zeros((3, 48, 2, 3))
    for row in range(3):
        keypoints[row, ..., :2] = 100 * (row + 1)
        keypoints[row, ..., 2] = np.isfinite(joints[row, :, :1, 0])
    keypoints[keypoints[..., 2] == 0, :2] = np.nan
    contacts = np.repeat(np.array([0.25, 0.5, 0.75])[:, None, None], 48, 1).repeat(4, 2)
    return replace(take, keypoint_names=("nose", "neck"), keypoints=keypoints, contacts=contacts)


def same(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(np.array_equal(first, second, equal_nan=True))


def test_names_are_kept_in_the_metadata_and_may_be_taken_away() -> None:
    take = crowd()
    named = people.rename_person(take, 2, "  Anna \n Maria ")
    assert people.person_name(named, 2) == "Anna Maria"
    assert people.person_name(named, 1) == "Person 1"
    assert named.metadata["persons"] == {"2": "Anna Maria"}
    assert "persons" not in take.metadata
    assert "persons" not in people.rename_person(named, 2, " ").metadata


def test_merge_takes_the_union_of_the_frames() -> None:
    take = crowd()
    before = copy.deepcopy(take)
    merged = people.merge_persons(people.rename_person(take, 2, "Anna"), 1, 2)
    assert list(merged.person_ids) == [1, 3]
    assert people.person_name(merged, 1) == "Anna"
    assert same(merged.joints[0, :24], take.joints[0, :24])
    assert same(merged.joints[0, 24:], take.joints[1, 24:])
    assert (merged.keypoints[0, :24, 0, 0] == 100).all()
    assert (merged.keypoints[0, 24:, 0, 0] == 200).all()
    assert (merged.contacts[0, 24:] == 0.5).all()
    assert same(merged.joints[1], take.joints[2])
    assert same(merged.keypoints[1], take.keypoints[2])
    assert same(before.joints, take.joints)
    assert same(before.keypoints, take.keypoints)


def test_merge_keeps_the_more_confident_where_both_are_seen() -> None:
    take = crowd()
    take.joints_confidence[2] *= 0.5
    take.joints_confidence[2, 5] = 1
    take.joints_confidence[0, 5] = 0.9
    take.keypoints[2, ..., 2] = 0.8
    take.keypoints[0, 7, :, 2] = 0.1
    merged = people.merge_persons(take, 1, 3)
    assert same(merged.joints[0, 4], take.joints[0, 4])
    assert same(merged.joints[0, 5], take.joints[2, 5])
    assert same(merged.joints[0, 30], take.joints[2, 30])
    assert merged.keypoints[0, 6, 0, 0] == 100
    assert merged.keypoints[0, 7, 0, 0] == 300


def test_split_and_merge_are_inverse() -> None:
    take = crowd()
    take.contacts[0, 24:] = 0
    split = people.split_person(take, 3, 1.0)
    assert list(split.person_ids) == [1, 2, 3, 4]
    assert np.isnan(split.joints[2, 24:]).all()
    assert np.isnan(split.joints[3, :24]).all()
    assert not split.joints_confidence[2, 24:].any()
    assert not split.contacts[3, :24].any()
    assert np.isfinite(split.joints[2, :24]).all()
    back = people.merge_persons(split, 3, 4)
    for key in ("joints", "joints_confidence", "keypoints", "contacts", "person_ids"):
        assert same(getattr(back, key), getattr(take, key))


def test_swap_exchanges_everything_between_the_times_and_undoes_itself() -> None:
    take = crowd()
    swapped = people.swap_persons(take, 1, 3, 0.5, 1.0)
    frames = (take.times >= 0.5) & (take.times <= 1.0)
    for key in ("joints", "joints_confidence", "keypoints", "contacts"):
        old, new = getattr(take, key), getattr(swapped, key)
        assert same(new[0, frames], old[2, frames])
        assert same(new[2, frames], old[0, frames])
        assert same(new[:, ~frames], old[:, ~frames])
        assert same(getattr(people.swap_persons(swapped, 1, 3, 0.5, 1.0), key), old)


def test_deleting_drops_the_row_and_the_name() -> None:
    take = people.delete_person(people.rename_person(crowd(), 2, "Anna"), 2)
    assert list(take.person_ids) == [1, 3]
    assert "persons" not in take.metadata
    assert (take.contacts[1] == 0.75).all()


def test_confidence_is_of_the_frames_with_the_person() -> None:
    take = crowd()
    take.joints_confidence[0, :12, take.joint_names.index("left_wrist")] = 0
    found = people.joint_confidence(take, 1)
    assert found["left_wrist"] == pytest.approx(0.5)
    assert found["pelvis"] == 1
    assert people.joint_confidence_at(take, 1, 0.4)["left_wrist"] == 0
    assert people.joint_confidence_at(take, 1, 0.6)["left_wrist"] == 1
    assert people.joint_confidence_at(take, 1, 9.0)["pelvis"] == 0


def test_joints_that_a_take_does_not_have_say_nothing_of_a_person() -> None:
    take = crowd()
    assert people.person_confidence(take, 3) == 1
    bare = replace(take, joints=take.joints.copy(), joints_confidence=take.joints_confidence.copy())
    bare.joints[:, :, 17:], bare.joints_confidence[:, :, 17:] = np.nan, 0
    assert people.person_confidence(bare, 3) == 1
    bare.joints_confidence[2] = 0
    bare.keypoints[2, ..., 2] = 0
    assert people.person_confidence(bare, 3) == 0


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda take: people.rename_person(take, 9, "Anna"), "no person 9; it has 1, 2, 3"),
        (lambda take: people.rename_person(take, 1, "Person 2"), "called Person 2"),
        (lambda take: people.rename_person(take, 1, "n" * 41), "at most 40"),
        (lambda take: people.merge_persons(take, 1, 1), "choose two"),
        (lambda take: people.split_person(take, 1, 1.5), "not seen both before and after 1.50 s"),
        (lambda take: people.split_person(take, 1, float("nan")), "not seen both before and after"),
        (lambda take: people.swap_persons(take, 1, 2, 5.0, 6.0), "goes from 0.00 to 1.96 s"),
        (lambda take: people.swap_persons(take, 1, 1), "choose two"),
        (
            lambda take: people.delete_person(people.delete_person(people.delete_person(take, 1), 2), 3),
            "delete the take",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(edit, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        edit(crowd())
    assert "\n" not in str(error.value)


def suggesting(*pairs: tuple[int, int, float]) -> Take:
    take = crowd()
    said = [{"persons": [first, second], "probability": sure} for first, second, sure in pairs]
    take.metadata["stages"] = {"detection": {"tracking": {"suggestions": said, "filled": {}}, "name": "mediapipe"}}
    return take


def test_suggested_merges_follow_who_is_who() -> None:
    take = suggesting((1, 2, 0.4), (2, 3, 0.8), (1, 7, 0.9))
    assert people.suggested_merges(take) == [(2, 3, 0.8), (1, 2, 0.4)]
    merged = people.merge_persons(take, 1, 2)
    assert people.suggested_merges(merged) == [(1, 3, 0.8)]
    assert merged.metadata["stages"]["detection"]["name"] == "mediapipe"
    assert people.suggested_merges(take) == [(2, 3, 0.8), (1, 2, 0.4)], "the old take is as it was"
    assert people.suggested_merges(people.delete_person(take, 2)) == []
    assert people.suggested_merges(people.swap_persons(take, 1, 3)) == []
    assert people.suggested_merges(people.split_person(take, 3, 1.0)) == [(1, 2, 0.4)]


@pytest.mark.parametrize("stages", [None, 3, {"detection": []}, {"detection": {"tracking": {"suggestions": [4, {}]}}}])
def test_takes_without_suggestions_suggest_nothing(stages: object) -> None:
    take = crowd()
    take.metadata["stages"] = stages
    assert people.suggested_merges(take) == []
    assert people.suggested_merges(people.merge_persons(take, 1, 2)) == []
