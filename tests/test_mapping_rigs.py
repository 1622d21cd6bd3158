# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapping on real rigs: the shared characters, Rigify's own metarigs and control rigs, people and animals."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.controls import controls_of
from video_mocap.rigging.retarget.mapping import map_rig
from video_mocap.rigging.retarget.presets import shipped_presets
from video_mocap.rigging.retarget.rig import Rig
from video_mocap.rigging.retarget.slots import REQUIRED

CHARACTERS = Path(__file__).resolve().parents[2] / "shared" / "characters"
pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="the bpy package is not installed"),
]
PRESETS = {
    "mpfb_default": "makehuman",
    "mpfb_game_engine": "unreal",
    "mpfb_mixamo": "mixamo",
    "mpfb_rigify": "rigify",
    "plain_stick": "video_mocap",
}
ANIMALS = ("basic_quadruped", "cat", "horse", "wolf")

READ = """
import os, pickle, sys
import bpy
import addon_utils
from video_mocap.rigging.blender.rig import read_rig
out, folder = sys.argv[1], sys.argv[2]
rigs = {}
def keep(name):
    bpy.context.view_layer.update()
    rigs[name] = read_rig(next(o for o in bpy.context.scene.objects if o.type == "ARMATURE"))
if folder:
    for name in sorted(os.listdir(folder)):
        path, (stem, ending) = os.path.join(folder, name), os.path.splitext(name)
        if ending == ".blend":
            bpy.ops.wm.open_mainfile(filepath=path, use_scripts=False)
            keep(stem)
        elif ending in (".fbx", ".glb"):
            bpy.ops.wm.read_factory_settings(use_empty=True)
            (bpy.ops.import_scene.fbx if ending == ".fbx" else bpy.ops.import_scene.gltf)(filepath=path)
            keep(name)
bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("rigify", default_set=True)
def clear():
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
for kind in ("basic_human", "human", "basic_quadruped", "cat", "horse", "wolf"):
    clear()
    getattr(bpy.ops.object, f"armature_{kind}_metarig_add")()
    keep(f"{kind} metarig")
    if kind == "basic_human":
        bpy.ops.pose.rigify_generate()
        bpy.data.objects.remove(next(o for o in bpy.data.objects if o.name.startswith("metarig")))
        keep(f"{kind} rig")
with open(out, "wb") as file:
    pickle.dump(rigs, file)
os._exit(0)
"""


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rig]:
    """Every rig, read by Blender in a process of its own."""
    folder = tmp_path_factory.mktemp("rigs")
    out, script = folder / "rigs.pickle", folder / "read.py"
    script.write_text(READ, encoding="utf-8")
    shared = str(CHARACTERS) if CHARACTERS.is_dir() else ""
    command = [sys.executable, str(script), str(out), shared]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "blender")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert out.exists(), done.stderr[-3000:]
    return pickle.loads(out.read_bytes())


def truth_of(name: str) -> dict[str, str]:
    if not CHARACTERS.is_dir():
        pytest.skip("the shared characters are not here")
    found = json.loads((CHARACTERS / "characters.json").read_text(encoding="utf-8"))["characters"]
    return next(entry for entry in found if entry["name"] == name)["map"]


def nameless(rig: Rig) -> tuple[Rig, dict[str, str]]:
    numbers = np.random.default_rng(1).permutation(len(rig.bones))
    names = {bone.name: f"n{number:05d}" for bone, number in zip(rig.bones, numbers, strict=True)}
    return replace(rig, bones=tuple(replace(bone, name=names[bone.name]) for bone in rig.bones)), names


@pytest.mark.parametrize("name", PRESETS)
def test_every_slot_of_every_character(rigs: dict[str, Rig], name: str) -> None:
    truth = truth_of(name)
    mapping = map_rig(rigs[name])
    found = {slot: bone for slot, bone in mapping.slots.items() if slot not in ("root", "pelvis")}
    assert found == truth
    assert mapping.preset == PRESETS[name]
    assert not mapping.notes


@pytest.mark.parametrize("name", PRESETS)
def test_every_character_without_its_names(rigs: dict[str, Rig], name: str) -> None:
    """By shape: all slots, of a control rig all but the spine, whose controls lie in one place with others."""
    truth = truth_of(name)
    rig, names = nameless(rigs[name])
    found = map_rig(rig).slots
    slots = [slot for slot in truth if name != "mpfb_rigify" or not slot.startswith(("spine", "chest"))]
    assert {slot: found.get(slot) for slot in slots} == {slot: names[truth[slot]] for slot in slots}
    assert set(REQUIRED) <= set(slots)


@pytest.mark.parametrize("file", ["mpfb_mixamo.fbx", "mpfb_mixamo.glb"])
def test_imported_characters(rigs: dict[str, Rig], file: str) -> None:
    """Scaled and turned objects, axes of another program."""
    truth = truth_of("mpfb_mixamo")
    assert map_rig(rigs[file]).slots == truth
    rig, names = nameless(rigs[file])
    assert map_rig(rig).slots == {slot: names[bone] for slot, bone in truth.items()}


def test_rigify_controls_their_root_and_what_turns_the_pelvis_alone(rigs: dict[str, Rig]) -> None:
    rig = rigs["basic_human rig"]
    mapping = map_rig(rig)
    assert mapping.preset == "rigify"
    assert mapping.slots["hips"] == "torso"
    assert mapping.slots["pelvis"] == "spine_fk"
    assert mapping.slots["root"] == "root"
    assert [mapping.slots[slot] for slot in ("spine", "spine.1", "chest")] == [f"spine_fk.00{n}" for n in (1, 2, 3)]
    assert mapping.slots["upper_arm.R"] == "upper_arm_fk.R"
    assert not any(bone.startswith(("DEF-", "ORG-", "MCH-")) for bone in mapping.slots.values())
    controls = controls_of(mapping.preset, shipped_presets())
    switches = {(switch.limb, switch.property): switch for switch in controls.switches}
    assert switches["leg.R", "IK_FK"].bone == "thigh_parent.R"
    assert (switches["leg.R", "IK_FK"].fk, switches["leg.R", "IK_FK"].ik) == (1.0, 0.0)
    assert {switch.bone for switch in controls.switches} | set(controls.ik.values()) <= set(rig.rows)


@pytest.mark.parametrize("kind", ["basic_human", "human"])
def test_metarigs(rigs: dict[str, Rig], kind: str) -> None:
    mapping = map_rig(rigs[f"{kind} metarig"])
    assert mapping.preset == "rigify_metarig"
    column = ["hips", "spine", "spine.1", "chest", "neck", "neck.1", "head"]
    assert [mapping.slots[slot] for slot in column] == ["spine", *(f"spine.00{number}" for number in range(1, 7))]
    limbs = ("shoulder", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
    assert all(mapping.slots[f"{limb}.{side}"] == f"{limb}.{side}" for limb in limbs for side in "LR")


@pytest.mark.parametrize("kind", ANIMALS)
@pytest.mark.parametrize("meaning", [True, False], ids=["named", "nameless"])
def test_animals_are_refused(rigs: dict[str, Rig], kind: str, meaning: bool) -> None:
    """Some have a person's names in every limb."""
    rig = rigs[f"{kind} metarig"]
    with pytest.raises(ValueError, match="four legs"):
        map_rig(rig if meaning else nameless(rig)[0])
