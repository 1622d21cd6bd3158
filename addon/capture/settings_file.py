# SPDX-License-Identifier: GPL-3.0-or-later
"""The choices for a capture as a TOML file: the one that `video-mocap capture --settings` reads. No bpy.

Keys are the long option names with underscores; what stands at its default is left out. `[retarget]` holds the options
of a retargeting as `rigging.retarget.settings` has them.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...rigging.retarget.settings import options_of
from ..files import write_whole
from . import texts

#: Options of the command line that mean nothing here: what it writes is chosen elsewhere.
COMMAND_LINE_ONLY = frozenset({"output", "take", "preview", "character", "armature", "mapping", "json"})


class SettingsError(ValueError):
    """A settings file cannot be used; the message is one sentence."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text in quotes")
    return value


def _one_of(*choices: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return check


def _number(low: float, high: float, what: str, low_itself: bool = False) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not (low < value < high or (low_itself and value == low)):
            raise ValueError(f"must be {what}")
        return float(value)

    return check


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 99:
        raise ValueError("must be a whole number from 1 to 99")
    return value


_millimetres = _number(0, 10_000, "a positive number of millimetres")
_seconds = _number(0, math.inf, "seconds from the start of the footage", low_itself=True)

#: Every option of a capture and what checks its value (it returns the value or raises ValueError).
OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    "detector": _text,
    "quality": _one_of("draft", "standard", "thorough"),
    "max_persons": _count,
    "start": _seconds,
    "end": _seconds,
    "focal_length": _number(0, math.inf, "a positive number of pixels"),
    "focal_mm": _millimetres,
    "sensor": _millimetres,
    "fov": _number(1, 179, "an angle between 1 and 179 degrees"),
    "camera": _text,
    "distortion": texts.distortion,
    "camera_motion": _one_of("auto", "still", "turning"),
    "height": _number(0, 3, "a height in metres below 3"),
    "vertical": texts.vertical,
    "floor": texts.floor,
    "in_front": texts.in_front,
    "stitch": texts.stitch,
    "root": _one_of("agreed", "linear", "mehta", "ratio", "search", "rootnet", "pnp", "network"),
    "smoothing": _number(0.2499, 4.0001, "a number from 0.25 to 4"),
    "device": _one_of("auto", "cpu", "cuda"),
    "lifter": _text,
    "adapt_to_person": _switch,
}


def read_settings(path: Path) -> dict[str, Any]:
    """The options that a settings file names, checked; "retarget" is a table. A relative `camera` is beside the file.

    Raises SettingsError, in one sentence, for a file that cannot be read, unknown keys and values that do not fit.
    """
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name} is not TOML: {' '.join(str(error).split())}") from None
    retarget = {"retarget": _retarget(path, found.pop("retarget"))} if "retarget" in found else {}
    options = {key: _checked(path, key, value) for key, value in found.items() if key not in COMMAND_LINE_ONLY}
    if sum(key in options for key in ("focal_length", "focal_mm", "fov", "camera")) > 1:
        raise SettingsError(f"{path.name}: only one of focal_length, focal_mm, fov and camera can be known")
    if "sensor" in options and "focal_mm" not in options:
        raise SettingsError(f"{path.name}: sensor says nothing without focal_mm")
    if "end" in options and options["end"] <= options.get("start", 0.0):
        raise SettingsError(f"{path.name}: end must lie after start")
    if "camera" in options:
        options["camera"] = str((path.parent / options["camera"]).resolve())
    return options | retarget


def _retarget(path: Path, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SettingsError(f"{path.name}: retarget must be a table, [retarget]")
    try:
        options_of(table)
    except ValueError as error:
        raise SettingsError(f"{path.name}: [retarget] {error}") from None
    return table


def _checked(path: Path, key: str, value: Any) -> Any:
    if key not in OPTIONS:
        raise SettingsError(f"{path.name}: {key} is not known; a capture has {', '.join(sorted(OPTIONS))}")
    try:
        return OPTIONS[key](value)
    except ValueError as error:
        raise SettingsError(f"{path.name}: {key} {error}, not {value!r}") from None


def write_settings(path: Path, options: Mapping[str, Any]) -> None:
    """Write options (None: left out; "retarget": a table).

    Raises WriteError; a file that was there stays whole then.
    """
    rows = {key: value for key, value in options.items() if value is not None and key != "retarget"}
    text = "# Video Mocap: settings of a capture\n" + _rows(rows)
    if "retarget" in options:
        text += "\n[retarget]\n" + _rows(options["retarget"])
    write_whole(path, lambda file: (file.write(text.encode()), None)[1])


def _rows(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_as_toml(value)}\n" for key, value in values.items())


def _as_toml(value: Any) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_as_toml(key)} = {_as_toml(one)}" for key, one in value.items()) + " }"
    # Blender's numbers are single precision: 0.3 comes as 0.30000001192.
    return repr(float(f"{value:.7g}")) if isinstance(value, float) else repr(value)
