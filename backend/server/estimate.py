# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a job is and when it will be done: from what it reports, and from what earlier jobs took."""

from __future__ import annotations

import contextlib
import json
import math
from collections import deque
from pathlib import Path

from .folder import write_private

#: Stages whose time grows with the frames, in their order.
STAGES = ("detection", "lifting", "refinement")
#: Seconds for a frame, until the machine's own are known; of a laptop's CPU.
TYPICAL = {"detection": 0.06, "lifting": 0.003, "refinement": 0.01}
#: A rate is told from reports of so many seconds.
WINDOW = 10.0
#: ... and not before it has been watched for so long.
LEAST = 0.5


class Costs:
    """Seconds for a frame in each stage, learnt from jobs and kept on disk."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.seconds = dict(TYPICAL)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for stage, value in json.loads(file.read_text("utf-8")).items():
                if stage in TYPICAL and isinstance(value, float) and math.isfinite(value) and value > 0:
                    self.seconds[stage] = value

    def learn(self, stage: str, seconds: float, frames: int) -> None:
        """A stage took so long. A few frames teach nothing."""
        if stage in TYPICAL and frames >= 10 and seconds > 0:
            self.seconds[stage] = 0.5 * self.seconds[stage] + 0.5 * seconds / frames
            with contextlib.suppress(OSError):
                write_private(self._file, json.dumps(self.seconds))


class Estimate:
    """One run of one job. Times are those of a monotonic clock, seconds."""

    def __init__(self, costs: Costs, now: float) -> None:
        self._costs = costs
        self._begun = now
        self._stage, self._stage_begun = "", now
        self._reports: deque[tuple[float, int]] = deque()
        self._done, self._total = 0, None
        self._frames: int | None = None
        self._fraction = 0.0
        self._took: dict[str, float] = {}

    def report(self, stage: str, done: int, total: int | None, now: float) -> None:
        """The stage has done so much of its total."""
        if stage != self._stage:
            self._leave(now)
            self._stage, self._stage_begun = stage, now
            self._reports.clear()
        if stage == "detection" and total:
            self._frames = total
        self._done, self._total = done, total
        # The first unit has the stage's start-up in it: no rate can be told from it.
        if done > 0:
            self._reports.append((now, done))
        while len(self._reports) > 2 and self._reports[0][0] < now - WINDOW:
            self._reports.popleft()

    def finish(self, now: float, reused: list[str]) -> None:
        """The job is done: learn from it. reused: stages that were not computed."""
        self._leave(now)
        for stage, seconds in self._took.items():
            if stage not in reused and self._frames:
                self._costs.learn(stage, seconds, self._frames)

    def rate(self, now: float) -> float | None:
        """Units per second of the stage; None while unknown. Falls when reports stay out."""
        if len(self._reports) < 2:
            return None
        (first, before), (last, after) = self._reports[0], self._reports[-1]
        usual = (last - first) / (len(self._reports) - 1)
        seconds = max(last, now - 2 * usual) - first
        return (after - before) / seconds if last - first >= LEAST and after > before else None

    def seconds_left(self, now: float) -> float | None:
        """Until the job is done; None while nothing can be said."""
        if self._frames is None or self._stage not in STAGES:
            return None
        later = STAGES[STAGES.index(self._stage) + 1 :]
        return self._stage_left(now) + sum(self._costs.seconds[stage] * self._frames for stage in later)

    def fraction(self, now: float) -> float | None:
        """0..1 of the job; never falls, and is 1 only when the job is done."""
        left = self.seconds_left(now)
        if left is None:
            return self._fraction or None
        elapsed = now - self._begun
        self._fraction = max(self._fraction, min(elapsed / max(elapsed + left, 1e-6), 0.99))
        return self._fraction

    def _stage_left(self, now: float) -> float:
        assumed = self._costs.seconds[self._stage] * (self._frames or 0)
        rate = self.rate(now)
        if rate and self._total and self._stage == "detection":
            return max(self._total - self._done, 0) / rate - min(now - self._reports[-1][0], 1 / rate)
        elapsed = now - self._stage_begun
        if self._done and self._total:  # a few large steps
            assumed = max(assumed, elapsed * self._total / (self._done + 1)) if self._done < self._total else elapsed
        return max(assumed - elapsed, 0.0)

    def _leave(self, now: float) -> None:
        if self._stage:
            self._took[self._stage] = now - self._stage_begun
