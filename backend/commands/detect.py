# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap detect`: footage to tracked people in 2D."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks, foreign_options, options

if TYPE_CHECKING:
    from .console import Console

HELP = "footage to tracked people in 2D"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `detect` takes."""
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a video file or a folder of images")
    options.add_output(parser, "X.keypoints.npz", "default: the video's name, in the current folder")
    options.add_footage(parser)
    options.add_running(parser)
    options.add_json(parser)


usage_problem = options.usage_problem


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Find and track the people and write a keypoints file."""
    video: Path = arguments.video
    checks.check_input(video)
    foreign_options.refuse_foreign(video)
    output: Path = arguments.output or Path(f"{options.footage_name(video)}.keypoints.npz")
    checks.check_output(output, checks.ARRAY_SUFFIXES)
    checks.check_distinct({"VIDEO": video, "the output": output})

    from .. import pipeline
    from ..keypoints import write_keypoints
    from ..tracking.stitch import questions, suggestions_of

    started = time.monotonic()
    keypoints = pipeline.detect(video, options.capture_options(arguments), console.progress)
    write_keypoints(output, keypoints)
    suggestions = suggestions_of(keypoints)
    console.close()
    seconds = time.monotonic() - started
    people, frames = len(keypoints.person_ids), len(keypoints.times)
    summary = {
        "output": str(output),
        "frames": frames,
        "fps": float(keypoints.fps),
        "persons": [int(person) for person in keypoints.person_ids],
        "seconds": round(seconds, 3),
        "suggestions": suggestions,
    }
    console.result(
        summary,
        [
            f"{frames} {'frame' if frames == 1 else 'frames'}, {people} {'person' if people == 1 else 'people'}, "
            f"took {seconds:.1f} s",
            *questions(suggestions),
            f"wrote {output}",
        ],
    )
    return 0
