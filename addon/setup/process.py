# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that outlives Blender: start it, find out whether it still runs, end it with all its children.

A process is known by its id and by when it began, so that another one that got the same id later is never taken for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..variables import clean_environment
from .environment import WINDOWS

if TYPE_CHECKING:
    import subprocess

# subprocess and signal take 10 ms to import: not while Blender starts, only where a process is started or ended.

GRACE = 3.0
#: Not DETACHED_PROCESS: without any console each of its children would open a window of its own.
NO_WINDOW = 0x08000000 if WINDOWS else 0
NEW_GROUP = 0x00000200 if WINDOWS else 0


def start_detached(command: Sequence[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a process that goes on when Blender ends; what it prints is added to `log`. Raises OSError."""
    import subprocess

    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
            start_new_session=not WINDOWS,
            creationflags=NO_WINDOW | NEW_GROUP,
        )


def birth(pid: int) -> str | None:
    """When a process began, as an opaque text; None if it does not run (or has ended and only its id is left)."""
    if pid <= 0:
        return None
    if WINDOWS:
        return _birth_windows(pid)
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG)  # If it was our child and has ended: let its id go.
    if Path("/proc/self/stat").exists():
        return _birth_linux(pid)
    return _birth_ps(pid)


def runs(pid: int, born: str) -> bool:
    """Whether this very process still runs. Takes well under a millisecond on Linux and Windows, 10 ms on macOS."""
    return birth(pid) == born


def end(pid: int, born: str, grace: float = GRACE) -> None:
    """End a process and all its children: asked first, forced after `grace` seconds. Blocks that long at most."""
    import signal
    import subprocess

    if not runs(pid, born):
        return
    if WINDOWS:
        command = ["taskkill", "/PID", str(pid), "/T", "/F"]
        subprocess.run(command, capture_output=True, timeout=30, check=False, creationflags=NO_WINDOW)
        return
    _signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        if not runs(pid, born) and not _signal_group(pid, 0):
            return
        time.sleep(0.05)
    _signal_group(pid, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS: all that is left of the group has ended already
        return False
    return True


def _birth_linux(pid: int) -> str | None:
    try:
        # The command's name is in brackets and may hold anything; after it: state, ..., start time (22nd of all).
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _birth_ps(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    looked, began = _LOOKS.get(pid, (-1.0, None))
    if looked < 0 or time.monotonic() - looked > 1.0:  # ps takes 10 ms: not for every redraw
        began = _ask_ps(pid)
        _LOOKS[pid] = time.monotonic(), began
    return began


#: Process id to when ps was asked about it and what it said.
_LOOKS: dict[int, tuple[float, str | None]] = {}


def _ask_ps(pid: int) -> str | None:
    import subprocess

    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    state, _, began = answer.partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def _birth_windows(pid: int) -> str | None:
    kernel: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return None
    try:
        times = [ctypes.c_uint64() for _ in range(4)]
        status = ctypes.c_ulong()
        known = kernel.GetProcessTimes(ctypes.c_void_p(handle), *(ctypes.byref(value) for value in times))
        kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(status))
    finally:
        kernel.CloseHandle(ctypes.c_void_p(handle))
    still_active = 259
    return str(times[0].value) if known and status.value == still_active else None
