# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a retargeting by name: as flags, in a settings file, in the docs; what is wrong is a sentence."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from video_mocap.backend import cli
from video_mocap.backend.commands import capture
from video_mocap.backend.commands.retarget_options import PREFIX, retarget_table
from video_mocap.backend.commands.settings import apply_settings
from video_mocap.rigging.retarget.options import ACTIONS, KEYS, LIMB_MODES, ROOTS, SMOOTHING, Options
from video_mocap.rigging.retarget.settings import NOT_WRITTEN, SETTINGS, options_of, table_of

ROOT = Path(__file__).resolve().parents[1]

#: Every field of `Options` at something else than its default.
OTHER = Options(
    keys="reduced", tolerance=2.5, smoothing="one euro", strength=0.25, feet=False, limits=True, root="in place",
    limbs="both", influence={"arm.L": 0.5, "head": 0.0}, trim=(0.5, 1.5), loop=True, scale=1.25,
    offset=(1.0, -2.0, 0.5), action="nla",
)  # fmt: skip


def test_every_field_has_a_name_and_goes_through_a_table_of_plain_values() -> None:
    fields = {one.name for one in dataclasses.fields(Options)}
    assert {setting.option for setting in SETTINGS.values()} == fields - NOT_WRITTEN
    assert all(getattr(OTHER, name) != getattr(Options(), name) for name in fields - NOT_WRITTEN)
    table = json.loads(json.dumps(table_of(OTHER)))
    assert list(table) == list(SETTINGS)
    assert options_of(table) == OTHER
    assert table_of(Options()) == {}


def test_every_word_can_be_written() -> None:
    words = {"root_motion": ROOTS, "limbs": LIMB_MODES, "keys": KEYS, "smooth": SMOOTHING, "action": ACTIONS}
    for name, known in words.items():
        setting = SETTINGS[name]
        assert [setting.check(word) for word in setting.words] == list(known)
        assert all(re.fullmatch(r"[a-z-]+", word) for word in setting.words)


@pytest.mark.parametrize("command", ["bake", "capture"])
def test_every_setting_is_a_flag_and_the_docs_name_it(command: str) -> None:
    _, parsers = cli.build_parser()
    flags = {flag for action in parsers[command]._actions for flag in action.option_strings}
    wanted = {"--" + name.replace("_", "-") for name in SETTINGS}
    assert wanted <= flags
    assert {action.dest for action in parsers[command]._actions if action.dest.startswith(PREFIX)} == {
        PREFIX + name for name in SETTINGS
    }
    guide = (ROOT / "docs" / "extension.md").read_text("utf-8")
    assert [flag for flag in wanted if f"`{flag}" not in guide] == []


def said(*flags: str, settings: str = "", tmp_path: Path | None = None) -> dict[str, Any]:
    """The table that a command would go by."""
    parser, parsers = cli.build_parser()
    arguments = ["bake", "x.take.npz", "--character", "hero.blend", *flags]
    if tmp_path is not None:
        (tmp_path / "shot.toml").write_text(settings)
        arguments += ["--settings", str(tmp_path / "shot.toml")]
    found = parser.parse_args(arguments)
    apply_settings(parsers["bake"], found, parsers["capture"])
    return retarget_table(found)


def test_flags_say_what_a_table_says() -> None:
    table = said(
        "--keys", "reduced", "--tolerance", "2.5", "--smooth", "one-euro", "--smooth-strength", "0.25",
        "--no-lock-feet", "--joint-limits", "--root-motion", "in-place", "--limbs", "both", "--influence", "arm.L=0.5",
        "--influence", "head=0", "--trim-start", "0.5", "--trim-end", "1.5", "--loop", "--path-scale", "1.25",
        "--offset", "1", "-2", "0.5", "--action", "nla",
    )  # fmt: skip
    assert options_of(table) == OTHER


def test_a_settings_file_says_the_same_and_the_command_line_wins(tmp_path: Path) -> None:
    text = """
quality = "draft"
[retarget]
keys = "reduced"
lock_feet = false
loop = true
offset = [0, 0, 1]
influence = { "arm.L" = 0.5, head = 0.2 }
"""
    table = said("--keys", "source", "--no-loop", "--influence", "head=0", settings=text, tmp_path=tmp_path)
    found = options_of(table)
    assert (found.keys, found.feet, found.loop, found.offset) == ("source", False, False, (0.0, 0.0, 1.0))
    assert found.influence == {"arm.L": 0.5, "head": 0.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[retarget]\nfeet = true", "feet is no option of a retargeting; there are root_motion"),
        ("[retarget]\nlock_feet = 1", "lock_feet must be true or false, not 1"),
        ("[retarget]\nkeys = 'few'", "keys must be one of scene, source, reduced, not 'few'"),
        ("[retarget]\ntolerance = 0", "tolerance must be a number of millimetres above 0, not 0"),
        ("[retarget]\npath_scale = nan", "path_scale must be a factor"),
        ("[retarget]\noffset = [1, 2]", "offset must be three numbers"),
        ("[retarget]\ninfluence = { tail = 1 }", "influence must be a number from 0 to 1 for any of hips"),
        ("retarget = 3", "retarget must be a table"),
        ("[nothing]\nx = 1", "nothing is no option"),
    ],
)
def test_bad_settings_are_a_sentence(text: str, expected: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "shot.toml").write_text(text)
    (tmp_path / "x.take.npz").write_bytes(b"x")
    asked = ["bake", str(tmp_path / "x.take.npz"), "--character", "h.blend", "--settings", str(tmp_path / "shot.toml")]
    assert cli.main(asked) == 1
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--keys", "few"], "invalid choice: 'few'"),
        (["--tolerance", "-1"], "must be a number of millimetres above 0, not -1"),
        (["--tolerance", "much"], "must be a number of millimetres above 0, not much"),
        (["--smooth-strength", "2"], "must be a number from 0 to 1, not 2"),
        (["--offset", "1", "x", "2"], "a number of metres is needed, not x"),
        (["--influence", "arm.L"], "PART=SHARE is needed"),
        (["--influence", "tail=1"], "PART=SHARE is needed"),
        (["--trim-start", "2", "--trim-end", "1"], "the end must come after the start"),
        (["--action", "nla", "-o", "x.fbx"], "--action nla needs a .blend"),
    ],
)
def test_bad_flags_are_wrong_usage(flags: list[str], expected: str, capsys: Any) -> None:
    assert cli.main(["bake", "x.take.npz", "--character", "hero.blend", *flags]) == cli.WRONG_USAGE
    error = capsys.readouterr().err
    assert expected in error
    assert "Traceback" not in error


def test_flags_without_a_character_are_told(capsys: Any) -> None:
    assert cli.main(["bake", "x.take.npz", "--no-lock-feet"]) == cli.WRONG_USAGE
    assert "--lock-feet needs --character" in capsys.readouterr().err
    assert cli.main(["capture", "clip.mp4", "--keys", "reduced"]) == cli.WRONG_USAGE
    assert "--keys needs --character" in capsys.readouterr().err


def test_a_capture_goes_by_the_same_table(tmp_path: Path) -> None:
    pytest.importorskip("bpy", reason="the bpy package is not installed")
    (tmp_path / "hero.blend").write_bytes(b"BLENDER")
    parser, parsers = cli.build_parser()
    asked = ["capture", "clip.mp4", "--character", str(tmp_path / "hero.blend"), "--loop", "--smoothing", "2"]
    found = parser.parse_args(asked)
    apply_settings(parsers["capture"], found)
    character = capture._character(found)
    assert character is not None
    assert character.options == {"loop": True}
    assert found.smoothing == 2
