# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Characters without hands and feet, from the file to the keys."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
import pytest
from video_mocap.rigging.blender.retarget import metric_rig, retarget_onto
from video_mocap.rigging.blender.retarget_source import armature_source
from video_mocap.rigging.retarget.mapping import map_rig
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.report import limb_directions
from video_mocap.rigging.vectors import unit

from .test_retarget import curves, open_character, person, seen, slots_of

NAME = "mpfb_game_engine"


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def short() -> bpy.types.Object:
    """A character whose hands and feet, with all that hangs from them, are gone."""
    armature = open_character(NAME)
    slots = slots_of(NAME)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for last, end in (("forearm", "hand"), ("shin", "foot")):
        for side in "LR":
            gone = bones[slots[f"{end}.{side}"]]
            bones[slots[f"{last}.{side}"]].tail = gone.head
            for bone in [*gone.children_recursive, gone]:
                bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


@pytest.mark.parametrize("root", ["hips", "object"])
def test_forearms_and_shins_follow_the_person_as_blender_poses_them(root: str) -> None:
    armature = short()
    mapping = map_rig(metric_rig(armature))
    source = person()
    done = retarget_onto(armature, source, Options(root=root, feet=False), mapping.slots)
    ends = {f"{part}.{side}" for part in ("forearm", "shin") for side in "LR"}
    wanted = limb_directions(source, source.times, dict.fromkeys(ends, ""))
    poses = seen(armature, [mapping.slots[slot] for slot in sorted(ends)])
    for number, slot in enumerate(sorted(ends)):
        off = np.degrees(np.arccos(np.clip((unit(poses[:, number, :3, 1]) * wanted[slot]).sum(-1), -1, 1)))
        assert off.max() < 0.1, slot
    names = {one.data_path.split('"')[1] for one in curves(done.action) if '"' in one.data_path}
    assert names <= set(armature.data.bones.keys())
    assert "hand.L" in done.report.unmapped


def test_it_is_no_source_and_says_why() -> None:
    armature = short()
    mapping = map_rig(metric_rig(armature))
    retarget_onto(armature, person(12), Options(), mapping.slots)
    with pytest.raises(ValueError, match="has no bone for hands, feet"):
        list(armature_source(armature, mapping.slots))
