# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a rig looks, and so which side is its left: from its feet, else its knees and elbows, else its face.

The character's left is at up x front, whatever its bones are called and whichever way it faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..vectors import unit
from .rig import Rig

#: What `Facing.by` says where bones lie ahead of the ankles: the surest.
FEET = "feet"
#: Of the shin: feet that point less far ahead say nothing.
_FEET = 0.08
#: Of the leg: knees and elbows that are straighter say nothing.
_BENT = 0.004


@dataclass(frozen=True)
class Facing:
    """Which way a mapped rig looks.

    up, front: (3,) unit, world; front is where a figure looks whose `.L` slots are its left. agrees: 1 if the body
    says the same, -1 if it looks the other way (so that left and right are exchanged), 0 if it does not say.
    by: what said it. doubted: something else says the opposite.
    """

    up: np.ndarray
    front: np.ndarray
    agrees: int
    by: str
    doubted: bool = False


def facing(rig: Rig, rows: Mapping[str, int]) -> Facing:
    """Where a rig with these slots looks. rows: slot -> row, with both arms and legs."""
    heads = rig.heads

    def place(slot: str) -> np.ndarray:
        return heads[rows[slot]]

    hips = (place("thigh.L") + place("thigh.R")) / 2
    shoulders = (place("upper_arm.L") + place("upper_arm.R")) / 2
    up = unit(shoulders - hips)
    across = place("thigh.L") - place("thigh.R")
    if np.linalg.norm(across) < 1e-9:
        across = place("upper_arm.L") - place("upper_arm.R")
    front = unit(np.cross(across, up))
    if not np.isfinite(front).all():
        return Facing(up, front, 0, "")
    shin = float(np.mean([np.linalg.norm(place(f"foot.{side}") - place(f"shin.{side}")) for side in "LR"]))
    ways = [_foot(rig, rows, side) for side in "LR"]
    feet = np.mean([way for way, _ in ways], axis=0) @ front / max(shin, 1e-9)
    feet_by = FEET if all(sure for _, sure in ways) else "ends of the foot bones"
    knees = sum(_bend(place(f"thigh.{side}"), place(f"shin.{side}"), place(f"foot.{side}")) @ front for side in "LR")
    elbows = sum(
        _bend(place(f"upper_arm.{side}"), place(f"forearm.{side}"), place(f"hand.{side}")) @ front for side in "LR"
    )
    bent = (knees - elbows) / max(shin, 1e-9)
    face = _face(rig, rows, up) @ front / max(shin, 1e-9)
    voices = ((feet_by, feet, _FEET), ("knees and elbows", bent, _BENT), ("face", face, _FEET))
    heard = [(by, said > 0) for by, said, least in voices if abs(said) >= least]
    if not heard:
        return Facing(up, front, 0, "")
    by, ahead = heard[0]
    return Facing(up, front, 1 if ahead else -1, by, any(other != ahead for name, other in heard if name != "face"))


def _foot(rig: Rig, rows: Mapping[str, int], side: str) -> tuple[np.ndarray, bool]:
    """(from the ankle towards the toes, whether a bone lies there); else to the bone's tail, which may be anywhere."""
    foot = rows[f"foot.{side}"]
    ankle = rig.heads[foot]
    toe = rows.get(f"toe.{side}")
    if toe is not None:
        return rig.heads[toe] - ankle, True
    ends = [rig.heads[child] - ankle for child in rig.children[foot] if "heel" not in rig.bones[child].name.lower()]
    ends = [end for end in ends if np.linalg.norm(end) > 1e-9]
    return (np.mean(ends, axis=0), True) if ends else (rig.tails[foot] - ankle, False)


def _bend(first: np.ndarray, middle: np.ndarray, last: np.ndarray) -> np.ndarray:
    """From the line between the ends to the middle."""
    line = unit(last - first)
    off = middle - first
    return np.nan_to_num(off - (off @ line) * line)


def _face(rig: Rig, rows: Mapping[str, int], up: np.ndarray) -> np.ndarray:
    """From the head's joint to what hangs from it, level."""
    if "head" not in rows:
        return np.zeros(3)
    below = list(rig.children[rows["head"]])
    for row in below:
        below += rig.children[row]
    if len(below) < 2:
        return np.zeros(3)
    off = rig.heads[below].mean(0) - rig.heads[rows["head"]]
    return off - (off @ up) * up
