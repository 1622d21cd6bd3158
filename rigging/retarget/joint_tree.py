# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones of a rig, or some of them, as a tree of points.

Bones that are left out are bridged. Rigs whose deforming bones hang from helpers (Rigify's) stay one tree, because a
helper at the very place of another bone stands for that bone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .rig import Rig


class JointTree:
    """Nodes 0..N-1, parents first.

    rows: (N,) rows of the rig. places: (N, 3) rest heads, world. parents: -1 for roots. children: of every node.
    reach: (N,) length of the longest way down from a node. size: the largest extent of all places.
    """

    def __init__(self, rig: Rig, rows: Sequence[int] | None = None, avoid: frozenset[int] = frozenset()) -> None:
        """avoid: rows that are left out, with everything below them."""
        self.rows = _allowed(rig, range(len(rig.bones)) if rows is None else rows, avoid)
        self.places = rig.heads[self.rows] if self.rows else np.zeros((0, 3))
        extent = np.ptp(self.places, axis=0) if self.rows else np.zeros(3)
        self.size = float(extent.max())
        self.parents = _parents(rig, self.rows, 1e-4 * max(self.size, 1e-9))
        self.children: list[list[int]] = [[] for _ in self.rows]
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                self.children[parent].append(node)
        gaps = self.places - self.places[[max(parent, 0) for parent in self.parents]] if self.rows else self.places
        self._steps = np.linalg.norm(gaps, axis=1).tolist()
        self.reach = [0.0] * len(self.rows)
        self._below = [1] * len(self.rows)
        self._next = [-1] * len(self.rows)
        for node in self._bottom_up():
            parent = self.parents[node]
            if parent < 0:
                continue
            self._below[parent] += self._below[node]
            way = self.reach[node] + self._steps[node]
            if way > self.reach[parent] or self._next[parent] < 0:
                self.reach[parent], self._next[parent] = max(way, self.reach[parent]), node

    def _bottom_up(self) -> list[int]:
        order = [node for node, parent in enumerate(self.parents) if parent < 0]
        for node in order:
            order += self.children[node]
        return order[::-1]

    def hubs(self) -> Iterator[tuple[int, list[int]]]:
        """(node, its children) of every node with at least two; the roots together are the children of -1."""
        roots = [node for node, parent in enumerate(self.parents) if parent < 0]
        if len(roots) > 1:
            yield -1, roots
        for node, children in enumerate(self.children):
            if len(children) > 1:
                yield node, children

    def path(self, node: int) -> list[int]:
        """The longest way down, from the node itself; nodes in one place are one."""
        found = [node]
        while (node := self._next[node]) >= 0:
            if self._steps[node] > 0:
                found.append(node)
            else:
                found[-1] = found[-1] if len(self.children[found[-1]]) > 1 else node
        return found

    def twin_paths(self, one: int, other: int) -> tuple[list[int], list[int]]:
        """The longest ways down from two nodes that are alike step by step; what only one has, a prop, is not taken."""
        first, second = [one], [other]
        while True:
            choices = [(a, b) for a in self.largest(first[-1], 6) for b in self.largest(second[-1], 6)]
            if not choices:
                return first, second
            a, b = max(choices, key=self._likeness)
            if abs(self._steps[a] - self._steps[b]) > 0.3 * max(self._steps[a], self._steps[b]):
                return first, second
            moves = self._steps[a] > 0
            # Bones in one place are one: the one that others hang from.
            for way, node in ((first, a), (second, b)):
                if moves:
                    way.append(node)
                elif len(self.children[way[-1]]) == 1:
                    way[-1] = node
                else:
                    return first, second

    def largest(self, node: int, count: int) -> list[int]:
        """The children from which the longest ways go down."""
        return sorted(self.children[node], key=lambda child: -self.reach[child] - self._steps[child])[:count]

    def _likeness(self, pair: tuple[int, int]) -> float:
        a, b = pair
        shorter = min(self.reach[a] + self._steps[a], self.reach[b] + self._steps[b])
        return shorter - 5 * abs(self._steps[a] - self._steps[b])

    def lengths(self, nodes: Sequence[int]) -> np.ndarray:
        """(n - 1,) distances along some nodes."""
        return np.linalg.norm(np.diff(self.places[list(nodes)], axis=0), axis=1)

    def distance(self, one: int, other: int) -> float:
        return float(np.linalg.norm(self.places[one] - self.places[other]))

    def size_below(self, node: int) -> int:
        """How many nodes there are from this one down."""
        return self._below[node]

    def above(self, node: int) -> list[int]:
        """Parents of a node, the nearest first."""
        found = []
        while node >= 0 and (node := self.parents[node]) >= 0:
            found.append(node)
        return found

    def common(self, one: int, other: int) -> int:
        """The nearest node that is above both or is one of them; -1 if there is none."""
        if min(one, other) < 0:
            return -1
        lineage = {one, *self.above(one)}
        return next((node for node in (other, *self.above(other)) if node in lineage), -1)

    def top(self, node: int, up: np.ndarray) -> np.ndarray:
        """(3,) the highest place of a node and what is below it."""
        below = [node]
        for at in below:
            below += self.children[at]
        places = self.places[below]
        return places[int(np.argmax(places @ up))]


def _allowed(rig: Rig, rows: Sequence[int], avoid: frozenset[int]) -> list[int]:
    out: set[int] = set()
    for row, bone in enumerate(rig.bones):  # parents come first
        if row in avoid or bone.parent in out:
            out.add(row)
    return [row for row in sorted(rows) if row not in out]


def _parents(rig: Rig, rows: list[int], near: float) -> list[int]:
    """The node that each node hangs from: the nearest bone above it that is a node, or is where a node is."""
    nodes = {row: node for node, row in enumerate(rows)}
    heads = rig.heads
    grid: dict[tuple[int, ...], list[int]] = {}
    for row in rows:
        grid.setdefault(tuple(np.round(heads[row] / (10 * near)).astype(int).tolist()), []).append(row)
    parents = [-1] * len(rows)
    for node, row in enumerate(rows):
        for above in rig.ancestors(row):
            if above in nodes:
                parents[node] = nodes[above]
                break
            key = tuple(np.round(heads[above] / (10 * near)).astype(int).tolist())
            twins = [nodes[twin] for twin in grid.get(key, []) if twin != row]
            twin = next((twin for twin in twins if not _leads_to(parents, twin, node)), None)
            if twin is not None and np.linalg.norm(heads[above] - heads[row]) > near:
                parents[node] = twin
                break
    return parents


def _leads_to(parents: list[int], node: int, target: int) -> bool:
    while node >= 0:
        if node == target:
            return True
        node = parents[node]
    return False
