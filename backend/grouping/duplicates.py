# SPDX-License-Identifier: GPL-3.0-or-later
"""Candidates that mean the same point, made one: several looks, proposals or peaks see the same joint."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...rigging.joints import JointSet
from ..detection.base import Candidates
from .affinity import kernel, oks


@dataclass(frozen=True)
class Points:
    """Merged candidates, N of them.

    positions: (N, 2) pixels. confidence, scales: (N,). kinds: (N,) int. members: (N, I) bool, the detections each comes
    from. links: (L, 3) as of `Candidates`, between points, or None.
    """

    positions: np.ndarray
    confidence: np.ndarray
    kinds: np.ndarray
    scales: np.ndarray
    members: np.ndarray
    links: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.positions)


def slots_of(kinds: np.ndarray, count: int) -> np.ndarray:
    """(count, n) the rows of each kind, in order; -1 fills up."""
    order = np.argsort(kinds, kind="stable")
    numbers = np.bincount(kinds, minlength=count)
    starts = np.cumsum(numbers) - numbers
    slots = np.full((count, max(1, int(numbers.max(initial=0)))), -1, np.int64)
    slots[kinds[order], np.arange(len(kinds)) - starts[kinds[order]]] = order
    return slots


def align_sides(candidates: Candidates, joints: JointSet, sigmas: np.ndarray) -> tuple[Candidates, np.ndarray]:
    """Exchange left and right of detections that are another detection of the same person seen the wrong way round.

    Detectors confuse the sides of a person in some looks; averaging a left with a right knee would give neither.
    Of two detections that agree better when one is mirrored, the surer one keeps its sides.
    Gives the candidates and (I, I) the keypoint similarity of the detections afterwards.
    """
    people, known = _detected(candidates, joints), candidates.instances >= 0
    count = len(people)
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


def faced_alike(previous: np.ndarray, candidates: Candidates, joints: JointSet, sigmas: np.ndarray) -> np.ndarray:
    """(P, K, 3) people of the frame before, with left and right exchanged where detections now see them so.

    A detector that confuses the sides does it for whole people from one frame to the next; where a joint was would else
    speak against where it is.
    """
    people = _detected(candidates, joints)
    if not len(people):
        return previous
    straight, crossed = oks(people, previous, sigmas), oks(people, previous[:, joints.mirror], sigmas)
    best, rows = np.maximum(straight, crossed).argmax(0), np.arange(len(previous))
    turned = crossed[best, rows] > straight[best, rows]
    return np.where(turned[:, None, None], previous[:, joints.mirror], previous)


def _detected(candidates: Candidates, joints: JointSet) -> np.ndarray:
    """(I, K, 3) the detections that candidates come from: x, y, confidence; zeros where one has no joint."""
    people = np.zeros((int(candidates.instances.max(initial=-1)) + 1, len(joints), 3))
    known = candidates.instances >= 0
    rows = candidates.instances[known], candidates.kinds[known]
    people[rows] = np.concatenate([candidates.positions, candidates.confidence[:, None]], 1)[known]
    return people


def merge_duplicates(
    candidates: Candidates,
    sigmas: np.ndarray,
    threshold: float,
    mergeable: np.ndarray | None = None,
    peaks: float | None = None,
) -> Points:
    """Candidates that mean the same point, merged to their mean weighted by confidence.

    Two of a type whose keypoint similarity exceeds `threshold` may mean the same. Each goes with the one around it that
    most others are near to (quick shift, Vedaldi and Soatto 2008): unlike in connected components, a candidate between
    two people does not make their joints one. The confidence of the result is the weighted mean of theirs, times how
    closely they agree (mean OKS to the result).
    mergeable: (I, I) bool, detections whose candidates may be duplicates; all of them when None. peaks: the threshold
    between two candidates without a detection, if another.
    """
    c = candidates
    positions = c.positions.astype(np.float64)
    weight = np.maximum(c.confidence.astype(np.float64), 1e-6)
    labels = _modes(c, positions, weight, sigmas, (threshold, threshold if peaks is None else peaks), mergeable)
    count = int(labels.max()) + 1
    total = np.bincount(labels, weight, count)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(labels, values * weight, count) / total

    merged = np.stack([mean(positions[:, 0]), mean(positions[:, 1])], -1)
    scales = mean(c.scales.astype(np.float64))
    spread = ((positions - merged[labels]) ** 2).sum(-1)
    agreement = mean(kernel(spread, sigmas[c.kinds] * scales[labels]))
    kinds = np.zeros(count, np.int64)
    kinds[labels] = c.kinds
    known = c.instances >= 0
    members = np.zeros((count, int(c.instances.max(initial=-1)) + 1), bool)
    members[labels[known], c.instances[known]] = True
    links = None
    if c.links is not None:
        ends = labels[c.links[:, :2].astype(np.int64)]
        links = np.concatenate([ends, c.links[:, 2:]], 1)
    return Points(merged, mean(weight) * agreement, kinds, scales, members, links)


def _modes(
    c: Candidates,
    positions: np.ndarray,
    weight: np.ndarray,
    sigmas: np.ndarray,
    thresholds: tuple[float, float],
    mergeable: np.ndarray | None,
) -> np.ndarray:
    """(N,) label of the point that each candidate means. Compared kind by kind, all kinds at once."""
    slots = slots_of(c.kinds, len(sigmas))
    a, b = slots[:, :, None], slots[:, None, :]
    allowed = (a >= 0) & (b >= 0)
    one, other = c.instances[a], c.instances[b]
    if mergeable is not None and mergeable.size:
        allowed &= mergeable[one, other] | (one < 0) | (other < 0)
    x, y = positions.T.astype(np.float32)[:, slots]
    scales = c.scales.astype(np.float32)[slots]
    distance_squared = (x[:, :, None] - x[:, None]) ** 2 + (y[:, :, None] - y[:, None]) ** 2
    tolerance = sigmas.astype(np.float32)[:, None, None] * np.minimum(scales[:, :, None], scales[:, None])
    same = np.where(allowed, kernel(distance_squared, tolerance), 0.0)
    same[same <= np.where((one < 0) & (other < 0), thresholds[1], thresholds[0])] = 0
    places = np.arange(slots.shape[1])
    same[:, places, places] = 1.0  # scales may be so small that a candidate is not even like itself
    density = (same * weight[b] * (b >= 0)).sum(-1)
    height = np.where(same > 0, density[:, None, :], -1.0)
    leader = np.take_along_axis(slots, height.argmax(-1), -1)
    to = np.arange(len(positions))
    to[slots[slots >= 0]] = leader[slots >= 0]
    while (to != to[to]).any():
        to = to[to]
    return np.unique(to, return_inverse=True)[1]
