# SPDX-License-Identifier: GPL-3.0-or-later
"""How a stage says how far it is, and how it learns that it should stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import Cancelled


@dataclass(frozen=True)
class Step:
    """One report: `done` of `total` units (frames unless the stage says otherwise); total is None when unknown.

    reused: the stage's result lay on disk; nothing had to be done.
    """

    stage: str
    done: int
    total: int | None
    unit: str = "frames"
    reused: bool = False


def _ignore(_: Step) -> None:
    return None


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Progress:
    """Handed to long work.

    report: called with a Step, cheap, any thread. cancelled: True once the work should stop.
    """

    report: Callable[[Step], None] = field(default=_ignore)
    cancelled: Callable[[], bool] = field(default=_never)

    def step(self, stage: str, done: int, total: int, unit: str = "steps") -> None:
        """Report a step of a stage. Raises Cancelled if the work should stop."""
        if self.cancelled():
            raise Cancelled(f"{stage} was stopped")
        self.report(Step(stage, done, total, unit))
