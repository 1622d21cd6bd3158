# SPDX-License-Identifier: GPL-3.0-or-later
"""Options from a TOML file: keys are the long option names with underscores; the command line wins."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from ..errors import UserError
from .retarget_options import PREFIX, settings_table

#: Of those that exclude each other the file's is dropped where the command line says another one.
EXCLUSIVE = ("focal_length", "focal_mm", "fov", "camera")
NOT_IN_A_FILE = ("help", "settings", "default_video")


def apply_settings(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, other: argparse.ArgumentParser | None = None
) -> None:
    """Fill what the command line left open from the file `arguments.settings`, if one is named.

    other: of a command that shares the file: its options are passed over. `[retarget]` becomes
    `arguments.retarget_settings`, a table as `rigging.retarget.settings` has it.
    Paths in the file are relative to the current folder, as on the command line.
    Raises UserError if the file cannot be read, or names an option that the command does not have, or gives it a value
    that it does not take.
    """
    path: Path | None = getattr(arguments, "settings", None)
    if path is None:
        return
    settings = _read(path)
    actions, passed_over = _in_a_file(parser), _in_a_file(other) if other is not None else {}
    if "retarget" in settings and any(action.dest.startswith(PREFIX) for action in parser._actions):
        arguments.retarget_settings = settings_table(settings.pop("retarget"), path)
    together = [name for name in EXCLUSIVE if name in settings]
    if len(together) > 1:
        raise UserError(f"{path}: {' and '.join(together)} exclude each other")
    said = {name for name in actions if getattr(arguments, name, None) is not None}
    for key, value in settings.items():
        if key in passed_over and key not in actions:
            continue
        if key not in actions:
            raise UserError(f"{path}: {key} is no option of this command; it has {', '.join(sorted(actions))}")
        converted = _converted(actions[key], value, path)
        if key not in said and not (key in EXCLUSIVE and said.intersection(EXCLUSIVE)):
            setattr(arguments, key, converted)


def _in_a_file(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The options that a file may name at its top."""
    return {
        action.dest: action
        for action in parser._actions
        if action.option_strings
        and action.dest not in NOT_IN_A_FILE
        and not action.dest.startswith(PREFIX)
        and action.help != argparse.SUPPRESS
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from None


def _converted(action: argparse.Action, value: Any, path: Path) -> Any:
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UserError(f"{path}: {action.dest} must be true or false, not {value!r}")
        return value or None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{path}: {action.dest} cannot be {value!r}")
    kind = action.type if callable(action.type) else str
    try:
        converted = kind(str(value))
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise UserError(f"{path}: {action.dest}: {error}") from None
    if action.choices is not None and converted not in action.choices:
        raise UserError(f"{path}: {action.dest} must be one of {', '.join(action.choices)}, not {value!r}")
    return converted
