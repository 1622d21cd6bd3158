# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and feet in a rig's rest pose: where palms and tips of the feet are, and the floor on which the rig stands.

Heads of bones say it wherever there are any further out. A tail says it only at the last bone of a limb, and only if
the left and the right one mirror each other: a tail is half of a bone's axes, and axes are a file format's convention.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..vectors import unit
from .rig import Rig

#: A tail further than this from where the bone should lead is no anatomy but an axis convention.
_PLAUSIBLE = np.cos(np.radians(60.0))
_MIRRORED = 0.25  # of its length that a tail may lie beside the mirror image of the other side's
_NEAR = 1e-3  # of the leg's length: heads closer than this are at one place
#: Of the ankle's height above the hips' (negative is down): where the floor may be.
_ANKLE = (0.01, 0.25)
_TOES = 0.5  # of the way from ankle to ball that the toes go on


@dataclass(frozen=True)
class Stance:
    """How the figure stands. up, front, left: (3,) unit, world. leg: from hip to ankle. origin: (3,) of the object."""

    up: np.ndarray
    front: np.ndarray
    left: np.ndarray
    leg: float
    origin: np.ndarray


def find_palms(rig: Rig, slots: Mapping[str, str], stance: Stance) -> dict[str, np.ndarray]:
    """Side -> (3,) world: the middle of the palm, half way to the fingers where there are any."""
    tails = _tails(rig, slots, "hand", stance)
    found = {}
    for side in "LR":
        row = rig.rows[slots[f"hand.{side}"]]
        wrist, elbow = rig.heads[row], rig.heads[rig.rows[slots[f"forearm.{side}"]]]
        forearm = wrist - elbow
        fingers = _beyond(rig, row, wrist, 0.1 * float(np.linalg.norm(forearm)), stance)
        places = [np.mean(fingers, 0)] if fingers else []
        if tails is not None:
            places.append(tails[side])
        leading = [place for place in places if _leads(place - wrist, forearm)]
        found[side] = leading[0] if leading else wrist + 0.35 * forearm
    return found


def find_toes(rig: Rig, slots: Mapping[str, str], stance: Stance) -> dict[str, np.ndarray]:
    """Side -> (3,) world: the tip of the foot, on the floor under a rig that stands on one."""
    tails = _tails(rig, slots, "foot", stance)
    found = {}
    for side in "LR":
        ankle = rig.heads[rig.rows[slots[f"foot.{side}"]]]
        found[side] = _tip(rig, slots, side, ankle, stance, None if tails is None else tails[side])
    floor = _floor(rig, slots, stance)
    if floor is not None:
        for side, tip in found.items():
            found[side] = tip + (floor - float(tip @ stance.up)) * stance.up
    return found


def _tip(
    rig: Rig, slots: Mapping[str, str], side: str, ankle: np.ndarray, stance: Stance, tail: np.ndarray | None
) -> np.ndarray:
    foot = rig.rows[slots[f"foot.{side}"]]
    toe = rig.rows.get(slots.get(f"toe.{side}", ""))
    balls = [rig.heads[toe]] if toe is not None else []
    balls += [place for place in (_middle(_beyond(rig, foot, ankle, 0.05 * stance.leg, stance)),) if place is not None]
    for ball in balls:
        if _is_forward(ball - ankle, stance):
            ends = [] if toe is None else _beyond(rig, toe, ball, 0.02 * stance.leg, stance)
            further = [end for end in ends if _leads(end - ball, ball - ankle)]
            return further[0] if further else ball + _TOES * _level(ball - ankle, stance)
    if tail is not None and _is_forward(tail - ankle, stance):
        return tail
    return ankle + 0.2 * stance.leg * stance.front - 0.05 * stance.leg * stance.up


def _floor(rig: Rig, slots: Mapping[str, str], stance: Stance) -> float | None:
    """How far up the floor is, by the object's origin; None if the rig does not stand at the height of its origin."""
    floor = float(stance.origin @ stance.up)
    ankles = [float(rig.heads[rig.rows[slots[f"foot.{side}"]]] @ stance.up) for side in "LR"]
    low, high = _ANKLE
    return floor if all(low * stance.leg < ankle - floor < high * stance.leg for ankle in ankles) else None


def _beyond(rig: Rig, row: int, place: np.ndarray, least: float, stance: Stance) -> list[np.ndarray]:
    """Heads of what hangs from a bone and is at least so far away.

    If nothing does, of what hangs from a bone that moves skin at the same place: a control has no fingers.
    """

    def of(bone: int) -> list[np.ndarray]:
        heads = [rig.heads[child] for child in rig.children[bone]]
        return [head for head in heads if np.linalg.norm(head - place) > least]

    found = of(row)
    if not found and not rig.bones[row].deform:
        twins = [
            one
            for one, bone in enumerate(rig.bones)
            if bone.deform and np.linalg.norm(rig.heads[one] - place) < _NEAR * stance.leg
        ]
        found = next((heads for heads in map(of, twins) if heads), [])
    return found


def _tails(rig: Rig, slots: Mapping[str, str], part: str, stance: Stance) -> dict[str, np.ndarray] | None:
    """Both sides' tails, world, if they mirror each other."""
    rows = {side: rig.rows[slots[f"{part}.{side}"]] for side in "LR"}
    left, right = (rig.tails[row] - rig.heads[row] for row in rows.values())
    mirrored = right - 2 * (right @ stance.left) * stance.left
    if not np.linalg.norm(left - mirrored) < _MIRRORED * np.linalg.norm(left):
        return None
    return {side: rig.tails[row] for side, row in rows.items()}


def _leads(way: np.ndarray, along: np.ndarray) -> bool:
    """Whether a way goes about where another does; not if it has no length."""
    return bool(unit(way) @ unit(along) > _PLAUSIBLE)


def _level(way: np.ndarray, stance: Stance) -> np.ndarray:
    return way - (way @ stance.up) * stance.up


def _is_forward(way: np.ndarray, stance: Stance) -> bool:
    """Whether a way from the ankle goes to the tip of a foot: to the front, and not up."""
    return _leads(_level(way, stance), stance.front) and float(way @ stance.up) < 0.02 * stance.leg


def _middle(places: list[np.ndarray]) -> np.ndarray | None:
    return np.mean(places, 0) if places else None
