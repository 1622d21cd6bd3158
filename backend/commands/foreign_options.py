# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user says of other programs' keypoints, where their files do not."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import number_in

if TYPE_CHECKING:
    from ..exchange.importing import ImportOptions

#: As in `exchange.formats`, which is not imported to print a help text.
READ = ("openpose", "coco", "mmpose", "alphapose", "deeplabcut", "sports2d")
WRITTEN = ("openpose", "coco", "coco-results", "mmpose", "alphapose", "deeplabcut", "sports2d")
_SUFFIXES = {".json", ".csv", ".trc"}
_OPTIONS = ("format", "joint_set", "fps", "size", "video", "first_frame", "correct_sides")

rate = number_in(0, math.inf, "a positive number of frames a second is needed")


def size(text: str) -> tuple[int, int]:
    """An argparse type: `1920x1080`."""
    match = re.fullmatch(r"(\d+)[xX×](\d+)", text.strip())
    if not match or min(int(match[1]), int(match[2])) < 1:
        raise argparse.ArgumentTypeError(f"width and height in pixels are needed, such as 1920x1080, not {text}")
    return int(match[1]), int(match[2])


def frame(text: str) -> int:
    """An argparse type: a whole number from 0 on."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"the number of a frame is needed, not {text}")
    return int(text)


def add_foreign(parser: argparse.ArgumentParser) -> None:
    """Options for reading other programs' files."""
    group = parser.add_argument_group("other programs' keypoints")
    group.add_argument("--format", metavar="NAME", choices=READ, help=f"{', '.join(READ)} (default: found out)")
    group.add_argument(
        "--joint-set", metavar="NAME", help="which points a person has, such as body-25 (default: found out)"
    )
    group.add_argument("--fps", type=rate, metavar="RATE", help="frames a second of the footage")
    group.add_argument("--size", type=size, metavar="WxH", help="width and height of the picture in pixels")
    group.add_argument("--video", type=Path, metavar="VIDEO", help="the footage: says its rate, size and name")
    group.add_argument(
        "--correct-sides",
        action="store_true",
        default=None,
        help="exchange left and right in frames where the other program confused them",
    )
    group.add_argument(
        "--first-frame", type=frame, metavar="N", help="number of the footage's first frame in the files"
    )


def foreign_problem(arguments: argparse.Namespace) -> str | None:
    """What the options contradict each other in, or None."""
    if arguments.video is not None and (arguments.fps is not None or arguments.size is not None):
        return "--video says the rate and the size: leave out --fps and --size"
    return None


def said_foreign(arguments: argparse.Namespace) -> str | None:
    """One of the options of `add_foreign` that was used, or None."""
    used = [name for name in _OPTIONS if getattr(arguments, name) is not None]
    return f"--{used[0].replace('_', '-')}" if used else None


def refuse_foreign(path: Path) -> None:
    """Raises UserError if what should be footage are another program's keypoints."""
    if path.is_dir():
        suffixes = {file.suffix.lower() for file in path.iterdir() if file.is_file()}
        foreign = bool(suffixes) and suffixes <= _SUFFIXES
    else:
        foreign = path.suffix.lower() in _SUFFIXES
    if foreign:
        raise UserError(
            f"{path} is no footage; if it is another program's keypoints, 'video-mocap lift {path} --video VIDEO' "
            "makes a take of them"
        )


def import_options(arguments: argparse.Namespace) -> ImportOptions:
    """What was said, with rate and size of the footage if that was named. Raises UserError."""
    from ..exchange.importing import ImportOptions

    fps, image_size, footage = arguments.fps, arguments.size, None
    if arguments.video is not None:
        from ..footage import probe

        info = probe(arguments.video)
        fps, image_size, footage = info.fps, (info.width, info.height), Path(arguments.video).name
    return ImportOptions(
        format=arguments.format,
        joint_set=arguments.joint_set,
        fps=fps,
        image_size=image_size,
        first_frame=arguments.first_frame,
        max_persons=getattr(arguments, "max_persons", None),
        footage=footage,
        correct_sides=bool(arguments.correct_sides),
    )
