# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""An animated armature as a BVH as other programs expect it: Blender's own exporter leaves out what the object does."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from .. import quaternions
from ..bvh import bvh_text
from ..retarget.rig import Rig
from ..rotations import SEGMENT_PARENTS, SEGMENTS
from ..skeleton import Motion, Skeleton
from .retarget_check import deform_bones, evaluated


def character_bvh(armature: bpy.types.Object, rig: Rig, slots: Mapping[str, str], frames: list[int], fps: float) -> str:
    """The text of the file: the bones from the hips on that move skin, at whole scene frames.

    Of a control rig, whose skin's bones hang from its machinery, those of the body's slots.
    """
    names, parents = _bones(rig, slots)
    skeleton = _skeleton(rig, names, parents)
    with evaluated(armature) as shown:
        poses = np.array([shown.poses(frame, names) for frame in frames])
    to_metres = rig.world[:3, :3] @ np.linalg.inv(np.array(armature.matrix_world)[:3, :3])
    u, _, vt = np.linalg.svd(poses[..., :3, :3])
    turns = u @ vt @ np.swapaxes(skeleton.frames, -1, -2)
    relative = turns.copy()
    for row, parent in enumerate(parents):
        if parent >= 0:
            relative[:, row] = np.swapaxes(turns[:, parent], -1, -2) @ turns[:, row]
    local = np.swapaxes(skeleton.frames, -1, -2) @ relative @ skeleton.frames
    motion = Motion(
        person=1,
        skeleton=skeleton,
        fps=fps,
        times=np.arange(len(frames)) / fps,
        rotations=quaternions.continuous(quaternions.from_matrix(local)),
        root_translation=poses[:, 0, :3, 3] @ to_metres.T - skeleton.heads[0],
        observed=np.ones(len(frames), bool),
    )
    return bvh_text(motion)


def _bones(rig: Rig, slots: Mapping[str, str]) -> tuple[list[str], tuple[int, ...]]:
    deform = deform_bones(rig, slots)
    if all(deform.get(slot) == name for slot, name in slots.items() if slot != "root"):
        rows = [rig.rows[slots["hips"]]]
        for row in rows:
            rows += [child for child in rig.children[row] if rig.bones[child].deform]
        return [rig.bones[row].name for row in rows], tuple(
            rows.index(rig.bones[row].parent) if number else -1 for number, row in enumerate(rows)
        )
    found = {slot: deform[slot] for slot in SEGMENTS if slot in deform}
    parents = []
    for slot in found:
        above = SEGMENT_PARENTS[SEGMENTS.index(slot)]
        while above >= 0 and SEGMENTS[above] not in found:
            above = SEGMENT_PARENTS[above]
        parents.append(list(found).index(SEGMENTS[above]) if above >= 0 else -1)
    return list(found.values()), tuple(parents)


def _skeleton(rig: Rig, names: list[str], parents: tuple[int, ...]) -> Skeleton:
    rows = [rig.rows[name] for name in names]
    frames = np.array([rig.turn @ rig.bones[row].rest[:3, :3] for row in rows])
    return Skeleton(tuple(names), parents, rig.heads[rows], rig.tails[rows], frames, np.zeros((26, 3)))
