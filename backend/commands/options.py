# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands share. Every default is None until `commands.settings` has been applied."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from .retarget_options import add_retarget, retarget_problem

if TYPE_CHECKING:
    from ..pipeline import CaptureOptions

DEVICES = ("auto", "cpu", "cuda")
CAMERA_MOTIONS = ("auto", "still", "turning")
QUALITIES = ("draft", "standard", "thorough")  # as in the pipeline, which is not imported to print a help text
ROOTS = ("agreed", "linear", "mehta", "ratio", "search", "rootnet", "pnp", "network")  # as in root.table


def number_in(low: float, high: float, what: str, inclusive: bool = False) -> Callable[[str], float]:
    """An argparse type: a finite number between `low` and `high` (`inclusive`: `low` and a finite `high` too)."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low < value < high or (inclusive and value in (low, high) and math.isfinite(value))):
            raise argparse.ArgumentTypeError(f"{what}, not {text}")
        return value

    return parse


def whole_number(text: str) -> int:
    """An argparse type: an integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, not {text}")
    return value


seconds = number_in(0, math.inf, "seconds from the start of the footage are needed", inclusive=True)
pixels = number_in(0, math.inf, "a positive number of pixels is needed")
millimetres = number_in(0, 10_000, "a positive number of millimetres is needed")
degrees = number_in(0, 180, "an angle between 0 and 180 degrees is needed")
metres = number_in(0.3, 3.0, "a height between 0.3 and 3 metres is needed", inclusive=True)
factor = number_in(0.25, 4.0, "a factor between 0.25 and 4 is needed", inclusive=True)


def add_output(parser: argparse.ArgumentParser, metavar: str, help_text: str) -> None:
    """Where the result goes."""
    parser.add_argument("-o", "--output", type=Path, metavar=metavar, help=help_text)


def add_character(parser: argparse.ArgumentParser) -> None:
    """Whom the motion is put on."""
    group = parser.add_argument_group("character")
    group.add_argument(
        "--character",
        type=Path,
        metavar="FILE",
        help="put the motion on the armature in this .blend, .fbx, .glb or .bvh",
    )
    group.add_argument("--armature", metavar="NAME", help="of the character's armatures this one")
    group.add_argument("--mapping", type=Path, metavar="PRESET.toml", help="which bone is what, if it is not found out")
    add_retarget(parser)


def character_problem(arguments: argparse.Namespace) -> str | None:
    """What the options of a character contradict each other in, or None."""
    if arguments.character is None:
        for name in ("armature", "mapping"):
            if getattr(arguments, name) is not None:
                return f"--{name} needs --character"
    return retarget_problem(arguments)


def add_footage(parser: argparse.ArgumentParser) -> None:
    """Which stretch of the footage, and who in it."""
    parser.add_argument("--detector", metavar="NAME", help="finds the people in 2D (default: mediapipe)")
    parser.add_argument(
        "--quality",
        choices=QUALITIES,
        help="how much detection looks: draft takes half the time, thorough finds smaller people (default: standard)",
    )
    parser.add_argument("--max-persons", type=whole_number, metavar="N", help="keep at most so many people")
    add_people(parser)
    parser.add_argument("--start", type=seconds, metavar="SECONDS", help="where in the footage to start")
    parser.add_argument("--end", type=seconds, metavar="SECONDS", help="where in the footage to end")


def add_people(parser: argparse.ArgumentParser) -> None:
    """What tracking got wrong."""
    parser.add_argument("--stitch", metavar="2=1", help="person 2 is person 1; several with commas, as in 2=1,5=3")


def add_camera(parser: argparse.ArgumentParser) -> None:
    """What is known of the lens; guessed from the picture's size without."""
    lens = parser.add_mutually_exclusive_group()
    lens.add_argument("--focal-length", type=pixels, metavar="PIXELS", help="focal length of the footage")
    lens.add_argument("--focal-mm", type=millimetres, metavar="MM", help="focal length in millimetres; see --sensor")
    lens.add_argument("--fov", type=degrees, metavar="DEGREES", help="horizontal field of view of the footage")
    lens.add_argument(
        "--camera", metavar="X.camera.npz", help="the footage's camera, known and possibly moving, and its world"
    )
    parser.add_argument(
        "--sensor",
        type=millimetres,
        metavar="MM",
        help="longer side of the sensor that --focal-mm is meant for (default: 36, for a focal length in 35 mm film)",
    )
    parser.add_argument(
        "--distortion",
        metavar="K1,K2,P1,P2[,K3]",
        help="of the lens, OpenCV's coefficients: the people come out as without it",
    )
    parser.add_argument(
        "--camera-motion",
        choices=CAMERA_MOTIONS,
        help="of a camera that is not known: auto sees by the background whether it turns (default: auto)",
    )


def add_world(parser: argparse.ArgumentParser) -> None:
    """What is known of the people, and how they shall move."""
    parser.add_argument("--height", type=metres, metavar="METRES", help="standing height of the first person")
    parser.add_argument(
        "--vertical",
        metavar="X,Y,X,Y",
        help="ends, in pixels of the first frame, of a line that is vertical; several are joined by semicolons",
    )
    parser.add_argument(
        "--floor",
        metavar="X,Y,X,Y=METRES",
        help="two points of the floor, in pixels of the first frame, and the distance between them: the scene's scale",
    )
    parser.add_argument(
        "--in-front",
        metavar="NEARER,FARTHER,FROM,TO[,PERSON]",
        help="a joint that is nearer to the camera than another one between two seconds, as in "
        "left_wrist,thorax,1.2,1.8; several are joined by semicolons",
    )
    parser.add_argument(
        "--smoothing", type=factor, metavar="FACTOR", help="how smooth the motion is made, 0.25 to 4 (default: 1)"
    )
    parser.add_argument(
        "--root", choices=ROOTS, help="how the distance of people is found (default: agreed, least squares and network)"
    )


def add_lifter(parser: argparse.ArgumentParser) -> None:
    """What turns 2D into 3D."""
    parser.add_argument(
        "--lifter",
        metavar="NAME",
        help="lifts to 3D: a name that 'video-mocap models' lists, or the path of weights (default: default)",
    )
    parser.add_argument(
        "--adapt-to-person",
        action="store_true",
        default=None,
        help="let the lifter learn from each person's own keypoints, kept where joints held back say that it helps",
    )


def add_running(parser: argparse.ArgumentParser) -> None:
    """Where it runs and what steers it."""
    parser.add_argument("--device", choices=DEVICES, help="auto takes a GPU where there is one (default: auto)")
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The same from a file."""
    parser.add_argument(
        "--settings", type=Path, metavar="FILE.toml", help="options from a file: long names with underscores = value"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Whether the result is for a program."""
    parser.add_argument("--json", action="store_true", default=None, help="the result as JSON on stdout")


def footage_name(video: Path) -> str:
    """What results are called after: a file's name without its suffix, a folder's name as it is."""
    whole = video.resolve()
    return whole.name if whole.is_dir() else whole.stem


def capture_options(arguments: argparse.Namespace) -> CaptureOptions:
    """The pipeline's options; what was not said keeps the pipeline's own default."""
    from ..pipeline import CaptureOptions

    names = (item.name for item in fields(CaptureOptions))
    said = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    return CaptureOptions(**said)


def usage_problem(arguments: argparse.Namespace) -> str | None:
    """What the options contradict each other in, or None."""
    start, end = getattr(arguments, "start", None), getattr(arguments, "end", None)
    if end is not None and end <= (start or 0):
        return f"--end ({end:g}) must lie after --start ({start or 0:g})"
    return None
