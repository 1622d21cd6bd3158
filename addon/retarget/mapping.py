# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Finding a character's bones, in a thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...rigging.blender.retarget import metric_rig
from ...rigging.retarget.mapping import IncompleteMappingError, Mapping, map_rig
from ...rigging.retarget.presets import Preset
from .. import pump, session
from ..capture.origin import Origin
from ..chores import Chore, sentence
from ..rights import refusal
from . import presets, rows
from .settings import RetargetSettings

#: Seconds that finding the bones may take where there is no timer.
_LONG = 60.0


@dataclass(frozen=True)
class _Found:
    """mapping: what was found, if anything. problem: why it is not all. title: of the table that was believed."""

    mapping: Mapping | None
    problem: str
    title: str = ""


def target_chosen(scene: bpy.types.Scene) -> None:
    """Another character was chosen: find its bones."""
    settings = scene.video_mocap.retarget
    rows.fill(settings, {})
    settings.slots.clear()
    settings.report = settings.preset = settings.preset_title = settings.mapping_notes = settings.mapping_problem = ""
    if settings.target is None or refusal(scene):
        return
    chore = find_bones(scene)
    if pump.synchronous:
        pump.until(lambda: chore.ended, _LONG)


def find_bones(scene: bpy.types.Scene, preset: Preset | None = None) -> Chore:
    """Fill the list of bones for the scene's character. preset: by this table only."""
    settings = scene.video_mocap.retarget
    target, folder = settings.target, presets.folder()
    origin = Origin(target.name, Path())
    origin.take_scene(scene)
    try:
        rig, refused = metric_rig(target), None
    except ValueError as error:
        rig, refused = None, sentence(error)

    def look() -> _Found:
        if rig is None:
            return _Found(None, refused or "")
        tables = presets.known(folder) if preset is None else (preset,)
        titles = {table.name: table.title for table in tables}
        try:
            mapping = map_rig(rig, tables)
            return _Found(mapping, "", titles.get(mapping.preset, ""))
        except IncompleteMappingError as error:
            return _Found(error.mapping, sentence(error), titles.get(error.mapping.preset, ""))
        except ValueError as error:
            return _Found(None, sentence(error))

    def build(found: _Found) -> Generator[float, None, None]:
        settings = origin.find_scene().video_mocap.retarget
        if settings.target is not None and settings.target.name == origin.name:
            _tell(settings, found)
        yield 1.0

    def finished(problem: str | None) -> None:
        if problem is not None:
            session.get().problem = problem

    chore = Chore(f"Finding the bones of {target.name}", "Map Bones", look, build, finished=finished, place="retarget")
    session.do(chore)
    return chore


def _tell(settings: RetargetSettings, found: _Found) -> None:
    mapping = found.mapping
    rows.fill(settings, mapping.slots if mapping is not None else {})
    settings.preset = mapping.preset if mapping is not None else ""
    settings.mapping_notes = "\n".join(mapping.notes) if mapping is not None else ""
    settings.mapping_problem, settings.preset_title = found.problem, found.title
