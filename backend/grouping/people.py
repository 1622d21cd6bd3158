# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoint candidates of a frame to people: affinities, then clusters with at most one keypoint of each type.

One way for every source. Duplicates become one point. Along the limbs of the body points are joined by what speaks for
it: plausible length, common detections, part affinity links, the frame before. What is still in pieces, because a joint
between them was not seen, is joined piece by piece. Where people overlap, a joint that two of them claim is the one's
whose it is more likely (`contested`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...rigging.joints import JointSet
from ..detection.base import Candidates
from .affinity import (
    AffinityWeights,
    alike,
    combined,
    instance_affinity,
    limb_affinity,
    limb_lengths_of,
    nearness,
    scale_affinity,
    sigmas_of,
    temporal_affinity,
)
from .cluster import Solver, cluster_pairs
from .contested import settle_contested
from .duplicates import Points, align_sides, faced_alike, merge_duplicates, slots_of

SHARED = 0.34  #: of the joints of a piece that another may hold, too, of the same detections: one of them is a mistake
FARTHEST = 3.0  #: limbs' lengths beyond which two points are not looked at
IMPLAUSIBLE = 2.0  #: limbs' lengths beyond which a limb's plausibility is none, below 0.001


@dataclass(frozen=True)
class GroupingOptions:
    """What makes keypoints a person.

    duplicates: keypoint similarity above which two candidates of a type, of two detections, are one point. peaks: the
    same, and of two people, where a source that works bottom-up gave both: what it tells apart is not the same.
    threshold: affinity above which two candidates belong to one person. solver: how clusters are made, see `cluster`.
    weights: of the terms of the affinity. least_keypoints: a cluster of fewer is no person. same_person: keypoint
    similarity above which two people of a frame are one. same_detection: the similarity that two detections need before
    their keypoints may be taken for duplicates. contested: whether joints that two people claim are settled.
    """

    duplicates: float = 0.5
    peaks: float = 0.85
    threshold: float = 0.5
    solver: Solver = "optimal"
    weights: AffinityWeights = field(default_factory=AffinityWeights)
    least_keypoints: int = 4
    same_person: float = 0.6
    same_detection: float = 0.4
    contested: bool = True


def group_people(
    candidates: Candidates,
    joints: JointSet,
    previous: np.ndarray | None = None,
    options: GroupingOptions | None = None,
) -> np.ndarray:
    """(M, K, 3) people of a frame: x, y in pixels, confidence; missing is NaN, NaN, 0.

    candidates: their kinds are rows of `joints`. previous: (P, K, 3) people of the frame before.
    """
    options = options or GroupingOptions()
    sigmas = sigmas_of(joints.names)
    if not len(candidates):
        return np.zeros((0, len(joints), 3))
    candidates, agreement = align_sides(candidates, joints, sigmas)
    mergeable = agreement > options.same_detection
    points = merge_duplicates(candidates, sigmas, options.duplicates, mergeable, options.peaks)
    detections = points.members @ np.where(mergeable, agreement, 0) ** 2
    near = None
    if previous is not None and len(previous):
        faced = faced_alike(previous, candidates, joints, sigmas)
        near = nearness(points.positions, points.kinds, faced, sigmas)
    labels = join_limbs(points, joints, detections, near, options)
    labels = join_pieces(points, labels, joints, detections, near, options)
    people, kept = _assemble(points, labels, len(joints), options)
    same_person = options.same_person if points.members.shape[1] else options.peaks
    same = alike(people, joints.mirror, sigmas, same_person)
    if len(people) and detections.shape[1]:
        mean = np.stack([detections[labels == label].mean(0) for label in kept])
        rows = np.indices((len(people), len(people)))
        same |= np.nan_to_num(instance_affinity(mean, *rows)) > options.same_person
    people = _drop_repeated(people, same)
    return settle_contested(people, joints, sigmas) if options.contested else people


def join_limbs(
    points: Points, joints: JointSet, detections: np.ndarray, near: np.ndarray | None, options: GroupingOptions
) -> np.ndarray:
    """(N,) labels of the clusters along the limbs: the bones of the joint set, and the pairs of types that links join.

    detections: (N, I) how much of each detection a point comes from, those of one person counting for each other.
    near: (N, P) of `affinity.nearness`, or None.
    """
    first, second, length = _limb_pairs(points, joints)
    weights = options.weights
    distance = np.hypot(*(points.positions[first] - points.positions[second]).T)
    expected = length * (points.scales[first] + points.scales[second]) / 2
    of_size = scale_affinity(points.scales[first], points.scales[second])
    terms, shares = [limb_affinity(distance, expected) * of_size], [weights.limb]
    if detections.shape[1]:
        terms.append(instance_affinity(detections, first, second))
        shares.append(weights.instance)
    if points.links is not None:
        terms.append(_linked(points, first, second, len(joints)))
        shares.append(weights.link)
    if near is not None:
        terms.append(temporal_affinity(near, first, second))
        shares.append(weights.temporal)
    affinity = combined(terms, shares)
    return cluster_pairs(first, second, affinity, points.kinds, len(points), options.threshold, options.solver)


def join_pieces(
    points: Points,
    labels: np.ndarray,
    joints: JointSet,
    detections: np.ndarray,
    near: np.ndarray | None,
    options: GroupingOptions,
) -> np.ndarray:
    """(N,) labels after pieces that hold no joint twice were joined, by common detections, the frame before, or, where
    nothing else is known, by the length of a limb over one joint that is missing."""
    count = int(labels.max()) + 1
    if count < 2:
        return labels
    piece = np.zeros((count, len(points)), np.float32)
    piece[labels, np.arange(len(points))] = 1 / np.bincount(labels, minlength=count)[labels]
    limbs, weights = _over_one_joint(points, labels, count, joints), options.weights
    others = (detections.shape[1] > 0) * weights.instance + (near is not None) * weights.temporal
    # Looked at are only pairs that would be joined if everything else spoke for it.
    least = options.threshold ** ((weights.limb + others) / weights.limb)
    possible = np.isnan(limbs) if others else np.zeros(limbs.shape, bool)
    first, second = np.nonzero(np.triu(possible | (limbs > least), 1))
    terms, shares = [limbs[first, second]], [weights.limb]
    if detections.shape[1]:
        terms.append(instance_affinity(piece @ detections.astype(np.float32), first, second))
        shares.append(weights.instance)
    if near is not None:
        terms.append(temporal_affinity(piece @ near, first, second))
        shares.append(weights.temporal)
    affinity = combined(terms, shares)
    holds = np.zeros(count, np.int64)
    np.bitwise_or.at(holds, labels, np.int64(1) << points.kinds)
    shared = SHARED if points.members.shape[1] else 0.0
    return cluster_pairs(first, second, affinity, None, count, options.threshold, "greedy", holds, shared)[labels]


def _limb_pairs(points: Points, joints: JointSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(E,), (E,) points that a limb may join, not too far apart, and (E,) its length over the person's scale; NaN where
    not known."""
    limbs, lengths = list(joints.bones), limb_lengths_of(joints.names, joints.bones).tolist()
    if points.links is not None and len(points.links):
        ends = np.sort(points.kinds[points.links[:, :2].astype(np.int64)], 1)
        known = {(min(limb), max(limb)) for limb in limbs}
        more = [tuple(limb) for limb in np.unique(ends, axis=0).tolist() if tuple(limb) not in known]
        limbs, lengths = limbs + more, lengths + [np.nan] * len(more)
    return _near(points, np.array(limbs, np.int64).reshape(-1, 2), np.array(lengths), FARTHEST)


def _linked(points: Points, first: np.ndarray, second: np.ndarray, kinds: int) -> np.ndarray:
    """(E,) affinity of the links of the pairs; of pairs not listed 0 if any link joins their types, else NaN."""
    links = points.links if points.links is not None else np.zeros((0, 3))
    a, b = links[:, :2].astype(np.int64).T
    looked = np.zeros((kinds, kinds), bool)
    looked[points.kinds[a], points.kinds[b]] = looked[points.kinds[b], points.kinds[a]] = True
    table = np.zeros(len(points) ** 2)
    np.maximum.at(table, a * len(points) + b, links[:, 2].astype(float))
    table = table.reshape(len(points), len(points))
    found = np.maximum(table[first, second], table[second, first])
    return np.where(looked[points.kinds[first], points.kinds[second]], found, np.nan)


def _over_one_joint(points: Points, labels: np.ndarray, count: int, joints: JointSet) -> np.ndarray:
    """(count, count) best plausibility of a joint of one piece and its parent's parent in the other; NaN where none."""
    parents = np.array(joints.parents)
    children = np.flatnonzero(np.where(parents >= 0, parents[parents], -1) >= 0)
    middle, grand = parents[children], parents[parents[children]]
    lengths = limb_lengths_of(joints.names, [(0, int(row)) for row in range(len(parents))])
    lengths = lengths[children] + lengths[middle]
    first, second, length = _near(points, np.stack([grand, children], 1), lengths, IMPLAUSIBLE)
    distance = np.hypot(*(points.positions[first] - points.positions[second]).T)
    found = limb_affinity(distance, length * (points.scales[first] + points.scales[second]) / 2)
    holds = np.zeros((count, len(parents)), np.float32)
    holds[labels, points.kinds] = 1
    known = holds[:, grand] @ holds[:, children].T > 0
    table = np.where(known | known.T, 0.0, np.nan)
    np.fmax.at(table, (labels[first], labels[second]), found)
    return np.fmax(table, table.T)


def _near(
    points: Points, limbs: np.ndarray, lengths: np.ndarray, farthest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(E,), (E,) pairs of points of the types of (L, 2) limbs, and the limb's length out of (L,) `lengths`; without
    pairs farther apart than `farthest` times the length, where it is not NaN."""
    slots = slots_of(points.kinds, int(max(limbs.max(initial=0), points.kinds.max())) + 1)
    there = slots >= 0
    x, y, scales = (np.where(there, v[slots], np.nan).astype(np.float32) for v in (*points.positions.T, points.scales))
    one, other = (limbs[:, 0], slice(None), None), (limbs[:, 1], None, slice(None))
    reach = np.where(np.isnan(lengths), np.inf, farthest / 2 * lengths).astype(np.float32)[:, None, None]
    distance_squared = (x[one] - x[other]) ** 2 + (y[one] - y[other]) ** 2
    limb, a, b = np.nonzero(distance_squared <= (reach * (scales[one] + scales[other])) ** 2)
    return slots[limbs[limb, 0], a], slots[limbs[limb, 1], b], lengths[limb]


def _assemble(
    points: Points, labels: np.ndarray, kinds: int, options: GroupingOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Clusters to (M, K, 3) people, and (M,) the cluster of each.

    Where two detections of a person disagree about a limb, the clusters hold one version and leave the other over. A
    cluster that is the main one of no detection is such a leftover, not a person.
    """
    count = int(labels.max()) + 1
    people = np.full((count, kinds, 3), np.nan)
    people[..., 2] = 0
    weakest_first = np.argsort(points.confidence * np.maximum(points.members.sum(1), 1), kind="stable")
    for value, place in ((points.positions, slice(0, 2)), (points.confidence[:, None], slice(2, 3))):
        people[labels[weakest_first], points.kinds[weakest_first], place] = value[weakest_first]
    keep = (people[..., 2] > 0).sum(-1) >= options.least_keypoints
    if points.members.shape[1]:
        point, instance = np.nonzero(points.members)
        instances = points.members.shape[1]
        share = np.bincount(labels[point] * instances + instance, minlength=count * instances).reshape(count, instances)
        main = np.zeros(count, bool)
        main[share.argmax(0)[share.any(0)]] = True
        free = np.zeros(count, bool)
        free[labels[~points.members.any(1)]] = True
        keep &= main | free
    return people[keep], np.flatnonzero(keep)


def _drop_repeated(people: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Of people who are one person twice, keep the surer. same: (M, M) bool, who is whom."""
    kept: list[int] = []
    for row in np.argsort(-people[..., 2].sum(-1), kind="stable"):
        if not same[row, kept].any():
            kept.append(int(row))
    return people[sorted(kept)]
