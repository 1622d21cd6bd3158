# SPDX-License-Identifier: GPL-3.0-or-later
"""A take's person onto a character of the animator's -> .blend, .fbx or .bvh."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..rigging.prepare import seen_people
from ..rigging.take import FileFormatError, Take, read_take
from .bake import bake_in_blender
from .errors import UserError
from .progress import Progress, Step

OUTPUTS = (".blend", ".fbx", ".bvh")
CHARACTERS = (".blend", ".fbx", ".glb", ".gltf", ".bvh")


@dataclass(frozen=True)
class Character:
    """How a character gets a motion.

    path: of the file. armature: name of the object where there are several. mapping: a rig preset's file. options: a
    table as `rigging.retarget.settings` has it.
    """

    path: Path
    armature: str | None = None
    mapping: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Baked:
    """warnings: sentences. report: what came of it, JSON-able (`rigging.retarget.report.Report` and `lines`)."""

    warnings: list[str]
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The report as text."""
        return [str(line) for line in self.report.get("lines", [])]


def bake_character(
    take_path: str | Path,
    output: str | Path,
    character: Character,
    person: int | None = None,
    most_seen: bool = False,
    progress: Progress | None = None,
) -> Baked:
    """Put a person of a take on a character and write it as the format that the suffix of `output` names.

    A .blend holds all that the character's .blend held. person: needed if the take has several, unless `most_seen`
    chooses who is in most of its frames, which is then a warning. `output` appears whole or not at all.
    Raises UserError, in one sentence, if anything of it is not usable, and Cancelled.
    """
    take_path, output = Path(take_path), Path(output)
    progress = progress or Progress()
    if output.suffix.lower() not in OUTPUTS:
        raise UserError(f"cannot write {output}: the name must end in {', '.join(OUTPUTS)}")
    check_character(character)
    try:
        take = read_take(take_path)
    except (FileFormatError, FileNotFoundError) as error:
        raise UserError(str(error)) from None
    chosen, warnings = _person(take, take_path, person, most_seen)
    progress.report(Step("bake", 0, 1))
    job = {
        "person": chosen,
        "character": str(character.path.resolve()),
        "armature": character.armature,
        "mapping": str(character.mapping.resolve()) if character.mapping else None,
        "options": dict(character.options),
    }
    said = bake_in_blender(take_path, output, job, progress)
    progress.report(Step("bake", 1, 1))
    reports = [json.loads(line) for line in said["report: "]]
    return Baked(warnings + said["warning: "], reports[-1] if reports else {})


def check_character(character: Character) -> None:
    """Raises UserError if there is no such file or this environment cannot read it."""
    if not character.path.is_file():
        raise UserError(f"the character {character.path} does not exist")
    if character.path.suffix.lower() not in CHARACTERS:
        raise UserError(f"{character.path} is no character: its name must end in {', '.join(CHARACTERS)}")
    if character.mapping is not None and not character.mapping.is_file():
        raise UserError(f"the mapping {character.mapping} does not exist")
    if importlib.util.find_spec("bpy") is None:
        raise UserError(
            "putting motion on a character needs Blender's Python module (bpy), which is not in this environment; "
            "'python3 build.py setup' installs it with Python 3.11"
        )


def _person(take: Take, path: Path, person: int | None, most_seen: bool) -> tuple[int, list[str]]:
    ids = seen_people(take)
    if not ids:
        raise UserError(f"{path} has nobody in it")
    if person is not None:
        if person not in ids:
            raise UserError(f"{path} has no person {person}; it has {', '.join(map(str, ids))}")
        return person, []
    if len(ids) == 1:
        return ids[0], []
    names = ", ".join(map(str, ids))
    if not most_seen:
        raise UserError(f"{path} has {len(ids)} people and a character follows one: choose {names} with --person")
    pelvis = take.joint_names.index("pelvis")
    frames = {
        int(one): int((row[:, pelvis] > 0).sum())
        for one, row in zip(take.person_ids, take.joints_confidence, strict=True)
    }
    best = max(ids, key=lambda one: frames[one])
    others = f"the character follows person {best}, who is seen most, of {names}"
    return best, [f"{others}; for another use 'video-mocap bake {path} --character FILE --person ID'"]
