# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A take as a whole Blender file of its own: its people, its camera, its frame rate and range."""

from __future__ import annotations

import bpy

from ..prepare import prepare
from ..take import Take
from .add import add_take
from .footage import play_rate
from .parts import TakeObjects
from .rate import match_scene, set_rate

#: Width by height of a 3D view in the layouts that Blender starts with, about.
_VIEW_ASPECT = 1.7


def build_scene(
    take: Take, name: str, people: list[int] | None = None, clip: bpy.types.MovieClip | None = None
) -> TakeObjects:
    """Fill the current scene with a take and make the scene the take's: rate, range, resolution, camera, view.

    people: whom to show, everybody without. clip: what to put behind the scene in the camera's view
    (`footage.load_footage`); the scene then runs at the clip's rate, else at the take's.
    """
    scene = bpy.context.scene
    fps = play_rate(clip, take.fps) if clip is not None else take.fps
    set_rate(scene, fps)
    scene.unit_settings.system = "METRIC"
    pieces = add_take(scene, prepare(take, fps, people=people), name, clip)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            made: TakeObjects = end.value
            break
    match_scene(scene, take, made.collection)
    layer = bpy.context.view_layer.layer_collection.children.get(made.collection.name)
    if layer is not None:
        bpy.context.view_layer.active_layer_collection = layer
    for rig in made.rigs.values():
        bpy.context.view_layer.objects.active = rig
        break
    scene.frame_set(scene.frame_start)
    _look_through_camera(scene)
    return made


def _look_through_camera(scene: bpy.types.Scene) -> None:
    """Turn every 3D view of the file to the camera, so that it opens on the whole picture of the footage."""
    render = scene.render
    tall = render.resolution_y * render.pixel_aspect_y / (render.resolution_x * render.pixel_aspect_x)
    # The part of the view's width that the picture takes; views are about 1.7 times as wide as high.
    share = min(0.9, 0.9 / (_VIEW_ASPECT * tall))
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                region = area.spaces.active.region_3d
                region.view_perspective = "CAMERA"
                # Blender's zoom z makes it (sqrt(2) + z / 50)^2 / 4.
                region.view_camera_zoom = 50 * (2 * share**0.5 - 2**0.5)
