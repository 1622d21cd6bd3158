# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap capture`: footage to a .blend (or .fbx, .bvh), with the take beside it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from . import checks, foreign_options, options, report, retarget_options

if TYPE_CHECKING:
    from ...rigging.take import Take
    from ..bake_character import Baked, Character
    from .console import Console

HELP = "footage to an animated armature"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `capture` takes."""
    parser.add_argument("video", nargs="?", type=Path, metavar="VIDEO", help="a video file or a folder of images")
    parser.add_argument("--default-video", type=Path, help=argparse.SUPPRESS)
    options.add_output(parser, "OUT.blend", "a .blend, .fbx or .bvh (default: the video's name, in the current folder)")
    parser.add_argument("--take", type=Path, metavar="OUT.take.npz", help="the take (default: beside the output)")
    parser.add_argument("--preview", type=Path, metavar="OUT.mp4", help="also a video of the footage beside the take")
    options.add_character(parser)
    options.add_footage(parser)
    options.add_camera(parser)
    options.add_world(parser)
    options.add_lifter(parser)
    options.add_running(parser)
    options.add_json(parser)


def usage_problem(arguments: argparse.Namespace) -> str | None:
    """What the options contradict each other in, or None."""
    if arguments.video is None and arguments.default_video is None:
        return "VIDEO is missing"
    return options.character_problem(arguments) or options.usage_problem(arguments)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check everything that can be checked at once, then capture, write the take, bake and draw the preview."""
    video: Path = arguments.video or arguments.default_video
    checks.check_input(video)
    if video.suffix.lower() == ".npz" and video.is_file():
        raise UserError(f"{video} is no footage; 'video-mocap lift' makes a take of keypoints or of an earlier take")
    foreign_options.refuse_foreign(video)
    output: Path = arguments.output or Path(f"{options.footage_name(video)}.blend")
    checks.check_output(output, checks.BAKE_SUFFIXES)
    take_path: Path = arguments.take or output.with_suffix(".take.npz")
    preview: Path | None = arguments.preview
    _check_together(video, output, take_path, preview, arguments.character)
    character = _character(arguments)
    if arguments.output is None:
        _refuse_to_replace(output, take_path)
    if arguments.video is None:
        console.say(f"no VIDEO given: capturing the sample, {video}")

    from .. import pipeline

    started = time.monotonic()
    take = pipeline.capture(video, options.capture_options(arguments), console.progress)
    pipeline.write_take(take_path, take)
    try:
        warnings, said = _bake(take_path, output, video, character, console)
    except UserError as error:
        raise UserError(f"{error}; the take is whole: go on with 'video-mocap bake {take_path}'") from None
    if preview is not None:
        from ..preview import write_preview

        write_preview(preview, video, take, console.progress)
    console.close()
    summary = summarise(take, console, time.monotonic() - started)
    summary["warnings"] += warnings
    if said is not None:
        summary["report"] = said.report
    written = {"output": output, "take": take_path} | ({"preview": preview} if preview else {})
    summary |= {name: str(path) for name, path in written.items()}
    lines = describe(summary, report.lines(take), [str(path) for path in written.values()])
    console.result(summary, (said.lines if said is not None else []) + lines)
    return 0


def _character(arguments: argparse.Namespace) -> Character | None:
    """The character, checked. Raises UserError: before the work, not after it."""
    if arguments.character is None:
        return None
    from ..bake_character import Character, check_character

    character = Character(
        arguments.character, arguments.armature, arguments.mapping, retarget_options.retarget_table(arguments)
    )
    check_character(character)
    return character


def _bake(
    take_path: Path, output: Path, video: Path, character: Character | None, console: Console
) -> tuple[list[str], Baked | None]:
    """(warnings, what came of a character)."""
    from .. import bake, bake_character

    if character is None:
        return bake.bake(take_path, output, footage=video, progress=console.progress), None
    done = bake_character.bake_character(take_path, output, character, most_seen=True, progress=console.progress)
    return done.warnings, done


def _check_together(video: Path, output: Path, take_path: Path, preview: Path | None, character: Path | None) -> None:
    checks.check_output(take_path, checks.ARRAY_SUFFIXES)
    named = {"VIDEO": video, "the output": output, "the take": take_path}
    if character is not None:
        checks.check_input(character)
        named["the character"] = character
    if preview is not None:
        checks.check_output(preview, checks.PREVIEW_SUFFIXES)
        named["the preview"] = preview
    checks.check_distinct(named)
    checks.check_bake(output)


def _refuse_to_replace(output: Path, take_path: Path) -> None:
    """A name the user did not say must not cost them a file: only an earlier capture's own output is replaced."""
    if output.exists() and not take_path.exists():
        raise UserError(f"{output} exists and is from no capture (there is no {take_path}); choose a name with -o")


def summarise(take: Take, console: Console, seconds: float) -> dict[str, Any]:
    """What a take is and what it took, JSON-able. seconds: of the whole work."""
    from ...rigging.report.measure import report_of

    return {
        "frames": len(take.times),
        "fps": float(take.fps),
        "persons": [int(person) for person in take.person_ids],
        "seconds": round(seconds, 3),
        "stages": {stage: round(taken, 3) for stage, taken in console.seconds.items()},
        "warnings": [str(warning) for warning in take.metadata.get("warnings") or []],
        "take_report": report_of(take),
    }


def describe(summary: dict[str, Any], reported: list[str], written: list[str]) -> list[str]:
    """The summary as lines for a person. reported: how good the take is. written: paths."""
    people, frames = len(summary["persons"]), summary["frames"]
    stages = ", ".join(f"{stage} {taken:.1f} s" for stage, taken in summary["stages"].items())
    return [
        *(f"warning: {warning}" for warning in summary["warnings"]),
        *reported,
        f"{frames} {'frame' if frames == 1 else 'frames'} at {summary['fps']:g} frames/s, "
        f"{people} {'person' if people == 1 else 'people'}",
        f"took {summary['seconds']:.1f} s" + (f" ({stages})" if stages else ""),
        *(f"wrote {path}" for path in written),
    ]
