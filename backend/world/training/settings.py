# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training of the contact network is made with: a TOML file of tables, every value with a default."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...training.tables import check_least, filled, from_toml

#: People of the motion library's folder `train` that are left out, so that climbing can be measured on one of them.
HELD_OUT = ("cmu_14",)


@dataclass(frozen=True)
class CaptureSettings:
    """count: captures in all. seconds: of each. rates: frames a second, in turn. exact: every so manieth has exact
    keypoints; 0 none. focal: standard deviation of the logarithm of the guess at the focal length. rare: power of a
    moment's rarity, for half of the captures. refined: every so manieth is refined as a capture is, which takes
    longest; the others are only smoothed. held_out: people of the library that are not filmed. batch: captures that
    are kept in one file."""

    count: int = 600
    seconds: float = 3.5
    rates: tuple[int, ...] = (30, 25, 30, 50)
    exact: int = 8
    focal: float = 0.1
    rare: float = 1.5
    refined: int = 3
    held_out: tuple[str, ...] = HELD_OUT
    batch: int = 20


@dataclass(frozen=True)
class LearningSettings:
    """steps, batch (feet a step, each over a whole capture), rate (its peak), dropout: of the optimiser. variants: so
    many floors that every capture is seen on. unknown: share of them that nobody knows; wrong: share of the known ones
    that lie where the person does not stand, as under somebody on a step. floor: deviation of the others, metres."""

    steps: int = 1200
    batch: int = 48
    rate: float = 3e-3
    dropout: float = 0.2
    variants: int = 2
    unknown: float = 0.25
    wrong: float = 0.3
    floor: float = 0.02


@dataclass(frozen=True)
class Settings:
    """All of it. name: of the weights."""

    name: str = "contacts"
    seed: int = 1
    captures: CaptureSettings = field(default_factory=CaptureSettings)
    learning: LearningSettings = field(default_factory=LearningSettings)


def read_settings(path: Path) -> Settings:
    """Read a TOML file. Raises UserError, in one sentence, if it is none or a value is not possible."""
    return from_toml(path, settings_from)


def settings_from(data: dict[str, Any]) -> Settings:
    """Settings of plain values, as `plain` gives and TOML holds them. Raises ValueError, in one sentence."""
    settings = filled(Settings, data)
    captures, learning = settings.captures, settings.learning
    check_least(captures, 1, ("count", "seconds", "refined", "batch"))
    check_least(captures, 0, ("exact", "focal", "rare"))
    check_least(learning, 1, ("steps", "batch", "variants"))
    check_least(learning, 0, ("dropout", "unknown", "wrong", "floor"))
    check_least(learning, 0, ("rate",), above=True)
    if not captures.rates or any(not 10 <= rate <= 120 for rate in captures.rates):
        raise ValueError("captures.rates must lie between 10 and 120")
    for name in ("dropout", "unknown", "wrong"):
        if getattr(learning, name) >= 1:
            raise ValueError(f"learning.{name} must be below 1")
    return settings


def plain(settings: Settings) -> dict[str, Any]:
    """The reverse of `settings_from`."""
    return asdict(settings)
