# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking before leaping: inputs and outputs are checked before hours of work, not after."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import UserError

BAKE_SUFFIXES = (".blend", ".fbx", ".bvh")
PREVIEW_SUFFIXES = (".mp4",)
ARRAY_SUFFIXES = (".npz",)
#: A disk with less than this is full: no result fits.
LEAST_FREE = 10_000_000


def check_input(path: Path) -> None:
    """Raises UserError if `path` does not exist or is an empty file. Folders pass: they may hold images."""
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise UserError(f"{path} is empty")
        if not path.exists():
            raise UserError(f"{path} does not exist")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def check_output(path: Path, suffixes: Sequence[str]) -> None:
    """Raises UserError if no file of one of the kinds `suffixes` could be written at `path`. Leaves nothing behind."""
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{path}: the name must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise UserError(f"{path} is a folder")
    folder = path.parent
    if not folder.is_dir():
        raise UserError(f"the folder {folder} does not exist")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    if free < LEAST_FREE:
        raise UserError(f"cannot write {path}: the disk is full ({free / 1e6:.0f} MB free)")


def check_distinct(paths: Mapping[str, Path]) -> None:
    """Raises UserError if two of the named files are the same file."""
    seen: dict[Path, str] = {}
    for name, path in paths.items():
        other = seen.setdefault(path.resolve(), name)
        if other != name:
            raise UserError(f"{path} is named twice: as {other} and as {name}")


def check_bake(output: Path) -> None:
    """Raises UserError if this environment cannot write armatures of `output`'s kind: .bvh needs no bpy."""
    if output.suffix.lower() != ".bvh" and find_spec("bpy") is None:
        raise UserError(
            f"{output} cannot be written: Blender's Python module (bpy) is not in this environment; "
            "'python3 build.py setup' installs it with Python 3.11; a .bvh can be written without"
        )
