# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs without a hand or a foot, as low-poly characters have them: they end at the tail of the forearm or the shin.

Such a rig is given bones there that are in no file, so that everything else finds whole limbs; they get no keys.
A tail is believed only where it goes on about as the limb does (half of all files do not know where bones end) and no
bone lies there, which may be the hand, wherever it hangs from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..vectors import swing, unit
from .naming import is_beside, is_finger
from .rig import Bone, Rig
from .slots import ENDS

#: A tail further than this from the way of the limb is no joint but an axis convention.
_STRAIGHT = np.cos(np.radians(50.0))
#: Of the part of the limb above, how long the last part may be.
_LENGTHS = (0.4, 2.0)
#: Of the last part's length: a bone that starts so close to its tail may be the hand itself.
NEAR = 0.3
_CARRYING = tuple(f"{part}.{side}" for part in ("upper_arm", "thigh") for side in "LR")
_HAND, _FOOT = 0.35, 0.4  # of the last part's length


def with_ends(rig: Rig, slots: Mapping[str, str]) -> tuple[Rig, dict[str, str]]:
    """(the rig with a bone at the end of every limb that lacks one, the slots with those). slots: slot -> bone name.

    The rig and the slots as they are, if nothing lacks or nothing says where the limb ends.
    """
    bones, found = list(rig.bones), dict(slots)
    if not all(slots.get(slot) in rig.rows for slot in _CARRYING):
        return rig, found
    for slot, last in ENDS.items():
        if slot in slots or last not in slots or not _is_known(rig, slots, last):
            continue
        row = rig.rows[slots[last]]
        parent = rig.bones[row]
        rest = parent.rest.copy()
        rest[:3, 3] += parent.length * rest[:3, 1]
        share = _HAND
        if slot.startswith("foot"):
            rest[:3, :3], share = _forward(rig, slots, rest[:3, 1]) @ rest[:3, :3], _FOOT
        found[slot] = f"end of {parent.name}"
        bones.append(Bone(found[slot], row, rest, share * parent.length))
    if len(bones) == len(rig.bones):
        return rig, found
    return replace(rig, bones=tuple(bones)), found


def _is_known(rig: Rig, slots: Mapping[str, str], last: str) -> bool:
    """Whether the tail of a limb's last bone is where the limb ends."""
    upper = slots.get(part_above(last), "")
    if slots[last] not in rig.rows or upper not in rig.rows:
        return False
    row = rig.rows[slots[last]]
    if not goes_on(rig.heads[rig.rows[upper]], rig.heads[row], rig.tails[row]):
        return False
    near = NEAR * np.linalg.norm(rig.tails[row] - rig.heads[row])
    there = np.flatnonzero(np.linalg.norm(rig.heads - rig.tails[row], axis=1) < near)
    return all(is_held(rig.bones[one].name) for one in there)


def is_held(name: str) -> bool:
    """Whether a bone where a limb ends is not the hand itself nor of it, such as what a hand holds."""
    return is_beside(name) and not is_finger(name)


def part_above(last: str) -> str:
    """The slot above a limb's last one: `upper_arm.L` of `forearm.L`."""
    return last.replace("forearm", "upper_arm").replace("shin", "thigh")


def goes_on(first: np.ndarray, middle: np.ndarray, tail: np.ndarray) -> bool:
    """Whether a tail may be where a limb ends that goes from one joint to another, places (3,) of any space."""
    above, end = middle - first, tail - middle
    low, high = (share * np.linalg.norm(above) for share in _LENGTHS)
    return bool(low < np.linalg.norm(end) < high and unit(end) @ unit(above) > _STRAIGHT)


def _forward(rig: Rig, slots: Mapping[str, str], along: np.ndarray) -> np.ndarray:
    """(3, 3) armature space: the turn that takes `along` to where the figure looks."""

    def middle(part: str) -> np.ndarray:
        return (rig.heads[rig.rows[slots[f"{part}.L"]]] + rig.heads[rig.rows[slots[f"{part}.R"]]]) / 2

    thighs = [rig.heads[rig.rows[slots[f"thigh.{side}"]]] for side in "LR"]
    front = np.cross(thighs[0] - thighs[1], middle("upper_arm") - middle("thigh"))
    return swing(unit(along), unit(np.linalg.inv(rig.world[:3, :3]) @ front))
