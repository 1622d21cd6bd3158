# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control rig has besides bones to turn: switches between FK and IK, IK targets and poles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Switch:
    """A custom property of a bone that chooses between FK and IK for a limb ("arm.L", "leg.R")."""

    limb: str
    bone: str
    property: str
    fk: float
    ik: float


@dataclass(frozen=True)
class Controls:
    """switches: those that have to stand right. targets, poles: limb -> bone that IK follows."""

    switches: tuple[Switch, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    poles: Mapping[str, str] = field(default_factory=dict)
