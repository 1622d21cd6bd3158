# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run is made with: a TOML file, one table per concern, every value with a default."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ....rigging.joints import TAKE
from ...training.tables import filled, from_toml
from ..temporal import ROOT, UP

#: What the network gives: the joints of a take, world up, and where the pelvis is (`samples.Batch.root`).
OUTPUTS = (*TAKE.names, UP, ROOT)
KINDS = ("temporal", "linear")
#: "measured": as the carried detector errs. "none": exact keypoints. "simple": jitter and missing points, to compare.
NOISES = ("measured", "none", "simple")


@dataclass(frozen=True)
class NetworkSettings:
    """kind: "temporal", or "linear" that lifts every frame for itself. widths: filter widths; their product is the
    receptive field in frames. channels, dropout: as in the paper 1024 and 0.25. causal: past frames only, for live use.
    direct: a linear map past the convolutions. Widths and the direct map are the temporal network's."""

    kind: str = "temporal"
    widths: tuple[int, ...] = (3, 3, 3, 3)
    channels: int = 512
    dropout: float = 0.1
    causal: bool = False
    direct: bool = True


@dataclass(frozen=True)
class DataSettings:
    """fps: the rate the lifter works at, Hz. without: sources of the motion library that are left out, by file name.
    shape: standard deviation of the logarithm of a bone's factor; 0 keeps everybody's own proportions. tempo: likewise
    of the speed of the motion. focal: likewise of the guess at the focal length. noise: one of `NOISES`. confidence:
    False tells the network only whether a point was found. rare: power of a moment's rarity that makes it be drawn more
    often (`variety.by_rarity`); 0 draws every second alike. arms: share of the people that move their arms as somebody
    else. down: share that is laid down. bridge: points lost for a while are straight lines, as a capture gives them.
    """

    fps: float = 30.0
    without: tuple[str, ...] = ()
    shape: float = 0.07
    tempo: float = 0.15
    focal: float = 0.15
    noise: str = "measured"
    confidence: bool = True
    rare: float = 1.5
    arms: float = 0.25
    down: float = 0.06
    bridge: bool = True


@dataclass(frozen=True)
class LossSettings:
    """Weights beside the mean distance per joint in metres, which has 1 (VideoPose3D's loss).

    direction: of the length of the difference of unit bone vectors. up: of the same of world up. root: of the error of
    the pelvis's place, in parts of its distance. velocity: of the error of a joint's step between frames, metres; it
    needs frames > 1. footage: of what footage without truth must explain (`footage.py`), after the warm-up.
    """

    direction: float = 0.0
    up: float = 0.1
    root: float = 0.1
    velocity: float = 0.0
    footage: float = 0.1


@dataclass(frozen=True)
class ScheduleSettings:
    """steps: optimiser steps in all. batch: windows a step. frames: output frames a window; one from each of many
    windows taught far more per second than many neighbours from few. reuse: steps that learn from each window: more
    than 1 saves drawing, which is a good part of a CPU's work, and keeps some hundred MB of windows. rate: the learning
    rate's peak, after `warmup` steps; it falls to `last_rate` of that along a cosine. average: memory of the moving
    average of the weights, steps.
    """

    steps: int = 8000
    batch: int = 512
    frames: int = 1
    reuse: int = 1
    rate: float = 1e-3
    last_rate: float = 0.01
    warmup: int = 200
    average: int = 500
    seed: int = 1


@dataclass(frozen=True)
class Settings:
    """All of it. name: of the weights."""

    name: str = "temporal-coco17-take26"
    network: NetworkSettings = field(default_factory=NetworkSettings)
    data: DataSettings = field(default_factory=DataSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)


def read_settings(path: Path) -> Settings:
    """Read a TOML file. Raises UserError, in one sentence, if it is none or a value is not possible."""
    return from_toml(path, settings_from)


def settings_from(data: dict[str, Any]) -> Settings:
    """Settings of plain values, as `plain` gives and TOML holds them. Raises ValueError, in one sentence."""
    settings = filled(Settings, data)
    _check(settings)
    return settings


def plain(settings: Settings) -> dict[str, Any]:
    """The reverse of `settings_from`."""
    return asdict(settings)


def _check(settings: Settings) -> None:
    network, data, loss, schedule = settings.network, settings.data, settings.loss, settings.schedule
    if not network.widths or any(width % 2 == 0 or not 1 <= width <= 243 for width in network.widths):
        raise ValueError(f"network.widths must be odd numbers, not {list(network.widths)}")
    if network.kind not in KINDS:
        raise ValueError(f"network.kind must be one of {', '.join(KINDS)}, not {network.kind}")
    if data.noise not in NOISES:
        raise ValueError(f"data.noise must be one of {', '.join(NOISES)}, not {data.noise}")
    if not 10 <= data.fps <= 120:
        raise ValueError(f"data.fps must lie between 10 and 120, not {data.fps:g}")
    if loss.velocity > 0 and schedule.frames < 2:
        raise ValueError("loss.velocity needs schedule.frames of at least 2")
    for table, names in (
        (network, ("channels",)),
        (schedule, ("steps", "batch", "frames", "reuse", "rate", "average")),
    ):
        for name in names:
            if not getattr(table, name) > 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(table, name)}")
    for table, names in (
        (network, ("dropout",)),
        (data, ("shape", "tempo", "focal", "rare", "arms", "down")),
        (loss, ("direction", "up", "root", "velocity", "footage")),
        (schedule, ("last_rate", "warmup", "seed")),
    ):
        for name in names:
            if not getattr(table, name) >= 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(table, name)}")
    if network.dropout >= 1:
        raise ValueError(f"dropout must be below 1, not {network.dropout}")
    for name in ("arms", "down"):
        if not getattr(data, name) <= 1:
            raise ValueError(f"data.{name} is a share of the people, at most 1, not {getattr(data, name)}")
