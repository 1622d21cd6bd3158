# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part needs: telling the user, failing in one sentence, the variables of child processes, whole files."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WINDOWS = os.name == "nt"
NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class BuildError(Exception):
    """Something the user can act on, in one sentence."""


class Interrupted(KeyboardInterrupt):
    """The process was asked to end, by the user or by another program."""


def say(text: str) -> None:
    """One line for the user. A closed or broken stderr (Blender is gone, a full disk) stops nothing."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(text, file=sys.stderr, flush=True)


def clean_environment() -> dict[str, str]:
    """The variables for a child Python: without the caller's Python settings, which break a foreign environment."""
    foreign = ("PYTHON", "__PYVENV")
    variables = {key: value for key, value in os.environ.items() if not key.upper().startswith(foreign)}
    variables.update(PYTHONNOUSERSITE="1", PYTHONUTF8="1", PIP_USER="0")
    return variables


def write_whole(path: Path, text: str) -> None:
    """Write a small file whole or not at all. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=path.name + ".", suffix=".new", dir=str(path.parent))
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small file; empty where there is none, or rubbish."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def refusal(error: OSError) -> str:
    """What the system refused, in one sentence that says what to do."""
    where = error.filename or ROOT
    if error.errno in NO_ROOM:
        return f"the disk that holds {where} is full; make room, then run this again"
    if error.errno in NOT_ALLOWED:
        return f"{where} cannot be written; change who may write there or choose another folder, then run this again"
    return f"{where}: {error.strerror or error}"


def product_version(root: Path = ROOT) -> str:
    """The version that the extension's manifest names, "unknown" if it cannot be read."""
    try:
        text = (root / "blender_manifest.toml").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    found = re.search(r'^version\s*=\s*"([^"]+)"', text, re.MULTILINE)
    return found.group(1) if found else "unknown"
