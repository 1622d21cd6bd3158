# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The scene takes the footage's rate, size, range and camera; every take in it stays in step."""

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
    """Match a scene to a take of its list."""
    path = absolute(item.filepath)
    collection = item.collection.name
    start = int(item.collection.get("video_mocap_start_frame", 1))
    origin = Origin(item.name, path)
    origin.take_scene(scene)
    before = scene.render.fps, scene.render.fps_base

    def build(take: Take) -> Generator[Any, Any, None]:
        found = origin.find_scene()
        for other in take_collections(found):
            check_local(other, f'the take "{other.name}"')
        match_scene(found, take, bpy.data.collections[collection], start)
        try:
            for name in [other.name for other in take_collections(found)]:
                if not is_timed_for(bpy.data.collections[name], origin.find_scene()):
                    yield from retime(origin.find_scene(), bpy.data.collections[name])
        except GeneratorExit:
            render = origin.find_scene().render
            render.fps, render.fps_base = before
            raise

    def finished(problem: str | None) -> None:
        if problem is not None:
            session.get().problem = problem

    chore = Chore("Matching the scene", "Match Scene", lambda: read_take(path), build, (collection,), finished)
    session.do(chore)
    return chore
