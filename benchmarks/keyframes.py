# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes per second: `rigging.blender.action` against `keyframe_insert`.

    python benchmarks/keyframes.py [FRAMES] [BONES]

Writes the same rotations (1000 frames of 20 bones by default: 80 000 keys) both ways and prints times and ratio.
"""

from __future__ import annotations

import os
import sys
import time

import bpy
import numpy as np
from video_mocap.rigging.blender.action import new_action, write_curves
from video_mocap.rigging.blender.armature import build_armature
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.rotations import segment_rotations
from video_mocap.rigging.skeleton import rest_skeleton


def curves(rig: bpy.types.Object, frames: np.ndarray, rotations: np.ndarray) -> float:
    """Seconds to write (F, B, 4) rotations the fast way."""
    begin = time.perf_counter()
    holder = new_action(rig, "fast")
    for row, bone in enumerate(rig.pose.bones.keys()[: rotations.shape[1]]):
        write_curves(holder, f'pose.bones["{bone}"].rotation_quaternion', frames, rotations[:, row], bone)
    return time.perf_counter() - begin


def inserts(rig: bpy.types.Object, frames: np.ndarray, rotations: np.ndarray) -> float:
    """Seconds to write them by `keyframe_insert`."""
    rig.animation_data_clear()
    begin = time.perf_counter()
    for row, bone in enumerate(list(rig.pose.bones)[: rotations.shape[1]]):
        for frame, rotation in zip(frames.tolist(), rotations[:, row].tolist(), strict=True):
            bone.rotation_quaternion = rotation
            bone.keyframe_insert("rotation_quaternion", frame=frame)
    return time.perf_counter() - begin


def main(arguments: list[str]) -> None:
    """Measure and print."""
    count, bones = (int(text) for text in (arguments + ["1000", "20"][len(arguments) :]))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    nobody = np.full((1, len(TAKE), 3), np.nan)
    rig = build_armature(rest_skeleton(nobody, segment_rotations(nobody)), "rig", bpy.context.scene.collection)
    rotations = np.random.default_rng(0).normal(size=(count, min(bones, len(rig.pose.bones)), 4))
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    frames = np.arange(1.0, count + 1)
    fast = min(curves(rig, frames, rotations) for _ in range(3))
    slow = inserts(rig, frames, rotations)
    keys = rotations.size
    print(f"Blender {bpy.app.version_string}, {keys} keys: {fast:.4f} s; keyframe_insert {slow:.3f} s")
    print(f"ratio {slow / fast:.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
