# SPDX-License-Identifier: GPL-3.0-or-later
"""A body found in a tree of bones, by nothing but where the bones' heads lie.

A body is a pelvis from which two chains of the same lengths go down and a trunk goes up, and a chest from which two
chains of the same lengths go sideways and a neck goes up. Lengths are compared, not places, so the rest pose may be
any; which way is up follows from the trunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .joint_tree import JointTree
from .limb_joints import Joints, Pair, arm_joints, leg_joints, toe_of
from .rig import Rig

#: A limb is at least this part of the rig; fingers, toes and ears are less.
_LIMB = 0.12
#: How much the bones of two mirrored limbs may differ in length, together.
_ALIKE = 0.12
_HUB = 14  # children of one bone that are looked at, the largest
_PAIRS = 4  # of one hub, the longest
_ARM_TO_LEG = 0.65


@dataclass(frozen=True)
class Body:
    """Rows of a rig's bones by slot; left and right are only one and the other side until the front is known.

    spine: from above the hips to the chest. neck: to below the head. up: (3,) unit, along the trunk.
    """

    slots: dict[str, int]
    spine: tuple[int, ...]
    neck: tuple[int, ...]
    up: np.ndarray


class FourLegsError(ValueError):
    """A rig that stands on four legs."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} stands on four legs; a person's motion fits only a rig with two arms and two legs")


def find_body(rig: Rig, rows: Sequence[int] | None = None, avoid: frozenset[int] = frozenset()) -> Body:
    """The body in a rig. rows: bones that are looked at (default: all). avoid: bones that are no limb's.

    Raises ValueError, in one sentence, if there is none.
    """
    tree = JointTree(rig, rows, avoid)
    pairs = _limb_pairs(tree)
    legs_of = [leg_joints(tree, pair) for pair in pairs]
    arms_of = [arm_joints(tree, pair) for pair in pairs]
    best: tuple[float, Body] | None = None
    best_size = on_fours = 0.0  # length of the limbs
    for legs, leg in zip(pairs, legs_of, strict=True):
        for arms, arm in zip(pairs, arms_of, strict=True):
            if not _apart(tree, legs, arms):
                continue
            size = legs.length + arms.length
            if _four_legs(tree, legs, arms):
                on_fours = max(on_fours, size)
            found = _body(tree, legs, arms, leg, arm)
            if found is not None and (best is None or found[0] < best[0]):
                best, best_size = found, size
    if on_fours > best_size:
        raise FourLegsError(rig.name)
    if best is not None:
        return best[1]
    if pairs:
        raise ValueError(f"{rig.name} is no humanoid: one pair of limbs was found, but arms and legs are needed")
    raise ValueError(f"{rig.name} is no humanoid: it has no two arms and two legs")


def _limb_pairs(tree: JointTree) -> list[Pair]:
    pairs = []
    least = _LIMB * tree.size
    for hub, children in tree.hubs():
        here: list[Pair] = []
        large = sorted((node for node in children if tree.reach[node] >= least), key=lambda node: -tree.reach[node])
        for one, other in combinations(large[:_HUB], 2):
            first, second = tree.twin_paths(one, other)
            if len(first) < 3:
                continue
            a, b = tree.lengths(first), tree.lengths(second)
            total = float(a.sum())
            apart = float(np.linalg.norm(tree.places[first[1:]] - tree.places[second[1:]], axis=1).max())
            if np.abs(a - b).sum() <= _ALIKE * total and total >= least and apart > 0.04 * total:
                here.append(Pair(hub, tuple(first), tuple(second), total))
        # The strands of a skirt are many pairs; the legs are longer.
        pairs += sorted(here, key=lambda pair: -pair.length)[:_PAIRS]
    return sorted(pairs, key=lambda pair: -pair.length)[: 4 * _PAIRS]


def _apart(tree: JointTree, legs: Pair, arms: Pair) -> bool:
    """Neither pair is part of the other."""
    mine = {*legs.first, *legs.second}
    theirs = {*arms.first, *arms.second}
    if mine & theirs or arms.hub in mine or legs.hub in theirs:
        return False
    return not (mine & set(tree.above(arms.hub)) or theirs & set(tree.above(legs.hub)))


def _middle(tree: JointTree, pair: Pair, number: int) -> np.ndarray:
    return (tree.places[pair.first[number]] + tree.places[pair.second[number]]) / 2


def _four_legs(tree: JointTree, legs: Pair, arms: Pair) -> bool:
    trunk = _middle(tree, arms, 0) - _middle(tree, legs, 0)
    ways = [_middle(tree, pair, -1) - _middle(tree, pair, 0) for pair in (legs, arms)]
    return stands_on_four(trunk, ways[0], ways[1], float(_middle(tree, legs, -1)[2] - _middle(tree, arms, -1)[2]))


def stands_on_four(trunk: np.ndarray, legs: np.ndarray, arms: np.ndarray, height: float) -> bool:
    """Whether arms and legs go down side by side, to one floor, from a trunk that lies across.

    trunk, legs, arms: (3,) from the hips to the shoulders, from the hips to the feet, from the shoulders to the hands.
    height: of the feet over the hands.
    """
    sizes = [float(np.linalg.norm(way)) for way in (trunk, legs, arms)]
    if min(sizes) <= 0:
        return False
    across, back, front = trunk / sizes[0], legs / sizes[1], arms / sizes[2]
    level = abs(height) < 0.3 * max(sizes[1:])
    return bool(abs(across @ back) < 0.6 and back @ front > 0.75 and abs(across[2]) < 0.7 and back[2] < -0.7 and level)


