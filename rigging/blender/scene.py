# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A take as a Blender scene: its people, its camera, its frame rate and range."""

from __future__ import annotations

import json

import bpy

from ..skeleton import Motion
from ..take import Take
from .action import on_whole_frames, scene_frames, write_motion
from .armature import build_armature
from .body import build_body
from .camera import build_camera, set_resolution
from .footage import play_rate, show_footage

#: Width by height of a 3D view in the layouts that Blender starts with, about.
_VIEW_ASPECT = 1.7


def build_scene(
    take: Take, motions: list[Motion], name: str, clip: bpy.types.MovieClip | None = None
) -> bpy.types.Collection:
    """Fill the current scene with a take; returns the new collection "Take <name>".

    motions: one per person to show (`rigging.solve.solve`). clip: what to put behind the scene in the camera's view
    (`footage.load_footage`); the scene then runs at the clip's rate, else at the take's.
    """
    scene = bpy.context.scene
    fps = play_rate(clip, take.fps) if clip is not None else take.fps
    set_rate(scene, fps)
    set_resolution(scene, take)
    scene.unit_settings.system = "METRIC"
    collection = bpy.data.collections.new(f"Take {name}")
    scene.collection.children.link(collection)
    layer = bpy.context.view_layer.layer_collection.children.get(collection.name)
    if layer is not None:
        bpy.context.view_layer.active_layer_collection = layer
    collection["video_mocap_take"] = json.dumps(take.metadata, sort_keys=True)

    rigs = []
    for motion in motions:
        rig = build_armature(motion.skeleton, f"Person {motion.person}", collection)
        build_body(rig, motion.skeleton, collection)
        write_motion(rig, on_whole_frames(motion, fps), f"{name} {motion.person}", fps)
        rig["video_mocap_person"] = motion.person
        rig["video_mocap_seen"] = f"{int(motion.observed.sum())} of {len(motion.observed)} frames"
        rigs.append(rig)
    if rigs:
        bpy.context.view_layer.objects.active = rigs[0]

    camera = build_camera(take, "Footage camera", collection, fps)
    scene.camera = camera
    if clip is not None:
        show_footage(camera, clip)
    frames = scene_frames(take.times[[0, -1]], fps)
    scene.frame_start, scene.frame_end = round(frames[0]), round(frames[1])
    scene.frame_set(scene.frame_start)
    _look_through_camera(scene)
    return collection


def set_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene's frame rate; 29.97 becomes 30 / 1.001."""
    whole = max(1, round(fps))
    scene.render.fps = whole
    scene.render.fps_base = whole / fps


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
