# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up process: started, found again after Blender was closed, cancelled, and how it stands.

`build.py setup` does the work and tells it in state.json: {"pid", "step", "steps", "name", "fraction", "error",
"finished", "version"}; what it prints goes to setup.log. Beside them lies process.json, written here: which process it
is. So any later Blender can tell a set-up that runs from one that was cut off.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import process
from .environment import runner_python
from .files import SetupError, last_lines, read_json, refusal, write_json
from .folders import EXTENSION, Folders

if TYPE_CHECKING:
    import subprocess

INTERRUPTED = "The set-up was interrupted: press Continue, and it goes on where it stopped."
CANCELLED = "The set-up was cancelled: press Continue, and it goes on where it stopped."
_LOG_LIMIT = 4_000_000


@dataclass(frozen=True)
class SetupState:
    """How the set-up stands. step: 1..steps, 0 before the first. fraction: 0..1 of the whole, None if not known.
    lines: the last of the log. error: one sentence; None while it runs, when it is done, or if none was ever started.
    started: whether there was ever a set-up here (since the environment was removed)."""

    running: bool = False
    step: int = 0
    steps: int = 0
    name: str = ""
    fraction: float | None = None
    lines: tuple[str, ...] = ()
    error: str | None = None
    finished: bool = False
    started: bool = False


class Setup:
    """The set-up of one extension folder. All methods return at once and are for the main thread."""

    def __init__(self, folders: Folders, extension: Path = EXTENSION, python: str | None = None) -> None:
        """python: what runs build.py; Blender's own when None."""
        self.folders = folders
        self._extension = extension
        self._python = python
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: tuple[tuple[int, int], tuple[str, ...]] = ((-1, -1), ())

    def start(self, offline: Path | None = None, base: str | None = None) -> None:
        """Start or go on. Raises SetupError.

        offline: a folder with the wheels, instead of the package registry. base: the Python to make the environment
        with, if it fits.
        """
        if self._runs():
            raise SetupError("A set-up is running already: wait until it is done, or cancel it.")
        command = self._command(offline, base)
        folders = self.folders
        try:
            folders.setup.mkdir(parents=True, exist_ok=True)
            folders.state.unlink(missing_ok=True)
            self._begin_log()
            child = process.start_detached(command, folders.setup, folders.log)
        except OSError as error:
            raise SetupError(refusal(error, folders.setup)) from error
        self._child = child
        known = {"pid": child.pid, "born": process.birth(child.pid) or "", "cancelled": False}
        try:
            write_json(folders.process, known)
        except OSError as error:
            child.kill()  # Nobody would find it again.
            raise SetupError(refusal(error, folders.process)) from error

    def attach(self) -> bool:
        """Whether a set-up runs, also one that an earlier Blender started; from now on `state` follows it."""
        return self._runs()

    def cancel(self) -> threading.Thread | None:
        """End the set-up and all its children, within seconds, in a thread (returned); None if none runs."""
        known = read_json(self.folders.process)
        if not self._runs():
            return None
        with contextlib.suppress(OSError):  # It is said to be interrupted then.
            write_json(self.folders.process, {**known, "cancelled": True})
        thread = threading.Thread(target=process.end, args=(known["pid"], known["born"]), daemon=True)
        thread.start()
        return thread

    def state(self) -> SetupState:
        """Reads three small files; under a millisecond."""
        runs = self._runs()  # before state.json: its last word is written before it ends
        known = read_json(self.folders.process)
        told = read_json(self.folders.state)
        finished = bool(told.get("finished"))
        error = told.get("error")
        if known.get("cancelled") and not finished:
            error = None if runs else CANCELLED
        elif known and not runs and not finished and not error:
            error = self._cut_off(told)
        return SetupState(
            running=runs and not finished and not error,
            step=_integer(told.get("step")),
            steps=_integer(told.get("steps")),
            name=str(told.get("name") or ""),
            fraction=_fraction(told.get("fraction")),
            lines=self._last_lines(),
            error=None if finished or not error else _sentence(str(error)),
            finished=finished,
            started=bool(known),
        )

    def forget(self) -> None:
        """Forget the last set-up, after its environment was removed. Raises SetupError."""
        try:
            self.folders.state.unlink(missing_ok=True)
            self.folders.process.unlink(missing_ok=True)
        except OSError as error:
            raise SetupError(refusal(error, self.folders.setup)) from error

    def _command(self, offline: Path | None, base: str | None) -> list[str]:
        python = self._python or runner_python()
        if python is None:
            raise SetupError("Blender's Python was not found: install Python 3.11 from python.org, then try again.")
        if offline is not None and not offline.is_dir():
            raise SetupError(f"{offline} is no folder: choose the folder that holds the downloaded wheels.")
        script = self._extension / "build.py"
        if not script.is_file():
            raise SetupError(f"{script} is missing: install the extension again.")
        # -B: the extension's folder stays as it was installed.
        command = [python, "-s", "-B", str(script), "setup", "--into", str(self.folders.environment)]
        command += ["--offline", str(offline)] if offline is not None else []
        command += ["--python", base] if base else []
        return [*command, "--state", str(self.folders.state)]

    def _begin_log(self) -> None:
        log = self.folders.log
        mode = "ab" if log.exists() and log.stat().st_size < _LOG_LIMIT else "wb"
        with log.open(mode) as file:
            file.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())

    def _runs(self) -> bool:
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        known = read_json(self.folders.process)
        pid, born = known.get("pid"), known.get("born")
        return isinstance(pid, int) and isinstance(born, str) and bool(born) and process.runs(pid, born)

    def _cut_off(self, told: dict[str, Any]) -> str:
        if told:
            return INTERRUPTED
        lines = [line for line in self._last_lines() if not line.startswith("---")]
        return f"The set-up could not start: {lines[-1]}" if lines else INTERRUPTED

    def _last_lines(self) -> tuple[str, ...]:
        try:
            status = self.folders.log.stat()
        except OSError:
            return ()
        key = (status.st_size, status.st_mtime_ns)
        if key != self._lines[0]:
            self._lines = key, last_lines(self.folders.log)
        return self._lines[1]


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _fraction(value: object) -> float | None:
    return min(1.0, max(0.0, float(value))) if isinstance(value, int | float) else None


def _sentence(text: str) -> str:
    # build.py speaks to people at a terminal, too.
    text = text.strip().replace("run this again", "press Continue").replace("run it again", "press Continue")
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
