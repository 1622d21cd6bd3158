# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Armature objects scaled unevenly, mirrored or sheared: limbs point right, or a sentence says what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from video_mocap.rigging.blender.retarget import Result, metric_rig, retarget_onto
from video_mocap.rigging.retarget.mapping import map_rig
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.source import take_source

from .test_retarget import open_character, person, seen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from motion_samples import library_clip, take_of

FRAMES = 90
NAME = "mpfb_game_engine"


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def onto(armature: bpy.types.Object, **chosen: object) -> Result:
    bpy.context.view_layer.update()
    slots = map_rig(metric_rig(armature)).slots
    return retarget_onto(armature, person(24), Options(**chosen), slots)  # type: ignore[arg-type]


def holder(armature: bpy.types.Object, scale: tuple[float, float, float]) -> bpy.types.Object:
    parent = bpy.data.objects.new("holder", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.scale, armature.parent = scale, parent
    return parent


def worst(done: Result) -> float:
    assert done.report.checked is not None
    return done.report.checked[1]


@pytest.mark.parametrize("scale", [(1, 1, 1.3), (1.3, 1, 1), (0.8, 1.2, 1), (-1, 1, 1.2)])
@pytest.mark.parametrize("by_parent", [False, True])
def test_limbs_point_where_the_persons_do_whatever_the_scale(
    scale: tuple[float, float, float], by_parent: bool
) -> None:
    armature = open_character(NAME)
    if by_parent:
        holder(armature, scale).rotation_euler = (0, 0, 0.5)
    else:
        armature.scale, armature.rotation_euler = scale, (0, 0, 0.5)
    assert worst(onto(armature, feet=False)) < 0.05


@pytest.mark.parametrize("scale", [(-1, 1, 1), (-2, -2, -2), (1, -1, 1)])
def test_a_mirrored_armature_moves_as_the_person_does(scale: tuple[float, float, float]) -> None:
    armature = open_character(NAME)
    armature.scale = scale
    if scale[2] < 0:
        armature.rotation_euler = (np.pi, 0, 0)
    assert worst(onto(armature, feet=False)) < 0.05


def test_standing_feet_stand_on_an_uneven_figure_too() -> None:
    armature = open_character(NAME)
    joints, fps = library_clip("tilling_s23_normal", source="snu_tillingpatch")
    source = take_source(take_of(joints[None, :FRAMES], fps), 1)
    armature.scale = (1.0, 1.0, 1.3)
    bpy.context.view_layer.update()
    slots = map_rig(metric_rig(armature)).slots
    feet = [slots[f"foot.{side}"] for side in "LR"]

    def slowest(lock: bool) -> float:
        """Metres a second of the slower foot of each frame, on average, as Blender has it."""
        done = retarget_onto(armature, source, Options(feet=lock, scene_fps=fps), slots)
        places = seen(armature, feet, range(1, 1 + FRAMES))[:, :, :3, 3]
        assert not lock or done.report.below_floor < 10
        return float(fps * np.linalg.norm(np.diff(places, axis=0), axis=-1).min(1).mean())

    free, locked = slowest(False), slowest(True)
    assert locked < 0.5 * free, (free, locked)


def test_a_figure_that_leans_by_its_scale_is_refused_with_what_to_do() -> None:
    armature = open_character(NAME)
    armature.parent = parent = bpy.data.objects.new("holder", None)
    bpy.context.scene.collection.objects.link(parent)
    armature.scale, parent.rotation_euler = (1, 1, 1.4), (0.5, 0, 0)
    with pytest.raises(ValueError, match=rf"apply the scale of {armature.name} \(Ctrl\+A\)"):
        onto(armature)
    assert not bpy.data.actions


def test_an_uneven_object_cannot_carry_the_motion() -> None:
    armature = open_character(NAME)
    armature.scale = (1, 1.3, 1)
    with pytest.raises(ValueError, match=f"apply the scale of {armature.name} "):
        onto(armature, root="object")
    armature.scale = (1, 1.005, 1)
    onto(armature, root="object")


def test_a_scale_of_zero_is_a_sentence() -> None:
    armature = open_character(NAME)
    slots = map_rig(metric_rig(armature)).slots
    armature.scale = (1, 1, 0)
    bpy.context.view_layer.update()
    with pytest.raises(ValueError, match=f"{armature.name} is flat: its scale is 0"):
        retarget_onto(armature, person(6), Options(), slots)
