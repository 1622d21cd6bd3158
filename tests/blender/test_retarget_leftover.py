# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A pose that the animator's hand or an earlier action left on a character does not displace the motion."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
import pytest
from video_mocap.rigging.blender.retarget import retarget_in_pieces, retarget_onto
from video_mocap.rigging.retarget.options import Options

from .test_retarget import controls_of, curves, open_character, person, seen, slots_of

NAMES = ["plain_stick", "mpfb_rigify"]
PLACE = (0.1, -0.2, 0.05)


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def free_bones(armature: bpy.types.Object, name: str) -> list[str]:
    """The body's bones that can be moved, but for the hips."""
    slots = {slot: bone for slot, bone in slots_of(name).items() if slot not in ("hips", "root")}
    return [bone for bone in slots.values() if not armature.data.bones[bone].use_connect]


def displaced(armature: bpy.types.Object, name: str) -> list[str]:
    bones = free_bones(armature, name)
    assert bones
    for bone in bones:
        armature.pose.bones[bone].location = PLACE
        armature.pose.bones[bone].lock_location = (True, True, True)
    bpy.context.view_layer.update()
    return bones


def shown(armature: bpy.types.Object, name: str) -> np.ndarray:
    return seen(armature, list(slots_of(name).values()), range(1, 13))


def put_on(armature: bpy.types.Object, name: str, way: str = "new") -> bpy.types.Action:
    return retarget_onto(armature, person(12), Options(action=way), slots_of(name), controls_of(name)).action


@pytest.mark.parametrize("name", NAMES)
def test_where_bones_were_left_is_no_part_of_the_motion(name: str) -> None:
    armature = open_character(name)
    put_on(armature, name)
    wanted = shown(armature, name)
    armature.animation_data_clear()
    displaced(armature, name)
    action = put_on(armature, name)
    assert np.allclose(shown(armature, name), wanted, atol=1e-5)
    assert {len(one.keyframe_points) for one in curves(action) if one.data_path.endswith("location")} == {1, 12}


@pytest.mark.parametrize("name", NAMES)
def test_an_action_that_is_replaced_leaves_no_locations(name: str) -> None:
    armature = open_character(name)
    put_on(armature, name)
    wanted = shown(armature, name)
    for bone in free_bones(armature, name):
        armature.pose.bones[bone].location = PLACE
        armature.pose.bones[bone].keyframe_insert("location", frame=8)
        armature.pose.bones[bone].location = (0, 0, 0)
        armature.pose.bones[bone].keyframe_insert("location", frame=1)
    bpy.context.scene.frame_set(1)
    put_on(armature, name, "replace")
    assert np.allclose(shown(armature, name), wanted, atol=1e-5)


def test_what_the_motion_does_not_touch_stays() -> None:
    name = "mpfb_rigify"
    armature = open_character(name)
    other = next(bone for bone in armature.pose.bones if bone.name.startswith("f_index"))
    arm = armature.pose.bones[slots_of(name)["upper_arm.L"]]
    other.location = arm.location = PLACE
    arm.scale = (1.0, 1.1, 1.0)
    bpy.context.view_layer.update()
    options = Options(influence={"arm.L": 0.0})
    done = retarget_onto(armature, person(12), options, slots_of(name), controls_of(name))
    paths = {one.data_path for one in curves(done.action)}
    assert not [path for path in paths if f'"{other.name}"' in path or f'"{arm.name}"' in path or "scale" in path]
    assert tuple(arm.location) == tuple(other.location) == pytest.approx(PLACE)


def test_a_clean_pose_gets_no_keys_for_it() -> None:
    armature = open_character("plain_stick")
    hips = slots_of("plain_stick")["hips"]
    located = {one.data_path for one in curves(put_on(armature, "plain_stick")) if one.data_path.endswith("location")}
    assert located == {f'pose.bones["{hips}"].location'}


@pytest.mark.parametrize("way", ["new", "replace", "nla"])
def test_cancelled_the_pose_is_as_it_was_left(way: str) -> None:
    name = "plain_stick"
    armature = open_character(name)
    put_on(armature, name)
    bones = displaced(armature, name)
    pieces = retarget_in_pieces(armature, person(12), Options(action=way), slots_of(name), controls_of(name))
    while next(pieces) < 0.965:
        pass
    bpy.context.view_layer.update()
    pieces.close()
    for bone in bones:
        assert tuple(armature.pose.bones[bone].location) == pytest.approx(PLACE)
