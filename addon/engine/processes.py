# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes that have nothing of Blender's in them, and whether a process lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ..variables import clean_environment


def start(command: list[str], log: Path, folder: Path) -> subprocess.Popen[bytes]:
    """A process of its own session, without a window, its output at the end of `log`. Raises OSError."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=clean_environment(),
            start_new_session=True,
            creationflags=flags,
        )


def alive(pid: int) -> bool:
    """Whether there is such a process (also one that ended but was not waited for)."""
    if sys.platform == "win32":
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def kill(pid: int) -> None:
    """End a process that `start` began, here or in another Blender, and what it started; at once."""
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(pid)],
            capture_output=True,
            creationflags=subprocess.CREATE_NO_WINDOW,
            check=False,
            timeout=5,
        )
        return
    with suppress(ProcessLookupError, PermissionError):
        # It leads its session, so its group is its own; a service that somebody started in a terminal may not.
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


def _alive_on_windows(pid: int) -> bool:
    import ctypes

    synchronize, timed_out = 0x00100000, 0x102
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return False
    try:
        return kernel.WaitForSingleObject(handle, 0) == timed_out
    finally:
        kernel.CloseHandle(handle)
