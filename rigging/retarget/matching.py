# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a table of names fits a rig: what it finds, and whether what it finds hangs together as a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .naming import NameIndex
from .presets import Preset
from .rig import Rig
from .slots import REQUIRED

_ARM = ("shoulder", "upper_arm", "forearm", "hand")
_LEG = ("thigh", "shin", "foot", "toe")
LIMBS: tuple[tuple[str, ...], ...] = tuple(
    tuple(f"{part}.{side}" for part in limb) for limb in (_ARM, _LEG) for side in "LR"
)
#: What turns or places a bone whatever its own channels say.
_DRIVING_KINDS = (
    "COPY_ROTATION COPY_TRANSFORMS COPY_LOCATION ARMATURE STRETCH_TO DAMPED_TRACK TRACK_TO LOCKED_TRACK IK SPLINE_IK "
    "CHILD_OF TRANSFORM ACTION"
)
_DRIVING = frozenset(_DRIVING_KINDS.split())
_OPTIONAL = 0.4
_CHAIN = 0.25
_ABSENT = 0.1


@dataclass(frozen=True)
class Fit:
    """What a table finds.

    rows: slot -> row. sure: slot -> 0..1. chains: stem -> rows from the hips up. score: for comparing tables only.
    """

    preset: Preset
    rows: dict[str, int]
    sure: dict[str, float]
    chains: dict[str, list[int]]
    score: float

    @property
    def required(self) -> int:
        """How many of the required slots were found."""
        return sum(slot in self.rows for slot in REQUIRED)


def is_driven(rig: Rig, row: int) -> bool:
    """Whether constraints decide how a bone turns."""
    bone = rig.bones[row]
    return any(constraint.kind in _DRIVING for constraint in bone.constraints) or not _DRIVING.isdisjoint(bone.unknown)


def name_index(rig: Rig) -> NameIndex:
    """The rig's bones by name; of several with one name those that an animator turns come first."""
    return NameIndex(
        [bone.name for bone in rig.bones], lambda row: 2.0 * is_driven(rig, row) + 1.0 * rig.bones[row].hidden
    )


def fit_preset(rig: Rig, index: NameIndex, preset: Preset) -> Fit:
    """What a table finds in a rig. Limbs that do not hang together are left out."""
    rows: dict[str, int] = {}
    sure: dict[str, float] = {}
    for slot, names in preset.names.items():
        found = _first(index, preset, slot, names, rows)
        if found is not None:
            rows[slot], sure[slot] = found
    for side in "LR":
        # `Foot` is a toe where there is an ankle besides; alone it is the foot, for another table to say.
        if f"toe.{side}" in rows and f"foot.{side}" not in rows:
            del rows[f"toe.{side}"], sure[f"toe.{side}"]
    used = set(rows.values())
    chains: dict[str, list[int]] = {}
    score = 0.0
    for stem, names in preset.chains.items():
        look = index.find if preset.kind != "general" else lambda name: index.find_plain(name, "")
        found_links = [found for found in map(look, names) if found is not None]
        links = list(dict.fromkeys(row for row, _ in found_links if row not in used))
        chains[stem] = links
        score += _CHAIN * sum(certainty for _, certainty in found_links) - _CHAIN * 0.2 * (len(names) - len(links))
    broken = [limb for limb in LIMBS if broken_links(rig, rows, limb) >= 2]
    for limb in broken:
        for slot in limb:
            rows.pop(slot, None)
            sure.pop(slot, None)
        score -= 2.0
    score += sum((1.0 if slot in REQUIRED else _OPTIONAL) * certainty for slot, certainty in sure.items())
    score -= sum(_ABSENT for slot in preset.names if slot not in rows)
    score -= sum(0.5 * is_driven(rig, row) for row in rows.values())
    score -= sum(0.5 * broken_links(rig, rows, limb) for limb in LIMBS)
    return Fit(preset, rows, sure, chains, score)


def _first(
    index: NameIndex, preset: Preset, slot: str, names: tuple[str, ...], taken: Mapping[str, int]
) -> tuple[int, float] | None:
    side = slot[-1] if slot.endswith((".L", ".R")) else ""
    for name in names:
        found = index.find_plain(name, side) if preset.kind == "general" else index.find(name)
        if found is not None and found[0] not in taken.values():
            return found
    return None


def broken_links(rig: Rig, rows: Mapping[str, int], limb: tuple[str, ...]) -> float:
    """How badly a limb's bones hang together: 2 for a child mapped above its parent or a bone of no length."""
    found = [rows[slot] for slot in limb if slot in rows]
    bad = 0.0
    for upper, lower in pairwise(found):
        if lower in rig.ancestors(upper):
            bad += 2.0
        elif upper not in rig.ancestors(lower):
            bad += 0.5
    joints = [rows[slot] for slot in limb if slot in rows and slot.partition(".")[0] not in ("shoulder", "toe")]
    lengths = np.linalg.norm(np.diff(rig.heads[joints], axis=0), axis=1)
    return bad + 2.0 * float((lengths < 0.02 * lengths.sum()).sum() if len(lengths) else 0.0)
