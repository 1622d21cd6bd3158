# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap bake --character`: a take on somebody's own rig, as a file that opens again."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_mocap.backend import cli
from video_mocap.backend.files import save_arrays
from video_mocap.rigging.take import take_arrays

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import take_of, walk

pytestmark = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="the bpy package is not installed")
CHARACTERS = Path(__file__).resolve().parents[2] / "shared" / "characters"

#: Files that are no use, made by Blender itself.
_MAKE = """
import os, sys, bpy
folder = sys.argv[1]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.wm.save_as_mainfile(filepath=folder + "/empty.blend")
for name in ("hero", "villain"):
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, bpy.data.armatures.new(name)))
bpy.ops.wm.save_as_mainfile(filepath=folder + "/two.blend")
bpy.data.objects.remove(bpy.data.objects["villain"])
bpy.ops.wm.save_as_mainfile(filepath=folder + "/boneless.blend")
dog = bpy.data.objects["hero"]
bpy.context.view_layer.objects.active = dog
bpy.ops.object.mode_set(mode="EDIT")
def bone(name, parent, head, tail):
    made = dog.data.edit_bones.new(name)
    made.head, made.tail, made.parent = head, tail, dog.data.edit_bones.get(parent)
bone("hips", "", (0, 0.4, 0.55), (0, 0.2, 0.55))
bone("spine", "hips", (0, 0.2, 0.55), (0, -0.3, 0.55))
bone("neck", "spine", (0, -0.3, 0.55), (0, -0.45, 0.7))
bone("head", "neck", (0, -0.45, 0.7), (0, -0.65, 0.7))
bone("tail", "hips", (0, 0.4, 0.55), (0, 0.7, 0.6))
for end, y, above in (("front", -0.3, "spine"), ("back", 0.4, "hips")):
    for side, x in ((".L", 0.12), (".R", -0.12)):
        bone(end + "_upper" + side, above, (x, y, 0.5), (x, y + 0.01, 0.3))
        bone(end + "_lower" + side, end + "_upper" + side, (x, y, 0.3), (x, y + 0.01, 0.08))
        bone(end + "_paw" + side, end + "_lower" + side, (x, y, 0.08), (x, y - 0.1, 0.0))
bpy.ops.object.mode_set(mode="OBJECT")
bpy.ops.wm.save_as_mainfile(filepath=folder + "/dog.blend")
os._exit(0)
"""

#: What is in a file, as JSON.
_LOOK = """
import json, os, sys, bpy
path, bone = sys.argv[1:]
if path.endswith(".blend"):
    bpy.ops.wm.open_mainfile(filepath=path)
else:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=path)
    else:
        bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01)
rig = next(o for o in bpy.data.objects if o.type == "ARMATURE")
found, scene = {}, bpy.context.scene
for frame in (2, 20, 40):
    scene.frame_set(frame)
    found[frame] = list((rig.matrix_world @ rig.pose.bones[bone].matrix).translation)
print("found: " + json.dumps({"heads": found, "objects": sorted(o.name for o in bpy.data.objects),
    "actions": [a.name for a in bpy.data.actions], "range": [scene.frame_start, scene.frame_end],
    "fps": scene.render.fps / scene.render.fps_base}), flush=True)
os._exit(0)
"""


