# SPDX-License-Identifier: GPL-3.0-or-later
"""A retargeting that is cancelled or fails leaves everything as it was; hidden rigs and other modes are no matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import bpy
import numpy as np
import pytest
from video_mocap.rigging.blender import retarget as retarget_module
from video_mocap.rigging.blender import retarget_action, retarget_give
from video_mocap.rigging.blender.retarget import retarget_in_pieces, retarget_onto
from video_mocap.rigging.blender.retarget_give import all_curves
from video_mocap.rigging.retarget.options import Options

from .test_retarget import controls_of, dump, open_character, person, seen, simple, slots_of

WAYS = ("new", "replace", "nla")


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def everything(armature: bpy.types.Object) -> dict[str, Any]:
    """All that a retargeting may touch: rig, pose, view, animation data, and every action key by key."""
    bpy.context.view_layer.update()
    animation = armature.animation_data
    found = dump(armature)
    found["pose"] = {bone.name: simple(bone) for bone in armature.pose.bones}
    found["properties"] = {bone.name: str(dict(bone.items())) for bone in armature.pose.bones}
    found["animation"] = None
    if animation is not None:
        slot = getattr(animation, "action_slot", None)
        found["animation"] = {
            "own": simple(animation),
            "action": animation.action.name if animation.action else None,
            "slot": slot.identifier if slot is not None else None,
            "tracks": [
                (simple(track), [(simple(strip), strip.action.name) for strip in track.strips])
                for track in animation.nla_tracks
            ],
        }
    found["actions"] = {
        action.name: (
            simple(action),
            [slot.identifier for slot in getattr(action, "slots", ())],
            [
                (one.data_path, one.array_index, [tuple(p.co) for p in one.keyframe_points])
                for one in all_curves(action)
            ],
        )
        for action in bpy.data.actions
    }
    return found


def with_a_past(armature: bpy.types.Object, name: str, past: str) -> None:
    """past: "nothing", "action" (and a pose that no key holds), or "tracks" (besides)."""
    if past == "nothing":
        return
    retarget_onto(armature, person(6), Options(name="mine", start_frame=5), slots_of(name), controls_of(name))
    if past == "tracks":
        other = Options(name="other", action="nla")
        retarget_onto(armature, person(6), other, slots_of(name), controls_of(name))
    bpy.context.scene.frame_set(7)
    armature.pose.bones[slots_of(name)["head"]].location = (0.01, 0.02, 0.03)


def pieces_of(armature: bpy.types.Object, name: str, way: str) -> Any:
    options = Options(action=way, name="new")
    return retarget_in_pieces(armature, person(12), options, slots_of(name), controls_of(name))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "past"),
    [("plain_stick", "nothing"), ("plain_stick", "action"), ("plain_stick", "tracks"), ("mpfb_rigify", "tracks")],
)
def test_cancelled_anywhere_it_leaves_everything_as_it_was(name: str, way: str, past: str) -> None:
    armature = open_character(name)
    with_a_past(armature, name, past)
    before = everything(armature)
    shares = [0.0, 0.3, 0.6, 0.96, 0.965]
    for share in shares:
        pieces = pieces_of(armature, name, way)
        while next(pieces) < share:
            pass
        if share == shares[-1]:
            assert armature.animation_data is not None
            # The interface is drawn meanwhile: Blender writes what it evaluates into the pose.
            bpy.context.view_layer.update()
        pieces.close()
        assert everything(armature) == before, share


class BrokenError(Exception):
    """What nobody foresaw."""


def breaking(function: Callable[..., Any], after: int = 0, do_it: bool = False) -> Callable[..., Any]:
    """`function` that fails at its call number `after`. do_it: after its work instead of before."""
    calls = [0]

    def broken(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] <= after:
            return function(*arguments, **options)
        if do_it:
            function(*arguments, **options)
        raise BrokenError

    return broken


def drawn_meanwhile(pieces: Any) -> None:
    for _ in pieces:
        bpy.context.view_layer.update()


_PLACES = {
    "making the action": (retarget_action, "_slot_of", {}),
    "a first curve": (retarget_action, "write_curve", {}),
    "a later curve": (retarget_action, "write_curve", {"after": 20, "do_it": True}),
    "giving it": (retarget_give.Given, "give", {}),
    "having given it": (retarget_give.Given, "give", {"do_it": True}),
    "looking at it": (retarget_module, "_look", {}),
    "keeping it": (retarget_give.Given, "keep", {}),
}


@pytest.mark.parametrize("past", ["nothing", "tracks"])
@pytest.mark.parametrize(
    ("place", "way"),
    # A muted track is not looked at.
    [(place, way) for place in _PLACES for way in WAYS if (place, way) != ("looking at it", "nla")],
)
def test_an_error_anywhere_leaves_everything_as_it_was(
    place: str, way: str, past: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "plain_stick"
    armature = open_character(name)
    with_a_past(armature, name, past)
    before = everything(armature)
    owner, function, how = _PLACES[place]
    monkeypatch.setattr(owner, function, breaking(getattr(owner, function), **how))
    with pytest.raises(BrokenError):
        drawn_meanwhile(pieces_of(armature, name, way))
    monkeypatch.undo()
    assert everything(armature) == before


def test_an_override_is_as_it_was_too() -> None:
    linked = open_character("mpfb_game_engine", link=True)
    mine = linked.override_create(remap_local_usages=True)
    before = everything(mine)
    pieces = pieces_of(mine, "mpfb_game_engine", "new")
    while next(pieces) < 0.965:
        pass
    pieces.close()
    assert everything(mine) == before


def in_another_collection(armature: bpy.types.Object) -> bpy.types.LayerCollection:
    """Move the armature into a collection of its own."""
    home = bpy.data.collections.new("home")
    bpy.context.scene.collection.children.link(home)
    home.objects.link(armature)
    bpy.context.scene.collection.objects.unlink(armature)
    return bpy.context.view_layer.layer_collection.children["home"]


def edit_a_mesh(_armature: bpy.types.Object) -> None:
    cube = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
    bpy.context.scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    bpy.ops.object.mode_set(mode="EDIT")


def edit_an_armature(armature: bpy.types.Object) -> None:
    armature.select_set(False)
    other = bpy.data.objects.new("other", bpy.data.armatures.new("other"))
    bpy.context.scene.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    bpy.ops.object.mode_set(mode="EDIT")


def pose(armature: bpy.types.Object) -> None:
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="POSE")


def exclude(armature: bpy.types.Object) -> None:
    in_another_collection(armature).exclude = True


def disable_collection(armature: bpy.types.Object) -> None:
    in_another_collection(armature).collection.hide_viewport = True


STATES: dict[str, Callable[[bpy.types.Object], Any]] = {
    "a mesh is edited": edit_a_mesh,
    "another armature is edited": edit_an_armature,
    "it is posed": pose,
    "hidden": lambda armature: armature.hide_set(True),
    "disabled in viewports": lambda armature: setattr(armature, "hide_viewport", True),
    "in a collection that is excluded": exclude,
    "in a collection that is disabled": disable_collection,
}


@pytest.mark.parametrize("state", STATES)
def test_where_it_stands_and_what_else_is_done_is_no_matter(state: str) -> None:
    name = "plain_stick"
    bones = list(slots_of(name).values())
    armature = open_character(name)
    armature.location = (1.0, 2.0, 0.0)
    bpy.context.view_layer.update()
    retarget_onto(armature, person(12), Options(), slots_of(name))
    wanted = seen(armature, bones, range(1, 13))
    armature.animation_data_clear()
    bpy.data.batch_remove(bpy.data.actions)
    for bone in armature.pose.bones:
        bone.matrix_basis.identity()
        bone.location, bone.rotation_quaternion = (0, 0, 0), (1, 0, 0, 0)
    bpy.context.view_layer.update()
    STATES[state](armature)
    bpy.context.view_layer.update()
    before = dump(armature)
    done = retarget_onto(armature, person(12), Options(), slots_of(name))
    assert dump(armature) == before
    assert done.report.checked is not None
    assert done.report.checked[1] < 0.05 + done.report.error[1]
    assert np.allclose(_evaluated_visibly(armature, bones), wanted, atol=1e-4)


def test_bones_that_are_being_edited_are_refused() -> None:
    armature = open_character("plain_stick")
    before = everything(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(ValueError, match="the bones of plain_stick are being edited; leave Edit Mode first"):
        retarget_onto(armature, person(12), Options(), slots_of("plain_stick"))
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.objects.active = None
    assert everything(armature)["actions"] == before["actions"] == {}


def test_bones_that_are_edited_under_way_are_written_without_being_looked_at() -> None:
    armature = open_character("plain_stick")
    bpy.context.view_layer.objects.active = armature
    pieces = pieces_of(armature, "plain_stick", "new")
    while next(pieces) < 0.965:
        pass
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(StopIteration) as end:
        next(pieces)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert end.value.value.report.checked is None
    assert armature.animation_data.action == end.value.value.action


def _evaluated_visibly(armature: bpy.types.Object, bones: list[str]) -> np.ndarray:
    """What its animator sees when it is shown again."""
    if bpy.context.view_layer.objects.active is not None:
        bpy.ops.object.mode_set(mode="OBJECT")
    armature.hide_viewport = False
    for home in armature.users_collection:
        home.hide_viewport = False
    for layer in bpy.context.view_layer.layer_collection.children:
        layer.exclude = False
    return seen(armature, bones, range(1, 13))
