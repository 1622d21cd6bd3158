# SPDX-License-Identifier: GPL-3.0-or-later
"""How a stage says how far it is, and how it learns that it should stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One report: `done` of `total` units (frames unless the stage says otherwise); total is None when unknown."""

    stage: str
    done: int
    total: int | None
    unit: str = "frames"


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
