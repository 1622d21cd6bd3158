# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion onto the animator's character by the panel: the whole way, undo, what is left alone, what is refused."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .conftest import ROOT
from .driving import as_in_a_window, open_take, part, refused, tick_until, until_idle, write_take
from .fake_layout import FakeLayout, draw, our_panels
from .test_retarget import dump

ops = bpy.ops.video_mocap
pytestmark = pytest.mark.usefixtures("addon")
CHARACTERS = ROOT.parent / "shared" / "characters"

#: name, parent, head and tail in metres: somebody in an A-pose with names that a preset knows.
_LEFT = (
    ("shoulder", "chest", (0.03, 0, 1.42), (0.15, 0, 1.42)),
    ("upper_arm", "shoulder", (0.17, 0, 1.42), (0.37, 0.01, 1.22)),
    ("forearm", "upper_arm", (0.37, 0.01, 1.22), (0.56, -0.01, 1.05)),
    ("hand", "forearm", (0.56, -0.01, 1.05), (0.62, -0.01, 0.98)),
    ("thigh", "hips", (0.1, 0, 0.92), (0.1, -0.01, 0.5)),
    ("shin", "thigh", (0.1, -0.01, 0.5), (0.1, 0.01, 0.09)),
    ("foot", "shin", (0.1, 0.01, 0.09), (0.1, -0.12, 0.02)),
    ("toe", "foot", (0.1, -0.12, 0.02), (0.1, -0.19, 0.02)),
)
_MIDDLE = (
    ("hips", "", (0, 0, 0.95), (0, 0, 1.08)),
    ("spine", "hips", (0, 0, 1.08), (0, 0, 1.25)),
    ("chest", "spine", (0, 0, 1.25), (0, 0, 1.45)),
    ("neck", "chest", (0, 0, 1.45), (0, 0, 1.55)),
    ("head", "neck", (0, 0, 1.55), (0, 0, 1.75)),
)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return write_take(tmp_path / "walk.take.npz")


def choices() -> Any:
    return bpy.context.scene.video_mocap.retarget


def make_rig(bones: tuple[tuple[str, str, Any, Any], ...], name: str = "Hero") -> bpy.types.Object:
    """An armature object of a test's own, in object mode, unselected."""
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, parent, head, tail in bones:
        made = armature.data.edit_bones.new(bone)
        made.head, made.tail = head, tail
        made.parent = armature.data.edit_bones.get(parent)
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.select_set(False)
    bpy.context.view_layer.objects.active = None
    return armature


def hero(naming: Any = lambda name: name) -> bpy.types.Object:
    """A whole body. naming: from a slot to the bone's name."""
    right = [(f"{n}.R", p, (-h[0], *h[1:]), (-t[0], *t[1:])) for n, p, h, t in _LEFT]
    left = [(f"{n}.L", p, h, t) for n, p, h, t in _LEFT]
    bones = []
    for bone, parent, head, tail in [*_MIDDLE, *left, *right]:
        side = bone[-2:] if bone.endswith((".L", ".R")) else ""
        above = parent if parent in {one[0] for one in _MIDDLE} or not parent else parent + side
        bones.append((naming(bone), naming(above) if above else "", head, tail))
    return make_rig(tuple(bones))


def real(name: str) -> bpy.types.Object:
    """A character as animators have them."""
    if not CHARACTERS.exists():
        pytest.skip("the test characters are not on this machine")
    known = json.loads((CHARACTERS / "characters.json").read_text())
    said = next(one for one in known["characters"] if one["name"] == name)
    with bpy.data.libraries.load(str(CHARACTERS / said["file"]), link=False) as (_, chosen):
        chosen.objects = [said["armature"]]
    armature = bpy.data.objects[said["armature"]]
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.update()
    return armature


def drawn(key: str) -> FakeLayout:
    layout = draw(next(panel for panel in our_panels() if panel.__name__ == f"VIDEO_MOCAP_PT_{key}"))
    assert layout is not None
    return layout


def said(key: str) -> str:
    return " ".join(drawn(key).texts)


def bones() -> dict[str, str]:
    return {item.name: item.bone for item in choices().slots if item.bone}


