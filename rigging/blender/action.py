# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Keyframes without per-key Python: one action, one slot, one channelbag for an object.

Works on the action API of Blender 4.2 and 4.3 (flat), 4.4 and 4.5 (slots, flat still there) and 5.x (slots only).
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..skeleton import Motion
from ..solve import resample


def scene_frames(times: np.ndarray, fps: float) -> np.ndarray:
    """Scene frames of times in seconds: the first frame of the footage is frame 1; frames may be fractional.

    Frames within a fiftieth of whole ones are rounded: rates like 29.97 are themselves rounded.
    """
    frames = 1 + np.asarray(times, np.float64) * fps
    whole = np.round(frames)
    return whole if np.abs(frames - whole).max(initial=0.0) < 0.02 else frames


def on_whole_frames(motion: Motion, fps: float) -> Motion:
    """The motion at every whole scene frame from its first to its last; the same motion if it is so already.

    An animator edits keys on whole frames. Footage of a variable rate has its frames between them: the motion is
    interpolated there, at its true speed. A whole frame counts as observed if the frame of the footage next to it is.
    """
    frames = scene_frames(motion.times, fps)
    if (frames == np.round(frames)).all():
        return motion
    whole = np.arange(round(frames[0]), round(frames[-1]) + 1)
    return resample(motion, (whole - 1) / fps)


def new_action(owner: bpy.types.Object, name: str) -> Any:
    """Give an object a new action; return what holds its F-curves: the action before 4.4, the slot's channelbag since.

    The object must be in a view layer that was updated: Blender 4.5 and 5.2 crash otherwise.
    """
    animation = owner.animation_data or owner.animation_data_create()
    action = bpy.data.actions.new(name)
    if not hasattr(action, "slots"):
        animation.action = action
        return action
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    animation.action = action
    # Without this the action is assigned but nothing moves.
    animation.action_slot = slot
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def write_curves(
    holder: Any, path: str, frames: np.ndarray, values: np.ndarray, group: str, interpolation: str = "LINEAR"
) -> None:
    """One F-curve per column of `values` (F, C) with keys at `frames` (F,). RuntimeError where one already is."""
    group_of = holder.groups.get(group) or holder.groups.new(group)
    code = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items[interpolation].value
    codes = np.full(len(frames), code, np.int32)
    points = np.empty((len(frames), 2), np.float32)
    points[:, 0] = frames
    for index in range(values.shape[1]):
        curve = holder.fcurves.new(path, index=index)
        curve.group = group_of
        points[:, 1] = values[:, index]
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", points.ravel())
        curve.keyframe_points.foreach_set("interpolation", codes)
        curve.update()


def write_motion(rig: bpy.types.Object, motion: Motion, name: str, fps: float) -> None:
    """Key a motion on the armature that `armature.build_armature` made of its skeleton.

    A key on every frame in which the person was seen; what lies between is Blender's interpolation. `fps`: the scene's.
    """
    holder = new_action(rig, name)
    seen = motion.observed
    frames = scene_frames(motion.times, fps)[seen]
    skeleton = motion.skeleton
    for row, bone in enumerate(skeleton.names):
        path = f'pose.bones["{bone}"].'
        if skeleton.parents[row] < 0:
            location = motion.root_translation[seen] @ skeleton.frames[row]
            write_curves(holder, path + "location", frames, location, bone)
        write_curves(holder, path + "rotation_quaternion", frames, motion.rotations[seen, row], bone)
