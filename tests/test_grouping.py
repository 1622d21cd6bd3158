# SPDX-License-Identifier: GPL-3.0-or-later
"""Candidates to people: the affinity matrix, clustering, merged duplicates."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.detection.base import Candidates, candidates_from_instances
from video_mocap.backend.grouping.affinity import (
    instance_affinity,
    kernel,
    limb_affinity,
    nearness,
    oks,
    sigmas_of,
    temporal_affinity,
)
from video_mocap.backend.grouping.cluster import SOLVERS, Solver, cluster
from video_mocap.backend.grouping.contested import readout_validity, settle_contested
from video_mocap.backend.grouping.people import GroupingOptions, group_people
from video_mocap.rigging.joints import COCO17, KEYPOINTS, TAKE

from .test_refinement import observed, turning_person

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


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("threshold", "labels"), [(0.5, [0, 0, 1, 1]), (0.25, [0, 0, 0, 0]), (0.95, [0, 1, 2, 3])])
def test_clusters_are_the_components_above_the_threshold(threshold: float, labels: list[int], solver: Solver) -> None:
    assert cluster(AFFINITY, threshold, solver=solver).tolist() == labels


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_solver_puts_two_of_a_kind_together(solver: Solver) -> None:
    rng = np.random.default_rng(4)
    affinity = rng.random((60, 60))
    affinity = (affinity + affinity.T) / 2
    kinds = rng.integers(0, 6, 60)
    labels = cluster(affinity, 0.6, kinds, solver)
    held = list(zip(labels.tolist(), kinds.tolist(), strict=True))
    assert len(set(held)) == len(held)
    assert len(set(labels.tolist())) < 60


def test_the_optimal_solver_gives_up_the_closest_pair_for_a_better_whole() -> None:
    kinds = np.array([0, 0, 1, 1])
    affinity = np.array([[1, 0, 0.9, 0.8], [0, 1, 0.8, 0.1], [0.9, 0.8, 1, 0], [0.8, 0.1, 0, 1]])
    assert cluster(affinity, 0.5, kinds, "greedy").tolist() == [0, 1, 0, 2]
    assert cluster(affinity, 0.5, kinds, "optimal").tolist() == [0, 1, 1, 0]
    with pytest.raises(ValueError, match="choose one of: components, greedy, optimal"):
        cluster(affinity, 0.5, kinds, "best")  # pyright: ignore[reportArgumentType]


def test_a_cluster_holds_one_element_of_a_kind_and_the_closest_joins_first() -> None:
    kinds = np.array([0, 1, 1, 2])
    affinity = np.array([[1, 0.6, 0.9, 0.9], [0.6, 1, 0, 0.7], [0.9, 0, 1, 0.1], [0.9, 0.7, 0.1, 1]])
    assert cluster(affinity, 0.5, kinds).tolist() == [0, 1, 0, 0]


def test_every_affinity_lies_between_0_and_1() -> None:
    rng = np.random.default_rng(0)
    kinds, positions = rng.integers(0, 17, 60), rng.uniform(-100, 2000, (60, 2))
    previous = np.stack([person(300, names=COCO17.names), person(900, names=COCO17.names)])
    previous[0, 7:9] = (np.nan, np.nan, 0)
    near = nearness(positions, kinds, previous, sigmas_of(COCO17.names))
    terms = [
        limb_affinity(rng.uniform(0, 900, (60, 60)), rng.uniform(0, 300, (60, 60))),
        instance_affinity(rng.random((60, 4)) > 0.6, *np.triu_indices(60, 1)),
        near,
        temporal_affinity(near, *np.triu_indices(60, 1)),
    ]
    for term in terms:
        values = term[np.isfinite(term)]
        assert values.size
        assert values.min() >= 0
        assert values.max() <= 1


def test_keypoint_similarity_is_cocos() -> None:
    # 10 px off everywhere, area 20000: 0.776402 over COCO-17, 0.396707 for the nose, 0.946873 for a hip
    each = kernel(np.full(17, 100.0), sigmas_of(COCO17.names) * np.sqrt(20000))
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


@pytest.mark.parametrize("solver", SOLVERS)
def test_overlapping_people_are_told_apart_by_a_part_affinity_field(solver: Solver) -> None:
    truth = np.stack([person(300, names=COCO17.names), person(360, names=COCO17.names)])
    known = shuffled(candidates_from_instances(truth), 3, known=True)
    bones = {tuple(sorted(bone)) for bone in COCO17.bones}
    pairs = [(a, b) for a in range(34) for b in range(a) if tuple(sorted(known.kinds[[a, b]].tolist())) in bones]
    links = np.array([(a, b, 0.8 if known.instances[a] == known.instances[b] else 0.1) for a, b in pairs], np.float32)
    bare = Candidates(known.positions, known.confidence, known.kinds, np.full(34, -1), known.scales, links)
    people = group_people(bare, COCO17, options=GroupingOptions(solver=solver))
    people = people[np.argsort(people[:, 0, 0])]
    np.testing.assert_allclose(people[..., :2], truth[..., :2], atol=1e-3)


def test_links_must_be_between_candidates() -> None:
    one = candidates_from_instances(person(300)[None])
    with pytest.raises(ValueError, match="links must be"):
        Candidates(one.positions, one.confidence, one.kinds, one.instances, one.scales, np.array([[0, 99, 0.5]]))


def test_a_person_whose_hips_are_missing_keeps_their_legs() -> None:
    seen = person(300, names=COCO17.names)
    seen[[COCO17.index("left_hip"), COCO17.index("right_hip")]] = (np.nan, np.nan, 0)
    (found,) = group_people(shuffled(candidates_from_instances(seen[None]), 5, known=False), COCO17)
    assert (found[..., 2] > 0).sum() == 15


def test_joints_lent_to_another_proposal_stay_with_their_person() -> None:
    # three proposals a person; in one of them the first person's arm is the second's, as happens behind somebody
    truth = np.stack([person(300), person(520)])
    proposals = np.concatenate([truth + np.array([0, 1, 0]), truth, truth - np.array([0, 1, 0])])
    arm = [KEYPOINTS.index(f"left_{part}") for part in ("elbow", "wrist", "hand")]
    proposals[0, arm] = truth[1, arm]
    people = group_people(candidates_from_instances(proposals), KEYPOINTS)
    people = people[np.argsort(people[:, 0, 0])]
    assert len(people) == 2
    np.testing.assert_allclose(people[..., :2], truth[..., :2], atol=1.5)


def test_a_place_is_valid_that_is_sure_and_far_from_everybody_else() -> None:
    people = np.array([[[0, 0, 0.9], [50, 0, 0.9], [100, 0, 0.2]], [[52, 3, 0.8], [200, 0, 0.8], [np.nan, np.nan, 0]]])
    assert readout_validity(people, 0.5, 10.0).tolist() == [[True, False, False], [False, True, False]]
    assert readout_validity(people[:1], 0.5, 10.0).tolist() == [[True, True, False]]


def test_the_arm_that_two_people_claim_is_the_one_in_fronts() -> None:
    front, behind = person(300), person(420)
    arm = [KEYPOINTS.index(f"left_{part}") for part in ("elbow", "wrist", "hand")]
    behind[arm] = front[arm] + [1, 0, 0]
    behind[arm, 2] = 0.6
    settled = settle_contested(np.stack([behind, front]), KEYPOINTS, sigmas_of(KEYPOINTS.names))
    np.testing.assert_allclose(settled[1], front)
    assert (settled[0, arm, 2] < 0.05).all()
    rest = np.setdiff1d(np.arange(len(KEYPOINTS)), arm)
    np.testing.assert_allclose(settled[0, rest], behind[rest], rtol=0.02)


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


def standing_beside_another() -> np.ndarray:
    """(2, 23, 3) somebody with the left arm stretched out, and somebody small behind them on that side."""
    pose = turning_person(1)
    arm = [TAKE.index(f"left_{name}") for name in ("elbow", "wrist", "hand")]
    pose[:, arm] = pose[:, [TAKE.index("left_shoulder")]] + [[0.25, -0.1, 0], [0.45, -0.3, 0], [0.5, -0.35, 0]]
    behind = turning_person(1) + np.array([0.8, 0, 5.0])
    return np.concatenate([observed(pose), observed(behind)])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_an_arm_is_kept_when_sides_change_and_found_again_when_it_was_lost(turned: bool, lost: bool) -> None:
    people = standing_beside_another()
    before = people.copy()
    if lost:
        before[0, [KEYPOINTS.index(f"left_{name}") for name in ("elbow", "wrist", "hand")]] = (np.nan, np.nan, 0)
    now = people[:, KEYPOINTS.mirror] if turned else people
    found = group_people(candidates_from_instances(np.concatenate([now, now])), KEYPOINTS, before)
    assert len(found) == 2
    assert (np.isfinite(found).all(-1).sum(1) == np.isfinite(people[0]).all(-1).sum()).all()