@pytest.mark.parametrize("name", ["mpfb_default", "mpfb_game_engine", "mpfb_mixamo", "mpfb_rigify", "plain_stick"])
def test_a_take_goes_onto_a_real_character(name: str, take: Path) -> None:
    open_take(take)
    armature = real(name)
    before = dump(armature)
    choices().target = armature
    assert not choices().mapping_problem
    assert "Choose a bone" not in said("retarget")
    assert ops.retarget() == {"FINISHED"}
    after = dump(armature)
    for one in (before, after):
        # The panel remembers it, and it stands in another pose.
        del one["object"]["users"], one["object"]["dimensions"]
        for constraint in [found for each in one["constraints"].values() for found in each]:
            # Driven by the switch between FK and IK, which is keyed.
            del constraint["influence"], constraint["error_location"], constraint["error_rotation"]
    assert after == before, "the rig itself is as it was"
    assert armature.animation_data.action.name == f"walk Person 1 on {armature.name}"
    report = said("retarget_report")
    for text in ("degrees", "mm/s", "keys on frames 1 to"):
        assert text in report
    bpy.context.scene.frame_set(20)
    moved = armature.pose.bones[bones()["thigh.L"]].matrix_basis.to_quaternion()
    assert abs(moved.angle) > 0.01


def test_bones_are_found_when_the_character_is_chosen() -> None:
    choices().target = hero()
    assert bones()["upper_arm.L"] == "upper_arm.L"
    assert {item.name for item in choices().slots} >= {"root", "pelvis", "spine.1", "neck.1"}
    texts = drawn("retarget_bones").texts
    assert "Left Upper Arm" in texts
    assert "By the" in " ".join(texts)


def test_a_motion_of_another_armature_and_of_a_file(take: Path, tmp_path: Path) -> None:
    item = open_take(take)
    armature = hero()
    choices().target, choices().source = armature, "ARMATURE"
    assert "Choose the armature whose motion is taken" in refused(ops.retarget)
    choices().armature = armature
    assert "one armature" in refused(ops.retarget)
    choices().armature, choices().feet = item.people[0].rig, False
    assert ops.retarget() == {"FINISHED"}
    hips = [armature.pose.bones["hips"].matrix.translation.copy() for frame in (1, 39) if not at(frame)]
    choices().source = "TAKE"
    assert ops.retarget() == {"FINISHED"}
    again = [armature.pose.bones["hips"].matrix.translation.copy() for frame in (1, 39) if not at(frame)]
    assert (hips[1] - hips[0] - (again[1] - again[0])).length < 0.03

    choices().source = "BVH"
    assert "Choose a BVH file" in refused(ops.retarget)
    choices().bvh_path = str(tmp_path / "none.bvh")
    assert "not there any more" in refused(ops.retarget)
    bad = tmp_path / "bad.bvh"
    bad.write_text("no motion")
    choices().bvh_path = str(bad)
    count = len(bpy.data.actions)
    assert "bad.bvh" in refused(ops.retarget)
    assert len(bpy.data.actions) == count


def at(frame: int) -> None:
    bpy.context.scene.frame_set(frame)


def test_a_bvh_file_goes_onto_a_character(take: Path, tmp_path: Path) -> None:
    rig = open_take(take).people[0].rig
    bpy.context.view_layer.objects.active = rig
    rig.select_set(True)
    path = tmp_path / "walk.bvh"
    bpy.ops.export_anim.bvh(filepath=str(path), frame_start=1, frame_end=40, global_scale=100.0)
    choices().target, choices().source, choices().bvh_path = hero(), "BVH", str(path)
    assert ops.retarget() == {"FINISHED"}
    assert "degrees" in choices().report


def test_retargeting_is_one_step_of_undo(take: Path) -> None:
    open_take(take)
    choices().target = hero()
    bpy.ops.ed.undo_push(message="start")
    with as_in_a_window():
        assert ops.retarget() == {"FINISHED"}
        assert choices().target.animation_data is None, "the operator returns before the work is done"
        assert "Retargeting to Hero" in said("retarget")
        assert "video_mocap.cancel_retarget" in [name for name, _ in drawn("retarget").operators]
        assert "Retargeting" not in said("capture")
        until_idle()
    assert choices().target.animation_data.action is not None
    bpy.ops.ed.undo()
    animation = choices().target.animation_data
    assert animation is None or animation.action is None
    assert [action for action in bpy.data.actions if "Hero" in action.name] == []
    assert not choices().report
    bpy.ops.ed.redo()
    assert choices().target.animation_data.action is not None


def takes() -> Any:
    return bpy.context.scene.video_mocap.takes