def _body(tree: JointTree, legs: Pair, arms: Pair, leg_choice: Joints, arm_choice: Joints) -> tuple[float, Body] | None:
    """(cost, body) of one pair as legs and another as arms, or None if that is no body."""
    leg, leg_cost = leg_choice
    arm, arm_cost = arm_choice
    hips, shoulders = _middle(tree, legs, leg[0]), _middle(tree, arms, arm[0])
    trunk = shoulders - hips
    height = float(np.linalg.norm(trunk))
    way = _middle(tree, legs, leg[2]) - hips
    leg_length = float(np.linalg.norm(way))
    arm_length = float(tree.lengths(arms.first[arm[0] : arm[2] + 1]).sum())
    if min(height, leg_length, arm_length) < 0.05 * tree.size:
        return None
    up = trunk / height
    across = tree.places[legs.first[leg[0]]] - tree.places[legs.second[leg[0]]]
    over = tree.places[arms.first[arm[0]]] - tree.places[arms.second[arm[0]]]
    swapped = float(across @ over) < 0
    parallel = abs(float(across @ over)) / max(float(np.linalg.norm(across) * np.linalg.norm(over)), 1e-12)
    if way @ up > -0.7 * leg_length or parallel < 0.8:
        return None
    cost = leg_cost + arm_cost - 1.5 * float(up[2])
    # Wings are longer than arms, and rise.
    cost += abs(np.log(arm_length / leg_length / _ARM_TO_LEG))
    cost += 2 * max(0.0, float((_middle(tree, arms, arm[2]) - shoulders) @ up)) / arm_length
    cost += 2 * max(0.0, 0.25 - height / leg_length) + max(0.0, height / leg_length - 2.0)
    # Of several pairs that could be legs (skirts, coats) the legs are those that reach the floor.
    lowest = float((tree.places @ up).min())
    cost += 3 * max(0.0, float(_middle(tree, legs, -1) @ up) - lowest - 0.06 * height) / leg_length
    # Hair hangs from above where it would have its shoulders.
    cost += 4 * max(0.0, float((tree.places[arms.hub] - shoulders) @ up) / height - 0.15) if arms.hub >= 0 else 0.0
    neck, head, head_cost = _neck_and_head(tree, arms, up, shoulders, height)
    cost += head_cost
    hub = tree.common(legs.hub, arms.hub)
    if hub < 0:
        return None
    above = tree.above(arms.hub)
    spine = [*reversed(above[: above.index(hub)]), arms.hub] if arms.hub != hub else []
    slots = {"hips": hub}
    if head is not None:
        slots["head"] = head
    slots |= {f"{part}.L": legs.first[number] for part, number in zip(("thigh", "shin", "foot"), leg, strict=True)}
    slots |= {f"{part}.R": legs.second[number] for part, number in zip(("thigh", "shin", "foot"), leg, strict=True)}
    sides = ("R", "L") if swapped else ("L", "R")
    for side, chain in zip(sides, (arms.first, arms.second), strict=True):
        slots |= {f"{part}.{side}": chain[n] for part, n in zip(("upper_arm", "forearm", "hand"), arm, strict=True)}
        if arm[0] > 0:
            slots[f"shoulder.{side}"] = chain[0]
    for side, chain in zip("LR", (legs.first, legs.second), strict=True):
        toe = toe_of(tree, chain, leg[2])
        if toe is not None:
            slots[f"toe.{side}"] = toe
    rows = {slot: tree.rows[node] for slot, node in slots.items()}
    return cost, Body(rows, tuple(tree.rows[n] for n in spine), tuple(tree.rows[n] for n in neck), up)


def _neck_and_head(
    tree: JointTree, arms: Pair, up: np.ndarray, shoulders: np.ndarray, height: float
) -> tuple[list[int], int | None, float]:
    """(neck from the chest up, head, cost)."""
    at, chain = arms.hub, []
    skip = {arms.first[0], arms.second[0]}
    while not (chain and len(tree.children[at]) >= 3):
        rising = [
            node
            for node in tree.largest(at, _HUB)
            if node not in skip and _rises(tree, node, up, shoulders, height, tree.places[at] if chain else None)
        ]
        if not rising or (chain and _paired(tree, rising, height)):
            break
        at = max(rising, key=lambda node: (len(tree.path(node)) > 1, tree.size_below(node), tree.reach[node]))
        chain.append(at)
    if not chain:
        return [], None, 1.5
    if len(chain) >= 3 and not tree.children[chain[-1]]:
        last, before = tree.distance(chain[-1], chain[-2]), tree.distance(chain[-2], chain[-3])
        if last > 1.3 * before:  # the end of the head, not the head
            chain.pop()
    rise = float((tree.places[chain[-1]] - shoulders) @ up)
    return chain[:-1], chain[-1], 0.0 if rise > 0.08 * height else 1.5


def _paired(tree: JointTree, nodes: list[int], height: float) -> bool:
    """Whether the two largest of some children of one bone mirror each other: eyes or ears, not the way to the head."""
    if len(nodes) < 2:
        return False
    one, other = nodes[:2]
    away = [tree.distance(node, tree.parents[node]) for node in (one, other)]
    return tree.distance(one, other) > 0.02 * height and abs(away[0] - away[1]) < 0.03 * max(away)


def _rises(
    tree: JointTree, node: int, up: np.ndarray, shoulders: np.ndarray, height: float, below: np.ndarray | None
) -> bool:
    place = tree.places[node]
    over = place - shoulders
    aside = over - (over @ up) * up
    if np.linalg.norm(aside) > 0.35 * height or over @ up < -0.35 * height:
        return False
    if below is None:
        top = tree.top(node, up)
        return bool((top - shoulders) @ up > 0.02 * height)
    step = place - below
    return bool(step @ up > 0.5 * np.linalg.norm(step) and np.linalg.norm(step) > 0)
