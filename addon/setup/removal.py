# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking the capture environment away again: only what the set-up made, and never through a link out of it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .environment import MARKERS, strange
from .files import SetupError, refusal

_LEAVING = ".removing"


def is_ours(environment: Path) -> bool:
    """Whether a folder is a virtual environment that the set-up made, or began to make."""
    if environment.is_symlink() or not environment.is_dir():
        return False
    marked = any((environment / name).is_file() for name in MARKERS)
    return not strange(environment) or (marked and (environment / "pyvenv.cfg").is_file())


def is_removable(environment: Path) -> bool:
    """Whether there is something for `remove` to do."""
    return environment.with_name(environment.name + _LEAVING).is_dir() or (
        environment.is_dir() and is_ours(environment) and any(environment.iterdir())
    )


def remove(environment: Path) -> None:
    """Remove an environment; nothing happens where there is none. Blocks for seconds: for a thread.

    Raises SetupError if it is not one that the set-up made, or if something in it cannot be removed; then the next
    try goes on.
    """
    leaving = environment.with_name(environment.name + _LEAVING)
    if leaving.exists() and not leaving.is_symlink():  # an earlier try that was cut off
        _delete(leaving)
    if environment.is_symlink():
        raise SetupError(f"{environment} is a link to another folder, which was not made here: remove it yourself.")
    if not environment.exists():
        return
    if not is_ours(environment):
        raise SetupError(f"{environment} was not made by the set-up, so it is left alone: remove it yourself.")
    try:
        environment.rename(leaving)
    except OSError as error:
        raise SetupError(refusal(error, environment)) from error
    _delete(leaving)


def folder_size(folder: Path, stop: Callable[[], bool] = lambda: False) -> int:
    """Bytes of all files below a folder, links not followed. Blocks: for a thread. stop: asked now and then."""
    total = 0
    for path, _, names in os.walk(folder):
        if stop():
            break
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118
            except OSError:
                continue
    return total


def _delete(folder: Path) -> None:
    def try_harder(function: Callable[[str], Any], path: str, _: object) -> None:
        # A read-only file (Windows), or a folder that may not be changed; never what a link points to.
        for locked in (Path(path).parent, Path(path)):
            if not locked.is_symlink() and folder in (locked, *locked.parents):
                locked.chmod(stat.S_IRWXU)
        function(path)

    handler: dict[str, Any] = {"onexc" if sys.version_info >= (3, 12) else "onerror": try_harder}
    try:
        shutil.rmtree(folder, **handler)
    except OSError as error:
        raise SetupError(refusal(error, folder)) from error
