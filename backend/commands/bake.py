# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap bake`: a take to a .blend, .fbx or .bvh."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks, options, retarget_options

if TYPE_CHECKING:
    from .console import Console

HELP = "a take to a .blend, .fbx or .bvh"
#: One settings file of a shot serves both; of it only what is of use here is taken.
SHARES_SETTINGS_WITH = "capture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bake` takes."""
    parser.add_argument("take", type=Path, metavar="X.take.npz", help="what capture or lift wrote")
    options.add_output(parser, "OUT.blend", "a .blend, .fbx or .bvh (default: the take's name, in the current folder)")
    parser.add_argument("--footage", type=Path, metavar="VIDEO", help="shown behind the armature in a .blend")
    parser.add_argument("--person", type=int, metavar="ID", help="only this person (default: all)")
    options.add_character(parser)
    options.add_settings(parser)
    options.add_json(parser)


def usage_problem(arguments: argparse.Namespace) -> str | None:
    """What the options contradict each other in, or None."""
    if arguments.character is not None and arguments.footage is not None:
        return "--footage and --character do not go together: a character has a size and a place of its own"
    return options.character_problem(arguments)


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
    if arguments.character is not None:
        checks.check_input(arguments.character)
        named["the character"] = arguments.character
    checks.check_distinct(named)
    if arguments.character is not None:
        return _run_character(arguments, output, console)
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


def _run_character(arguments: argparse.Namespace, output: Path, console: Console) -> int:
    from ..bake_character import Character, bake_character

    started = time.monotonic()
    character = Character(
        arguments.character, arguments.armature, arguments.mapping, retarget_options.retarget_table(arguments)
    )
    done = bake_character(arguments.take, output, character, arguments.person, progress=console.progress)
    console.close()
    seconds = time.monotonic() - started
    console.result(
        {"output": str(output), "seconds": round(seconds, 3), "warnings": done.warnings, "report": done.report},
        [*(f"warning: {one}" for one in done.warnings), *done.lines, f"wrote {output}", f"took {seconds:.1f} s"],
    )
    return 0
