# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Rigs whose bones are scaled in the pose, as glTF files bring them, walk as far and as exactly as others."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from video_mocap.rigging.blender.retarget import metric_rig, retarget_onto
from video_mocap.rigging.retarget.mapping import map_rig
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.rig import Rig
from video_mocap.rigging.retarget.source import take_source

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from motion_samples import take_of, walk
from rigs import SLOTS, make_rig


def armature(scale: float, shrunk: float = 1.0) -> bpy.types.Object:
    """A person `shrunk` times as large at rest, with a bone on the floor that is scaled in the pose."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = make_rig(seed=2, knees=8)
    shown = bpy.data.objects.new("hero", bpy.data.armatures.new("hero"))
    bpy.context.scene.collection.objects.link(shown)
    bpy.context.view_layer.objects.active = shown
    bpy.ops.object.mode_set(mode="EDIT")
    root = shown.data.edit_bones.new("floor")
    root.tail = (0, 0.1 * shrunk, 0)
    for bone in rig.bones:
        made = shown.data.edit_bones.new(bone.name)
        head = bone.rest[:3, 3] * shrunk
        made.head, made.tail = head, head + bone.rest[:3, 1] * bone.length * shrunk
        made.parent = root if bone.parent < 0 else shown.data.edit_bones[rig.bones[bone.parent].name]
    bpy.ops.object.mode_set(mode="OBJECT")
    shown.pose.bones["floor"].scale = (scale,) * 3
    bpy.context.view_layer.update()
    return shown


def walked(shown: bpy.types.Object, feet: bool) -> tuple[float, tuple[float, float]]:
    """(metres between the hips on the first and on the last frame, degrees of the limbs as Blender has them)."""
    source = take_source(take_of(walk()[None], 24.0), 1)
    done = retarget_onto(shown, source, Options(scene_fps=24.0, feet=feet), SLOTS)
    places = []
    for frame in done.report.frames:
        bpy.context.scene.frame_set(int(frame))
        places.append(np.array(shown.matrix_world @ shown.pose.bones[SLOTS["hips"]].head))
    assert done.report.checked is not None
    return float(np.linalg.norm(places[1] - places[0])), done.report.checked


@pytest.mark.parametrize("feet", [False, True])
def test_a_figure_that_its_first_bone_makes_large(feet: bool) -> None:
    plain, wanted = walked(armature(1.0), feet)
    scaled, angles = walked(armature(100.0, 0.01), feet)
    assert scaled == pytest.approx(plain, rel=1e-3)
    assert angles == pytest.approx(wanted, abs=0.05)


def test_a_scaled_bone_is_no_root() -> None:
    """Its location counts in its parent's size, not in its own."""
    plain, scaled = (map_rig(renamed(metric_rig(armature(scale)), "b_", "")).slots for scale in (1.0, 100.0))
    assert plain["root"] == "floor"
    assert scaled == {slot: bone for slot, bone in plain.items() if slot != "root"}


def renamed(rig: Rig, old: str, new: str) -> Rig:
    return replace(rig, bones=tuple(replace(bone, name=bone.name.replace(old, new)) for bone in rig.bones))


def test_a_single_scaled_bone_is_taken_at_its_rest_size() -> None:
    shown = armature(1.0)
    shown.pose.bones[SLOTS["head"]].scale = (1.5, 1.0, 1.2)
    bpy.context.view_layer.update()
    rig = metric_rig(shown)
    basis = rig.bones[rig.rows[SLOTS["head"]]].basis
    assert basis is not None
    assert np.linalg.norm(basis[:3, :3], axis=0) == pytest.approx(np.ones(3), abs=1e-6)
    assert rig.size == pytest.approx(1.0, abs=1e-6)
