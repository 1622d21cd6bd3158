# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What the preferences show of the capture engine, kept here so that drawing looks at nothing.

It is refreshed by the pump: four times a second while a set-up or an errand is under way, once after a look at the
preferences otherwise. An errand is something slow (a check, a removal) in a thread; there is at most one.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from .. import PACKAGE, pump
from ..setup.diagnosis import glance
from ..setup.environment import installed_version, python_of
from ..setup.files import SetupError
from ..setup.folders import Folders
from ..setup.removal import is_removable
from ..setup.runner import Setup, SetupState

#: Seconds between two looks at the files while something is under way, and while the preferences are only looked at.
OFTEN, SELDOM = 0.25, 2.0


@dataclass
class View:
    """problem: why the engine of this computer cannot be used, by a look at its files. errand: what is under way.
    results: of the last errand, one sentence each; good: whether they are good news. size: bytes, None if not counted.
    """

    known: bool = False
    setup: SetupState = field(default_factory=SetupState)
    folder: Path = Path()
    problem: str | None = None
    usable: bool = False
    removable: bool = False
    version: str | None = None
    size: int | None = None
    errand: str = ""
    results: tuple[str, ...] = ()
    good: bool = True


@dataclass
class _Errand:
    answers: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


view = View()
_errand = _Errand()
_setups: dict[Path, Setup] = {}
_refreshed = -SELDOM


def folders() -> Folders:
    """Where the extension's files lie."""
    return Folders(Path(bpy.utils.extension_path_user(PACKAGE)))


def setup() -> Setup:
    """The one set-up of this Blender."""
    where = folders()
    return _setups.setdefault(where.root, Setup(where))


def watch() -> None:
    """Called when the preferences are drawn: lets the pump refresh what they show, if it is not fresh."""
    if time.monotonic() - _refreshed >= SELDOM:
        pump.add_source(_tick)
        pump.wake()


def refresh() -> None:
    """Look again, now."""
    global _refreshed
    _refreshed = time.monotonic()
    where = folders()
    before = (view.setup, view.problem, view.version, view.known)
    view.known = True
    view.setup = setup().state()
    view.folder = where.environment
    if not view.setup.running and view.errand != "Removing":
        view.problem = glance(where.environment)
        view.version = installed_version(where.environment)
        view.usable = view.version is not None and python_of(where.environment).is_file()
        view.removable = is_removable(where.environment)
    if before != (view.setup, view.problem, view.version, view.known):
        redraw()


def send(errand: str, work: Callable[[threading.Event], Any], done: Callable[[Any], None]) -> bool:
    """Do `work(stop)` in a thread, then `done(result)` on the main thread; False if there is an errand already.

    errand: what is under way, in words. A SetupError becomes the result that is shown.
    """
    if view.errand:
        return False
    view.errand = errand
    view.results = ()
    answers, stop = _errand.answers, _errand.stop

    def run() -> None:
        try:
            result = work(stop)
        except SetupError as error:
            sentence = str(error)
            answers.put(lambda: tell((sentence,), good=False))
        except Exception as error:
            sentence = f"{errand} failed: {error or type(error).__name__}."
            answers.put(lambda: tell((sentence,), good=False))
        else:
            answers.put(lambda: done(result))

    _errand.thread = threading.Thread(target=run, name=f"video_mocap {errand}", daemon=True)
    _errand.thread.start()
    pump.add_source(_tick)
    pump.wake()
    redraw()
    if pump.synchronous:
        pump.until(lambda: not view.errand, 600.0)
    return True


def tell(results: tuple[str, ...], good: bool) -> None:
    """Show sentences as the result of what the user asked for."""
    view.results, view.good = results, good


def forget_results() -> None:
    """What was found out is about something else than what is chosen now."""
    view.results = ()


def reset() -> None:
    """The extension is being disabled: give up the errand, forget everything."""
    global view, _errand, _refreshed
    _errand.stop.set()
    if _errand.thread is not None:
        _errand.thread.join(1.0)
    view, _errand, _refreshed = View(), _Errand(), -SELDOM
    _setups.clear()


def redraw() -> None:
    """Draw the preferences again, wherever they are open."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                for region in area.regions:
                    if region.type == "WINDOW":
                        region.tag_redraw()


def _tick() -> bool:
    """One look of the pump; True while something is under way."""
    try:
        answer = _errand.answers.get_nowait()
    except queue.Empty:
        pass
    else:
        view.errand = ""
        answer()
        refresh()
        redraw()
    busy = view.setup.running or bool(view.errand)
    if time.monotonic() - _refreshed >= (OFTEN if busy else SELDOM):
        refresh()
    return view.setup.running or bool(view.errand)
