# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A scene's rate and a take's: whether they fit, and what to do where they do not."""

from __future__ import annotations

from typing import Any

import bpy

from ..take import Take
from ..timing import same_rate, scene_frames
from .camera import set_resolution
from .footage import fit_footage, play_rate
from .parts import RATE, check_local, take_objects


def scene_rate(scene: bpy.types.Scene) -> float:
    """Frames per second of a scene."""
    return scene.render.fps / scene.render.fps_base


def set_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene's frame rate; 29.97 becomes 30 / 1.001."""
    whole = max(1, round(fps))
    scene.render.fps = whole
    scene.render.fps_base = whole / fps


def is_timed_for(collection: bpy.types.Collection, scene: bpy.types.Scene) -> bool:
    """Whether a take's keys were written for the rate that the scene has now; otherwise `retime.retime` it."""
    return same_rate(float(collection.get(RATE, 0.0)), scene_rate(scene))


def match_scene(scene: bpy.types.Scene, take: Take, collection: bpy.types.Collection, start_frame: int = 1) -> None:
    """Give a scene the footage's rate, the picture's size, the take's range and its camera.

    At the footage's own rate every frame of the scene is a frame of the footage. The take, and every other one in the
    scene, has to be retimed afterwards (`is_timed_for`). Raises ValueError, in one sentence, for a linked scene.
    """
    check_local(scene, f'the scene "{scene.name}"')
    shown = take_objects(collection)
    fps = play_rate(shown.clip, take.fps) if shown.clip is not None else take.fps
    set_rate(scene, fps)
    set_resolution(scene, take)
    frames = scene_frames(take.times[[0, -1]], fps, start_frame)
    scene.frame_start, scene.frame_end = max(0, round(frames[0])), max(0, round(frames[1]))
    if shown.camera is not None:
        scene.camera = shown.camera
        fit_footage(shown.camera, take, scene)


def update_view_layer(scene: bpy.types.Scene) -> None:
    """Evaluate the scene as it is shown in a window, or its first view layer."""
    manager: Any = bpy.context.window_manager
    for window in manager.windows if manager else ():
        if window.scene == scene:
            window.view_layer.update()
            return
    scene.view_layers[0].update()
