# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap train`: a lifter or contacts of one's own, from a library of motion; a detector, from pictures."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from . import checks, options, train_contacts, train_detector
from .training_end import say_how_far

if TYPE_CHECKING:
    from ..lifting.training.settings import Settings
    from .console import Console

HELP = "train a lifter or contacts from motion capture, adapt a lifter to footage; train a detector from pictures"
WHAT = (
    "lifter, contacts, detector: begin or go on; adapt: a lifter with footage of your own beside; "
    "export: weights for --lifter or --detector"
)
#: How to adapt unless a file says otherwise: not far from weights that know people.
ADAPTING = {"steps": 500, "rate": 3e-5, "warmup": 50, "average": 100}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `train` takes."""
    parser.add_argument("what", choices=("lifter", "adapt", "contacts", "detector", "export"), help=WHAT)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of this training; one that is there goes on")
    parser.add_argument(
        "--motion",
        type=Path,
        metavar="FOLDER",
        help="for a lifter or contacts: a motion library, with folders train and val",
    )
    parser.add_argument(
        "--footage",
        type=Path,
        action="append",
        metavar="X.keypoints.npz",
        help="with adapt: what detect wrote of footage, or a take; may be given several times",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="how to train (default: a network like the shipped one)"
    )
    parser.add_argument("--initial", type=Path, metavar="X.safetensors", help="weights that a new training starts from")
    parser.add_argument("--minutes", type=options.seconds, metavar="MINUTES", help="stop after so long, ready to go on")
    parser.add_argument("--device", choices=options.DEVICES, help="auto takes a GPU where there is one (default: auto)")
    options.add_output(parser, "X.safetensors", "with export: the weights; their sidecar X.json is written beside them")
    parser.add_argument("--weights-version", metavar="V", help="with export: the version to write (default: 1)")
    options.add_json(parser)
    train_detector.add_arguments(parser)


def usage_problem(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the combination of arguments."""
    if arguments.what == "export" and arguments.output is None:
        return "export needs -o X.safetensors"
    if arguments.what != "export" and arguments.output is not None:
        return "-o is for export"
    if (arguments.what == "adapt") != bool(arguments.footage):
        return "adapt needs --footage X.keypoints.npz" if arguments.what == "adapt" else "--footage is for adapt"
    if arguments.what in ("lifter", "adapt", "contacts") and arguments.motion is None:
        return f"{arguments.what} needs --motion FOLDER"
    if arguments.what == "detector" and arguments.motion is not None:
        return "--motion is for lifters; a detector needs --pictures FOLDER_OR_JSON"
    if arguments.what == "detector" and arguments.pictures is None:
        return "detector needs --pictures FOLDER_OR_JSON"
    if arguments.what == "contacts" and arguments.initial is not None:
        return "--initial is for lifters and detectors"
    for name in ("pictures", "images", "validation"):
        if arguments.what != "detector" and getattr(arguments, name) is not None:
            return f"--{name} is for detector"
    return None


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Train, or write the weights of a training."""
    if arguments.what == "detector":
        return train_detector.train(arguments, console)
    if arguments.what == "contacts":
        return train_contacts.train(arguments, console)
    return _export(arguments, console) if arguments.what == "export" else _train(arguments, console)


def _train(arguments: argparse.Namespace, console: Console) -> int:
    if not arguments.run.is_dir():
        checks.check_output(arguments.run.with_name(f"{arguments.run.name}.pt"), (".pt",))
    from ..lifting.checkpoint import read_weights
    from ..lifting.device import pick_device
    from ..lifting.training.footage import Footage
    from ..lifting.training.motion import load_motion
    from ..lifting.training.networks import architecture_of
    from ..lifting.training.train import Run, train
    from ..training.course import LAST

    settings = _settings(arguments)
    device = pick_device(arguments.device or "auto")
    initial = None
    if arguments.initial is not None and not (arguments.run / LAST).exists():
        initial = {key: value.float() for key, value in read_weights(arguments.initial)[0].items()}
    network, footage = architecture_of(settings), None
    if arguments.footage:
        field, own = network.receptive_field, network.padding[0]
        footage = Footage(arguments.footage, field, own, settings.data.fps, network.causal, device)
    training = load_motion(arguments.motion / "train", settings.data.without).to(device)
    validation = load_motion(arguments.motion / "val").to(device)
    made = Run(arguments.run, settings, training, initial, footage)
    minutes = float("inf") if arguments.minutes is None else arguments.minutes
    scores = train(made, validation, minutes, console.say, console.progress)
    plain = {noise: asdict(score) for noise, score in scores.items()}
    return say_how_far(console, arguments.run, made.step, settings.schedule.steps, scores=plain)


def _settings(arguments: argparse.Namespace) -> Settings:
    from ..lifting.training.settings import Settings, read_settings, settings_from
    from ..lifting.training.train import read_run
    from ..training.course import LAST

    if arguments.config is not None:
        return read_settings(arguments.config)
    last = arguments.run / LAST
    if last.exists():
        return settings_from(read_run(last)["settings"])
    return settings_from({"schedule": ADAPTING}) if arguments.what == "adapt" else Settings()


def _export(arguments: argparse.Namespace, console: Console) -> int:
    checks.check_output(arguments.output, (".safetensors",))
    if train_contacts.is_contacts_run(arguments.run):
        return train_contacts.export(arguments, console)
    from ..detection.bottomup.training.train import is_detector_run

    if is_detector_run(arguments.run):
        return train_detector.export(arguments, console)
    from ..lifting.device import pick_device
    from ..lifting.training.export import export
    from ..lifting.training.motion import load_motion

    if arguments.motion is None:
        raise UserError("a lifter's confidences are calibrated on motion: say --motion FOLDER")
    if not (arguments.motion / "val").is_dir():
        raise UserError(f"{arguments.motion} is no motion library: it has no folder val")
    validation = load_motion(arguments.motion / "val").to(pick_device(arguments.device or "auto"))
    sidecar = export(arguments.run, arguments.output, arguments.weights_version or "1", validation)
    summary = {"weights": str(arguments.output), "name": sidecar.name, "sha256": sidecar.sha256}
    console.result(summary, [f"{arguments.output}: {sidecar.name} {sidecar.version}, sha256 {sidecar.sha256}"])
    return 0