def in_blender(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


def look(path: Path, bone: str) -> dict[str, Any]:
    lines = in_blender(_LOOK, str(path), bone).splitlines()
    return json.loads(next(line for line in lines if line.startswith("found: "))[7:])


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("takes")
    one = walk()
    save_arrays(folder / "one.take.npz", take_arrays(take_of(one[None], 24.0)))
    save_arrays(folder / "two.take.npz", take_arrays(take_of(np.stack([one, one + np.array([2.0, 0, 0])]), 24.0)))
    in_blender(_MAKE, str(folder))
    (folder / "torn.blend").write_bytes(b"BLENDER-v405")
    (folder / "bad.toml").write_text("hips = [")
    (folder / "hero.obj").write_text("o hero")
    return folder


def character(name: str) -> Path:
    if not (CHARACTERS / name).exists():
        pytest.skip("the test characters are not on this machine")
    return CHARACTERS / name


def test_a_blend_keeps_everything_and_gets_the_motion(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "hero.blend"
    asked = ["bake", str(takes / "one.take.npz"), "-o", str(output), "--json"]
    assert cli.main([*asked, "--character", str(character("mpfb_game_engine.blend"))]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["report"]["preset"] == "unreal"
    assert said["report"]["limbs"]["upper_arm.L"][0] < 0.1
    assert said["report"]["checked"][0] < 5
    found = look(output, "hand_l")
    assert found["objects"] == ["mpfb_game_engine", "mpfb_game_engine_body"]
    assert found["actions"] == ["hero"]
    assert found["range"] == [1, 48]
    assert found["heads"]["2"][1] - found["heads"]["40"][1] > 1.0
    assert [one.name for one in tmp_path.iterdir()] == ["hero.blend"]


@pytest.mark.parametrize("suffix", [".fbx", ".bvh"])
def test_other_programs_get_the_same_motion(takes: Path, tmp_path: Path, suffix: str) -> None:
    source = str(character("mpfb_mixamo.fbx"))
    for output in (tmp_path / "a.blend", tmp_path / f"a{suffix}"):
        assert cli.main(["bake", str(takes / "one.take.npz"), "-o", str(output), "--character", source]) == 0
    bone = "mixamorig:LeftHand"
    wanted, found = look(tmp_path / "a.blend", bone), look(tmp_path / f"a{suffix}", bone)
    for frame, place in wanted["heads"].items():
        assert np.allclose(found["heads"][frame], place, atol=2e-3), frame


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["one.take.npz", "--character", "empty.blend"], "has no armature in its scene"),
        (["one.take.npz", "--character", "two.blend"], "several armatures (hero, villain); choose one with --armature"),
        (["one.take.npz", "--character", "two.blend", "--armature", "x"], "no armature called x; it has hero, villain"),
        (["one.take.npz", "--character", "boneless.blend"], "hero has no bones"),
        (["one.take.npz", "--character", "dog.blend"], "four legs"),
        (["one.take.npz", "--character", "dog.blend", "--trim-start", "9"], "four legs"),
        (["one.take.npz", "--character", "torn.blend"], "Blender cannot read torn.blend"),
        (["one.take.npz", "--character", "none.blend"], "does not exist"),
        (["one.take.npz", "--character", "hero.obj"], "is no character"),
        (["one.take.npz", "--character", "two.blend", "--mapping", "none.toml"], "none.toml does not exist"),
        (["two.take.npz", "--character", "two.blend"], "choose 1, 2 with --person"),
        (["two.take.npz", "--character", "two.blend", "--person", "7"], "has no person 7; it has 1, 2"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_leaves_nothing(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    names = [str(takes / word) if Path(word).suffix else word for word in arguments]
    assert cli.main(["bake", *names, "-o", str(tmp_path / "out.blend")]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--trim-start", "9"], "the person is not seen in the trimmed part of the motion"),
        (["--limbs", "ik"], "has no IK controls that its preset names; choose FK"),
        (["--root-motion", "root"], "has no bone mapped as root"),
    ],
)
def test_options_that_this_character_cannot_have_are_a_sentence(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    asked = ["bake", str(takes / "one.take.npz"), "-o", str(tmp_path / "out.blend"), *flags]
    assert cli.main([*asked, "--character", str(character("plain_stick.blend"))]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_mapping_that_is_no_preset_is_a_sentence(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        "bake",
        str(takes / "one.take.npz"),
        "-o",
        str(tmp_path / "out.blend"),
        "--mapping",
        str(takes / "bad.toml"),
    ]
    assert cli.main([*asked, "--character", str(character("plain_stick.blend"))]) == 1
    assert "bad.toml is no rig preset" in capsys.readouterr().err


def test_a_mapping_of_the_animators_own_is_followed(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = json.loads((character("characters.json")).read_text())
    slots = next(one["map"] for one in known["characters"] if one["name"] == "plain_stick")
    lines = [f'"{slot}" = "{bone}"' for slot, bone in slots.items() if slot != "neck"]
    (tmp_path / "mine.toml").write_text('title = "Mine"\nkind = "user"\n[slots]\n' + "\n".join(lines))
    asked = [
        "bake",
        str(takes / "one.take.npz"),
        "-o",
        str(tmp_path / "o.blend"),
        "--mapping",
        str(tmp_path / "mine.toml"),
    ]
    assert cli.main([*asked, "--character", str(character("plain_stick.blend")), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"]["preset"] == "mine"


def test_what_an_animator_chooses_reaches_the_file(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shot.toml").write_text("quality = 'draft'\n[retarget]\ntrim_end = 1.0\njoint_limits = true\n")
    output = tmp_path / "hero.blend"
    asked = ["bake", str(takes / "one.take.npz"), "-o", str(output), "--json"]
    asked += ["--character", str(character("mpfb_game_engine.blend")), "--settings", str(tmp_path / "shot.toml")]
    asked += ["--keys", "reduced", "--tolerance", "8", "--no-lock-feet", "--offset", "3", "0", "0"]
    assert cli.main(asked) == 0
    report = json.loads(capsys.readouterr().out)["report"]
    assert report["frames"] == [1, 25]
    assert report["limited"] == {}
    assert report["keys"] < 0.6 * report["all_keys"]
    assert report["slide"][1] == report["slide"][2]
    assert look(output, "pelvis")["heads"]["20"][0] == pytest.approx(3.0, abs=0.1)
