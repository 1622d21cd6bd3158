# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters out of an affinity matrix and a threshold."""

from __future__ import annotations

import numpy as np


def cluster(affinity: np.ndarray, threshold: float, kinds: np.ndarray | None = None) -> np.ndarray:
    """(N,) int: label of the cluster of each element, numbered 0, 1, ... in order of first appearance.

    affinity: (N, N) symmetric, 0..1. Elements whose affinity exceeds the threshold are joined, the closest first
    (single linkage: without kinds these are the connected components above the threshold). kinds: (N,) int, each below
    63; two clusters that would then hold two elements of one kind are not joined.
    """
    count = len(affinity)
    first, second = np.nonzero(np.triu(affinity > threshold, 1))
    order = np.argsort(-affinity[first, second], kind="stable")
    holds = [1 << int(kind) for kind in kinds] if kinds is not None else [0] * count
    parent = list(range(count))

    def root(element: int) -> int:
        while parent[element] != element:
            parent[element] = parent[parent[element]]
            element = parent[element]
        return element

    for a, b in zip(first[order].tolist(), second[order].tolist(), strict=True):
        a, b = root(a), root(b)
        if a != b and not holds[a] & holds[b]:
            a, b = min(a, b), max(a, b)
            parent[b] = a
            holds[a] |= holds[b]
    roots = np.array([root(element) for element in range(count)], np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)
