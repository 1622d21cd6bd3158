# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a control rig whose names say nothing: those that an animator can turn, where the body's joints are.

Forward kinematics is a chain: a control at the shoulder from which hangs one at the elbow and from that one at the
wrist. What is steered by constraints or follows other bones is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .geometry import Body
from .matching import is_driven
from .rig import Rig

_DRIVEN_SHARE = 0.12
_ARM = ("upper_arm", "forearm", "hand")
_LEG = ("thigh", "shin", "foot", "toe")


def is_control_rig(rig: Rig) -> bool:
    """Whether constraints carry the deforming bones, so that others are turned instead of them."""
    deform = [row for row, bone in enumerate(rig.bones) if bone.deform]
    driven = sum(is_driven(rig, row) for row in deform)
    free = sum(not bone.deform and not is_driven(rig, row) for row, bone in enumerate(rig.bones))
    return driven > max(_DRIVEN_SHARE * len(rig.bones), 0.4 * len(deform)) and free >= 8


def control_slots(rig: Rig, body: Body) -> Body:
    """The same body, with the controls that lie at its joints. What has no control keeps its bone."""
    size = float(np.ptp(rig.heads, axis=0).max())
    free = [row for row, bone in enumerate(rig.bones) if not bone.deform and not is_driven(rig, row)]
    lines = {row: set(rig.ancestors(row)) for row in free}

    def at(joint: int) -> list[int]:
        """Controls at a joint: visible ones first, of these the deepest first."""
        near = [row for row in free if np.linalg.norm(rig.heads[row] - rig.heads[joint]) < 1e-3 * size]
        return sorted(near, key=lambda row: (rig.bones[row].hidden, -len(lines[row])))

    slots = dict(body.slots)
    for side in "LR":
        for parts in (_ARM, _LEG):
            names = [f"{part}.{side}" for part in parts if f"{part}.{side}" in slots]
            links = _chain([at(slots[name]) for name in names], lines)
            slots |= dict(zip(names, links, strict=False))
        if f"shoulder.{side}" in slots:
            slots[f"shoulder.{side}"] = next(iter(at(slots[f"shoulder.{side}"])), slots[f"shoulder.{side}"])
    if "head" in slots:
        slots["head"] = next(iter(at(slots["head"])), slots["head"])
    limbs = [slots[f"{part}.{side}"] for part in ("upper_arm", "thigh") for side in "LR"]
    if all(row in lines for row in limbs):
        shared = set.intersection(*(lines[row] for row in limbs))
        carriers = [row for row in shared if row in lines]
        if carriers:
            slots["hips"] = max(carriers, key=lambda row: (not rig.bones[row].hidden, len(lines[row])))
    spine = _column(body.spine, slots, lines, at)
    above = lines.get(slots.get("head", -1), set())
    necks = [[row for row in at(link) if row in above and row != slots["hips"]] for link in body.neck]
    neck = tuple(min(found, key=lambda row: (rig.bones[row].hidden, len(lines[row]))) for found in necks if found)
    neck = tuple(row for row in dict.fromkeys(neck) if row not in spine)
    return replace(body, slots=slots, spine=spine, neck=neck)


def _chain(choices: list[list[int]], lines: dict[int, set[int]]) -> list[int]:
    """One control for every joint, each hanging from the one before; empty if there is no such chain of three."""

    def go(number: int, above: int | None) -> list[int]:
        if number == len(choices):
            return []
        longest: list[int] = []
        for row in choices[number]:
            if above is None or above in lines[row]:
                found = [row, *go(number + 1, row)]
                if len(found) > len(longest):
                    longest = found
        return longest

    best = go(0, None)
    return best if len(best) >= 3 else []


def _column(
    spine: tuple[int, ...], slots: dict[str, int], lines: dict[int, set[int]], at: Callable[[int], list[int]]
) -> tuple[int, ...]:
    """Controls on the way from the hips to the shoulders, at or near the spine's joints."""
    arms = [lines[slots[f"upper_arm.{side}"]] for side in "LR" if slots[f"upper_arm.{side}"] in lines]
    if len(arms) < 2:
        return ()
    found = []
    for link in spine:
        carrying = [row for row in at(link) if all(row in line for line in arms) and row != slots["hips"]]
        found += [min(carrying, key=lambda row: len(lines[row]))] if carrying else []
    return tuple(dict.fromkeys(found))
