# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Any animated armature as a source of motion, as Blender evaluates it: IK, constraints, drivers, NLA and all."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping

import bpy
import numpy as np

from ..retarget.anatomy import find_anatomy
from ..retarget.body import body_joints, needed_bones
from ..retarget.rig import Rig
from ..retarget.transfer import Source
from ..retarget.turns import read_turns, turning_bones
from .blocks import Block, GoneError
from .rate import scene_rate
from .retarget import metric_rig
from .retarget_check import deform_bones, evaluated
from .units import metres_per_unit

#: Seconds of evaluating after which a piece ends; each has to build its evaluation first.
_PIECE = 0.015


def armature_source(
    armature: bpy.types.Object, slots: Mapping[str, str], frames: tuple[int, int] | None = None
) -> Generator[float, None, Source]:
    """The motion of an armature over scene frames (default: those of its action), metres, from its object's origin.

    slots: slot -> bone name. A generator: yields the progress, 0..1; neither the frame that the user sees nor the rig
    is touched. Times are seconds from the first frame. Raises ValueError, in one sentence, if the armature has no
    motion, goes under way, or the mapping is no body.
    """
    if armature.data.is_editmode:
        raise ValueError(f"the bones of {armature.name} are being edited; leave Edit Mode first")
    name, home, rig = armature.name, Block("objects", armature), metric_rig(armature)
    first, last = frames or motion_range(armature)
    fps = scene_rate(armature.users_scene[0])
    skin = {**slots, **deform_bones(rig, slots)}
    bones = list(dict.fromkeys([*needed_bones(rig, skin), *turning_bones(skin)]))
    found: list[np.ndarray] = []
    while len(found) <= last - first:
        try:
            shown_by = home.get()
        except GoneError:
            raise ValueError(f"the armature {name} was removed under way") from None
        with evaluated(shown_by) as shown:
            ends = time.perf_counter() + _PIECE
            while len(found) <= last - first and (not found or time.perf_counter() < ends):
                found.append(shown.poses(first + len(found), bones))
        del shown_by
        yield len(found) / (last - first + 1)
    metres = metres_per_unit(home.get().users_scene[0])
    poses = np.array(found)
    poses[..., :3, :] *= metres
    return _source(rig, skin, bones, np.linalg.inv(rig.world) @ poses, np.arange(len(found)) / fps)


def _source(rig: Rig, slots: Mapping[str, str], bones: list[str], poses: np.ndarray, times: np.ndarray) -> Source:
    u, _, vt = np.linalg.svd(poses[..., :3, :3])
    poses[..., :3, :3] = u @ vt
    found = {bone: poses[:, row] for row, bone in enumerate(bones)}
    joints = body_joints(rig, slots, found)
    joints -= rig.world[:3, 3]
    seen = np.isfinite(joints).all(-1).astype(np.float64)
    neutral, turns = find_anatomy(rig, slots).joints, read_turns(rig, slots, found)
    return Source(joints, seen, times, neutral=neutral, turns=turns)


def motion_range(armature: bpy.types.Object) -> tuple[int, int]:
    """First and last scene frame of what moves an armature. Raises ValueError, in one sentence, if nothing does."""
    animation = armature.animation_data
    strips = [strip for track in animation.nla_tracks for strip in track.strips] if animation is not None else []
    if animation is not None and animation.action is not None:
        first, last = animation.action.frame_range
        return int(np.floor(first)), int(np.ceil(last))
    if strips:
        return int(min(one.frame_start for one in strips)), int(np.ceil(max(one.frame_end for one in strips)))
    raise ValueError(f"{armature.name} has no action and no NLA strip; choose an armature that moves")
