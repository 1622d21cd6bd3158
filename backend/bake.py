# SPDX-License-Identifier: GPL-3.0-or-later
"""A take -> .blend, .fbx or .bvh."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..rigging.bvh import bvh_text
from ..rigging.solve import solve
from ..rigging.take import FileFormatError, Take, read_take
from .errors import Cancelled, UserError
from .files import whole_file
from .progress import Progress, Step

_SUFFIXES = (".blend", ".fbx", ".bvh")
#: How the lines begin that the process says for the user.
_KINDS = ("error: ", "warning: ", "report: ")


def bake(
    take_path: str | Path,
    output: str | Path,
    footage: str | Path | None = None,
    person: int | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Write a take as a file that an animator opens; the format is the suffix of `output`.

    .blend: every person as an armature with a body, the camera, and `footage` (a video or a folder of images) behind
    it, linked by a relative path; footage that Blender cannot show is left out with a warning. .fbx: armatures and
    bodies. .bvh: one skeleton, so a take of several people needs `person`, which for the other two means that person
    alone. `output` appears whole or not at all. Returns the warnings, one sentence each.
    Raises UserError if the take, the person, the footage or the output is not usable or bpy is missing, and Cancelled.
    """
    take_path, output = Path(take_path), Path(output)
    footage = Path(footage) if footage is not None else None
    progress = progress or Progress()
    if output.suffix.lower() not in _SUFFIXES:
        raise UserError(f"cannot write {output}: the name must end in .blend, .fbx or .bvh")
    if footage is not None and not footage.exists():
        raise UserError(f"the footage {footage} does not exist")
    try:
        take = read_take(take_path)
    except (FileFormatError, FileNotFoundError) as error:
        raise UserError(str(error)) from None
    people = _people(take, take_path, person)
    warnings: list[str] = []
    progress.report(Step("bake", 0, 1))
    if output.suffix.lower() == ".bvh":
        _bake_bvh(take, people, output)
    else:
        first = _first_file(footage)
        job = {"footage": str(first.resolve()) if first else None, "person": person}
        warnings = bake_in_blender(take_path, output, job, progress)["warning: "]
    progress.report(Step("bake", 1, 1))
    return warnings


def _first_file(footage: Path | None) -> Path | None:
    """The file that stands for the footage in Blender: the video, or the first image of a sequence."""
    if footage is None:
        return None
    from .footage.images import find_sequence

    images = find_sequence(footage)
    return images[0] if images else footage


def _people(take: Take, path: Path, person: int | None) -> list[int]:
    ids = [int(number) for number in take.person_ids]
    if not ids:
        raise UserError(f"{path} has nobody in it")
    if person is None:
        return ids
    if person not in ids:
        raise UserError(f"{path} has no person {person}; it has {', '.join(map(str, ids))}")
    return [person]


def _bake_bvh(take: Take, people: list[int], output: Path) -> None:
    if len(people) > 1:
        raise UserError(f"a .bvh holds one person: choose one of {', '.join(map(str, people))} with --person")
    try:
        text = bvh_text(solve(take, people[0]))
    except ValueError as error:
        raise UserError(str(error)) from None
    with whole_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def bake_in_blender(
    take_path: Path, output: Path, job: Mapping[str, object], progress: Progress
) -> dict[str, list[str]]:
    """Do a job of `rigging.blender.bake` in a process of its own; what it says, by kind (`_KINDS`).

    job: what it needs besides the take and the output, which appears whole or not at all.
    Raises UserError, with the sentence that the process leaves or if bpy is missing, and Cancelled.
    """
    if importlib.util.find_spec("bpy") is None:
        raise UserError(
            f"writing {output.suffix} needs the bpy package: run `python3 build.py setup`, or write a .bvh instead"
        )
    with whole_file(output) as temporary, tempfile.TemporaryDirectory() as folder:
        whole = {
            "take": str(take_path.resolve()),
            "output": str(temporary.resolve()),
            "name": output.stem,
            "folder": str(output.parent.resolve()),
            **job,
        }
        job_path = Path(folder) / "job.json"
        job_path.write_text(json.dumps(whole), encoding="utf-8")
        said = _run(job_path, output, progress)
        if temporary.stat().st_size == 0:
            raise UserError(f"cannot write {output}: Blender left no file")
    return said


def _run(job_path: Path, output: Path, progress: Progress) -> dict[str, list[str]]:
    """Run the job in a process of its own; what it says, by kind. Raises UserError with the sentence that it leaves."""
    module = f"{(__package__ or '').rpartition('.')[0]}.rigging.blender.bake"
    # Blender's own temporary folder outlives a process that ends by os._exit: put it into ours.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(job_path.parent))
    # What Blender prints (it is much) goes to a file, which cannot fill up and block as a pipe can.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(job_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        except OSError as error:
            raise UserError(f"Blender's Python module cannot be started: {error}") from None
        try:
            while True:
                try:
                    status = child.wait(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    if progress.cancelled():
                        raise Cancelled from None
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        log.seek(0)
        lines = [line.strip() for line in log.read().splitlines() if line.strip()]
    said = {kind: [line.removeprefix(kind) for line in lines if line.startswith(kind)] for kind in _KINDS}
    if status != 0:
        raise UserError(
            said["error: "][-1] if said["error: "] else f"cannot write {output}: Blender stopped with status {status}"
        )
    return said
