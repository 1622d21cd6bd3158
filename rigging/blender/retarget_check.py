# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What Blender itself makes of an armature at given frames, without moving the user's scene to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import bpy
import numpy as np

from ..retarget.report import LIMBS
from ..retarget.rig import Rig
from ..vectors import dot, unit


@contextmanager
def evaluated(armature: bpy.types.Object) -> Iterator[_Frames]:
    """The armature in a scene of its own for the time being, so that neither the user's frame nor pose changes.

    Inside one piece of work only: the scene is gone afterwards.
    """
    disabled = armature.hide_viewport
    scene = bpy.data.scenes.new("video_mocap evaluation")
    try:
        if disabled:
            # Blender does not evaluate what is disabled.
            armature.hide_viewport = False
        scene.collection.objects.link(armature)
        yield _Frames(scene, armature)
    finally:
        if disabled:
            armature.hide_viewport = True
        bpy.data.scenes.remove(scene)


class _Frames:
    def __init__(self, scene: bpy.types.Scene, armature: bpy.types.Object) -> None:
        self._scene, self._armature = scene, armature

    def poses(self, frame: float, bones: Sequence[str]) -> np.ndarray:
        """(B, 4, 4) world matrices of bones at a frame, whole or not."""
        whole = int(np.floor(frame))
        self._scene.frame_set(whole, subframe=float(frame - whole))
        graph = self._scene.view_layers[0].depsgraph
        shown = self._armature.evaluated_get(graph)
        world = np.array(shown.matrix_world)
        return np.array([world @ np.array(shown.pose.bones[name].matrix) for name in bones])


def deform_bones(rig: Rig, slots: Mapping[str, str]) -> dict[str, str]:
    """slot -> the bone that moves skin where the slot's bone starts: itself, or what a control rig has in its place."""
    heads = rig.heads
    size = float(np.ptp(heads[:, 2])) or float(np.ptp(heads)) or 1.0
    deforming = [row for row, bone in enumerate(rig.bones) if bone.deform]
    found = {}
    for slot, name in slots.items():
        row = rig.rows[name]
        if rig.bones[row].deform:
            found[slot] = name
            continue
        near = [one for one in deforming if np.linalg.norm(heads[one] - heads[row]) < 0.005 * size]
        if near:
            along = rig.bones[row].rest[:3, 1]
            best = max(near, key=lambda one: float(rig.bones[one].rest[:3, 1] @ along))
            found[slot] = rig.bones[best].name
    return found


def limb_angles(
    armature: bpy.types.Object, bones: Mapping[str, str], frames: Sequence[float], wanted: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Degrees between limbs as Blender poses them and `wanted`, slot -> (G, 3) unit vectors at `frames` (G,)."""
    names = list(dict.fromkeys(bones.values()))
    with evaluated(armature) as shown:
        heads = np.array([shown.poses(frame, names)[:, :3, 3] for frame in frames])
    angles = []
    for slot, directions in wanted.items():
        end = LIMBS[slot][0]
        if slot in bones and end in bones:
            along = unit(heads[:, names.index(bones[end])] - heads[:, names.index(bones[slot])])
            angles.append(np.degrees(np.arccos(np.clip(dot(along, directions), -1, 1))))
    every = np.concatenate(angles) if angles else np.empty(0)
    return every[np.isfinite(every)]
