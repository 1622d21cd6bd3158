# SPDX-License-Identifier: GPL-3.0-or-later
"""Saying what a set-up will do and how large it is, and that there is too little room, before anything is done."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from .common import BuildError, say
from .pythons import Python
from .steps import BLENDER, Step

#: Bytes on disk with PyTorch for the CPU: without Blender as a Python module, and what that adds.
DISK_NEEDED, DISK_BLENDER = 2.0e9, 1.0e9


def announce(folder: Path, python: Python, steps: Sequence[Step], fresh: bool, offline: Path | None = None) -> None:
    """Say what will be installed. fresh: nothing is there yet. Raises BuildError if the disk has too little room."""
    blender = BLENDER in steps
    free = shutil.disk_usage(str(folder)).free
    say(f"setting up the capture environment in {folder} ({python.name})")
    names = "PyTorch, Blender as a Python module," if blender else "PyTorch,"
    say(f"  {names} MediaPipe, OpenCV and what they need, from {offline or 'the package registry'}")
    if offline is None:
        download, disk = ("1 GB", "2.4 GB") if blender else ("0.5 GB", "1.4 GB")
        say(f"  about {download} to download and {disk} on disk with the CPU build of PyTorch")
        if platform.system() == "Linux":
            say("  on Linux the public registry gives the CUDA build: about 3 GB more to download, more on disk")
    say(f"  free here: {free / 1e9:.0f} GB; nothing outside this folder changes but pip's download cache")
    say("  interrupting is safe: run the same command again to go on")
    if blender and python.version[1] not in BLENDER.minors:
        say(f"  {python.name} has no Blender module: captures give takes, but no .blend; Python 3.11 gives both")
    needed = DISK_NEEDED + (DISK_BLENDER if blender else 0.0)
    if free < needed and fresh:
        raise BuildError(
            f"{folder} has {free / 1e9:.1f} GB free, but about {needed / 1e9:.0f} GB are needed; make room"
        )
