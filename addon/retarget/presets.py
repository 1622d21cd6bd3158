# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Rig presets: the shipped ones, and the animator's own in the extension's user folder."""

from __future__ import annotations

from pathlib import Path

from ...rigging.retarget.controls import controls_of
from ...rigging.retarget.presets import Preset, preset_text, shipped_presets, user_presets, write_preset
from ..capture.request import user_folder

Items = list[tuple[str, str, str]]
#: What was listed last and when its folder was changed; Blender needs the texts of a list to stay.
_listed: dict[str, tuple[int, Items, Items]] = {}


def folder() -> Path:
    """Where the animator's own lie; not made here."""
    return user_folder("presets")


def known(own: Path) -> tuple[Preset, ...]:
    """All of them, the animator's (in the folder `own`) first: where two have one name, theirs is meant."""
    mine, _ = user_presets(own)
    names = {preset.name for preset in mine}
    return *mine, *(preset for preset in shipped_presets() if preset.name not in names)


def listed() -> tuple[Items, Items]:
    """(all to choose from, those that are the animator's own). Looks into the folder only when it was changed."""
    own = folder()
    stamp = own.stat().st_mtime_ns if own.is_dir() else 0
    before = _listed.get(str(own))
    if before is None or before[0] != stamp:
        mine = {preset.name for preset in user_presets(own)[0]}
        items = [
            (preset.name, f"{preset.title} (yours)" if preset.name in mine else preset.title, "Names of a rig's bones")
            for preset in known(own)
            if preset.kind != "general"
        ]
        _listed[str(own)] = before = stamp, items, [item for item in items if item[0] in mine]
    return before[1], before[2]


def find(name: str) -> Preset:
    """The preset called `name`. Raises ValueError, with what is wrong with the animator's file if that is why."""
    mine, problems = user_presets(folder())
    found = next((preset for preset in (*mine, *shipped_presets()) if preset.name == name), None)
    if found is None:
        raise ValueError(next((one for one in problems if one.startswith(f"{name}.")), f"There is no preset {name}"))
    return found


def save(title: str, slots: dict[str, str], like: str) -> Path:
    """Write the animator's choice of bones. like: name of the preset whose switches and IK targets the rig has.

    Raises ValueError, in one sentence.
    """
    controls = controls_of(like, known(folder()))
    text = preset_text(title, slots, controls.switches, controls.ik)
    return write_preset(folder(), title, text)


def delete(name: str) -> None:
    """Delete one of the animator's own. Raises ValueError."""
    path = folder() / f"{name}.toml"
    if Path(name).name != name or not path.is_file():
        raise ValueError(f"{name} is no preset of yours")
    path.unlink()
