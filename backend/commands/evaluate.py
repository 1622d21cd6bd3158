# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap evaluate`: a take against the truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks, options

if TYPE_CHECKING:
    from .console import Console

HELP = "a take against the truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate` takes."""
    parser.add_argument("take", type=Path, metavar="X.take.npz", help="what capture or lift wrote")
    parser.add_argument("truth", type=Path, metavar="TRUTH.npz", help="joints in 3D, measured or rendered")
    parser.add_argument(
        "--camera", type=int, metavar="N", help="which of the truth's cameras, from 0, took the footage"
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Measure and tell."""
    checks.check_input(arguments.take)
    checks.check_input(arguments.truth)

    from ...rigging.take import read_take
    from ..evaluation.evaluate import evaluate, report

    metrics = evaluate(read_take(arguments.take), arguments.truth, camera=arguments.camera)
    console.result(metrics, report(metrics).splitlines())
    return 0
