# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that appear whole or not at all, and locks that end with their process."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from .errors import UserError


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; rename it onto `path` on success, remove it on any failure.

    The temporary name keeps the suffix (writers choose their format by it) and begins with a dot.
    Raises UserError if the folder cannot be written or the disk is full.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def save_arrays(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed `.npz` whole or not at all. Raises UserError if that fails."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def hold(file: IO[bytes]) -> None:
    """Lock an open file until it is closed, or the process ends however that comes. Raises OSError if somebody does."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Inside, nobody else holds `path`, a file that is made for this and stays.

    Raises UserError: `taken` if somebody holds it, another sentence if it cannot be made.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    with file:
        try:
            hold(file)
        except OSError:
            raise UserError(taken) from None
        yield
