# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The footage's camera in Blender."""

from __future__ import annotations

import bpy

from .. import quaternions
from ..prepare import camera_animation, camera_poses
from ..take import Take
from .action import new_action, write_curves

_SENSOR_WIDTH = 36.0


def set_resolution(scene: bpy.types.Scene, take: Take) -> None:
    """Make the render the size of the footage; different focal lengths along x and y become the pixel aspect."""
    render = scene.render
    render.resolution_x, render.resolution_y = (int(size) for size in take.image_size)
    render.resolution_percentage = 100
    aspect = float(take.intrinsics[0, 0] / take.intrinsics[1, 1])
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1 / aspect), max(1.0, aspect)


def build_camera(
    take: Take, name: str, collection: bpy.types.Collection | None, fps: float | None = None
) -> bpy.types.Object:
    """A camera object that sees the world as the footage's camera did in the take's first frame.

    Pixels have their origin at the top-left corner of the top-left pixel. A principal point off the middle becomes the
    lens shift, in widths of the image whatever its shape, because the fit is HORIZONTAL. A moving camera is keyed
    here if `fps` is given, the scene's rate; `add.add_take` does it in pieces.
    """
    width, height = (float(size) for size in take.image_size)
    k = take.intrinsics
    data = bpy.data.cameras.new(name)
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = _SENSOR_WIDTH
    data.lens = float(k[0, 0]) * _SENSOR_WIDTH / width
    data.shift_x = (width / 2 - float(k[0, 2])) / width
    data.shift_y = (float(k[1, 2]) - height / 2) * float(k[0, 0] / k[1, 1]) / width
    data.clip_start, data.clip_end = 0.01, 1000.0
    data.display_size = 0.3
    data.show_passepartout = True
    camera = bpy.data.objects.new(name, data)
    if collection is not None:
        collection.objects.link(camera)
    poses = camera_poses(take)
    camera.rotation_mode = "QUATERNION"
    camera.location = poses[0, :3, 3].tolist()
    camera.rotation_quaternion = quaternions.from_matrix(poses[0, :3, :3]).tolist()
    if fps is not None and len(poses) > 1:
        animation = camera_animation(poses, take.times, fps)
        holder = new_action(camera, name)
        for channel in animation.channels:
            write_curves(holder, channel.path, animation.frames, channel.values, channel.group)
    return camera
