# SPDX-License-Identifier: GPL-3.0-or-later
"""Name tables of rigs as data files (TOML), and the animator's own.

A shipped table gives the names of the left side; the right side's follow by mirroring the name. The animator's file
gives a bone for every slot, as it is. The format is in docs/rig-presets.md.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .naming import mirrored
from .slots import CHAINS, SLOTS, is_slot

#: Who names bones: an exported or plain skeleton, a control rig's controls, words that any rig may use, one animator.
KINDS = ("skeleton", "controls", "general", "user")
_KEYS = {"title", "kind", "middle", "left", "slots", "switches", "ik"}
#: What inverse kinematics is steered by: (name in a file, `@` is the side).
IK_NAMES = ("hand", "foot", "elbow_pole", "knee_pole")
_LIMBS = ("arm", "leg")
_SIZE_LIMIT = 256 * 1024
_SUFFIX = ".toml"


@dataclass(frozen=True)
class Switch:
    """A custom property that turns a limb from inverse to forward kinematics.

    limb: `arm.L` .. `leg.R`. bone: the pose bone that has it. property: its name. fk, ik: its values.
    """

    limb: str
    bone: str
    property: str
    fk: float
    ik: float


@dataclass(frozen=True)
class Preset:
    """A table of names.

    name: of the file. title: for people. kind: one of `KINDS`. names: slot -> names that the bone may have, best
    first. chains: `spine`, `neck` -> names from the hips up (the chest is the last of the spine). switches, ik: as the
    table has them, both sides.
    """

    name: str
    title: str
    kind: str
    names: dict[str, tuple[str, ...]]
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    switches: tuple[Switch, ...] = ()
    ik: dict[str, str] = field(default_factory=dict)


@cache
def shipped_presets() -> tuple[Preset, ...]:
    """The tables that come with the product, by file name."""
    folder = Path(__file__).parent / "presets"
    return tuple(read_preset(path) for path in sorted(folder.glob(f"*{_SUFFIX}")))


def user_presets(folder: Path) -> tuple[tuple[Preset, ...], tuple[str, ...]]:
    """(the animator's tables in a folder, one sentence for each file that cannot be used). The folder may be absent."""
    found, problems = [], []
    for path in sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []:
        try:
            found.append(read_preset(path))
        except ValueError as problem:
            problems.append(str(problem))
    return tuple(found), tuple(problems)


def read_preset(path: Path) -> Preset:
    """One table. Raises ValueError, one sentence that says what is wrong with the file."""
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise ValueError(f"{path.name} is too large to be a rig preset")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ValueError(f"{path.name} cannot be read: {problem.strerror}") from problem
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ValueError(f"{path.name} is no rig preset: it is not valid TOML ({problem})") from problem
    return parse_preset(data, path.stem, path.name)


def parse_preset(data: Mapping[str, Any], name: str, file: str) -> Preset:
    """A table from what its file says. Raises ValueError, one sentence beginning with `file`."""
    unknown = sorted(set(data) - _KEYS)
    if unknown:
        raise ValueError(f"{file} has an unknown entry {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    kind = data.get("kind", "user")
    if kind not in KINDS:
        raise ValueError(f"{file} is of an unknown kind {kind!r}; known are {', '.join(KINDS)}")
    tables = {key: data.get(key, {}) for key in ("middle", "left", "slots", "switches", "ik")}
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{file}: [{key}] must be a table of names")
    names: dict[str, tuple[str, ...]] = {}
    chains: dict[str, tuple[str, ...]] = {}
    for slot, value in tables["middle"].items():
        if slot in CHAINS:
            chains[slot] = _texts(value, slot, file)
        else:
            names[_slot(slot, file)] = _texts(value, slot, file)
    for part, value in tables["left"].items():
        texts = _texts(value, part, file)
        names[_slot(f"{part}.L", file)] = texts
        names[_slot(f"{part}.R", file)] = tuple(mirrored(text) for text in texts)
    names |= _exact(tables["slots"], file)
    if not names:
        raise ValueError(f'{file} names no bones; give it a table [slots] with lines such as hips = "Hips"')
    title = data.get("title", name)
    if not isinstance(title, str):
        raise ValueError(f"{file}: title must be a text")
    return Preset(name, title, kind, names, chains, _switches(tables["switches"], file), _ik(tables["ik"], file))


def _slot(name: str, file: str) -> str:
    if not is_slot(name):
        raise ValueError(f"{file} has an unknown slot {name!r}; known are {', '.join(SLOTS)}")
    return name


def _texts(value: object, where: str, file: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"{file}: {where} must be a bone's name or a list of names")
    return tuple(texts)


def _exact(table: Mapping[str, Any], file: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    for slot, bone in table.items():
        _slot(slot, file)
        if not isinstance(bone, str) or not bone:
            raise ValueError(f"{file}: {slot} must be a bone's name")
        if bone in owners:
            raise ValueError(f"{file} gives the bone {bone!r} to both {owners[bone]} and {slot}; keep one of them")
        owners[bone] = slot
        found[slot] = (bone,)
    return found


def _switches(table: Mapping[str, Any], file: str) -> tuple[Switch, ...]:
    """Entries are `arm = { bone, property, fk, ik }` or lists of such, for the left; with a side they are exact."""
    found = []
    for limb, value in table.items():
        stem, _, side = limb.partition(".")
        if stem not in _LIMBS or side not in ("", "L", "R"):
            raise ValueError(f"{file}: a switch must be of arm or leg, not {limb!r}")
        for entry in value if isinstance(value, list) else [value]:
            try:
                bone, name = entry["bone"], entry["property"]
                fk, ik = float(entry["fk"]), float(entry["ik"])
            except (KeyError, TypeError, ValueError) as problem:
                raise ValueError(f"{file}: the switch of {limb} needs bone, property, fk and ik") from problem
            if side:
                found.append(Switch(limb, bone, name, fk, ik))
            else:
                found.append(Switch(f"{limb}.L", bone, name, fk, ik))
                found.append(Switch(f"{limb}.R", mirrored(bone), name, fk, ik))
    return tuple(found)


def _ik(table: Mapping[str, Any], file: str) -> dict[str, str]:
    found = {}
    for key, bone in table.items():
        stem, _, side = key.partition(".")
        if stem not in IK_NAMES or side not in ("", "L", "R") or not isinstance(bone, str) or not bone:
            raise ValueError(f"{file}: [ik] names bones for {', '.join(IK_NAMES)}, not {key!r}")
        if side:
            found[key] = bone
        else:
            found[f"{stem}.L"], found[f"{stem}.R"] = bone, mirrored(bone)
    return found


def preset_text(title: str, slots: Mapping[str, str], switches: tuple[Switch, ...], ik: Mapping[str, str]) -> str:
    """An animator's table as the text of its file. Raises ValueError as `read_preset` would."""
    parse_preset({"title": title, "slots": dict(slots)}, title, "the preset")
    lines = ["# A rig preset of Video Mocap: slot = bone.", f"title = {_quoted(title)}", 'kind = "user"', "", "[slots]"]
    lines += [f"{_quoted(slot)} = {_quoted(bone)}" for slot, bone in slots.items()]
    if ik:
        lines += ["", "[ik]", *(f"{_quoted(key)} = {_quoted(bone)}" for key, bone in ik.items())]
    if switches:
        lines += ["", "[switches]"]
    for limb in dict.fromkeys(switch.limb for switch in switches):
        entries = [
            f"{{ bone = {_quoted(switch.bone)}, property = {_quoted(switch.property)}, fk = {switch.fk!r}, "
            f"ik = {switch.ik!r} }}"
            for switch in switches
            if switch.limb == limb
        ]
        lines.append(f"{_quoted(limb)} = [{', '.join(entries)}]")
    return "\n".join(lines) + "\n"


def write_preset(folder: Path, title: str, text: str) -> Path:
    """Write a table, whole or not at all, over one of the same title. Raises ValueError if the folder refuses it."""
    stem = re.sub(r"[^\w]+", "_", title.strip().lower()).strip("_")
    if not stem:
        raise ValueError("give the preset a name with letters or digits")
    path = folder / f"{stem[:80]}{_SUFFIX}"
    partial = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=folder, prefix=f".{stem[:40]}.", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(partial).replace(path)
    except OSError as problem:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)
        raise ValueError(f"the preset cannot be written to {folder}: {problem.strerror}") from problem
    return path


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\u{ord(match.group()):04x}", escaped) + '"'
