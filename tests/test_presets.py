# SPDX-License-Identifier: GPL-3.0-or-later
"""Rig presets as files: what is shipped is sound, the user's survive the way to disk, bad ones are refused in words."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from video_mocap.rigging.retarget.naming import mirrored, plain, side_of
from video_mocap.rigging.retarget.presets import (
    IK_NAMES,
    Preset,
    Switch,
    preset_text,
    read_preset,
    shipped_presets,
    user_presets,
    write_preset,
)
from video_mocap.rigging.retarget.slots import REQUIRED

ROOT = Path(__file__).resolve().parents[1]
SLOTS = {slot: f"bone of {slot}" for slot in REQUIRED}


@pytest.mark.parametrize("preset", shipped_presets(), ids=lambda preset: preset.name)
def test_shipped_tables_are_whole_and_two_sided(preset: Preset) -> None:
    assert set(REQUIRED) <= set(preset.names)
    assert preset.title
    for slot, names in preset.names.items():
        if slot.endswith(".L"):
            others = preset.names[f"{slot[:-2]}.R"]
            if preset.kind != "general":
                assert all(one != other for one, other in zip(names, others, strict=True)), slot
    for key in preset.ik:
        assert key.partition(".")[0] in IK_NAMES
    assert len({switch.limb for switch in preset.switches}) in (0, 4)


def test_presets_are_packaged() -> None:
    """In the wheel by package data; the extension takes the folder whole."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "presets/*.toml" in project["tool"]["setuptools"]["package-data"]["video_mocap.rigging.retarget"]
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert not any("toml" in pattern or "preset" in pattern for pattern in manifest["build"]["paths_exclude_pattern"])


def test_a_users_preset_survives_the_way_to_disk(tmp_path: Path) -> None:
    slots = SLOTS | {"chest": 'a "quoted" \\ name', "head": "頭\t1", "spine.2": "s"}
    switches = (Switch("arm.L", "parent.L", "IK_FK", 1.0, 0.0), Switch("arm.L", "parent.L", "pole", 0.0, 1.0))
    path = write_preset(tmp_path, "My Hero, v2", preset_text("My Hero, v2", slots, switches, {"hand.L": "ik.L"}))
    assert path.name == "my_hero_v2.toml"
    read = read_preset(path)
    assert read.title == "My Hero, v2"
    assert read.kind == "user"
    assert {slot: names[0] for slot, names in read.names.items()} == slots
    assert read.switches == switches
    assert read.ik == {"hand.L": "ik.L"}
    again = write_preset(tmp_path, "My Hero, v2", preset_text("My Hero, v2", SLOTS, (), {}))
    assert again == path
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert set(read_preset(path).names) == set(SLOTS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slots = ", "not valid TOML"),
        ("\x00\x01", "not valid TOML"),
        ("", "names no bones"),
        ('[slots]\ntail = "Tail"', "unknown slot 'tail'"),
        ('[slots]\nhips = "a"\nhead = "a"', "both hips and head"),
        ('[slots]\nhips = ["a", "b"]', "hips must be a bone's name"),
        ('[slots]\nhips = ""', "hips must be a bone's name"),
        ("slots = 3", "must be a table"),
        ('kind = "guess"\n[slots]\nhips = "a"', "unknown kind"),
        ('bones = 1\n[slots]\nhips = "a"', "unknown entry 'bones'"),
        ('[slots]\nhips = "a"\n[switches]\narm = { bone = "x" }', "needs bone, property, fk and ik"),
        ('[slots]\nhips = "a"\n[switches]\ntail = { bone = "x" }', "arm or leg"),
        ('[slots]\nhips = "a"\n[ik]\ntail = "x"', "hand, foot"),
        ("#" * 300_000, "too large"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said) as refusal:
        read_preset(path)
    assert str(refusal.value).startswith("bad.toml")
    assert "\n" not in str(refusal.value)


def test_a_bad_file_hides_no_good_one(tmp_path: Path) -> None:
    write_preset(tmp_path, "good", preset_text("good", SLOTS, (), {}))
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    presets, problems = user_presets(tmp_path)
    assert [preset.name for preset in presets] == ["good"]
    assert len(problems) == 1
    assert problems[0].startswith("bad.toml")
    assert user_presets(tmp_path / "absent") == ((), ())


def test_what_cannot_be_saved_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="both"):
        preset_text("x", {"hips": "a", "head": "a"}, (), {})
    with pytest.raises(ValueError, match="letters or digits"):
        write_preset(tmp_path, " ?! ", "x")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        write_preset(blocked, "name", "x")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("upper_arm_fk.L", "upper_arm_fk.R"),
        ("LeftUpLeg", "RightUpLeg"),
        ("lShldrBend", "rShldrBend"),
        ("L Clavicle", "R Clavicle"),
        ("CC_Base_L_Hand", "CC_Base_R_Hand"),
        ("c_leg_pole.l", "c_leg_pole.r"),
        ("leftUpperArm", "rightUpperArm"),
        ("calf_l", "calf_r"),
        ("DEF-thigh.L.001", "DEF-thigh.R.001"),
        ("左ひじ", "右ひじ"),
        ("leftarm", "rightarm"),
        ("spine.001", "spine.001"),
    ],
)
def test_sides_of_names(left: str, right: str) -> None:
    assert mirrored(left) == right
    assert mirrored(right) == left
    if left != right:
        assert (side_of(left), side_of(right)) == ("L", "R")
        assert plain(left)[1] == plain(right)[1]
