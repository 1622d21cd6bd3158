# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Asks the engine for captures: of footage, and of takes that are to be lifted or refined again."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ...rigging.blender.rate import scene_rate
from .. import session
from ..chores import Chore
from ..engine.footage import Footage
from ..properties import SceneSettings, TakeItem
from . import footage, orders, request
from .clip_lens import is_distorted
from .known_camera import known_camera
from .origin import Origin


def capture(scene: bpy.types.Scene) -> str:
    """Capture what the panel of a scene says; returns the tag of the job.

    Raises ValueError or NotReadyError, with one sentence that says what to do.
    """
    settings = scene.video_mocap
    problem = request.problem(settings)
    if problem:
        raise ValueError(problem)
    session.engine()
    found = footage.resolve(scene)
    options = request.options(settings)
    options |= {name: value for name, value in (("start", found.start), ("end", found.end)) if value is not None}
    origin = Origin(
        found.name,
        request.new_take_path(found.name, session.get().promised()),
        footage=str(found.path),
        clip=found.clip,
        start_frame=found.start_frame,
    )
    tag = _submit(scene, origin, found, options)
    session.get().note = _note(settings)
    return tag


def _note(settings: SceneSettings) -> str | None:
    """What the capture does not know of the lens, one sentence."""
    lens = request.lens_of_clip(settings)
    if lens is not None:
        return lens.note
    if settings.footage_source == "CLIP" and settings.lens == "AUTO" and is_distorted(settings.clip):
        return f'The lens of "{settings.clip.name}" bends straight lines: choose Movie Clip as Lens to take that out'
    return None


def again(scene: bpy.types.Scene, item: TakeItem, keep_lifter: bool) -> str:
    """Make a new take from the keypoints of a take, with the panel's choices; returns the tag of the job.

    keep_lifter: only the refinement is done again. Raises ValueError or NotReadyError.
    """
    session.engine()
    source = request.absolute(item.filepath)
    if not source.is_file():
        raise ValueError(f"{source} is not there any more")
    options = _for_a_take(request.options(scene.video_mocap)) | orders.option(item)
    if keep_lifter and item.lifter:
        options["lifter"] = item.lifter
    name = f"{item.name} {'refined' if keep_lifter else 'lifted'}"
    origin = Origin(
        name,
        request.new_take_path(name, session.get().promised()),
        footage=str(request.absolute(item.footage)) if item.footage else "",
        clip=item.clip,
        names={person.person_id: person.name for person in item.people},
    )
    if item.collection is not None:
        origin.start_frame = int(item.collection.get("video_mocap_start_frame", 1))
    found = footage.FootageChoice(
        (source,),
        Path(origin.footage),
        name,
        end=item.frames / item.fps if item.fps > 0 else None,
        clip=item.clip,
        start_frame=origin.start_frame,
        scene_fps=scene_rate(scene),
    )
    return _submit(scene, origin, found, options)


def _submit(scene: bpy.types.Scene, origin: Origin, found: footage.FootageChoice, options: dict[str, Any]) -> str:
    """Send a capture off, after what has to be looked up of its camera in pieces."""
    origin.take_scene(scene)
    tag = session.expect(origin)
    asked = Footage(found.files)
    if scene.video_mocap.lens != "CAMERA":
        session.submit(tag, asked, options)
        return tag

    def build(_nothing: None) -> Generator[Any, Any, None]:
        camera = yield from known_camera(origin.find_scene(), found, origin.take_path)
        session.submit(tag, asked, options, camera)

    def finished(problem: str | None) -> None:
        if problem is not None:
            session.get().origins.pop(tag, None)
            session.get().problem = problem

    session.do(Chore("Following the camera", "", lambda: None, build, finished=finished), origin)
    return tag


def _for_a_take(options: dict[str, Any]) -> dict[str, Any]:
    """Without what is about finding people, which the take has done, and what is in front in other takes."""
    others = ("start", "end", "max_persons", "stitch", "in_front")
    return {name: value for name, value in options.items() if name not in others}
