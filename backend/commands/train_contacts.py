# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap train contacts`: the network that says when feet stand, from a library of motion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks
from .training_end import say_how_far

if TYPE_CHECKING:
    from ..world.training.settings import Settings
    from .console import Console


def train(arguments: argparse.Namespace, console: Console) -> int:
    """Begin a training or go on with it."""
    if not arguments.run.is_dir():
        checks.check_output(arguments.run.with_name(f"{arguments.run.name}.pt"), (".pt",))
    from ..pipeline import CaptureOptions, open_lifter
    from ..world.training.train import train as go_on

    settings = _settings(arguments)
    minutes = float("inf") if arguments.minutes is None else arguments.minutes
    lifter = open_lifter(CaptureOptions(device=arguments.device or "cpu"))
    step = go_on(arguments.run, settings, arguments.motion, lifter, minutes, console.say, console.progress)
    return say_how_far(console, arguments.run, step, settings.learning.steps)


def is_contacts_run(run: Path) -> bool:
    """Whether a folder holds a training of contacts."""
    return (run / "contacts.pt").exists()


def export(arguments: argparse.Namespace, console: Console) -> int:
    """Write the weights of a finished training."""
    from ..world.training.train import export as write

    sidecar = write(arguments.run, arguments.output, arguments.weights_version or "1")
    console.result({"weights": str(arguments.output), **sidecar}, [f"{arguments.output} is written"])
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    from ..world.training.settings import Settings, read_settings, settings_from
    from ..world.training.train import LAST, read_run

    if arguments.config is not None:
        return read_settings(arguments.config)
    if (arguments.run / LAST).exists():
        return settings_from(read_run(arguments.run)["settings"])
    return Settings()
