# SPDX-License-Identifier: GPL-3.0-or-later
"""One set-up at a time for a folder, also after one that was killed without a chance to clean up."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from .common import WINDOWS, BuildError

NAME = "setup.lock"
PATIENCE = 5.0  # seconds for what a killed set-up left behind to end


class Lock:
    """The lock of a folder, held by an open file, so the system lets go of it when its holder ends.

    On POSIX the child that works in the folder inherits it: while it writes, nobody else does, even if its parent was
    killed. The file names both processes; a child whose parent is gone is ended by the next set-up.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._folder = folder
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises BuildError if another set-up works in the folder, OSError if the folder cannot be written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+", encoding="utf-8")
        deadline = time.monotonic() + PATIENCE
        while not _take(self._file):
            holder = self._holder()
            if _runs(holder.get("pid", 0)) or time.monotonic() > deadline:
                self._file.close()
                self._file = None
                raise BuildError(f"another set-up is working in {self._folder}; wait until it is done or stop it")
            _end(holder.get("child", 0), forced=deadline - time.monotonic() < PATIENCE / 2)
            time.sleep(0.1)
        self.note(0)

    def note(self, child: int) -> None:
        """Write down who holds it: this process, and the process that works for it (0: none)."""
        if self._file is None or WINDOWS:  # there a locked file cannot be read by others, and children do not inherit
            return
        with contextlib.suppress(OSError):
            self._file.seek(0)
            self._file.truncate()
            self._file.write(json.dumps({"pid": os.getpid(), "child": child}))
            self._file.flush()

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a child that works in the folder, with a process group of its own. Raises OSError."""
        if not WINDOWS:
            held = (self._file.fileno(),) if self._file else ()
            options.update(pass_fds=held, start_new_session=True)
        child: subprocess.Popen[Any] = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, **options)
        self.note(child.pid)
        return child

    def stop(self, child: subprocess.Popen[Any]) -> None:
        """End a child with its children, forced after a while."""
        _end(child.pid, forced=False)
        if WINDOWS:
            child.terminate()
        try:
            child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            _end(child.pid, forced=True)
            child.kill()
            child.wait()

    def release(self) -> None:
        """Let go of it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _holder(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {key: value for key, value in found.items() if isinstance(value, int)} if isinstance(found, dict) else {}


def _take(file: IO[str]) -> bool:
    try:
        if WINDOWS:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _runs(pid: int) -> bool:
    if WINDOWS or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _end(pid: int, forced: bool) -> None:
    """Ask or force a child and its children to end. A living child, or an orphan that holds the lock which it
    inherited, is what its id still means."""
    if not WINDOWS and pid > 0:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL if forced else signal.SIGTERM)
