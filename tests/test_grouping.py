# SPDX-License-Identifier: GPL-3.0-or-later
"""Candidates to people: the affinity matrix, clustering, merged duplicates."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.detection.base import Candidates, candidates_from_instances
from video_mocap.backend.grouping.affinity import (
    bone_affinity,
    bone_lengths_of,
    duplicate_affinity,
    instance_affinity,
    oks,
    sigmas_of,
    temporal_affinity,
)
from video_mocap.backend.grouping.cluster import cluster
from video_mocap.backend.grouping.people import group_people
from video_mocap.rigging.joints import COCO17, KEYPOINTS

AFFINITY = np.array([[1, 0.9, 0.2, 0.1], [0.9, 1, 0.3, 0.1], [0.2, 0.3, 1, 0.8], [0.1, 0.1, 0.8, 1]])

#: A person seen from the front, arms a little out, 1 unit tall: x to the right of the picture, y down.
_FRONT = {
    "nose": (0, 0.05),
    "eye": (0.02, 0.03),
    "ear": (0.05, 0.04),
    "shoulder": (0.11, 0.18),
    "elbow": (0.17, 0.34),
    "wrist": (0.2, 0.48),
    "hip": (0.08, 0.5),
    "knee": (0.09, 0.73),
    "ankle": (0.1, 0.95),
    "heel": (0.1, 0.98),
    "toe": (0.13, 1.0),
    "hand": (0.21, 0.53),
}


def person(x: float, y: float = 100, height: float = 400, names: tuple[str, ...] = KEYPOINTS.names) -> np.ndarray:
    """(K, 3): a standing person, nose at x; the person's left is at the picture's right."""
    rows = []
    for name in names:
        side = -1 if name.startswith("right_") else 1
        across, down = _FRONT[name.split("_")[-1]]
        rows.append((x + side * across * height, y + down * height, 0.9))
    return np.array(rows)


def shuffled(candidates: Candidates, seed: int, known: bool) -> Candidates:
    order = np.random.default_rng(seed).permutation(len(candidates))
    instances = candidates.instances[order] if known else np.full(len(order), -1)
    return Candidates(
        candidates.positions[order], candidates.confidence[order], candidates.kinds[order], instances,
        candidates.scales[order],
    )  # fmt: skip


@pytest.mark.parametrize(("threshold", "labels"), [(0.5, [0, 0, 1, 1]), (0.25, [0, 0, 0, 0]), (0.95, [0, 1, 2, 3])])
def test_clusters_are_the_components_above_the_threshold(threshold: float, labels: list[int]) -> None:
    assert cluster(AFFINITY, threshold).tolist() == labels


def test_a_cluster_holds_one_element_of_a_kind_and_the_closest_joins_first() -> None:
    kinds = np.array([0, 1, 1, 2])
    affinity = np.array([[1, 0.6, 0.9, 0.9], [0.6, 1, 0, 0.7], [0.9, 0, 1, 0.1], [0.9, 0.7, 0.1, 1]])
    assert cluster(affinity, 0.5, kinds).tolist() == [0, 1, 0, 0]


def test_every_affinity_lies_between_0_and_1() -> None:
    rng = np.random.default_rng(0)
    kinds, scales = rng.integers(0, 17, 60), rng.uniform(1, 300, 60)
    positions, sigmas = rng.uniform(-100, 2000, (60, 2)), sigmas_of(COCO17.names)
    previous = np.stack([person(300, names=COCO17.names), person(900, names=COCO17.names)])
    terms = [
        duplicate_affinity(positions, kinds, scales, sigmas),
        bone_affinity(positions, kinds, scales, bone_lengths_of(COCO17.names, COCO17.bones)),
        instance_affinity(rng.random((60, 4)) > 0.6),
        temporal_affinity(positions, kinds, previous, sigmas),
    ]
    for term in terms:
        values = term[np.isfinite(term)]
        assert values.size
        assert values.min() >= 0
        assert values.max() <= 1
        np.testing.assert_allclose(term, term.T)


def test_keypoint_similarity_is_cocos() -> None:
    # 10 px off everywhere, area 20000: 0.776402 over COCO-17, 0.396707 for the nose, 0.946873 for a hip
    one = person(500, names=COCO17.names)
    one[:, 2] = 1
    sigmas, scale = sigmas_of(COCO17.names), np.sqrt(20000)
    both = np.concatenate([one[:, :2], one[:, :2] + [10, 0]])
    kinds = np.tile(np.arange(17), 2)
    each = duplicate_affinity(both, kinds, np.full(34, scale), sigmas)[np.arange(17), np.arange(17, 34)]
    assert each.mean() == pytest.approx(0.776402, abs=1e-6)
    assert each[0] == pytest.approx(0.396707, abs=1e-6)
    assert each[COCO17.index("left_hip")] == pytest.approx(0.946873, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_two_people_come_back_from_shuffled_candidates_of_unknown_detections(seed: int) -> None:
    truth = np.stack([person(300, names=COCO17.names), person(620, names=COCO17.names)])
    noisy = truth.copy()
    noisy[..., :2] += np.random.default_rng(seed).normal(0, 4, noisy[..., :2].shape)
    people = group_people(shuffled(candidates_from_instances(noisy), seed, known=False), COCO17)
    people = people[np.argsort(people[:, 0, 0])]
    assert people.shape == (2, 17, 3)
    np.testing.assert_allclose(people[..., :2], noisy[..., :2], atol=1e-3)


def test_overlapping_people_are_told_apart_by_their_detections() -> None:
    # 0.15 heights apart: many a joint of one is nearer to the other's neighbours than its own
    truth = np.stack([person(300), person(360)])
    people = group_people(shuffled(candidates_from_instances(truth), 1, known=True), KEYPOINTS)
    people = people[np.argsort(people[:, 0, 0])]
    np.testing.assert_allclose(people[..., :2], truth[..., :2], atol=1e-3)


def test_overlapping_people_are_told_apart_by_the_frame_before() -> None:
    truth = np.stack([person(300, names=COCO17.names), person(390, names=COCO17.names)])
    candidates = shuffled(candidates_from_instances(truth), 2, known=False)
    people = group_people(candidates, COCO17, previous=truth + np.array([3, 1, 0]))
    people = people[np.argsort(people[:, 0, 0])]
    np.testing.assert_allclose(people[..., :2], truth[..., :2], atol=1e-3)


def test_several_detections_of_a_person_are_averaged_by_confidence() -> None:
    looks = np.stack([person(300), person(306)])
    looks[0, :, 2], looks[1, :, 2] = 0.6, 0.3
    (merged,) = group_people(candidates_from_instances(looks), KEYPOINTS)
    hip = KEYPOINTS.index("left_hip")
    assert merged[hip, 0] == pytest.approx((2 * looks[0, hip, 0] + looks[1, hip, 0]) / 3, abs=1e-3)
    assert merged[hip, 2] == pytest.approx(0.5, abs=0.02)


def test_detections_that_disagree_are_less_sure() -> None:
    near, far = np.stack([person(300), person(301)]), np.stack([person(300), person(312)])
    agreed, disagreed = (group_people(candidates_from_instances(p), KEYPOINTS)[0] for p in (near, far))
    assert (disagreed[5:, 2] < agreed[5:, 2]).all()


def test_a_detection_with_left_and_right_exchanged_does_not_blur_the_person() -> None:
    looks = np.stack([person(300), person(302), person(301)[KEYPOINTS.mirror]])
    looks[2, :, 2] = 0.8
    (merged,) = group_people(candidates_from_instances(looks), KEYPOINTS)
    assert np.abs(merged[:, 0] - person(301)[:, 0]).max() < 2


def test_a_limb_that_two_detections_see_differently_makes_no_second_person() -> None:
    looks = np.stack([person(300), person(300)])
    legs = [KEYPOINTS.index(f"left_{part}") for part in ("knee", "ankle", "heel", "toe")]
    looks[1, legs, 0] += 150
    looks[1, legs, 2] = 0.4
    (merged,) = group_people(candidates_from_instances(looks), KEYPOINTS)
    np.testing.assert_allclose(merged[legs, 0], looks[0, legs, 0], atol=1e-3)


def test_what_is_missing_stays_missing() -> None:
    seen = person(300)
    seen[-4:] = (np.nan, np.nan, 0)
    (merged,) = group_people(candidates_from_instances(seen[None]), KEYPOINTS)
    assert np.isnan(merged[-4:, :2]).all()
    assert (merged[-4:, 2] == 0).all()
    assert group_people(candidates_from_instances(np.zeros((0, 23, 3))), KEYPOINTS).shape == (0, 23, 3)


def test_similarity_of_people_without_common_keypoints_is_0() -> None:
    top, bottom = person(300), person(300)
    top[11:, 2], bottom[:11, 2] = 0, 0
    assert oks(top[None], bottom[None], sigmas_of(KEYPOINTS.names))[0, 0] == 0
