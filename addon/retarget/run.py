# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A motion put on the animator's character, as one change to the file."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy

from ...rigging.blender.blocks import Block, GoneError
from ...rigging.blender.retarget import metric_rig, retarget_in_pieces
from ...rigging.blender.retarget_source import armature_source, motion_range
from ...rigging.retarget.bvh_source import bvh_source
from ...rigging.retarget.controls import controls_of
from ...rigging.retarget.mapping import IncompleteMappingError, map_rig
from ...rigging.retarget.rig import Rig
from ...rigging.retarget.source import take_source
from ...rigging.retarget.transfer import Source
from ...rigging.take import read_take
from .. import session
from ..capture.origin import Origin
from ..capture.request import absolute
from ..chores import Chore, aside
from ..properties import active_person, active_take
from . import choices, presets, rows
from .settings import RetargetSettings

#: A BVH file of an hour is below this.
_MOST_BYTES = 1 << 30
#: Characters of a name in Blender, with room for a number.
_LONGEST = 58


def start(scene: bpy.types.Scene) -> Chore:
    """Put the chosen motion on the chosen character. Raises ValueError or OSError, in one sentence."""
    settings = scene.video_mocap.retarget
    target, own = Block("objects", settings.target), presets.folder()
    origin = Origin(settings.target.name, Path())
    origin.take_scene(scene)
    name, first, read = _motion(scene, settings)
    wanted = choices.options(scene, f"{name} on {origin.name}"[:_LONGEST], first)
    slots = rows.chosen(settings)
    controls = controls_of(settings.preset, presets.known(own))
    moving = Block("objects", settings.armature) if settings.source == "ARMATURE" else None

    def build(source: Source | None) -> Generator[Any, Any, None]:
        if moving is not None:
            source = yield from _followed(moving)
        try:
            armature = target.get()
        except GoneError:
            raise ValueError(f"{origin.name} was removed; choose another character") from None
        assert source is not None
        done = yield from retarget_in_pieces(armature, source, wanted, slots, controls)
        origin.find_scene().video_mocap.retarget.report = "\n".join(done.report.lines())

    def finished(problem: str | None) -> None:
        state = session.get()
        state.problem = problem
        if problem is None:
            state.note = f"{name} is on {origin.name}"

    chore = Chore(f"Retargeting to {origin.name}", "Retarget", read, build, finished=finished, place="retarget")
    session.do(chore)
    return chore


def _motion(scene: bpy.types.Scene, settings: RetargetSettings) -> tuple[str, int, Callable[[], Source | None]]:
    """(name of the motion, the scene frame it starts on, what reads it in a thread)."""
    if settings.source == "TAKE":
        item = active_take(scene)
        person = active_person(item)
        path, number = absolute(item.filepath), int(person.person_id)
        if not path.is_file():
            raise ValueError(f"{path} is not there any more; choose the person's armature as the source")
        first = int(item.collection.get("video_mocap_start_frame", 1)) if item.collection is not None else 1
        return f"{item.name} {person.name}", first, lambda: take_source(read_take(path), number)
    if settings.source == "BVH":
        path, own = absolute(settings.bvh_path), presets.folder()
        if not path.is_file():
            raise ValueError(f"{path} is not there any more; choose another BVH file")
        return path.stem, scene.frame_start, lambda: _read_bvh(path, own)
    return settings.armature.name, motion_range(settings.armature)[0], lambda: None


def _read_bvh(path: Path, own: Path) -> Source:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.name} is too large for a BVH file")
    text = path.read_text(encoding="utf-8", errors="replace")
    return bvh_source(text, path.name, lambda rig: _slots(rig, own))


def _slots(rig: Rig, own: Path) -> dict[str, str]:
    """Slot -> bone of what moves: nobody chooses its bones by hand."""
    try:
        return map_rig(rig, presets.known(own)).slots
    except IncompleteMappingError as error:
        missing = ", ".join(rows.title(slot) for slot in error.mapping.missing)
        raise ValueError(f"The motion of {rig.name} cannot be used: it has no bone for {missing}") from None


def _followed(moving: Block) -> Generator[Any, Any, Source]:
    """The motion of an armature of the file."""
    try:
        armature = moving.get()
        rig, own = metric_rig(armature), presets.folder()
        slots = yield from aside(lambda: _slots(rig, own))
        return (yield from armature_source(moving.get(), slots))
    except GoneError:
        raise ValueError("The armature that moves was removed; choose another one") from None
