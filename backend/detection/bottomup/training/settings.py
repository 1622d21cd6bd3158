# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run is made with: a TOML file, one table per concern, every value with a default."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ....training.tables import check_least, filled, from_toml
from ..network import TRUNKS, Architecture, architecture_of


@dataclass(frozen=True)
class NetworkSettings:
    """trunk: "fpn" or "hourglass". depth: of the residual network (18, 34, 50, 101, 152); width: of its first stage.
    stacks, blocks, stem: of the hourglass. channels: of the pyramid, or of the hourglass (256 in the paper)."""

    trunk: str = "fpn"
    channels: int = 128
    depth: int = 50
    width: int = 64
    stacks: int = 2
    blocks: int = 1
    stem: str = "port"


@dataclass(frozen=True)
class DataSettings:
    """size: pixels of the longer side of a picture as the network sees it. sigma: of a joint's Gaussian; limb: half a
    limb's width; both in cells of 4 pixels. How pictures are varied: zoom: at most by e^zoom either way; person: share
    that has somebody in the middle instead of the picture's; shift: how far that moves, in parts of the size; turn:
    standard deviation, degrees; mirror: share that is mirrored; colour: standard deviation of the logarithms of
    brightness, contrast and the colours' shares; blur: share that is blurred.
    """

    size: int = 384
    sigma: float = 1.5
    limb: float = 1.0
    zoom: float = 0.7
    person: float = 0.5
    shift: float = 0.2
    turn: float = 15.0
    mirror: float = 0.5
    colour: float = 0.2
    blur: float = 0.2


@dataclass(frozen=True)
class LossSettings:
    """fields: weight of the fields beside the heatmaps. foreground: how much more cells count where something is."""

    fields: float = 1.0
    foreground: float = 10.0


@dataclass(frozen=True)
class ScheduleSettings:
    """steps: optimiser steps in all. batch: pictures a step. rate: the learning rate's peak, after `warmup` steps; it
    falls to `last_rate` of that along a cosine. decay: of the weights (AdamW). average: memory of the moving average of
    the weights, steps. look: steps between looks at the validation pictures, of which at most `looked` are taken."""

    steps: int = 60000
    batch: int = 16
    rate: float = 1e-3
    last_rate: float = 0.01
    warmup: int = 500
    decay: float = 1e-4
    average: int = 1000
    look: int = 1000
    looked: int = 100
    seed: int = 1


@dataclass(frozen=True)
class Settings:
    """All of it. name: of the weights. licence: their terms, which the pictures' terms may limit."""

    name: str = "bottomup-coco17"
    licence: str = "as its training pictures allow"
    network: NetworkSettings = field(default_factory=NetworkSettings)
    data: DataSettings = field(default_factory=DataSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)


def read_settings(path: Path) -> Settings:
    """Read a TOML file. Raises UserError, in one sentence, if it is none or a value is not possible."""
    return from_toml(path, settings_from)


def settings_from(data: dict[str, Any]) -> Settings:
    """Settings of plain values, as `asdict` gives and TOML holds them. Raises ValueError, in one sentence."""
    settings = filled(Settings, data)
    architecture(settings, 1)
    d, s = settings.data, settings.schedule
    if d.size < 64 or d.size % 64:
        raise ValueError(f"data.size must be a multiple of 64, not {d.size}")
    check_least(d, 0, ("sigma", "limb"), above=True)
    check_least(d, 0, ("zoom", "person", "shift", "turn", "mirror", "colour", "blur"))
    check_least(settings.loss, 0, ("fields", "foreground"))
    check_least(s, 0, ("steps", "batch", "rate", "average", "look", "looked"), above=True)
    check_least(s, 0, ("last_rate", "warmup", "decay", "seed"))
    return settings


def architecture(settings: Settings, outputs: int) -> Architecture:
    """The network that the settings mean, with so many maps. Raises ValueError if there is none."""
    values = asdict(settings.network)
    kind = TRUNKS.get(settings.network.trunk)
    if kind is not None:
        wanted = kind[0](outputs=outputs).__dataclass_fields__
        values = {name: value for name, value in values.items() if name in wanted}
        values |= {"trunk": settings.network.trunk, "outputs": outputs}
    return architecture_of(values)
