# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control rig has besides bones to turn: switches between FK and IK, IK targets and poles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .presets import Preset, Switch

__all__ = ["Controls", "Switch", "controls_of"]


@dataclass(frozen=True)
class Controls:
    """switches: those that have to stand right. ik: `hand.L`, `foot.L`, `elbow_pole.L`, `knee_pole.L` .. -> bone."""

    switches: tuple[Switch, ...] = ()
    ik: Mapping[str, str] = field(default_factory=dict)


def controls_of(name: str, presets: Iterable[Preset]) -> Controls:
    """What the preset called `name` says; nothing if there is none."""
    found = next((preset for preset in presets if preset.name == name), None)
    return Controls() if found is None else Controls(found.switches, found.ik)
