# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that two processes share, and sentences for what the system refuses."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any


class SetupError(Exception):
    """Something that the user can act on, in one sentence."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small file; empty where there is none, or half of one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a small file whole or not at all. Raises OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fresh.write_text(json.dumps(value), encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def last_lines(path: Path, most: int = 6, most_bytes: int = 4096) -> tuple[str, ...]:
    """The last lines of a log that are not empty; only its end is read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most_bytes))
            text = file.read(most_bytes).decode("utf-8", errors="replace")
    except OSError:
        return ()
    lines = [line.rpartition("\r")[2].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    if size > most_bytes:
        lines = lines[1:]
    return tuple(line for line in lines if line.strip())[-most:]


def refusal(error: OSError, path: Path) -> str:
    """What the system refused, in one sentence that says what to do."""
    where = error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk that holds {where} is full: make room, then press Continue."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where} cannot be written: change who may write there, then try again."
    return f"{where}: {error.strerror or error}."
