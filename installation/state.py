# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a set-up is, in a small file that other programs read while it runs."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from .common import write_whole

INTERVAL = 0.25  # seconds between two reports of the same step


class State:
    """Writes {"pid", "step", "steps", "name", "fraction", "error", "finished", "version"}, whole, to a file.

    step: 1..steps. fraction: 0..1 of the whole set-up, never falling. error: one sentence, when it has ended badly.
    version: of the product that is being installed. Without a file it does nothing; a file that cannot be written stops
    no set-up.
    """

    def __init__(self, path: Path | None, version: str) -> None:
        self._path = path
        self._written = 0.0
        self._start, self._share = 0.0, 1.0
        self.values = {
            "pid": os.getpid(),
            "step": 0,
            "steps": 0,
            "name": "preparing",
            "fraction": 0.0,
            "error": None,
            "finished": False,
            "version": version,
        }

    def begin(self, step: int, steps: int, name: str, start: float, share: float) -> None:
        """A step begins. start, share: where in the whole set-up it lies, 0..1."""
        self._start, self._share = start, share
        self.values.update(step=step, steps=steps, name=name)
        self.advance(0.0, now=True)

    def advance(self, done: float, now: bool = False) -> None:
        """How much of the step is done, 0..1."""
        fraction = self._start + self._share * min(1.0, max(0.0, done))
        self.values["fraction"] = round(max(float(self.values["fraction"] or 0.0), min(1.0, fraction)), 4)
        if now or time.monotonic() - self._written >= INTERVAL:
            self._write()

    def fail(self, sentence: str) -> None:
        """It has ended without success."""
        self.values.update(error=sentence)
        self._write()

    def finish(self) -> None:
        """It has ended, and everything is there."""
        self.values.update(finished=True, fraction=1.0, error=None)
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(self.values))
