# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a training: nested dataclasses, every value with a default, filled from the tables of a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from ..errors import UserError

T = TypeVar("T")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}
_LISTED = {int: "whole numbers", str: "names"}


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises UserError, in one sentence, if it is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from None


def from_toml(path: Path, convert: Callable[[dict[str, Any]], T]) -> T:
    """What `convert` makes of the tables of a TOML file. Raises UserError, in one sentence, if it is none or `convert`
    raises ValueError."""
    data = read_toml(path)
    try:
        return convert(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def filled(kind: type[T], data: dict[str, Any], table: str = "") -> T:
    """`kind` with the values of `data`, which `dataclasses.asdict` reverses.

    Raises ValueError, in one sentence, if a value is unknown or of another type than its default.
    """
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name not in known:
            raise ValueError(f"there is no setting {table}{name}; there are {', '.join(known)}")
        default = getattr(kind(), name)
        if is_dataclass(default):
            if not isinstance(value, dict):
                raise ValueError(f"{table}{name} must be a table")
            values[name] = filled(type(default), value, f"{table}{name}.")
        else:
            values[name] = _converted(f"{table}{name}", value, default, hints[name])
    return kind(**values)


def _converted(name: str, value: Any, default: Any, hint: Any) -> Any:
    if isinstance(default, tuple):
        item = get_args(hint)[0]  # of tuple[item, ...]
        if not isinstance(value, list | tuple) or not all(type(each) is item for each in value):
            raise ValueError(f"{name} must be a list of {_LISTED[item]}")
        return tuple(value)
    if isinstance(default, float) and type(value) in (int, float):
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"{name} must be {_WORDS[type(default)]}, not {value!r}")
    return value


def check_least(table: Any, least: float, names: tuple[str, ...], above: bool = False) -> None:
    """Raise ValueError, in one sentence, unless the named numbers of a table are at least (or above) `least`."""
    for name in names:
        value = getattr(table, name)
        if not (value > least if above else value >= least):
            raise ValueError(f"{name} must be {'more than' if above else 'at least'} {least:g}, not {value:g}")
