# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's motion on armatures in Blender: what is written, what is left alone, what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from video_mocap.rigging.blender.retarget import Result, metric_rig, retarget_in_pieces, retarget_onto
from video_mocap.rigging.blender.retarget_check import evaluated
from video_mocap.rigging.blender.retarget_source import armature_source
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.controls import Controls, Switch
from video_mocap.rigging.retarget.controls import controls_of as controls_of_preset
from video_mocap.rigging.retarget.mapping import map_rig
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.presets import shipped_presets
from video_mocap.rigging.retarget.source import take_source
from video_mocap.rigging.retarget.transfer import Source

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from motion_samples import take_of, walk

CHARACTERS = Path(__file__).resolve().parents[3] / "shared" / "characters"


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def facts(name: str) -> dict[str, Any]:
    if not CHARACTERS.exists():
        pytest.skip("the test characters are not on this machine")
    known = json.loads((CHARACTERS / "characters.json").read_text())
    return next(one for one in known["characters"] if one["name"] == name)


def open_character(name: str, link: bool = False) -> bpy.types.Object:
    """The armature of a test character in the current scene."""
    said = facts(name)
    with bpy.data.libraries.load(str(CHARACTERS / said["file"]), link=link) as (_, chosen):
        chosen.objects = [said["armature"]]
    armature = bpy.data.objects[said["armature"]]
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.update()
    return armature


def slots_of(name: str) -> dict[str, str]:
    said = facts(name)
    extra = {"pelvis": said["control_rig"]["pelvis_only"]} if "control_rig" in said else {}
    return said["map"] | extra


def controls_of(name: str) -> Controls:
    switches = facts(name).get("control_rig", {}).get("ik_fk", {})
    return Controls(
        tuple(Switch(limb, one["bone"], one["property"], one["fk"], one["ik"]) for limb, one in switches.items())
    )


def person(frames: int = 48, fps: float = 24.0) -> Source:
    return take_source(take_of(walk(frames, fps)[None], fps), 1)


def put_on(armature: bpy.types.Object, name: str, /, **chosen: Any) -> Result:
    return retarget_onto(armature, person(), Options(**chosen), slots_of(name), controls_of(name))


