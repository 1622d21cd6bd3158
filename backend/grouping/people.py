# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoint candidates of a frame to people: affinities, then clusters with at most one keypoint of each type."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ...rigging.joints import JointSet
from ..detection.base import Candidates
from .affinity import (
    AffinityWeights,
    association_affinity,
    bone_affinity,
    bone_lengths_of,
    duplicate_affinity,
    instance_affinity,
    kernel,
    oks,
    sigmas_of,
    temporal_affinity,
)
from .cluster import cluster


@dataclass(frozen=True)
class GroupingOptions:
    """duplicates: keypoint similarity above which two candidates of a type are one point. threshold: affinity above
    which two candidates belong to one person. weights: of the terms of that affinity. least_keypoints: a cluster of
    fewer is no person. same_person: keypoint similarity above which two people of a frame are one. same_detection: the
    similarity that two detections need before their keypoints may be taken for duplicates."""

    duplicates: float = 0.5
    threshold: float = 0.5
    weights: AffinityWeights = field(default_factory=AffinityWeights)
    least_keypoints: int = 4
    same_person: float = 0.6
    same_detection: float = 0.4


@dataclass(frozen=True)
class _Points:
    """Merged candidates: (N, 2), (N,), (N,), (N,) and members (N, I) bool, the detections each comes from."""

    positions: np.ndarray
    confidence: np.ndarray
    kinds: np.ndarray
    scales: np.ndarray
    members: np.ndarray


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
    points = merge_duplicates(candidates, sigmas, options.duplicates, agreement > options.same_detection)
    terms = [
        bone_affinity(points.positions, points.kinds, points.scales, bone_lengths_of(joints.names, joints.bones)),
        instance_affinity(points.members),
        temporal_affinity(points.positions, points.kinds, previous, sigmas),
    ]
    weights = (options.weights.bone, options.weights.instance, options.weights.temporal)
    affinity = association_affinity(terms, weights, points.kinds)
    labels = cluster(affinity, options.threshold, points.kinds)
    people = _assemble(points, labels, len(joints), options)
    return _drop_repeated(people, joints, sigmas, options.same_person)


def align_sides(candidates: Candidates, joints: JointSet, sigmas: np.ndarray) -> tuple[Candidates, np.ndarray]:
    """Exchange left and right of detections that are another detection of the same person seen the wrong way round.

    Detectors confuse the sides of a person in some looks; averaging a left with a right knee would give neither.
    Of two detections that agree better when one is mirrored, the surer one keeps its sides.
    Gives the candidates and (I, I) the keypoint similarity of the detections afterwards.
    """
    count = int(candidates.instances.max(initial=-1)) + 1
    people = np.zeros((count, len(joints), 3))
    known = candidates.instances >= 0
    rows = candidates.instances[known], candidates.kinds[known]
    people[rows] = np.concatenate([candidates.positions, candidates.confidence[:, None]], 1)[known]
    straight, crossed = oks(people, people, sigmas), oks(people, people[:, joints.mirror], sigmas)
    order = np.argsort(-people[..., 2].sum(-1), kind="stable")
    swapped = np.zeros(count, bool)
    for position, row in enumerate(order[1:], 1):
        surer = order[:position]
        either = np.maximum(straight[row, surer], crossed[row, surer])
        best = surer[np.argmax(either)]
        if either.max() > 0.3:
            swapped[row] = swapped[best] ^ (crossed[row, best] > straight[row, best])
    agreement = np.where(swapped[:, None] == swapped[None], straight, crossed)
    if not swapped.any():
        return candidates, agreement
    turn = known & swapped[candidates.instances]
    return replace(candidates, kinds=np.where(turn, joints.mirror[candidates.kinds], candidates.kinds)), agreement


def merge_duplicates(
    candidates: Candidates, sigmas: np.ndarray, threshold: float, mergeable: np.ndarray | None = None
) -> _Points:
    """Candidates that mean the same point, merged to their mean weighted by confidence.

    The confidence of the result is the weighted mean of theirs, times how closely they agree (mean OKS to the result).
    mergeable: (I, I) bool, detections whose candidates may be duplicates; all of them when None.
    """
    c = candidates
    positions = c.positions.astype(np.float64)
    known = c.instances >= 0
    affinity = duplicate_affinity(positions, c.kinds, c.scales, sigmas)
    if mergeable is not None and mergeable.size:
        allowed = mergeable[c.instances[:, None], c.instances[None]]
        affinity *= allowed | ~known[:, None] | ~known[None]
    labels = cluster(affinity, threshold)
    count = int(labels.max()) + 1
    weight = np.maximum(c.confidence.astype(np.float64), 1e-6)
    total = np.bincount(labels, weight, count)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(labels, values * weight, count) / total

    merged = np.stack([mean(positions[:, 0]), mean(positions[:, 1])], -1)
    scales = mean(c.scales.astype(np.float64))
    spread = ((positions - merged[labels]) ** 2).sum(-1)
    agreement = mean(kernel(spread, sigmas[c.kinds] * scales[labels]))
    kinds = np.zeros(count, np.int64)
    kinds[labels] = c.kinds
    members = np.zeros((count, int(c.instances.max(initial=-1)) + 1), bool)
    members[labels[known], c.instances[known]] = True
    return _Points(merged, mean(c.confidence.astype(np.float64)) * agreement, kinds, scales, members)


def _assemble(points: _Points, labels: np.ndarray, kinds: int, options: GroupingOptions) -> np.ndarray:
    """Clusters to (M, K, 3) people.

    Where two detections of a person disagree about a limb, the clusters hold one version and leave the other over. A
    cluster that is the main one of no detection is such a leftover, not a person.
    """
    count = int(labels.max()) + 1
    people = np.full((count, kinds, 3), np.nan)
    people[..., 2] = 0
    people[labels, points.kinds, :2] = points.positions
    people[labels, points.kinds, 2] = points.confidence
    keep = (people[..., 2] > 0).sum(-1) >= options.least_keypoints
    if points.members.shape[1]:
        share = np.zeros((count, points.members.shape[1]))
        np.add.at(share, labels, points.members)
        main = np.zeros(count, bool)
        main[share.argmax(0)[share.any(0)]] = True
        free = np.zeros(count, bool)
        free[labels[~points.members.any(1)]] = True
        keep &= main | free
    return people[keep]


def _drop_repeated(people: np.ndarray, joints: JointSet, sigmas: np.ndarray, threshold: float) -> np.ndarray:
    """Of people who are one person twice, keep the surer."""
    if len(people) < 2:
        return people
    same = np.maximum(oks(people, people, sigmas), oks(people, people[:, joints.mirror], sigmas)) > threshold
    kept: list[int] = []
    for row in np.argsort(-people[..., 2].sum(-1), kind="stable"):
        if not same[row, kept].any():
            kept.append(int(row))
    return people[sorted(kept)]
