# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags of the commands that put a motion on a character; `[retarget]` in a settings file has the same names."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from ...rigging.retarget.settings import SETTINGS, checked, options_of
from ..errors import UserError

#: Before the name in what argparse gives, so that nothing is taken for an option of a capture.
PREFIX = "retarget_"

_HELP: Mapping[str, str] = {
    "root_motion": "what carries the figure: its hips, its root bone, the object, or nothing (default: hips)",
    "limbs": "controls of arms and legs that get keys, where the rig's preset names both (default: fk)",
    "keys": "on every frame of the scene, every frame of the source, or as few as keep --tolerance (default: scene)",
    "tolerance": "with --keys reduced: how far a joint may be from its place, in millimetres (default: 5)",
    "smooth": "how the motion is smoothed before it is put on (default: none)",
    "smooth_strength": "how much it is smoothed (default: 0.5)",
    "lock_feet": "feet that stand do not slide (default: they are locked)",
    "joint_limits": "joints stay within what people can do (default: as captured)",
    "path_scale": "the way over the floor, besides what the leg length makes of it (default: 1)",
    "offset": "move the figure by so many metres in the world",
    "trim_start": "seconds of the take from which on it is taken",
    "trim_end": "seconds of the take up to which it is taken",
    "loop": "the end leads back into the start",
    "influence": "how much of the motion a part takes, 0 for no keys: hips, spine, head, arm.L, arm.R, leg.L, leg.R; "
    "may be repeated",
    "action": "a new action, into the one that the character has, or on a muted NLA track (default: new)",
}


def add_retarget(parser: argparse.ArgumentParser) -> None:
    """How the motion is put on a character. All are None until said."""
    group = parser.add_argument_group("retargeting", "with --character; [retarget] in a settings file has these names")
    for name, setting in SETTINGS.items():
        flag, more = "--" + name.replace("_", "-"), {"dest": PREFIX + name, "help": _HELP[name], "default": None}
        if setting.kind == "word":
            group.add_argument(flag, choices=setting.words, **more)
        elif setting.kind == "switch":
            group.add_argument(flag, action=argparse.BooleanOptionalAction, **more)
        elif setting.kind == "place":
            group.add_argument(flag, nargs=3, type=_finite, metavar=("X", "Y", "Z"), **more)
        elif setting.kind == "parts":
            group.add_argument(flag, action="append", type=_part, metavar="PART=SHARE", **more)
        else:
            group.add_argument(flag, type=_number(name), metavar=setting.unit, **more)


def retarget_table(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the settings file and, before it, the command line say of a retargeting."""
    said = _said(arguments)
    table = {**getattr(arguments, "retarget_settings", {}), **said}
    if "influence" in said:
        table["influence"] = {**getattr(arguments, "retarget_settings", {}).get("influence", {}), **said["influence"]}
    return table


def retarget_problem(arguments: argparse.Namespace) -> str | None:
    """What the flags contradict each other in, or None."""
    said = _said(arguments)
    if arguments.character is None:
        # A settings file may hold them for another time.
        return f"--{next(iter(said)).replace('_', '-')} needs --character" if said else None
    table = retarget_table(arguments)
    try:
        options_of(table)
    except ValueError as error:
        return str(error)
    if table.get("action") == "nla" and arguments.output is not None and arguments.output.suffix.lower() != ".blend":
        return f"--action nla needs a .blend: a muted track is not in a {arguments.output.suffix}"
    return None


def settings_table(table: Any, path: object) -> dict[str, Any]:
    """A settings file's [retarget], checked. path: the file's, for messages. Raises UserError."""
    if not isinstance(table, dict):
        raise UserError(f"{path}: retarget must be a table, [retarget]")
    for name, value in table.items():
        try:
            checked(name, value)
        except ValueError as error:
            raise UserError(f"{path}: [retarget] {error}") from None
    return table


def _said(arguments: argparse.Namespace) -> dict[str, Any]:
    found = {name: getattr(arguments, PREFIX + name, None) for name in SETTINGS}
    said = {name: value for name, value in found.items() if value is not None}
    if "influence" in said:
        said["influence"] = dict(said["influence"])
    return said


def _number(name: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = None
        try:
            return checked(name, number)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).replace(repr(number), text).partition(" ")[2]) from None

    return parse


def _finite(text: str) -> float:
    try:
        return checked("offset", [float(text), 0, 0])[0]
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number of metres is needed, not {text}") from None


def _part(text: str) -> tuple[str, float]:
    part, _, share = text.partition("=")
    try:
        return part, checked("influence", {part: float(share)})[part]
    except ValueError:
        raise argparse.ArgumentTypeError(f"PART=SHARE is needed, such as arm.L=0.5, not {text}") from None
