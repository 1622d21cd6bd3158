# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap train detector`: a bottom-up detector of one's own, from pictures with labelled people."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks
from .training_end import say_how_far

if TYPE_CHECKING:
    from ..detection.bottomup.training.settings import Settings
    from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What only a detector's training takes."""
    group = parser.add_argument_group("detector")
    what = "pictures with labelled people: a file in COCO's keypoint format, or a folder that holds one"
    group.add_argument("--pictures", type=Path, metavar="FOLDER_OR_JSON", help=what)
    group.add_argument(
        "--images", type=Path, metavar="FOLDER", help="where the pictures are, if not beside the COCO file"
    )
    group.add_argument(
        "--validation",
        type=Path,
        metavar="FOLDER_OR_JSON",
        help="pictures that are not learned, to be scored now and then (default: some of those that are)",
    )


def train(arguments: argparse.Namespace, console: Console) -> int:
    """Begin a training or go on with it."""
    if not arguments.run.is_dir():
        checks.check_output(arguments.run.with_name(f"{arguments.run.name}.pt"), (".pt",))
    from ..detection.bottomup.training.pictures import read_pictures
    from ..detection.bottomup.training.train import Run
    from ..detection.bottomup.training.train import train as go_on
    from ..errors import UserError
    from ..lifting.checkpoint import read_weights
    from ..lifting.device import pick_device
    from ..training.course import LAST

    settings, device = _settings(arguments), pick_device(arguments.device or "auto")
    initial = None
    if arguments.initial is not None and not (arguments.run / LAST).exists():
        initial = read_weights(arguments.initial, has_sidecar=False)[0]
    learned = read_pictures(arguments.pictures, arguments.images)
    looked_at = ("learned pictures", learned.pictures)
    if arguments.validation is not None:
        others = read_pictures(arguments.validation)
        if others.layout != learned.layout:
            raise UserError(f"{arguments.validation} labels other joints than {arguments.pictures}")
        looked_at = ("validation", others.pictures)
    made = Run(arguments.run, settings, learned, device, initial)
    minutes = float("inf") if arguments.minutes is None else arguments.minutes
    scores = go_on(made, looked_at, minutes, console.say, console.progress)
    plain = None if scores is None else {looked_at[0]: asdict(scores)}
    return say_how_far(console, arguments.run, made.step, settings.schedule.steps, scores=plain)


def _settings(arguments: argparse.Namespace) -> Settings:
    from ..detection.bottomup.training.settings import Settings, read_settings, settings_from
    from ..detection.bottomup.training.train import read_run
    from ..training.course import LAST

    if arguments.config is not None:
        return read_settings(arguments.config)
    last = arguments.run / LAST
    return settings_from(read_run(last)["settings"]) if last.exists() else Settings()


def export(arguments: argparse.Namespace, console: Console) -> int:
    """Write the weights of a training."""
    checks.check_output(arguments.output, (".safetensors",))
    from ..detection.bottomup.training.export import export as write

    card = write(arguments.run, arguments.output, arguments.weights_version or "1")
    summary = {"weights": str(arguments.output), "name": card.name, "sha256": card.sha256}
    console.result(summary, [f"{arguments.output}: {card.name} {card.version}, sha256 {card.sha256}"])
    return 0
