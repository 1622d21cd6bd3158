# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Scene and takes in step: the scene takes the footage's rate, or the takes follow the rate that the scene has."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bpy

from ...rigging.blender.parts import check_local, take_collections
from ...rigging.blender.rate import is_timed_for, match_scene
from ...rigging.blender.retime import retime
from ...rigging.take import Take, read_take
from .. import session
from ..chores import Chore
from ..properties import TakeItem
from .origin import Origin
from .request import absolute


def match(scene: bpy.types.Scene, item: TakeItem) -> Chore:
    """Give a scene rate, size, range and camera of a take's footage; every take in it follows."""
    path = absolute(item.filepath)
    collection = item.collection.name
    start = int(item.collection.get("video_mocap_start_frame", 1))
    origin = Origin(item.name, path)
    origin.take_scene(scene)

    def build(take: Take) -> Generator[Any, Any, None]:
        render = origin.find_scene().render
        before = render.fps, render.fps_base
        _check(origin.find_scene())
        match_scene(origin.find_scene(), take, bpy.data.collections[collection], start)
        try:
            yield from _follow(origin)
        except GeneratorExit:
            # It begins again later, and has to see the old rate then.
            render = origin.find_scene().render
            render.fps, render.fps_base = before
            raise

    return _begin(Chore("Matching the scene", "Match Scene", lambda: read_take(path), build, (collection,), _told))


def follow_rate(scene: bpy.types.Scene) -> Chore:
    """Bring the takes of a scene to the frame rate that it has now."""
    origin = Origin("", absolute(""))
    origin.take_scene(scene)

    def build(_nothing: None) -> Generator[Any, Any, None]:
        _check(origin.find_scene())
        yield from _follow(origin)

    names = tuple(found.name for found in take_collections(scene))
    return _begin(Chore("Following the frame rate", "Follow Frame Rate", lambda: None, build, names, _told))


def _begin(chore: Chore) -> Chore:
    session.do(chore)
    return chore


def _check(scene: bpy.types.Scene) -> None:
    for found in take_collections(scene):
        check_local(found, f'the take "{found.name}"')


def _follow(origin: Origin) -> Generator[Any, Any, None]:
    for name in [found.name for found in take_collections(origin.find_scene())]:
        if not is_timed_for(bpy.data.collections[name], origin.find_scene()):
            yield from retime(origin.find_scene(), bpy.data.collections[name])


def _told(problem: str | None) -> None:
    if problem is not None:
        session.get().problem = problem