def test_undo_and_cancel_in_the_middle(take: Path) -> None:
    open_take(take)
    armature = hero()
    choices().target = armature
    bpy.ops.ed.undo_push(message="start")
    bpy.context.scene.frame_end = 77
    bpy.ops.ed.undo_push(message="range")
    count = len(bpy.data.actions)
    state = part("session").get()
    with as_in_a_window():
        ops.retarget()
        assert "Wait for what is going on" in refused(ops.retarget)
        tick_until(lambda: state.chores[0][0].progress > 0.4)
        bpy.ops.ed.undo()
        assert len(bpy.data.actions) == count
        until_idle()
        assert bpy.data.objects["Hero"].animation_data.action is not None
        count = len(bpy.data.actions)
        ops.retarget()
        tick_until(lambda: state.chores[0][0].progress > 0.4)
        assert ops.cancel_retarget() == {"FINISHED"}
        until_idle()
    assert len(bpy.data.actions) == count
    assert state.problem is None


def test_options_reach_the_keys(take: Path) -> None:
    open_take(take)
    armature = hero()
    choices().target = armature
    choices().arm_left = 0.0
    choices().use_trim, choices().trim_end = True, 0.5
    assert ops.retarget() == {"FINISHED"}
    keys = part_keys(armature)
    assert not [path for path, _ in keys if 'upper_arm.L"' in path]
    assert [path for path, _ in keys if 'upper_arm.R"' in path]
    fps = bpy.context.scene.render.fps
    assert max(float(points[:, 0].max()) for points in keys.values()) <= 1 + 0.5 * fps + 1e-3
    full = sum(len(points) for points in keys.values())
    choices().keys, choices().action = "REDUCED", "REPLACE"
    assert ops.retarget() == {"FINISHED"}
    assert sum(len(points) for points in part_keys(armature).values()) < full
    choices().trim_start, choices().trim_end = 2.0, 1.0
    assert "ends before it starts" in refused(ops.retarget)


def choose_everything() -> None:
    """Every choice at something else than its default."""
    for name, value in {
        "keys": "REDUCED", "tolerance": 2.5, "smoothing": "ONE_EURO", "strength": 0.25, "feet": False, "limits": True,
        "root": "IN_PLACE", "limbs": "BOTH", "arm_left": 0.5, "head": 0.0, "use_trim": True, "trim_start": 0.5,
        "trim_end": 1.5, "loop": True, "scale": 1.25, "offset": (1.0, -2.0, 0.5), "action": "NLA",
    }.items():  # fmt: skip
        setattr(choices(), name, value)


def test_the_panel_has_every_option_and_a_settings_file_keeps_it(tmp_path: Path) -> None:
    settings, options = part("rigging.retarget.settings"), part("rigging.retarget.options").Options
    found = part("retarget.choices").options
    usual = found(bpy.context.scene)
    assert settings.table_of(usual) == {}
    choose_everything()
    chosen = found(bpy.context.scene)
    fields = {one.name for one in dataclasses.fields(options)} - settings.NOT_WRITTEN
    assert [name for name in fields if getattr(chosen, name) == getattr(usual, name)] == []
    choices().target = hero()
    shown = " ".join(name for key in ("retarget_options", "retarget_influence") for name in drawn(key).props)
    own = {"trim": "trim_start", "influence": "arm_left"}
    assert [name for name in fields if own.get(name, name) not in shown.split()] == []
    path = tmp_path / "shot.toml"
    assert ops.save_settings(filepath=str(path)) == {"FINISHED"}
    table = tomllib.loads(path.read_text("utf-8"))["retarget"]
    assert settings.options_of(table) == dataclasses.replace(chosen, scene_fps=24.0, name="Retargeted")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert ops.load_settings(filepath=str(path)) == {"FINISHED"}
    assert found(bpy.context.scene) == chosen
    path.write_text("quality = 'draft'")
    assert ops.load_settings(filepath=str(path)) == {"FINISHED"}
    assert found(bpy.context.scene) == chosen, "a file without [retarget] says nothing of it"
    path.write_text("[retarget]")
    assert ops.load_settings(filepath=str(path)) == {"FINISHED"}
    assert settings.table_of(found(bpy.context.scene)) == {}


def test_the_offset_is_in_the_scenes_units(take: Path) -> None:
    open_take(take)
    armature = hero()
    choices().target = armature
    assert ops.retarget() == {"FINISHED"}
    at(10)
    before = armature.pose.bones["hips"].matrix.translation.copy()
    choices().offset = (0.5, 0.0, 0.0)
    assert ops.retarget() == {"FINISHED"}
    at(10)
    assert (armature.pose.bones["hips"].matrix.translation - before)[0] == pytest.approx(0.5, abs=1e-4)
    units = bpy.context.scene.unit_settings
    units.system, units.scale_length = "METRIC", 0.01
    assert part("retarget.choices").options(bpy.context.scene).offset[0] == pytest.approx(0.005)


