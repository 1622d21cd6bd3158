# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap bake`: a take to a .blend, .fbx or .bvh."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks, options

if TYPE_CHECKING:
    from .console import Console

HELP = "a take to a .blend, .fbx or .bvh"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bake` takes."""
    parser.add_argument("take", type=Path, metavar="X.take.npz", help="what capture or lift wrote")
    options.add_output(parser, "OUT.blend", "a .blend, .fbx or .bvh (default: the take's name, in the current folder)")
    parser.add_argument("--footage", type=Path, metavar="VIDEO", help="shown behind the armature in a .blend")
    parser.add_argument("--person", type=int, metavar="ID", help="only this person (default: all)")
    parser.add_argument("--character", type=Path, metavar="FILE", help="put the motion on this character")
    options.add_json(parser)


def usage_problem(arguments: argparse.Namespace) -> str | None:
    """What the options contradict each other in, or None."""
    return None if arguments.character is None else "--character is not built yet"


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check the paths, then write the take in the format that the output's suffix names."""
    take: Path = arguments.take
    output: Path = arguments.output or Path(take.name.split(".")[0] + ".blend")
    footage: Path | None = arguments.footage
    checks.check_input(take)
    checks.check_output(output, checks.BAKE_SUFFIXES)
    named = {"the take": take, "the output": output}
    if footage is not None:
        checks.check_input(footage)
        named["the footage"] = footage
    checks.check_distinct(named)
    checks.check_bake(output)

    from ..bake import bake

    started = time.monotonic()
    warnings = bake(take, output, footage=footage, person=arguments.person, progress=console.progress)
    console.close()
    seconds = time.monotonic() - started
    console.result(
        {"output": str(output), "seconds": round(seconds, 3), "warnings": warnings},
        [*(f"warning: {warning}" for warning in warnings), f"wrote {output}", f"took {seconds:.1f} s"],
    )
    return 0
