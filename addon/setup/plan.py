# SPDX-License-Identifier: GPL-3.0-or-later
"""What a set-up will do, for the dialog that asks before anything is done."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .environment import WINDOWS, installed_version, runner_python

REGISTRY = "pypi.org, the registry of Python packages"
#: Pythons that the packages are made for, as build.py knows them.
SUPPORTED = ((3, 11), (3, 12), (3, 13))
#: Bytes to download, and on disk. On Linux the registry's PyTorch is the one with CUDA.
_CPU, _CUDA = (0.5e9, 1.6e9), (3.5e9, 7.0e9)
#: With less room than this build.py does not even begin.
DISK_NEEDED = 2.0e9
LICENCES = (
    ("Video Mocap", "GPL-3.0-or-later"),
    ("Its weights for lifting", "CC BY 4.0"),
    ("MediaPipe and its weights", "Apache-2.0"),
    ("PyTorch", "BSD-3-Clause"),
    ("OpenCV", "Apache-2.0"),
    ("NumPy, SciPy", "BSD-3-Clause"),
    ("PyAV with FFmpeg", "BSD-3-Clause, LGPL"),
    ("NVIDIA's CUDA libraries (Linux)", "NVIDIA's own terms, free of charge"),
)
YOURS = "What you make is yours and may be sold."


@dataclass(frozen=True)
class Plan:
    """folder: where the environment will lie. download_bytes, disk_bytes: about. sources: where packages come from.
    licences: pairs of what and its licence. python: the Python it will be made with, None if none was seen (set-up
    looks harder and says how to get one). free_bytes: room on that disk. problem: why it cannot work, else None.
    python_path: of that Python."""

    folder: Path
    download_bytes: int
    disk_bytes: int
    sources: tuple[str, ...]
    licences: tuple[tuple[str, str], ...]
    python: str | None
    free_bytes: int | None
    problem: str | None = None
    python_path: str | None = None


def plan(folder: Path, offline: Path | None = None) -> Plan:
    """What setting up into `folder` takes. offline: a folder with wheels. Starts nothing; a few looks at the disk."""
    download, disk = _CUDA if platform.system() == "Linux" else _CPU
    licences = LICENCES if platform.system() == "Linux" else LICENCES[:-1]
    free = free_bytes(folder)
    problem = None
    sources = (REGISTRY,)
    if offline is not None:
        sources, download = (str(offline),), 0.0
        if not offline.is_dir() or next(offline.glob("*.whl"), None) is None:
            problem = f"{offline} holds no wheels: choose the folder that was filled on a computer with a connection."
    if free is not None and free < DISK_NEEDED and problem is None and installed_version(folder) is None:
        needed = size(max(disk, DISK_NEEDED))
        problem = f"Only {size(free)} are free where {folder} lies, about {needed} are needed: make room first."
    path, python = suitable_python() or (None, None)
    return Plan(folder, int(download), int(disk), sources, licences, python, free, problem, path)


def size(count: float) -> str:
    """Bytes for people, as 1.2 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def free_bytes(folder: Path) -> int | None:
    """Room on the disk that holds a folder, which need not exist yet; None if it cannot be told."""
    for existing in (folder, *folder.parents):
        if existing.exists():
            try:
                return shutil.disk_usage(existing).free
            except OSError:
                return None
    return None


def suitable_python() -> tuple[str, str] | None:
    """The Python to make the environment with, as far as looking (and running nothing) can tell: path, and in words.

    Blender's own comes first: it is there, and it is complete.
    """
    own = runner_python()
    if own is not None and sys.version_info[:2] in SUPPORTED:
        return own, f"Python {platform.python_version()}, Blender's own ({own})"
    for major, minor in SUPPORTED:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return found, f"Python {major}.{minor} ({found})"
        place = Path.home() / f"AppData/Local/Programs/Python/Python{major}{minor}/python.exe"
        if WINDOWS and place.is_file():
            return str(place), f"Python {major}.{minor} ({place})"
    return None


def description(plan: Plan) -> tuple[tuple[str, str], ...]:
    """The dialog's text: pairs of heading and text."""
    download = f"about {size(plan.download_bytes)} to download, " if plan.download_bytes else "nothing to download, "
    room = "" if plan.free_bytes is None else f" ({size(plan.free_bytes)} are free)"
    graphics = ", most of it for NVIDIA graphics cards" if plan.disk_bytes > _CPU[1] else ""
    python = plan.python or "Python 3.11, which is looked for on this computer"
    return (
        ("What", "The capture engine: PyTorch, MediaPipe, OpenCV, SciPy, PyAV and what they need"),
        ("From", ", ".join(plan.sources)),
        ("Size", f"{download}about {size(plan.disk_bytes)} on disk{graphics}{room}"),
        ("Into", str(plan.folder)),
        ("With", python),
        ("Licences", "; ".join(f"{what}: {licence}" for what, licence in plan.licences)),
        ("Yours", YOURS),
        (
            "How",
            "It runs beside Blender, can be cancelled and continued, and goes on when Blender is closed. "
            "Nothing outside that folder changes but pip's download cache.",
        ),
    )
