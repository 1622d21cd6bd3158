# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of stages on disk, so that a capture with other options repeats only what these change.

A result is one `.npz` named after its stage and a hash of everything that it depends on. Files appear whole or not at
all, and several processes may share a folder. Whatever is wrong with a file, it counts as not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .errors import UserError
from .files import save_arrays
from .footage.images import find_sequence

T = TypeVar("T")

#: Seconds after which a file that nobody finished is a killed process's.
_ABANDONED = 3600.0


class StageCache:
    """A folder of results; made when first written to.

    most_bytes: beyond this the results that were used longest ago are removed.
    """

    def __init__(self, folder: str | Path, most_bytes: int = 2_000_000_000) -> None:
        self.folder = Path(folder)
        self._most_bytes = most_bytes

    def get(self, stage: str, key: str, parse: Callable[[dict[str, np.ndarray]], T]) -> T | None:
        """The kept result as `parse` makes it from its arrays, or None. parse: raises any Exception if it cannot."""
        path = self._path(stage, key)
        try:
            with np.load(path, allow_pickle=False) as data:
                result = parse({name: data[name] for name in data.files})
        except FileNotFoundError:
            return None
        except Exception:  # zipfile, zlib and NumPy raise a dozen kinds for damaged files
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return result

    def put(self, stage: str, key: str, arrays: dict[str, np.ndarray]) -> str | None:
        """Keep a result. Returns why that was not possible, in one sentence, or None: a capture goes on without."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_arrays(self._path(stage, key), arrays)
        except (OSError, UserError) as error:
            return f"the result of {stage} could not be kept for the next capture: {error}"
        self._evict()
        return None

    def _path(self, stage: str, key: str) -> Path:
        return self.folder / f"{stage}-{key}.npz"

    def _evict(self) -> None:
        """Remove what was used longest ago until the rest fits, and what killed processes left half-written."""
        entries = []
        with contextlib.suppress(OSError):
            for path in self.folder.glob("*.npz"):
                with contextlib.suppress(OSError):  # another process may have removed it
                    status = path.stat()
                    entries.append((status.st_mtime, status.st_size, path))
        now, total = time.time(), sum(size for _, size, _ in entries)
        for modified, size, path in sorted(entries):
            unfinished = path.name.startswith(".")
            if (now - modified > _ABANDONED) if unfinished else total > self._most_bytes:
                with contextlib.suppress(OSError):  # on Windows somebody may be reading it
                    path.unlink()
                    total -= size


def key_of(*parts: Any) -> str:
    """A hash (hexadecimal) of JSON-able values and arrays: the same for the same content."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:40]


def footage_identity(path: str | Path) -> list[Any]:
    """What changes whenever footage does: place, size and time of its file, or of every image of a sequence.

    Raises UserError if it cannot be read.
    """
    path = Path(path)
    try:
        files = find_sequence(path) or [path]
        states = [(str(file.resolve()), file.stat()) for file in files]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]
