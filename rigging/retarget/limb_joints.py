# SPDX-License-Identifier: GPL-3.0-or-later
"""Hip, knee and ankle, shoulder, elbow and wrist in chains of bones, by proportions, bends and where fingers begin."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .joint_tree import JointTree

_USUAL_THIGH = 1.05  # of the shin
_USUAL_ARM = 1.15  # of the forearm
#: (numbers of three joints in a chain, cost)
Joints = tuple[tuple[int, int, int], float]


@dataclass(frozen=True)
class Pair:
    """Two chains of nodes, alike in lengths, that hang from one hub."""

    hub: int
    first: tuple[int, ...]
    second: tuple[int, ...]
    length: float


def _bow(points: np.ndarray) -> float:
    """How far a chain bows out from the line between its ends, as a part of that line."""
    line = points[-1] - points[0]
    length = float(np.linalg.norm(line))
    if len(points) < 3 or length <= 0:
        return 0.0
    off = points[1:-1] - points[0]
    return float(np.linalg.norm(np.cross(off, line), axis=1).max()) / length**2


def _choices(count: int) -> list[tuple[int, int, int]]:
    return list(combinations(range(min(count, 12)), 3))


def leg_joints(tree: JointTree, legs: Pair) -> Joints:
    """(numbers of thigh, shin and foot in the chain, cost), by proportions and bends."""
    points, halves = _chain(tree, legs)
    down = points[-1] - points[0]
    down = down / max(float(np.linalg.norm(down)), 1e-12)
    depth = (points - points[0]) @ down
    best = ((0, 1, 2), np.inf)
    for i, j, k in _choices(len(points)):
        thigh, shin = (float(np.linalg.norm(points[b] - points[a])) for a, b in ((i, j), (j, k)))
        if min(thigh, shin) < 0.08 * legs.length:
            continue
        size = thigh + shin
        cost = 2 * abs(np.log(thigh / shin / _USUAL_THIGH)) + 3 * (_bow(points[i : j + 1]) + _bow(points[j : k + 1]))
        cost += 1.0 * (halves[i] < 0.04 * size) + 0.05 * (k - i - 2)
        first = next((n for n, half in enumerate(halves) if half >= 0.04 * size), 0)
        cost += 1.5 * max(0.0, float(depth[i] - depth[first])) / size
        cost += 3 * max(0.0, float(depth.max() - depth[k]) / size - 0.2)
        if k + 1 < len(points):
            ahead = points[k + 1] - points[k]
            length = float(np.linalg.norm(ahead))
            cost += 0.7 * (length > 0 and float(ahead @ (points[k] - points[j])) > 0.93 * length * shin)
            cost += max(0.0, length / shin - 0.7)
        if cost < best[1]:
            best = ((i, j, k), float(cost))
    return best


def arm_joints(tree: JointTree, arms: Pair) -> Joints:
    """(numbers of upper arm, forearm and hand in the chain, cost), by proportions, bends and where fingers begin."""
    points, halves = _chain(tree, arms)
    palm = next((n for n, node in enumerate(arms.first) if len(tree.children[node]) >= 3 and n >= 2), None)
    best = ((0, 1, 2), np.inf)
    for i, j, k in _choices(len(points)):
        upper, lower = (float(np.linalg.norm(points[b] - points[a])) for a, b in ((i, j), (j, k)))
        if min(upper, lower) < 0.08 * arms.length:
            continue
        size = upper + lower
        cost = 2 * abs(np.log(upper / lower / _USUAL_ARM)) + 3 * (_bow(points[i : j + 1]) + _bow(points[j : k + 1]))
        cost += 0.05 * (k - i - 2) + 1.5 * (palm is not None and k != palm) - 0.5 * (palm == k)
        cost += 0.1 * max(0, len(points) - 2 - k) * (palm is None)
        # Arms begin at the shoulders, not at the breastbone, where collar bones do.
        cost += 8 * max(0.0, 0.2 - halves[i] / size) + 2 * max(0.0, halves[i] / size - 0.8)
        after = float(np.linalg.norm(np.diff(points[k:], axis=0), axis=1).sum()) if k + 1 < len(points) else 0.0
        cost += 2 * max(0.0, after / lower - 0.9)
        if cost < best[1]:
            best = ((i, j, k), float(cost))
    return best


def _chain(tree: JointTree, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """(places of the first chain, half the distance to the other chain's)."""
    first, second = tree.places[list(pair.first)], tree.places[list(pair.second)]
    return first, np.linalg.norm(first - second, axis=1) / 2


def toe_of(tree: JointTree, chain: tuple[int, ...], foot: int) -> int | None:
    """The bone at the ball of the foot: none where the toes are apart."""
    at = chain[foot]
    while tree.children[at]:
        ahead = [node for node in tree.children[at] if tree.distance(node, at) > 0]
        if len(ahead) >= 3:
            return None if at == chain[foot] else at
        if not ahead:
            return None if at == chain[foot] else at
        if at != chain[foot]:
            # The first bone after the ankle is the ball, unless toes begin at the next one.
            return ahead[0] if len(tree.children[ahead[0]]) >= 3 else at
        at = chain[foot + 1] if foot + 1 < len(chain) else max(ahead, key=lambda node: tree.reach[node])
    return None if at == chain[foot] else at
