# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap lift`: every stage after tracking, from a keypoints file or an earlier take to a take."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from . import checks, foreign_options, options, report
from .capture import describe, summarise

if TYPE_CHECKING:
    from .console import Console

HELP = "tracked people in 2D to a take"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `lift` takes."""
    parser.add_argument(
        "keypoints",
        type=Path,
        metavar="X.keypoints.npz",
        help="what detect or import wrote, a take (X.take.npz) to lift again, or another program's keypoints",
    )
    options.add_output(parser, "X.take.npz", "default: the keypoints' name, in the current folder")
    options.add_people(parser)
    options.add_camera(parser)
    options.add_world(parser)
    options.add_lifter(parser)
    foreign_options.add_foreign(parser)
    options.add_running(parser)
    options.add_json(parser)


usage_problem = foreign_options.foreign_problem


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Turn a keypoints file, the keypoints of a take, or those of another program into a take."""
    source: Path = arguments.keypoints
    output: Path = arguments.output or Path(source.name.split(".")[0] + ".take.npz")
    checks.check_input(source)
    checks.check_output(output, checks.ARRAY_SUFFIXES)
    checks.check_distinct({"the keypoints": source, "the output": output})

    from .. import pipeline

    started = time.monotonic()
    chosen = options.capture_options(arguments)
    if source.suffix.lower() == ".npz":
        said = foreign_options.said_foreign(arguments)
        if said is not None:
            raise UserError(f"{said} is for other programs' keypoints: {source} says it itself")
        take = pipeline.lift_file(source, chosen, console.progress)
    else:
        from ..exchange.importing import import_keypoints

        keypoints = import_keypoints(source, foreign_options.import_options(arguments), console.progress)
        take = pipeline.lift(keypoints, chosen, console.progress)
    pipeline.write_take(output, take)
    console.close()
    summary = summarise(take, console, time.monotonic() - started) | {"output": str(output)}
    console.result(summary, describe(summary, report.lines(take), [str(output)]))
    return 0
