# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a retargeting as people write them: a table of plain values, by names.

The same table is `[retarget]` in a settings file, the command line's flags (`lock_feet` is `--lock-feet`), and what the
add-on saves. Words are written with hyphens ("one-euro"), what stands at its default is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .options import ACTIONS, KEYS, LIMB_MODES, PARTS, ROOTS, SMOOTHING, Options


@dataclass(frozen=True)
class Setting:
    """One name. option: the field of `Options` that it says. kind: "word", "number", "switch", "place" or "parts".

    check: gives a plain value as `Options` takes it; raises ValueError that goes on after "NAME must be". words: of a
    "word" all there are, as written. unit: of a number.
    """

    option: str
    kind: str
    check: Callable[[Any], Any]
    words: tuple[str, ...] = ()
    unit: str = ""


def _word(option: str, known: tuple[str, ...]) -> Setting:
    written = {one.replace(" ", "-"): one for one in known}

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in written:
            raise ValueError(f"one of {', '.join(written)}")
        return written[value]

    return Setting(option, "word", check, tuple(written))


def _number(option: str, low: float, high: float, what: str, unit: str = "", least: bool = True) -> Setting:
    """least: `low` itself may be."""

    def check(value: Any) -> float:
        number = _finite(value)
        if number is None or not (low < number <= high or (least and number == low)):
            raise ValueError(what)
        return number

    return Setting(option, "number", check, unit=unit)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _place(value: Any) -> tuple[float, ...]:
    found = [_finite(one) for one in value] if isinstance(value, list | tuple) else []
    numbers = [one for one in found if one is not None]
    if len(found) != 3 or len(numbers) != 3:
        raise ValueError("three numbers, x, y and z in metres")
    return tuple(numbers)


def _parts(value: Any) -> dict[str, float]:
    found = {part: _finite(share) for part, share in value.items()} if isinstance(value, Mapping) else {"": None}
    kept = {part: share for part, share in found.items() if part in PARTS and share is not None and 0 <= share <= 1}
    if len(kept) < len(found):
        raise ValueError(f"a number from 0 to 1 for any of {', '.join(PARTS)}")
    return kept


def _finite(value: Any) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits else None


_SECONDS = "a number of seconds from the start of the motion"

SETTINGS: Mapping[str, Setting] = {
    "root_motion": _word("root", ROOTS),
    "limbs": _word("limbs", LIMB_MODES),
    "keys": _word("keys", KEYS),
    "tolerance": _number("tolerance", 0, math.inf, "a number of millimetres above 0", "MM", least=False),
    "smooth": _word("smoothing", SMOOTHING),
    "smooth_strength": _number("strength", 0, 1, "a number from 0 to 1", "0..1"),
    "lock_feet": Setting("feet", "switch", _switch),
    "joint_limits": Setting("limits", "switch", _switch),
    "path_scale": _number("scale", 0.01, 100, "a factor from 0.01 to 100", "FACTOR"),
    "offset": Setting("offset", "place", _place, unit="METRES"),
    "trim_start": _number("trim", 0, math.inf, _SECONDS, "SECONDS"),
    "trim_end": _number("trim", 0, math.inf, _SECONDS, "SECONDS"),
    "loop": Setting("loop", "switch", _switch),
    "influence": Setting("influence", "parts", _parts),
    "action": _word("action", ACTIONS),
}

#: Fields of `Options` that nobody writes: what they are follows from the scene and the motion.
NOT_WRITTEN = frozenset({"scene_fps", "start_frame", "name"})


def checked(name: str, value: Any) -> Any:
    """The value of a setting as `Options` takes it. Raises ValueError, in one sentence."""
    if name not in SETTINGS:
        raise ValueError(f"{name} is no option of a retargeting; there are {', '.join(SETTINGS)}")
    try:
        return SETTINGS[name].check(value)
    except ValueError as error:
        raise ValueError(f"{name} must be {error}, not {value!r}") from None


def options_of(table: Mapping[str, Any], **given: Any) -> Options:
    """The options that a table names. given: fields that no table has. Raises ValueError, in one sentence."""
    said = {name: checked(name, value) for name, value in table.items()}
    trim = (said.pop("trim_start", None), said.pop("trim_end", None))
    options = Options(**{SETTINGS[name].option: value for name, value in said.items()}, trim=trim, **given)
    options.check()
    return options


def table_of(options: Options) -> dict[str, Any]:
    """What a table has to say for these options: `options_of` of it gives them, but for `NOT_WRITTEN`."""
    usual = Options()
    table: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        value, default = getattr(options, setting.option), getattr(usual, setting.option)
        if setting.option == "trim":
            value, default = value[name == "trim_end"], None
        if setting.option == "influence":
            value = {part: share for part, share in value.items() if share != 1}
        if value != default:
            table[name] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(" ", "-")
    return list(value) if isinstance(value, tuple) else value