def curves(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    return list(action.layers[0].strips[0].channelbags[0].fcurves)


def simple(thing: Any, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every plain property of a Blender object."""
    found = {}
    for prop in thing.bl_rna.properties:
        if prop.type in ("POINTER", "COLLECTION") or prop.identifier in without:
            continue
        value = getattr(thing, prop.identifier)
        found[prop.identifier] = value if isinstance(value, str | int | float | bool) else str(value)
    return found


#: What the action itself moves.
_MOVED = (
    "matrix", "matrix_basis", "matrix_channel", "head", "tail", "location", "rotation_quaternion", "rotation_euler",
    "rotation_axis_angle", "length",
)  # fmt: skip


def dump(armature: bpy.types.Object) -> dict[str, Any]:
    return {
        "object": simple(armature),
        "data": simple(armature.data),
        "bones": {bone.name: simple(bone) | {"roll": str(bone.matrix_local)} for bone in armature.data.bones},
        "pose": {bone.name: simple(bone, _MOVED) for bone in armature.pose.bones},
        "constraints": {b.name: [simple(one) for one in b.constraints] for b in armature.pose.bones},
        "view": (armature.mode, armature.select_get(), str(bpy.context.view_layer.objects.active)),
        "scene": (bpy.context.scene.frame_current, bpy.context.scene.frame_start, bpy.context.scene.frame_end),
        "objects": sorted(one.name for one in bpy.data.objects),
        "scenes": [one.name for one in bpy.data.scenes],
    }


@pytest.mark.parametrize("name", ["mpfb_default", "mpfb_game_engine", "mpfb_mixamo", "mpfb_rigify", "plain_stick"])
def test_limbs_follow_the_person_as_blender_itself_poses_them(name: str) -> None:
    armature = open_character(name)
    before = dump(armature)
    done = put_on(armature, name, feet=False)
    assert done.report.checked is not None
    assert done.report.checked[1] < 0.05
    assert dump(armature) == before
    assert [done.action] == list(bpy.data.actions)
    action = armature.animation_data.action
    assert action == done.action
    if hasattr(action, "slots"):
        assert (len(action.slots), len(action.layers), len(action.layers[0].strips)) == (1, 1, 1)
        assert armature.animation_data.action_slot == action.slots[0]
    bpy.context.scene.frame_set(20)
    moved = armature.pose.bones[slots_of(name)["thigh.L"]].matrix_basis.to_quaternion()
    assert abs(moved.angle) > 0.05


def test_fk_is_switched_on_by_a_key() -> None:
    armature = open_character("mpfb_rigify")
    done = put_on(armature, "mpfb_rigify")
    found = [one for one in curves(done.action) if one.data_path.endswith('["IK_FK"]')]
    assert len(found) == 4
    assert {point.co[1] for one in found for point in one.keyframe_points} == {1.0}


def test_keys_evaluate_to_what_was_worked_out() -> None:
    armature = open_character("mpfb_game_engine")
    few = put_on(armature, "mpfb_game_engine", keys="reduced", tolerance=5.0)
    hands = [slots_of("mpfb_game_engine")[f"hand.{side}"] for side in "LR"]
    frames = range(1, 49)
    with evaluated(armature) as shown:
        reduced = np.array([shown.poses(frame, hands)[:, :3, 3] for frame in frames])
    assert {point.interpolation for one in curves(few.action) for point in one.keyframe_points} == {"BEZIER"}
    every = put_on(armature, "mpfb_game_engine")
    with evaluated(armature) as shown:
        full = np.array([shown.poses(frame, hands)[:, :3, 3] for frame in frames])
    assert np.linalg.norm(reduced - full, axis=-1).max() < 0.0052
    assert few.report.keys < 0.6 * every.report.keys


def seen(armature: bpy.types.Object, bones: list[str], frames: range = range(1, 49)) -> np.ndarray:
    """(F, B, 4, 4) world."""
    with evaluated(armature) as shown:
        return np.array([shown.poses(frame, bones) for frame in frames])


@pytest.mark.parametrize(
    ("name", "root"), [("mpfb_rigify", "root"), ("mpfb_rigify", "object"), ("plain_stick", "object")]
)
def test_the_same_figure_is_seen_whatever_carries_it(name: str, root: str) -> None:
    armature = open_character(name)
    parent = bpy.data.objects.new("holder", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler, parent.scale = (1, 2, 0), (0, 0, 0.7), (2, 2, 2)
    armature.parent = parent
    armature.location, armature.delta_location = (0.2, 0.1, 0), (0.3, 0, 0)
    armature.rotation_euler, armature.delta_rotation_euler = (0, 0, 0.4), (0, 0, 0.3)
    bpy.context.view_layer.update()
    slots = slots_of(name) | {"root": facts(name).get("control_rig", {}).get("root", "")}
    slots = {slot: bone for slot, bone in slots.items() if bone}
    bones = list(facts(name).get("control_rig", {}).get("deform", facts(name)["map"]).values())
    retarget_onto(armature, person(), Options(), slots, controls_of(name))
    plain = seen(armature, bones)
    armature.animation_data.action = None
    done = retarget_onto(armature, person(), Options(root=root), slots, controls_of(name))
    assert np.linalg.norm(seen(armature, bones)[..., :3, 3] - plain[..., :3, 3], axis=-1).max() < 0.001
    path = 'pose.bones["root"].location' if root == "root" else "location"
    way = next(one for one in curves(done.action) if one.data_path == path and one.array_index == 1)
    assert len(way.keyframe_points) == 48
    if hasattr(done.action, "slots"):
        assert len(done.action.slots) == 1
    again = retarget_onto(armature, person(), Options(action="replace"), slots, controls_of(name))
    assert any("still moves" in one for one in again.warnings)


def turned_by(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between the directions of bones (..., 4, 4)."""
    one, other = (m[..., :3, 1] / np.linalg.norm(m[..., :3, 1], axis=-1, keepdims=True) for m in (first, second))
    return np.degrees(np.arccos(np.clip((one * other).sum(-1), -1, 1)))


@pytest.mark.parametrize("root", ["hips", "root", "object"])
def test_ik_puts_the_deform_bones_where_fk_does(root: str) -> None:
    armature = open_character("mpfb_rigify")
    mapping = map_rig(metric_rig(armature))
    controls = controls_of_preset(mapping.preset, shipped_presets())
    bones = list(facts("mpfb_rigify")["control_rig"]["deform"].values())
    poses, keyed = {}, {}
    for limbs in ("fk", "ik", "both"):
        options = Options(limbs=limbs, root=root, name=limbs)
        done = retarget_onto(armature, person(), options, mapping.slots, controls)
        poses[limbs] = seen(armature, bones)
        keyed[limbs] = {one.data_path for one in curves(done.action)}
        if root == "object":
            armature.animation_data.action = None
            armature.matrix_basis.identity()
            armature.location, armature.rotation_euler = (0, 0, 0), (0, 0, 0)
            bpy.context.view_layer.update()
    for limbs in ("ik", "both"):
        away = np.linalg.norm(poses[limbs][..., :3, 3] - poses["fk"][..., :3, 3], axis=-1)
        angle = turned_by(poses[limbs], poses["fk"])
        assert away.max() < 0.005
        assert angle.max() < 1.0
    target, fk = 'pose.bones["foot_ik.L"].location', 'pose.bones["thigh_fk.L"].rotation_quaternion'
    assert [target in keyed[limbs] for limbs in ("fk", "ik", "both")] == [False, True, True]
    assert [fk in keyed[limbs] for limbs in ("fk", "ik", "both")] == [True, False, True]


@pytest.mark.parametrize("tolerance", [2.0, 5.0])
def test_limbs_that_follow_reduced_targets_stay_within_the_tolerance(tolerance: float) -> None:
    """As Blender solves them, on every frame: hands and feet, and elbows and knees, which no key moves."""
    armature = open_character("mpfb_rigify")
    mapping = map_rig(metric_rig(armature))
    controls = controls_of_preset(mapping.preset, shipped_presets())
    deform = facts("mpfb_rigify")["control_rig"]["deform"]
    parts = ("hand", "foot", "toe", "forearm", "shin")
    bones = [deform[f"{part}.{side}"] for part in parts for side in "LR"]
    places = {}
    for keys in ("scene", "reduced"):
        options = Options(limbs="ik", keys=keys, tolerance=tolerance)
        done = retarget_onto(armature, person(), options, mapping.slots, controls)
        places[keys] = 1000 * seen(armature, bones)[..., :3, 3]
    assert done.report.keys < 0.3 * done.report.all_keys
    away = np.linalg.norm(places["reduced"] - places["scene"], axis=-1).max(0).reshape(-1, 2).max(1)
    # Blender's solver and the constraints of deform bones are modelled within a part of a millimetre.
    most = dict(zip(parts, away.tolist(), strict=True))
    assert most == pytest.approx(dict.fromkeys(parts, 0.0), abs=tolerance + 0.3)
    assert max(most.values()) > 0.2 * tolerance


def test_a_rig_without_ik_controls_is_told_so_and_nothing_is_left() -> None:
    armature = open_character("plain_stick")
    with pytest.raises(ValueError, match="plain_stick has no IK controls that its preset names; choose FK"):
        put_on(armature, "plain_stick", limbs="ik")
    assert not len(bpy.data.actions)


def test_a_new_action_leaves_the_old_one_in_the_file() -> None:
    armature = open_character("plain_stick")
    first = put_on(armature, "plain_stick", name="first").action
    second = put_on(armature, "plain_stick", name="second").action
    assert armature.animation_data.action == second
    assert first.use_fake_user
    assert not second.use_fake_user


def test_replacing_keeps_the_action_and_what_else_it_moves() -> None:
    armature = open_character("plain_stick")
    first = put_on(armature, "plain_stick", name="mine").action
    armature.pose.bones["head" if "head" in armature.pose.bones else 0].scale = (1, 1, 2)
    armature.pose.bones["head" if "head" in armature.pose.bones else 0].keyframe_insert("scale", frame=1)
    count = len(curves(first))
    put_on(armature, "plain_stick", action="replace", start_frame=101)
    assert [one.name for one in bpy.data.actions] == ["mine"]
    kept = armature.animation_data.action
    assert len(curves(kept)) == count
    assert {one.keyframe_points[0].co[0] for one in curves(kept) if not one.data_path.endswith("scale")} == {101.0}
    bpy.context.scene.frame_set(110)
    if hasattr(kept, "slots"):
        assert armature.animation_data.action_slot is not None


def test_rotations_of_another_mode_do_not_stay_beside_the_new_ones() -> None:
    armature = open_character("plain_stick")
    name = slots_of("plain_stick")["forearm.L"]
    put_on(armature, "plain_stick")
    armature.pose.bones[name].rotation_mode = "XYZ"
    put_on(armature, "plain_stick", action="replace")
    paths = {one.data_path for one in curves(armature.animation_data.action) if f'["{name}"]' in one.data_path}
    assert paths == {f'pose.bones["{name}"].rotation_euler'}


def test_a_muted_track_changes_nothing_that_is_seen() -> None:
    armature = open_character("plain_stick")
    mine = put_on(armature, "plain_stick", name="mine").action
    done = put_on(armature, "plain_stick", name="other", action="nla", start_frame=31)
    animation = armature.animation_data
    assert animation.action == mine
    (track,) = animation.nla_tracks
    assert track.mute
    (strip,) = track.strips
    assert (strip.action, strip.frame_start, strip.frame_end) == (done.action, 31, 78)
    animation.action = None
    track.mute = False
    bpy.context.scene.frame_set(35)
    first = np.array(armature.pose.bones[slots_of("plain_stick")["hips"]].location)
    bpy.context.scene.frame_set(60)
    assert np.linalg.norm(first - np.array(armature.pose.bones[slots_of("plain_stick")["hips"]].location)) > 0.5


def test_a_linked_rig_is_refused_and_its_override_is_animated() -> None:
    armature = open_character("mpfb_game_engine", link=True)
    with pytest.raises(ValueError, match="linked from another file; make a library override"):
        put_on(armature, "mpfb_game_engine")
    mine = armature.override_create(remap_local_usages=True)
    bpy.context.view_layer.update()
    assert mine.library is None
    done = put_on(mine, "mpfb_game_engine", feet=False)
    assert done.report.checked is not None
    assert done.report.checked[1] < 0.05
    track = put_on(mine, "mpfb_game_engine", action="nla")
    assert track.action in [strip.action for one in mine.animation_data.nla_tracks for strip in one.strips]


def test_each_piece_is_short_and_a_closed_generator_leaves_nothing() -> None:
    armature = open_character("mpfb_mixamo")
    name = "mpfb_mixamo"
    pieces = retarget_in_pieces(armature, person(), Options(), slots_of(name))
    for _ in range(3):
        next(pieces)
    while not len(bpy.data.actions):
        next(pieces)
    pieces.close()
    assert not len(bpy.data.actions)
    assert armature.animation_data is None or armature.animation_data.action is None


def test_an_armature_that_goes_under_way_is_a_sentence() -> None:
    armature = open_character("plain_stick")
    pieces = retarget_in_pieces(armature, person(), Options(), slots_of("plain_stick"))
    next(pieces)
    bpy.data.objects.remove(armature)
    with pytest.raises(ValueError, match="was removed under way"):
        for _ in pieces:
            pass
    assert not len(bpy.data.actions)


def test_what_is_no_armature_or_in_no_scene_is_refused() -> None:
    empty = bpy.data.objects.new("a cup", None)
    with pytest.raises(ValueError, match="a cup is no armature"):
        retarget_onto(empty, person(), Options(), {})
    loose = bpy.data.objects.new("loose", bpy.data.armatures.new("loose"))
    with pytest.raises(ValueError, match="loose is in no scene"):
        retarget_onto(loose, person(), Options(), {})


def test_the_scenes_units_change_nothing_but_the_rulers() -> None:
    armature = open_character("plain_stick")
    small = put_on(armature, "plain_stick")
    bpy.context.scene.unit_settings.system = "METRIC"
    bpy.context.scene.unit_settings.scale_length = 0.01
    armature.scale = (100, 100, 100)
    bpy.context.view_layer.update()
    shown = put_on(armature, "plain_stick")
    first, second = (
        [value for one in curves(done.action) for point in one.keyframe_points for value in point.co]
        for done in (small, shown)
    )
    assert np.allclose(first, second, atol=1e-4)


def test_rows_of_a_take_are_the_persons_own() -> None:
    """The left arm of the person is the left arm of the rig, in Blender as evaluated."""
    armature = open_character("plain_stick")
    joints = walk()
    source = take_source(take_of(joints[None], 24.0), 1)
    retarget_onto(armature, source, Options(feet=False), slots_of("plain_stick"))
    names = [slots_of("plain_stick")[f"{part}.L"] for part in ("upper_arm", "forearm")]
    with evaluated(armature) as shown:
        heads = shown.poses(13, names)[:, :3, 3]
    wanted = joints[12, TAKE.index("left_elbow")] - joints[12, TAKE.index("left_shoulder")]
    along = heads[1] - heads[0]
    assert along @ wanted / np.linalg.norm(along) / np.linalg.norm(wanted) > 0.9999


def motion_of(armature: bpy.types.Object, name: str) -> Source:
    pieces = armature_source(armature, slots_of(name))
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


# Of a trunk of five bones a take knows three turns.
@pytest.mark.parametrize(("name", "bound"), [("plain_stick", 0.001), ("mpfb_rigify", 0.008)])
def test_an_animated_armature_is_a_source_and_there_and_back_is_the_same_place(name: str, bound: float) -> None:
    """Action -> positions -> action on a rig of the same proportions: every bone is where it was."""
    armature = open_character(name)
    put_on(armature, name, feet=False)
    bpy.context.scene.frame_set(7)
    before = dump(armature)
    said = facts(name)
    bones = list(dict.fromkeys(said.get("control_rig", {}).get("deform", said["map"]).values()))
    source = motion_of(armature, name)
    assert dump(armature) == before
    with evaluated(armature) as shown:
        wanted = np.array([shown.poses(frame, bones)[:, :3, 3] for frame in range(1, 49)])
    retarget_onto(armature, source, Options(feet=False), slots_of(name), controls_of(name))
    with evaluated(armature) as shown:
        found = np.array([shown.poses(frame, bones)[:, :3, 3] for frame in range(1, 49)])
    away = np.linalg.norm(found - wanted, axis=-1).max(0)
    assert dict(zip(bones, away.tolist(), strict=True)) == pytest.approx(dict.fromkeys(bones, 0.0), abs=bound)


def test_one_rig_drives_another() -> None:
    first, second = open_character("mpfb_rigify"), open_character("plain_stick")
    put_on(first, "mpfb_rigify", feet=False)
    source = motion_of(first, "mpfb_rigify")
    done = retarget_onto(second, source, Options(feet=False), slots_of("plain_stick"))
    straight = put_on(second, "plain_stick", feet=False)
    limbs = [slots_of("plain_stick")[f"{part}.L"] for part in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot")]
    places = []
    for action in (done.action, straight.action):
        second.animation_data.action = action
        if hasattr(action, "slots"):
            second.animation_data.action_slot = action.slots[0]
        with evaluated(second) as shown:
            places.append(np.array([shown.poses(frame, limbs)[:, :3, 3] for frame in (5, 20, 40)]))
    assert (
        np.linalg.norm(np.diff(places[0], axis=1) - np.diff(places[1], axis=1), axis=-1)[:, [0, 1, 3, 4]].max() < 0.002
    )


def test_an_armature_without_motion_is_no_source() -> None:
    armature = open_character("plain_stick")
    with pytest.raises(ValueError, match="has no action and no NLA strip"):
        motion_of(armature, "plain_stick")


def test_a_motion_is_read_from_an_armature_that_is_disabled_but_not_from_one_that_is_edited() -> None:
    armature = open_character("plain_stick")
    put_on(armature, "plain_stick", feet=False)
    shown = motion_of(armature, "plain_stick")
    armature.hide_viewport = True
    assert np.allclose(motion_of(armature, "plain_stick").joints, shown.joints, equal_nan=True)
    assert armature.hide_viewport
    armature.hide_viewport = False
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(ValueError, match="being edited; leave Edit Mode first"):
        motion_of(armature, "plain_stick")
    bpy.ops.object.mode_set(mode="OBJECT")
