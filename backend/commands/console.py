# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command says: progress and remarks on stderr, its result on stdout."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..progress import Progress, Step

if TYPE_CHECKING:
    from tqdm import tqdm

#: Seconds between two progress lines where there is no terminal.
LINE_INTERVAL = 5.0
BAR = "{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"
BAR_WITHOUT_TOTAL = "{desc}: {n_fmt}{unit} [{elapsed}, {rate_fmt}]"


class Console:
    """One command's way to the user.

    as_json: the result goes to stdout as one JSON object and nothing else does. seconds: time each stage took.
    progress: to be handed to long work; reports may come from any thread.
    """

    def __init__(self, as_json: bool = False, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.as_json = as_json
        self.seconds: dict[str, float] = {}
        self.progress = Progress(self._report, cancelled)
        self._lock = threading.Lock()
        self._bars: dict[str, tqdm] = {}
        self._started: dict[str, float] = {}
        self._first: dict[str, tuple[float, int]] = {}
        self._last_report = time.monotonic()
        self._unfinished: str | None = None
        self._last_line = 0.0

    def say(self, text: str) -> None:
        """A remark for the person at the terminal."""
        print(text, file=sys.stderr, flush=True)

    def result(self, summary: dict[str, Any], lines: Sequence[str]) -> None:
        """The command's outcome: `summary` with --json, else `lines`."""
        print(json.dumps(summary, indent=1) if self.as_json else "\n".join(lines), flush=True)

    def close(self) -> None:
        """Leave the terminal as it was; call before anything else is said after the work."""
        with self._lock:
            for bar in self._bars.values():
                bar.close()
            self._bars.clear()

    def _report(self, step: Step) -> None:
        with self._lock:
            now = time.monotonic()
            # A stage that reports only after its first unit began when the one before it ended.
            started = self._started.setdefault(step.stage, now if step.done == 0 else self._last_report)
            if self._unfinished not in (None, step.stage):  # it ended when this one began
                self.seconds[self._unfinished] = started - self._started[self._unfinished]
            self._unfinished = None if step.done == step.total else step.stage
            begins = step.stage not in self._first
            first, first_done = self._first.setdefault(step.stage, (now, step.done))
            self._last_report = now
            self.seconds[step.stage] = now - started
            if sys.stderr.isatty():
                self._draw(step)
            else:
                # The first unit has the stage's start-up in it (models are loaded): no rate can be told from it.
                rate = (step.done - first_done) / (now - first) if now > first else 0.0
                self._print(step, now, rate, begins)

    def _draw(self, step: Step) -> None:
        bar = self._bars.get(step.stage)
        if bar is None:
            from tqdm import tqdm

            bar = self._bars[step.stage] = tqdm(
                desc=step.stage,
                total=step.total,
                unit=f" {step.unit}",
                file=sys.stderr,
                dynamic_ncols=True,
                bar_format=BAR if step.total else BAR_WITHOUT_TOTAL,
            )
        bar.update(step.done - bar.n)
        if step.total and step.done >= step.total:
            bar.refresh()

    def _print(self, step: Step, now: float, rate: float, begins: bool) -> None:
        """One line, if it is time for one. begins: the stage's first report, which has nothing to tell yet."""
        finished = step.total is not None and step.done >= step.total
        if not finished and (begins or now - self._last_line < LINE_INTERVAL):
            if begins:
                self._last_line = now
            return
        self._last_line = now
        if finished:
            amount = f"{step.done} {step.unit} in " if step.total != 1 else ""
            self.say(f"{step.stage}: {amount}{self.seconds[step.stage]:.1f} s")
        elif step.total and rate > 0:
            left = (step.total - step.done) / rate
            self.say(f"{step.stage}: {step.done}/{step.total} {step.unit}, {rate:.1f} {step.unit}/s, {left:.0f} s left")
        else:
            self.say(f"{step.stage}: {step.done} {step.unit}")
