# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters out of affinities and a threshold, with at most one element of a kind in each.

Three ways, all of them over the pairs whose affinity exceeds the threshold:

- components: the connected components; one that holds two of a kind is cut at a threshold raised until none does.
- greedy: the closest pair first, joined unless the result would hold two of a kind.
- optimal: of every pair of kinds the assignment with the largest sum of affinities (Hungarian algorithm), then greedy.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Solver = Literal["components", "greedy", "optimal"]
SOLVERS: tuple[Solver, ...] = get_args(Solver)
_RAISES = 10  # steps from the threshold to 1 in which components are cut


def cluster(
    affinity: np.ndarray, threshold: float, kinds: np.ndarray | None = None, solver: Solver = "greedy"
) -> np.ndarray:
    """(N,) int: label of the cluster of each element, numbered 0, 1, ... in order of first appearance.

    affinity: (N, N) symmetric, 0..1. kinds: (N,) int, each below 63; without them only the threshold counts, and every
    solver gives the connected components above it.
    """
    first, second = np.nonzero(np.triu(affinity > threshold, 1))
    return cluster_pairs(first, second, affinity[first, second], kinds, len(affinity), threshold, solver)


def cluster_pairs(
    first: np.ndarray,
    second: np.ndarray,
    affinity: np.ndarray,
    kinds: np.ndarray | None,
    count: int,
    threshold: float,
    solver: Solver = "greedy",
    holds: np.ndarray | None = None,
    shared: float = 0.0,
) -> np.ndarray:
    """(count,) labels as of `cluster`, of elements of which only some pairs are given.

    first, second, affinity: (E,) the pairs. holds: (count,) int, bit k set where an element stands for one of kind k
    already; by default each holds its own kind. shared: the share of its kinds that the smaller of two clusters may
    have in common with the larger where the solver is greedy. Raises ValueError for an unknown solver.
    """
    near = affinity > threshold
    first, second, affinity = first[near], second[near], affinity[near]
    if kinds is None and holds is None:
        return _components(first, second, count)
    if holds is None:
        holds = np.int64(1) << np.asarray(kinds, np.int64)
    if solver == "components":
        return _cut_components(first, second, affinity, holds, threshold)
    if solver == "optimal" and kinds is not None:
        chosen = _assign(first, second, affinity, kinds)
        first, second, affinity = first[chosen], second[chosen], affinity[chosen]
    elif solver not in SOLVERS:
        raise ValueError(f"there is no solver {solver!r}; choose one of: {', '.join(SOLVERS)}")
    order = np.argsort(-affinity, kind="stable")
    return _join(first[order].tolist(), second[order].tolist(), holds.tolist(), shared)


def _join(first: list[int], second: list[int], holds: list[int], shared: float) -> np.ndarray:
    """Join pairs in the order given, unless both sides hold the same kind (more than a share of them)."""
    parent = list(range(len(holds)))
    for a, b in zip(first, second, strict=True):
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        if a != b:
            common = holds[a] & holds[b]
            if common and common.bit_count() > shared * min(holds[a].bit_count(), holds[b].bit_count()):
                continue
            a, b = (a, b) if a < b else (b, a)
            parent[b] = a
            holds[a] |= holds[b]
    roots = np.array(parent, np.int64)
    while (roots != roots[roots]).any():
        roots = roots[roots]
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def _components(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    graph = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return _in_order(connected_components(graph, directed=False)[1])


def _cut_components(
    first: np.ndarray, second: np.ndarray, affinity: np.ndarray, holds: np.ndarray, threshold: float
) -> np.ndarray:
    """Components, cut where they hold a kind twice."""
    labels = np.zeros(len(holds), np.int64)
    element, kind = np.nonzero((holds[:, None] >> np.arange(63)) & 1)
    for limit in (*np.linspace(threshold, 1, _RAISES, endpoint=False)[1:], np.inf):
        labels = _components(first, second, len(holds))
        held = np.bincount(labels[element] * 63 + kind, minlength=63 * (int(labels.max(initial=-1)) + 1))
        twice = (held > 1).reshape(-1, 63).any(1)
        if not twice.any():
            break
        kept = ~twice[labels[first]] | (affinity > limit)
        first, second, affinity = first[kept], second[kept], affinity[kept]
    return labels


def _assign(first: np.ndarray, second: np.ndarray, affinity: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """(E',) rows of the pairs that the best assignment of every pair of kinds takes."""
    turned = kinds[first] > kinds[second]
    low, high = np.where(turned, second, first), np.where(turned, first, second)
    limb = kinds[low].astype(np.int64) * 64 + kinds[high]
    order = np.argsort(kinds, kind="stable")
    numbers = np.bincount(kinds)
    place = np.empty(len(kinds), np.int64)
    place[order] = np.arange(len(kinds)) - (np.cumsum(numbers) - numbers)[kinds[order]]
    chosen = [np.zeros(0, np.int64)]
    order = np.argsort(limb, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(limb[order])) + 1) if len(order) else ():
        shape = numbers[kinds[low[rows[0]]]], numbers[kinds[high[rows[0]]]]
        pair, worth = np.full(shape, -1), np.zeros(shape)
        pair[place[low[rows]], place[high[rows]]] = rows
        worth[place[low[rows]], place[high[rows]]] = affinity[rows]
        taken = pair[linear_sum_assignment(worth, maximize=True)]
        chosen.append(taken[taken >= 0])
    return np.concatenate(chosen)


def _in_order(labels: np.ndarray) -> np.ndarray:
    """Labels numbered in order of first appearance."""
    _, appeared, labels = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(appeared))[labels].astype(np.int64)