@pytest.mark.parametrize("name", ["keys", "smoothing", "action"])
def test_what_the_panel_offers_can_be_done(name: str, take: Path) -> None:
    open_take(take)
    choices().target = hero()
    offered = [item.identifier for item in choices().bl_rna.properties[name].enum_items]
    for identifier in offered:
        setattr(choices(), name, identifier)
        assert ops.retarget() == {"FINISHED"}, identifier


def test_ik_on_a_rig_without_it_is_a_sentence(take: Path) -> None:
    open_take(take)
    choices().target = hero()
    choices().limbs = "IK"
    assert "has no IK controls" in refused(ops.retarget)


def test_a_source_that_lacks_a_limb_is_told(take: Path) -> None:
    open_take(take)
    whole = hero()
    whole.name = "Dancer"
    bpy.context.view_layer.objects.active = whole
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in ("forearm.L", "hand.L"):
        whole.data.edit_bones.remove(whole.data.edit_bones[bone])
    bpy.ops.object.mode_set(mode="OBJECT")
    whole.keyframe_insert("location", frame=1)
    whole.keyframe_insert("location", frame=10)
    choices().target = hero()
    choices().source, choices().armature = "ARMATURE", whole
    assert "Dancer" in refused(ops.retarget)
    assert choices().target.animation_data is None


def part_keys(armature: bpy.types.Object) -> dict[tuple[str, int], np.ndarray]:
    from .driving import keys_of

    return keys_of(armature)


def test_again_with_replace_keeps_one_action_and_a_track_stays_muted(take: Path) -> None:
    open_take(take)
    armature = hero()
    choices().target, choices().action = armature, "REPLACE"
    ops.retarget()
    count, name = len(bpy.data.actions), armature.animation_data.action.name
    ops.retarget()
    assert (len(bpy.data.actions), armature.animation_data.action.name) == (count, name)
    choices().action = "NLA"
    ops.retarget()
    assert armature.animation_data.action.name == name
    assert [track.mute for track in armature.animation_data.nla_tracks] == [True]


def test_a_preset_is_saved_and_loaded() -> None:
    strange = {slot: f"b{number}" for number, slot in enumerate(["hips", "spine", "chest", "neck", "head"])}
    for side in "LR":
        for number, (slot, *_rest) in enumerate(_LEFT):
            strange[f"{slot}.{side}"] = f"c{number}{side}"
    choices().target = hero(strange.__getitem__)
    for slot, bone in strange.items():
        choices().slots[slot].bone = bone
    assert ops.save_preset(title="My Hero") == {"FINISHED"}
    path = part("retarget.presets").folder() / "my_hero.toml"
    assert path.is_file()
    try:
        choices().slots["hand.L"].bone = ""
        assert "Choose a bone for Left Hand" in said("retarget_bones")
        assert "my_hero" in [item[0] for item in part("retarget.presets").listed()[1]]
        assert ops.load_preset(preset="my_hero") == {"FINISHED"}
        assert {slot: bone for slot, bone in bones().items() if slot in strange} == strange
        assert choices().preset == "my_hero"
        # Without a word from the user it comes first on a rig whose names it knows.
        choices().slots.clear()
        assert ops.map_bones() == {"FINISHED"}
        assert choices().preset == "my_hero"
        assert ops.delete_preset(preset="my_hero") == {"FINISHED"}
        assert not path.exists()
        assert "no preset of yours" in refused(lambda: ops.delete_preset("INVOKE_DEFAULT"))
    finally:
        path.unlink(missing_ok=True)


def test_a_preset_that_is_not_complete_is_not_saved() -> None:
    choices().target = hero()
    choices().slots["hand.L"].bone = ""
    assert "Choose a bone for Left Hand" in refused(ops.save_preset, title="Half")
    choices().slots["hand.L"].bone = "hand.L"
    assert "letters or digits" in refused(ops.save_preset, title="!!!")


def test_bones_are_chosen_by_hand(take: Path) -> None:
    open_take(take)
    armature = hero()
    choices().target = armature
    choices().slots["hand.L"].bone = ""
    assert "Choose a bone for Left Hand" in refused(ops.retarget)
    armature.data.bones.active = armature.data.bones["hand.L"]
    assert ops.use_active_bone(slot="hand.L") == {"FINISHED"}
    assert bones()["hand.L"] == "hand.L"
    # One bone is one part.
    choices().slots["spine"].bone = "chest"
    assert "chest" not in bones()
    choices().slots["spine"].bone, choices().slots["chest"].bone = "spine", "chest"
    armature.data.bones["hand.L"].name = "renamed"
    assert "has no such bone: Left Hand (hand.L)" in refused(ops.retarget)


