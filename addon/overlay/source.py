# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Which take is drawn, where and at which moment: reads the scene, the 3D view and the clip editor; changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...rigging.blender.footage import play_rate
from ...rigging.blender.parts import PARTS
from .mapping import Placement, camera_placement, clip_placement, clip_time, to_region


def active_take(scene: bpy.types.Scene) -> Any | None:
    """The active TakeItem of a scene that wants its overlay drawn, else None."""
    settings = getattr(scene, "video_mocap", None)
    if settings is None or not settings.show_overlay:
        return None
    if not 0 <= settings.active_take < len(settings.takes):
        return None
    return settings.takes[settings.active_take]


def take_file(item: Any) -> str:
    """The absolute path of a take's file, also where the .blend holds it relative to itself."""
    return bpy.path.abspath(item.filepath) if item.filepath else ""


def view_camera(space: bpy.types.SpaceView3D, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera that a 3D view looks through when it is in the camera view."""
    return space.camera if space.use_local_camera else scene.camera


def take_camera(item: Any) -> bpy.types.Object | None:
    """The footage camera of a take; None if it was deleted."""
    if item.collection is None:
        return None
    if PARTS in item.collection:
        camera = item.collection[PARTS].get("camera")
        return camera if isinstance(camera, bpy.types.Object) else None
    return next((found for found in item.collection.all_objects if found.type == "CAMERA"), None)


def footage_behind(camera: bpy.types.Object) -> tuple[bpy.types.MovieClip | None, str]:
    """The clip behind a camera's view and how it fills the frame (STRETCH, FIT, CROP); no clip: it would be CROP."""
    for image in camera.data.background_images:
        if image.source == "MOVIE_CLIP" and image.clip is not None:
            return image.clip, image.frame_method
    return None, "CROP"


def place_in_camera_view(
    region: bpy.types.Region,
    view: bpy.types.RegionView3D,
    camera: bpy.types.Object,
    scene: bpy.types.Scene,
    image_size: tuple[float, float],
) -> Placement | None:
    """Where the footage lies in a 3D view that looks through `camera`: shift, zoom and offset of the view included."""
    frame = np.array([tuple(corner) for corner in camera.data.view_frame(scene=scene)])
    corners = to_region(frame, np.array(view.window_matrix), (region.width, region.height))
    clip, method = footage_behind(camera)
    aspect = clip.display_aspect[0] / clip.display_aspect[1] if clip is not None else 1.0
    return camera_placement(corners, image_size, method, aspect)


def place_in_clip_editor(region: bpy.types.Region, image_size: tuple[float, float]) -> Placement | None:
    """Where the footage lies in a clip editor's region."""
    low = region.view2d.region_to_view(0, 0)
    high = region.view2d.region_to_view(region.width, region.height)
    return clip_placement(low, high, (region.width, region.height), image_size)


def is_footage_of(clip: bpy.types.MovieClip, item: Any) -> bool:
    """A clip shows what a take was captured from: it lies behind the take's camera, or it is the same file."""
    camera = take_camera(item)
    if camera is not None and footage_behind(camera)[0] == clip:
        return True
    if not item.footage or not clip.filepath:
        return False
    shown, captured = Path(bpy.path.abspath(clip.filepath)), Path(bpy.path.abspath(item.footage))
    # The images of a sequence stand for each other, and their folder for all of them.
    return shown == captured or (clip.source == "SEQUENCE" and shown.parent in (captured, captured.parent))


def clip_moment(clip: bpy.types.MovieClip, frame: int, fps: float) -> float:
    """Seconds from the footage's first frame to what a clip shows at a frame. fps: the take's nominal rate."""
    return clip_time(frame, clip.frame_start, clip.frame_offset, play_rate(clip, fps))


def scene_moment(scene: bpy.types.Scene, start_frame: int) -> float:
    """Seconds from the footage's first frame, which lies at start_frame, to the scene's current frame."""
    return (scene.frame_current - start_frame) * scene.render.fps_base / scene.render.fps


def moment_frame(scene: bpy.types.Scene, start_frame: int, moment: float) -> int:
    """The scene frame nearest to a moment, seconds from the footage's first frame, which lies at start_frame."""
    return start_frame + round(moment * scene.render.fps / scene.render.fps_base)
