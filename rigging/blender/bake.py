# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A take file -> .blend or .fbx, in a process of its own: `python -m video_mocap.rigging.blender.bake JOB.json`.

The job is a JSON object: `take` (path), `output` (path, suffix .blend or .fbx), `name` of the take, `folder` in which
the .blend will finally lie (for relative paths), `footage` (path of a video or of the first image of a sequence, or
null), `person` (id or null for everybody); with a `character` what `bake_character` says. Exit status 0, or 1 with one
sentence on stderr after "error: ". What the user should know of a file that was written all the same: sentences on
stderr after "warning: ".
"""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..prepare import seen_people
from ..take import Take, read_take
from .footage import load_footage
from .scene import build_scene


def bake(job: dict[str, Any]) -> None:
    """Do one job. Raises ValueError or OSError, in one sentence, for what the user can mend."""
    take = read_take(job["take"])
    output = Path(job["output"])
    people = [int(job["person"])] if job.get("person") is not None else seen_people(take)
    if not people:
        raise ValueError("the take has nobody in it")
    if job.get("character"):
        _bake_character(take, people[0], job)
        return
    if output.suffix.lower() == ".fbx":
        # An .fbx has times, not frames: its time 0 is the first frame of the footage (Blender imports it as frame 1).
        take = replace(take, times=take.times - 1 / take.fps)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    clip = _load_footage(job["footage"], take.fps) if job.get("footage") and output.suffix.lower() == ".blend" else None
    build_scene(take, job["name"], people, clip)
    try:
        if output.suffix.lower() == ".fbx":
            _export_fbx(output)
        else:
            _save_blend(output, Path(job["folder"]).resolve())
            if not is_whole(output):
                raise OSError("only a part of it could be written; is the disk full?")
    except (OSError, RuntimeError) as error:
        raise OSError(f"Blender cannot write {job['name']}{output.suffix}: {_reason(str(error))}") from error


def _bake_character(take: Take, person: int, job: dict[str, Any]) -> None:
    from .bake_character import bake_character

    def save(output: Path) -> None:
        bpy.context.preferences.filepaths.save_version = 0
        _save(output, relative=True)
        if not is_whole(output):
            raise OSError("only a part of it could be written; is the disk full?")

    try:
        bake_character(take, person, job, save)
    except (OSError, RuntimeError) as error:
        name = f"{job['name']}{Path(job['output']).suffix}"
        raise OSError(f"Blender cannot write {name}: {_reason(str(error))}") from error


def is_whole(path: Path) -> bool:
    """Whether a compressed .blend is complete, because Blender 4.5 does not notice when writing one fails.

    It ends with the table of Zstandard's seekable format (facebook/zstd, contrib/seekable_format): 8 bytes of header,
    compressed and decompressed size (and perhaps a checksum) of each frame, their number, a descriptor and a magic
    number, all little endian. Sizes and table must account for every byte of the file.
    """
    data = path.read_bytes()
    if len(data) < 17:
        return False
    frames, descriptor, magic = struct.unpack("<IBI", data[-9:])
    entry = 12 if descriptor & 0x80 else 8
    table = 8 + entry * frames + 9
    if magic != 0x8F92EAB1 or table > len(data):
        return False
    sizes = np.frombuffer(data[len(data) - table + 8 : -9], "<u4")[:: entry // 4]
    return int(sizes.sum(dtype=np.uint64)) + table == len(data)


def _reason(report: str) -> str:
    """What an operator's report comes down to: Python's add-ons put a whole traceback into it."""
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"\w+(Error|Exception)\b", line)]
    return re.sub(
        r"^(Error: |\w+(Error|Exception): (\[Errno \d+\] )?)", "", (raised or lines or ["no reason given"])[-1]
    )


def _load_footage(path: str, fps: float) -> bpy.types.MovieClip | None:
    """The clip, or None and a warning: the motion is worth having without its background."""
    try:
        return load_footage(Path(path).resolve(), fps)
    except ValueError as error:
        print(f"warning: {error}; the scene has no footage behind it", file=sys.stderr)
        return None


def _save_blend(output: Path, folder: Path) -> None:
    # It opens in pose mode: there an animator works, and there bones have their colours.
    for rig in bpy.context.view_layer.objects:
        rig.select_set(rig.type == "ARMATURE")
    bpy.ops.object.mode_set(mode="POSE")
    # Otherwise Blender keeps what was at this path as a .blend1 beside it.
    bpy.context.preferences.filepaths.save_version = 0
    _save(output)
    if bpy.data.movieclips:
        # Only now: a new path makes Blender look at the file, and before the first save it looks in the wrong place
        # and takes images for a video.
        _make_relative(folder)
        _save(output)


def _save(output: Path, relative: bool = False) -> None:
    """relative: paths in the file that are relative to where it was go on leading to the same files."""
    bpy.ops.wm.save_as_mainfile(filepath=str(output), compress=True, relative_remap=relative, check_existing=False)


def _make_relative(folder: Path) -> None:
    for clip in bpy.data.movieclips:
        try:
            relative = os.path.relpath(bpy.path.abspath(clip.filepath), folder)
        except ValueError:
            # Another drive on Windows: only an absolute path leads there.
            continue
        clip.filepath = "//" + relative.replace(os.sep, "/")


def _export_fbx(output: Path) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(output),
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )


def main(arguments: list[str]) -> int:
    """Run the job in the file named by the only argument; the exit status."""
    try:
        bake(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    except (ValueError, OSError, RuntimeError) as error:
        traceback.print_exc()
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # The bpy module can hang for ever at a normal end of the process.
    os._exit(status)
