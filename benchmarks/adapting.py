# SPDX-License-Identifier: GPL-3.0-or-later
"""What `train adapt` brings: a lifter that has seen somebody's 2D keypoints lifts their other clips better, or not.

    python benchmarks/adapting.py MOTION_LIBRARY WORK [--steps 300] [--source NAME ...] [--weight W] [--rate R]

Each file of the folder `val` of MOTION_LIBRARY is a studio that the lifter was not trained on. Of half of its clips
only keypoints are given, with the measured noise of a detector, filmed by cameras at random; the lifter adapts to them,
beside the library's training motion, and is scored on the other clips of that studio, on those whose keypoints it
saw, and on the other studios. mm, MPJPE / P-MPJPE over Human3.6M's 17 joints, measured noise.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from motion import recording
from video_mocap.backend.commands.train import ADAPTING
from video_mocap.backend.keypoints import write_keypoints
from video_mocap.backend.lifting.checkpoint import read_weights
from video_mocap.backend.lifting.training.footage import Footage
from video_mocap.backend.lifting.training.motion import MotionSet, load_motion
from video_mocap.backend.lifting.training.networks import architecture_of
from video_mocap.backend.lifting.training.samples import film
from video_mocap.backend.lifting.training.settings import Settings, settings_from
from video_mocap.backend.lifting.training.train import Run
from video_mocap.backend.lifting.training.validation import validate
from video_mocap.backend.models import DEFAULT_WEIGHTS

#: Pieces of footage, and frames of each at 30 a second.
PIECES, FRAMES = 24, 300


def part(motion: MotionSet, first: int) -> MotionSet:
    """Every second clip, from the first or the second one on."""
    rows = slice(first, None, 2)
    return replace(motion, start=motion.start[rows], length=motion.length[rows], fps=motion.fps[rows])


def filmed(motion: MotionSet, settings: Settings, folder: Path) -> list[Path]:
    """Keypoints of the motion as files."""
    folder.mkdir(parents=True, exist_ok=True)
    data = replace(settings.data, rare=0.0, arms=0.0, down=0.0, shape=0.0, tempo=0.0, noise="measured")
    scene = film(motion, PIECES, FRAMES, torch.Generator().manual_seed(1), data)
    paths = []
    for number, points in enumerate(scene.keypoints.numpy()):
        paths.append(folder / f"{number:02}.keypoints.npz")
        write_keypoints(paths[-1], recording(points))
    return paths


def main() -> None:
    """Adapt, and print the table."""
    parser = argparse.ArgumentParser(description="What adapting a lifter to footage brings.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--source", action="append")
    parser.add_argument("--weight", type=float, help="of what the footage must explain; 0: the library alone")
    parser.add_argument("--rate", type=float, help="peak rate of learning")
    arguments = parser.parse_args()
    library = load_motion(arguments.motion / "train")
    names = sorted(path.stem for path in (arguments.motion / "val").glob("*.npz"))
    initial = {key: value.float() for key, value in read_weights(DEFAULT_WEIGHTS)[0].items()}
    schedule = {**ADAPTING, "steps": arguments.steps}
    schedule |= {} if arguments.rate is None else {"rate": arguments.rate}
    loss = {"direction": 0.05} | ({} if arguments.weight is None else {"footage": arguments.weight})
    settings = settings_from({"schedule": schedule, "network": {"dropout": 0.05}, "loss": loss})
    print("| studio | clips | before | after |\n|---|---|---|---|")
    for name in arguments.source or names:
        studio = load_motion(arguments.motion / "val", [other for other in names if other != name])
        paths = filmed(part(studio, 0), settings, arguments.work / name)
        network = architecture_of(settings)
        field, own = network.receptive_field, network.padding[0]
        footage = Footage(paths, field, own, settings.data.fps, network.causal, studio.device)
        run = Run(arguments.work / f"{name}-run", settings, library, initial, footage)
        judged = {
            "not seen": part(studio, 1),
            "keypoints seen": part(studio, 0),
            "other studios": load_motion(arguments.motion / "val", [name]),
        }
        before = {kind: validate(run.average, motion, settings, "measured") for kind, motion in judged.items()}
        for _ in run.go_on():
            if run.step % 50 == 0:
                print(f"{name}: step {run.step}", file=sys.stderr, flush=True)
        for kind, motion in judged.items():
            after = validate(run.average, motion, settings, "measured")
            pairs = [f"{each.mpjpe:.1f} / {each.p_mpjpe:.1f}" for each in (before[kind], after)]
            print(f"| {name} | {kind} | {pairs[0]} | {pairs[1]} |", flush=True)


if __name__ == "__main__":
    main()
