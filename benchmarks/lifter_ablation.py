# SPDX-License-Identifier: GPL-3.0-or-later
"""What each part of the training is worth: small lifters, trained alike but for one thing, scored on validation motion.

    python benchmarks/lifter_ablation.py MOTION_LIBRARY RESULTS.jsonl [--steps N] [--channels N] [--batch N]
                                         [--only ROW ...] [--plain] [--threads N] [--device cpu]
    python benchmarks/lifter_ablation.py --table RESULTS.jsonl

Every row is trained from nothing for as many steps as the others and becomes a line of RESULTS. Stopped, the same
command goes on where it was: with the rows that are not there yet, and within a row (RESULTS.runs/ holds its state
until it is finished). The table is printed at the end; --table prints it without training.

Scores are means over 512 windows of 24 frames of people, motion and cameras that were not trained on, the same for all
rows: mm, MPJPE / P-MPJPE of the 17 joints of Human3.6M, root-relative. exact, measured, simple: the noise of the
keypoints (`settings.NOISES`). lying: where the trunk does. told: rank correlation of expected with true errors. "As
shipped, other random numbers" says which differences mean nothing.

plain is the usual way: 27 frames, 512 channels, jitter and missing points for noise, nothing else; --plain trains
it, at its own size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from video_mocap.backend.errors import UserError
from video_mocap.backend.lifting.training.motion import MotionSet, load_motion
from video_mocap.backend.lifting.training.settings import NOISES, Settings, settings_from
from video_mocap.backend.lifting.training.train import Run
from video_mocap.backend.lifting.training.validation import validate

#: Settings by name, one table per concern, as in a configuration file.
Changes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Size:
    """How long and how large: optimiser steps, channels, windows a step."""

    steps: int
    channels: int
    batch: int


SMALL, PLAIN = Size(1500, 256, 256), Size(12000, 512, 512)
#: What the shipped weights are trained with beside the defaults.
SHIPPED: Changes = {"network": {"dropout": 0.05}, "loss": {"direction": 0.05}, "schedule": {"reuse": 2}}
#: Motion as the library has it.
AS_IT_IS = {"rare": 0, "arms": 0, "down": 0}
#: Without everything that VideoPose3D's training does not have.
USUAL: Changes = {
    "network": {"widths": [3, 3, 3], "dropout": 0.25, "direct": False},
    "data": {"noise": "simple", "confidence": False, "shape": 0, "tempo": 0, "focal": 0, **AS_IT_IS},
    "loss": {"direction": 0, "up": 0, "root": 0},
    "schedule": {"reuse": 1, "average": 1},
}  # fmt: skip
#: Name: what the table calls it, and what is different from the shipped training.
ROWS: dict[str, tuple[str, Changes]] = {
    "shipped": ("as shipped", {}),
    "seed": ("as shipped, other random numbers", {"schedule": {"seed": 2}}),
    "exact": ("trained on exact keypoints", {"data": {"noise": "none"}}),
    "simple": ("trained on simple noise", {"data": {"noise": "simple"}}),
    "shape": ("everybody's own proportions", {"data": {"shape": 0}}),
    "confidence": ("points found or not, no confidence", {"data": {"confidence": False}}),
    "frames27": ("27 frames instead of 81", {"network": {"widths": [3, 3, 3]}}),
    "frames243": ("243 frames instead of 81", {"network": {"widths": [3, 3, 3, 3, 3]}}),
    "source": ("without the largest source", {}),  # which that is the library says
    "variety": ("rare motion not more often, no other arms, nobody laid down", {"data": AS_IT_IS}),
    "reuse": ("every window used once", {"schedule": {"reuse": 1}}),
    "direct": ("no direct map", {"network": {"direct": False}}),
    "direction": ("no loss of bone directions", {"loss": {"direction": 0}}),
    "plain": ("plain: 27 frames, simple noise, nothing else", USUAL),
}  # fmt: skip


def row_settings(row: str, size: Size, library: Path) -> Settings:
    """How a row is trained."""
    tables: Changes = {
        "network": {"channels": size.channels},
        "data": {"without": [largest_source(library)]} if row == "source" else {},
        "schedule": {
            "steps": size.steps,
            "batch": size.batch,
            "warmup": size.steps // 20,
            "average": max(1, size.steps // 10),
        },
    }
    for changes in (SHIPPED, ROWS[row][1]):
        for table, values in changes.items():
            tables[table] = {**tables.get(table, {}), **values}
    return settings_from({"name": row, **tables})


def largest_source(library: Path) -> str:
    """The name of the training file with the most minutes."""
    minutes = {}
    for path in sorted((library / "train").glob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            minutes[path.stem] = float((data["clip_length"] / data["clip_fps"]).sum()) / 60
    if len(minutes) < 2:
        raise UserError(f"{library / 'train'} has not two sources of motion, so none can be left out: try --only")
    return max(minutes, key=lambda name: minutes[name])


def trained(row: str, size: Size, library: Path, validation: MotionSet, folder: Path) -> dict[str, Any]:
    """Train a row, or go on with it in its folder, and score it: a line of the results."""
    settings = row_settings(row, size, library)
    motion = load_motion(library / "train", settings.data.without).to(validation.device)
    run = Run(folder, settings, motion)
    began, first, last = time.process_time(), run.step, 0.0
    for loss in run.go_on():
        last = loss if last == 0.0 else 0.98 * last + 0.02 * loss
        if run.step % 100 == 0:
            print(f"{row}: step {run.step} of {size.steps}, loss {last:.4f}", file=sys.stderr, flush=True)
        if run.step % 500 == 0:
            run.save()
    # Of the processor, all cores together, and of the whole row, also when it was gone on with.
    minutes = (time.process_time() - began) / 60 * size.steps / max(1, size.steps - first)
    return {
        "row": row,
        **asdict(size),
        "minutes": round(minutes, 2),
        "loss": round(last, 5),
        "scores": {noise: asdict(validate(run.average, validation, settings, noise)) for noise in NOISES},
    }


def train_rows(rows: list[tuple[str, Size]], library: Path, results: Path, device: torch.device) -> None:
    """Train what is not in the results yet, one row after the other."""
    done = {(line["row"], Size(line["steps"], line["channels"], line["batch"])) for line in read(results)}
    validation = load_motion(library / "val").to(device)
    runs = results.with_suffix(".runs")
    for row, size in rows:
        if (row, size) in done:
            continue
        print(f"{row}: {size.steps} steps", file=sys.stderr, flush=True)
        folder = runs / f"{row}-{size.steps}-{size.channels}-{size.batch}"
        line = trained(row, size, library, validation, folder)
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        shutil.rmtree(folder)
    if runs.is_dir() and not any(runs.iterdir()):
        runs.rmdir()


def read(results: Path) -> list[dict[str, Any]]:
    """The lines of a file of results; none if it is not there. Raises UserError if it holds something else."""
    if not results.exists():
        return []
    try:
        lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines() if line.strip()]
        return sorted(lines, key=lambda line: list(ROWS).index(line["row"]))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{results} is no file of results ({error}): name another one") from None


def table(lines: list[dict[str, Any]]) -> str:
    """Results in markdown."""
    noises = ("none", "measured", "simple")
    head = ["trained", "steps × windows, channels", "exact", "measured", "simple", "lying, exact", "lying, measured"]
    head += ["told, exact / measured", "processor, min"]
    text = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for line in lines:
        scores = [line["scores"][noise] for noise in noises]
        cells = [ROWS[line["row"]][0], f"{line['steps']} × {line['batch']}, {line['channels']}"]
        cells += [f"{each['mpjpe']:.1f} / {each['p_mpjpe']:.1f}" for each in scores]
        cells += [f"{each['lying']:.1f} / {each['p_lying']:.1f}" for each in scores[:2]]
        cells += [" / ".join(f"{each['told']:.2f}" for each in scores[:2]), f"{line['minutes']:.1f}"]
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def main() -> int:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description="What each part of the lifter's training is worth.")
    parser.add_argument("motion", type=Path, nargs="?", help="a motion library, with folders train and val")
    parser.add_argument("results", type=Path, nargs="?", help="lines are added to this file")
    for name in asdict(SMALL):
        parser.add_argument(f"--{name}", type=int, help=f"default: {getattr(SMALL, name)}")
    parser.add_argument("--only", choices=list(ROWS), nargs="+", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--plain", action="store_true", help=f"only the row plain; by default {asdict(PLAIN)}")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--table", type=Path, metavar="RESULTS", help="print what is in this file, train nothing")
    arguments = parser.parse_args()
    if (arguments.table is None) != (arguments.results is not None):
        parser.error("say MOTION_LIBRARY and RESULTS, or --table RESULTS alone")
    if arguments.table is not None and not arguments.table.exists():
        parser.error(f"there is no {arguments.table}")
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    names = ["plain"] if arguments.plain else arguments.only or [name for name in ROWS if name != "plain"]
    given = {name: getattr(arguments, name) for name in asdict(SMALL) if getattr(arguments, name) is not None}
    rows = [(name, Size(**{**asdict(PLAIN if name == "plain" else SMALL), **given})) for name in names]
    try:
        if arguments.table is None:
            train_rows(rows, arguments.motion, arguments.results, torch.device(arguments.device))
        print(table(read(arguments.table or arguments.results)))
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    except (UserError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
