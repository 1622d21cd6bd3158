# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control rig has besides bones to turn: switches between FK and IK, IK targets and poles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .presets import Preset, Switch
from .rig import Rig

__all__ = ["Controls", "Switch", "controls_of", "ik_limbs"]

#: Limb -> its target, its pole, and the FK slots that both replace.
_LIMBS = {
    "arm": ("hand", "elbow_pole", ("upper_arm", "forearm", "hand")),
    "leg": ("foot", "knee_pole", ("thigh", "shin", "foot")),
}


@dataclass(frozen=True)
class Controls:
    """switches: those that have to stand right. ik: `hand.L`, `foot.L`, `elbow_pole.L`, `knee_pole.L` .. -> bone."""

    switches: tuple[Switch, ...] = ()
    ik: Mapping[str, str] = field(default_factory=dict)

    def of(self, limb: str) -> dict[str, str]:
        """Target and pole of a limb (`arm.L`) and their bones."""
        stem, _, side = limb.partition(".")
        names = (f"{name}.{side}" for name in _LIMBS[stem][:2])
        return {name: self.ik[name] for name in names if name in self.ik}


def ik_limbs(controls: Controls, rig: Rig, slots: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Limbs that IK can steer on this rig, each with the slots of its FK bones.

    Raises ValueError, in one sentence, if there is none.
    """
    found = {}
    for stem, (_, _, parts) in _LIMBS.items():
        for side in "LR":
            bones, chain = controls.of(f"{stem}.{side}"), tuple(f"{part}.{side}" for part in parts)
            if len(bones) == 2 and set(bones.values()) <= set(rig.rows) and set(chain) <= set(slots):
                found[f"{stem}.{side}"] = chain
    if not found:
        raise ValueError(
            f"{rig.name} has no IK controls that its preset names; choose FK, or a preset that names targets and poles"
        )
    return found


def controls_of(name: str, presets: Iterable[Preset]) -> Controls:
    """What the preset called `name` says; nothing if there is none."""
    found = next((preset for preset in presets if preset.name == name), None)
    return Controls() if found is None else Controls(found.switches, found.ik)
