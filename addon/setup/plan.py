# SPDX-License-Identifier: GPL-3.0-or-later
"""What a set-up will do, for the dialog that asks before anything is done."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .environment import WINDOWS

REGISTRY = "pypi.org, the registry of Python packages"
#: Pythons that the packages are made for.
SUPPORTED = ((3, 11), (3, 12))
#: Bytes to download, and on disk. On Linux the registry's PyTorch is the one with CUDA.
_CPU, _CUDA = (1.0e9, 2.4e9), (4.0e9, 8.0e9)
LICENCES = (
    ("Video Mocap", "GPL-3.0-or-later"),
    ("Its weights for lifting", "CC BY 4.0"),
    ("MediaPipe and its weights", "Apache-2.0"),
    ("PyTorch", "BSD-3-Clause"),
    ("OpenCV", "Apache-2.0"),
    ("NumPy, SciPy", "BSD-3-Clause"),
    ("PyAV with FFmpeg", "BSD-3-Clause, LGPL"),
    ("Blender as a Python module", "GPL-3.0-or-later"),
    ("NVIDIA's CUDA libraries (Linux)", "NVIDIA's own terms, free of charge"),
)
YOURS = "What you make is yours and may be sold."


@dataclass(frozen=True)
class Plan:
    """folder: where the environment will lie. download_bytes, disk_bytes: about. sources: where packages come from.
    licences: pairs of what and its licence. python: the Python it will be made with, None if none was seen (set-up
    looks harder and says how to get one). free_bytes: room on that disk. problem: why it cannot work, else None."""

    folder: Path
    download_bytes: int
    disk_bytes: int
    sources: tuple[str, ...]
    licences: tuple[tuple[str, str], ...]
    python: str | None
    free_bytes: int | None
    problem: str | None = None


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
    if free is not None and free < disk and problem is None and not (folder / "pyvenv.cfg").exists():
        problem = f"Only {size(free)} are free where {folder} lies, about {size(disk)} are needed: make room first."
    return Plan(folder, int(download), int(disk), sources, licences, suitable_python(), free, problem)


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


def suitable_python() -> str | None:
    """The Python that an environment would be made with, as far as looking (and running nothing) can tell."""
    if sys.version_info[:2] in SUPPORTED:
        return f"Python {platform.python_version()}, Blender's own"
    for major, minor in SUPPORTED:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return f"Python {major}.{minor} ({found})"
        place = Path.home() / f"AppData/Local/Programs/Python/Python{major}{minor}/python.exe"
        if WINDOWS and place.is_file():
            return f"Python {major}.{minor} ({place})"
    return None
