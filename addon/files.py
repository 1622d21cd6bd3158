# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours on disk: written whole or not at all. No bpy."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..rigging.take import Take, take_arrays


class WriteError(OSError):
    """A file could not be written; the message is one sentence."""


def write_whole(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Let `fill` write a file that appears at `path` only when it is complete.

    Raises WriteError; what was at `path` is untouched then.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; a take is an ordinary file.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise WriteError(f"{path} cannot be written: {reason(error)}") from error
    except BaseException:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise


def reason(error: OSError) -> str:
    """Why, in an animator's words."""
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "this folder may not be written to"
    return error.strerror or str(error)


def write_take(path: Path, take: Take) -> None:
    """Write a take file. Raises WriteError."""
    write_whole(path, lambda file: np.savez_compressed(file, **take_arrays(take)))  # pyright: ignore[reportArgumentType]


def free_take_path(folder: Path, name: str, taken: Callable[[Path], bool] = Path.exists) -> Path:
    """A path NAME.take.npz in `folder` where no file is: NAME_2, NAME_3... where one is. taken: asks whether one is."""
    stem = safe_name(name)
    number = 1
    while True:
        path = folder / (f"{stem}.take.npz" if number == 1 else f"{stem}_{number}.take.npz")
        if not taken(path):
            return path
        number += 1


def safe_name(name: str) -> str:
    """A name as a file name on every system; never empty."""
    stem = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", name).strip(" .")[:80].strip(" .")
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", stem):
        stem = f"_{stem}"
    return stem or "take"
