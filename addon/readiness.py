# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Whether there is an engine to capture with, for panels that draw many times a second: looked up in a thread."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from . import preferences, pump
from .setup.folders import Folders

#: Seconds after which is looked again.
_FRESH = 2.0


@dataclass
class _Snapshot:
    """The preferences as `resolve` reads them, for a thread."""

    engine: str
    existing: str
    url: str
    token: str
    root: Folders
    online: str | None

    def folders(self) -> Folders:
        return self.root

    def online_problem(self) -> str | None:
        return self.online


@dataclass
class _Known:
    snapshot: _Snapshot | None = None
    problem: str | None = None
    looked: float = float("-inf")
    looking: bool = False


_known = _Known()


def problem() -> str | None:
    """Why nothing can be captured now, as last looked up; None if it can, or before that is known."""
    snapshot = _take()
    stale = time.monotonic() - _known.looked > _FRESH or snapshot != _known.snapshot
    if stale and not _known.looking:
        _known.looking, _known.snapshot = True, snapshot
        threading.Thread(target=_look, args=(snapshot,), name="video_mocap readiness", daemon=True).start()
        pump.add_source(_arrived)
        pump.wake()
    return _known.problem


def problem_now() -> str | None:
    """The same, looked up at once: few small files."""
    from .setup import resolve

    found = resolve.engine_configuration(_take())
    return found if isinstance(found, str) else None


def _take() -> _Snapshot:
    chosen = preferences.find()
    return _Snapshot(
        chosen.engine, chosen.existing, chosen.url, chosen.token, chosen.folders(), chosen.online_problem()
    )


def _look(snapshot: _Snapshot) -> None:
    from .setup import resolve

    try:
        found = resolve.engine_configuration(snapshot)
        _known.problem = found if isinstance(found, str) else None
    finally:
        _known.looked, _known.looking = time.monotonic(), False


_shown: list[str | None] = [None]


def _arrived() -> bool:
    """Draw again when the answer is another one."""
    if _known.looking:
        return True
    if _shown[0] != _known.problem:
        _shown[0] = _known.problem
        pump.redraw()
    return False


def looking() -> bool:
    """Whether the answer is on its way."""
    return _known.looking


def forget() -> None:
    """Look again at the next drawing."""
    _known.looked = float("-inf")
