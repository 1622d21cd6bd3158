# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at a Python environment without running it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

WINDOWS = os.name == "nt"
MODULE = "video_mocap.backend.cli"
#: What build.py writes into the folder of an environment that it makes; the first two only there.
MARKERS = ("setup.lock", "setup.json")
_BEGUN = (*MARKERS, "setup.log", "temporary")


def runner_python() -> str | None:
    """A Python that can run build.py: Blender's own; else one on PATH; None if there is neither."""
    own = Path(sys.executable or "")
    if own.name.lower().startswith("python") and own.is_file():
        return str(own)
    names = (f"python{sys.version_info[0]}.{sys.version_info[1]}", "python3", "python")
    for folder in (Path(sys.prefix), Path(sys.prefix) / "bin"):
        for name in names:
            candidate = folder / (name + (".exe" if WINDOWS else ""))
            if candidate.is_file():
                return str(candidate)
    return next((found for found in map(shutil.which, names) if found), None)


def python_of(place: Path) -> Path:
    """The Python of an environment, given its folder or the Python itself; it need not exist."""
    if place.is_file():
        return place
    inside = Path("Scripts", "python.exe") if WINDOWS else Path("bin", "python")
    nested = place / ".venv" / inside  # a checkout
    # A conda environment on Windows has its Python at the top.
    top = place / "python.exe"
    if not (place / inside).is_file():
        if nested.is_file():
            return nested
        if WINDOWS and top.is_file():
            return top
    return place / inside


def installed_version(environment: Path) -> str | None:
    """The version of `video_mocap` in an environment's folder; None if it is not installed there."""
    for pattern in ("lib/python3.*/site-packages", "Lib/site-packages"):
        for found in environment.glob(f"{pattern}/video_mocap-*.dist-info"):
            if (found / "RECORD").is_file():
                return found.name[len("video_mocap-") : -len(".dist-info")]
    return None


def base_python(environment: Path) -> str | None:
    """The folder of the Python from which a virtual environment was made; None if it is no virtual environment."""
    try:
        text = (environment / "pyvenv.cfg").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return value.strip()
    return ""


def strange(environment: Path) -> bool:
    """Whether a folder holds anything that the set-up did not put there before it made the environment."""
    return any(path.name not in _BEGUN for path in environment.iterdir())


def is_older(version: str, than: str) -> bool:
    """Whether a version comes before another: by its numbers; a version that cannot be read is older than any."""
    return _numbers(version) < _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
