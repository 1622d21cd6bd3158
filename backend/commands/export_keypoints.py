# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap export`: the 2D keypoints of a keypoints file or a take in another program's format."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from . import checks, options
from .foreign_options import WRITTEN

if TYPE_CHECKING:
    from .console import Console

HELP = "2D keypoints to another program's format"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `export` takes."""
    parser.add_argument(
        "source", type=Path, metavar="X.keypoints.npz", help="a keypoints file, or a take (X.take.npz) for its 2D"
    )
    options.add_output(parser, "FOLDER_OR_FILE", "default: the source's name, in the current folder")
    parser.add_argument("--format", required=True, metavar="NAME", help=f"one of: {', '.join(WRITTEN)}")
    parser.add_argument(
        "--joint-set", metavar="NAME", help="coco-17, halpe-26, body-25 or coco-18 (default: the format's usual one)"
    )
    parser.add_argument("--person", type=int, action="append", metavar="ID", help="only this person; may be repeated")
    options.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write them."""
    source: Path = arguments.source
    checks.check_input(source)

    from ..exchange.exporting import export_file
    from ..exchange.formats import FORMATS, writes

    writes(arguments.format)  # is there such a format?
    suffix = FORMATS[arguments.format].suffix
    stem = source.name.split(".")[0]
    output: Path = arguments.output or Path(
        f"{stem}.{arguments.format}{suffix}" if suffix else f"{stem}_{arguments.format}"
    )
    if suffix:
        checks.check_output(output, (suffix,))
    elif not output.parent.is_dir():
        raise UserError(f"the folder {output.parent} does not exist")
    checks.check_distinct({"the source": source, "the output": output})
    done = export_file(source, output, arguments.format, arguments.joint_set, arguments.person)
    summary = {
        "written": [str(path) for path in done.written],
        "format": arguments.format,
        "joint_set": done.joint_set,
        "frames": done.frames,
        "persons": done.people,
        "warnings": done.warnings,
    }
    people = len(done.people)
    console.result(
        summary,
        [
            *(f"warning: {warning}" for warning in done.warnings),
            f"{done.frames} {'frame' if done.frames == 1 else 'frames'}, "
            f"{people} {'person' if people == 1 else 'people'}, {done.joint_set}",
            *(f"wrote {path}" for path in done.written),
        ],
    )
    return 0
