# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap import`: other programs' 2D keypoints to a keypoints file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks, foreign_options, options

if TYPE_CHECKING:
    from .console import Console

HELP = "other programs' 2D keypoints to a keypoints file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `import` takes."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="FOLDER_OR_FILE",
        help="of OpenPose, COCO, MMPose, RTMLib, AlphaPose, Sports2D, Pose2Sim or DeepLabCut",
    )
    options.add_output(parser, "X.keypoints.npz", "default: the source's name, in the current folder")
    foreign_options.add_foreign(parser)
    parser.add_argument("--max-persons", type=options.whole_number, metavar="N", help="keep at most so many people")
    options.add_settings(parser)
    options.add_json(parser)


usage_problem = foreign_options.foreign_problem


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Read them and write a keypoints file."""
    source: Path = arguments.source
    checks.check_input(source)
    output: Path = arguments.output or Path(f"{options.footage_name(source)}.keypoints.npz")
    checks.check_output(output, checks.ARRAY_SUFFIXES)
    checks.check_distinct({"the source": source, "the output": output})

    from ..exchange.importing import import_keypoints
    from ..keypoints import write_keypoints
    from ..tracking.stitch import questions, suggestions_of

    keypoints = import_keypoints(source, foreign_options.import_options(arguments), console.progress)
    write_keypoints(output, keypoints)
    console.close()
    found, warnings = keypoints.source, keypoints.source["warnings"]
    suggestions = suggestions_of(keypoints)
    people, frames = len(keypoints.person_ids), len(keypoints.times)
    summary = {
        "output": str(output),
        "format": found["format"],
        "joint_set": found["conversion"]["joint_set"],  # type: ignore[index]
        "frames": frames,
        "first_frame": found["first_frame"],
        "fps": float(keypoints.fps),
        "image_size": list(keypoints.image_size),
        "persons": [int(person) for person in keypoints.person_ids],
        "warnings": warnings,
        "suggestions": suggestions,
    }
    console.result(
        summary,
        [
            *(f"warning: {warning}" for warning in warnings),  # type: ignore[attr-defined]
            f"{summary['format']} with {summary['joint_set']}: {frames} {'frame' if frames == 1 else 'frames'} at "
            f"{keypoints.fps:g} frames/s, {people} {'person' if people == 1 else 'people'}; the footage begins with "
            f"frame {found['first_frame']}",
            *questions(suggestions),
            f"wrote {output}",
        ],
    )
    return 0