def test_a_character_without_hands_and_feet_takes_the_motion(take: Path) -> None:
    open_take(take)
    armature = hero()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in [one for one in armature.data.edit_bones if one.name.startswith(("hand", "foot", "toe"))]:
        armature.data.edit_bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    choices().target = armature
    assert choices().mapping_problem == ""
    assert "No bones for hands: the arms end where the forearms do" in said("retarget_bones")
    assert ops.retarget() == {"FINISHED"}
    assert armature.animation_data.action is not None
    assert "hand.L" not in bones()
    choices().slots["forearm.L"].bone = ""
    assert "Choose a bone for Left Forearm, Left Hand" in said("retarget_bones")


def test_what_cannot_be_is_said(take: Path) -> None:
    assert "Capture or open a take first" in refused(ops.retarget)
    open_take(take)
    assert "Choose the armature of your character" in refused(ops.retarget)
    cup = make_rig((("handle", "", (0, 0, 0), (0, 0, 0.1)),), "Cup")
    choices().target = cup
    assert choices().mapping_problem
    assert "Cup" in said("retarget_bones")
    assert "Choose a bone for" in refused(ops.retarget)
    assert "Cup is no humanoid" in refused(ops.map_bones)
    empty = bpy.data.objects.new("Nothing", bpy.data.armatures.new("Nothing"))
    bpy.context.scene.collection.objects.link(empty)
    choices().target = empty
    assert "no bones" in choices().mapping_problem
    takes()[0].people[0].rig.name = "Person"
    assert not part("retarget.settings")._is_character(choices(), takes()[0].people[0].rig)
    Path(takes()[0].filepath).unlink()
    choices().target = hero()
    assert "not there any more" in refused(ops.retarget)


def test_a_dog_is_told_as_what_it_is() -> None:
    leg = [("upper", 0.5, 0.3), ("lower", 0.3, 0.08), ("paw", 0.08, 0.0)]
    dog = [("hips", "", (0, 0.4, 0.55), (0, 0.2, 0.55)), ("spine", "hips", (0, 0.2, 0.55), (0, -0.3, 0.55))]
    dog += [("neck", "spine", (0, -0.3, 0.55), (0, -0.45, 0.7)), ("head", "neck", (0, -0.45, 0.7), (0, -0.65, 0.7))]
    dog += [("tail", "hips", (0, 0.4, 0.55), (0, 0.7, 0.6))]
    for end, y, above in (("front", -0.3, "spine"), ("back", 0.4, "hips")):
        for side, x in (("L", 0.12), ("R", -0.12)):
            parent = above
            for name, top, bottom in leg:
                bone = f"{end}_{name}.{side}"
                ends = (x, y - 0.1, bottom) if name == "paw" else (x, y + 0.01, bottom)
                dog.append((bone, parent, (x, y, top), ends))
                parent = bone
    choices().target = make_rig(tuple(dog), "Dog")
    assert "Dog" in choices().mapping_problem
    assert "four legs" in choices().mapping_problem


def test_a_linked_character_is_refused_and_its_override_works(take: Path, tmp_path: Path) -> None:
    library = tmp_path / "hero.blend"
    bpy.data.libraries.write(str(library), {hero()})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    open_take(take)
    with bpy.data.libraries.load(str(library), link=True) as (_, chosen):
        chosen.objects = ["Hero"]
    linked = bpy.data.objects["Hero"]
    bpy.context.scene.collection.objects.link(linked)
    choices().target = linked
    assert "make a library override" in refused(ops.retarget)
    mine = linked.override_create(remap_local_usages=True)
    choices().target = mine
    assert ops.retarget() == {"FINISHED"}
    assert mine.animation_data.action.library is None


def test_every_panel_draws_in_every_state(take: Path) -> None:
    retarget = [panel for panel in our_panels() if panel.key.startswith("retarget")]
    assert len(retarget) == 5
    for source in ("TAKE", "ARMATURE", "BVH"):
        choices().source = source
        for panel in retarget:
            draw(panel)
    open_take(take)
    choices().source = "TAKE"
    choices().target = hero()
    choices().keys = "REDUCED"
    for panel in retarget:
        draw(panel)
    ops.retarget()
    for panel in retarget:
        assert draw(panel) is not None
    state = part("session").get()
    state.problem = "Hero was removed."
    assert "Hero was removed." in said("retarget")
