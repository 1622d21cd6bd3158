# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A take as a Blender scene: its people, its camera, its frame rate and range."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np

from ..skeleton import Motion
from ..take import Take
from .action import scene_frames, write_motion
from .armature import build_armature
from .body import build_body
from .camera import build_camera, set_resolution, show_footage


def build_scene(take: Take, motions: list[Motion], name: str, footage: Path | None = None) -> bpy.types.Collection:
    """Fill the current scene with a take; returns the new collection "Take <name>".

    motions: one per person to show (`rigging.solve.solve`). footage: what to put behind the scene in the camera's view.
    Raises ValueError, in one sentence, if Blender cannot load the footage.
    """
    scene = bpy.context.scene
    set_rate(scene, take.fps)
    set_resolution(scene, take)
    scene.unit_settings.system = "METRIC"
    collection = bpy.data.collections.new(f"Take {name}")
    scene.collection.children.link(collection)
    collection["video_mocap_take"] = json.dumps(take.metadata, sort_keys=True)

    for motion in motions:
        rig = build_armature(motion.skeleton, f"Person {motion.person}", collection)
        build_body(rig, motion.skeleton, collection)
        write_motion(rig, motion, f"{name} {motion.person}", take.fps)
        rig["video_mocap_person"] = motion.person
        rig["video_mocap_seen"] = f"{int(motion.observed.sum())} of {len(motion.observed)} frames"

    camera = build_camera(take, "Footage camera", collection, take.fps)
    scene.camera = camera
    if footage is not None:
        show_footage(camera, footage)
    frames = scene_frames(take.times, take.fps)
    scene.frame_start, scene.frame_end = int(np.floor(frames[0])), int(np.ceil(frames[-1]))
    scene.frame_set(scene.frame_start)
    _look_through_camera()
    return collection


def set_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Set the scene's frame rate; 29.97 becomes 30 / 1.001."""
    whole = max(1, round(fps))
    scene.render.fps = whole
    scene.render.fps_base = whole / fps


def _look_through_camera() -> None:
    """Turn every 3D view of the file to the camera, so that it opens on the footage."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                area.spaces.active.region_3d.view_perspective = "CAMERA"
