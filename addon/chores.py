# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Changes to the file that take a while: prepared in a thread, made in pieces, one step of Edit > Undo.

While they wait or work the user goes on: undo, save and load in between take back what is half made, and a chore
begins its main-thread part again afterwards (after a load it is given up).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import bpy

from ..rigging.aside import aside as wait_aside
from ..rigging.take import FileFormatError
from . import pump

#: Modes in which objects may come and go without getting in the way of what the user is doing.
_CALM = ("OBJECT", "POSE")


@dataclass(eq=False)
class Chore:
    """One change.

    title: what the panel says while it goes on. undo: the name of its step, empty if there is nothing to undo.
    aside: runs once, in a thread, and must not touch bpy. build: makes the change of what `aside` gave; a generator
    that takes back what it made if it is closed. works_on: names of the take collections that are spoken for.
    finished(problem): called at the end, with a sentence if it failed. Both parts fail with ValueError or OSError of
    one sentence. place: the panel that shows it, "capture" or "retarget".
    """

    title: str
    undo: str
    aside: Callable[[], Any]
    build: Callable[[Any], Generator[Any, Any, Any]]
    works_on: tuple[str, ...] = ()
    finished: Callable[[str | None], None] | None = None
    place: str = "capture"
    waiting: bool = False
    ended: bool = False
    problem: str | None = None
    _result: Any = None
    _error: Exception | None = None
    _thread: threading.Thread | None = field(default=None, repr=False)
    _task: pump.Task | None = field(default=None, repr=False)

    @property
    def progress(self) -> float:
        """How much of the main-thread part is done, 0..1."""
        return self._task.progress if self._task is not None else 0.0

    def start(self) -> None:
        """Begin, or begin again after `interrupt`."""
        if self.ended or self._task is not None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run_aside, name=f"video_mocap {self.title}", daemon=True)
            self._thread.start()
        self._task = pump.run(self._work(), done=lambda _value: self._end(None), failed=self._fail)

    def interrupt(self) -> None:
        """Take back what was made so far: the file is about to change under it."""
        if self._task is not None:
            task, self._task = self._task, None
            pump.drop(task)

    def give_up(self) -> None:
        """Stop for good, without a word."""
        self.interrupt()
        self.ended = True

    def _run_aside(self) -> None:
        try:
            self._result = self.aside()
        except Exception as error:
            self._error = error

    def _work(self) -> Generator[Any, Any, None]:
        while self._thread is not None and self._thread.is_alive():
            yield pump.WAIT
        if self._error is not None:
            raise self._error
        try:
            while True:
                self.waiting = not may_change_file()
                if not self.waiting and _builders[:1] in ([], [self]):
                    break
                yield pump.WAIT
            # One at a time: an undo step holds everything that was changed until then, also by others.
            _builders[:] = [self]
            yield from self.build(self._result)
            if self.undo:
                # Blender evaluates what is new, and copies the file's data for the step: each in a piece of its own.
                yield pump.WAIT
                update_views()
                yield pump.WAIT
                push_undo(self.undo)
        finally:
            if _builders[:1] == [self]:
                _builders.clear()

    def _fail(self, error: Exception) -> None:
        self._end(sentence(error))

    def _end(self, problem: str | None) -> None:
        self.ended, self._task, self.problem = True, None, problem
        if self.finished is not None:
            self.finished(problem)


#: The chore that changes the file at present, if any.
_builders: list[Chore] = []


def aside(work: Callable[[], Any]) -> Generator[Any, Any, Any]:
    """`rigging.aside` for the pump, which has other things to do meanwhile."""
    return wait_aside(work, pump.WAIT, pause=0.0)


def sentence(error: Exception) -> str:
    """An exception as one sentence for the panel; what nobody foresaw is told as such."""
    text = " ".join(str(error).split())
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename} is not there any more"
    if isinstance(error, MemoryError):
        return "There is not enough memory for this take"
    if isinstance(error, FileFormatError | ValueError | OSError) and text:
        # A file's name is as it is.
        return text if "." in text.partition(" ")[0] else text[0].upper() + text[1:]
    return f"This did not work ({type(error).__name__}: {text}); please report it"


def may_change_file() -> bool:
    """Whether objects may be added now: not while rendering, editing a mesh, or in the middle of a drag."""
    if bpy.app.is_job_running("RENDER"):
        return False
    if bpy.app.background:
        return True
    for window in bpy.context.window_manager.windows:
        active = window.view_layer.objects.active
        if active is not None and active.mode not in _CALM:
            return False
        if any(operator.bl_idname.startswith("TRANSFORM_OT_") for operator in getattr(window, "modal_operators", ())):
            return False
    return True


def update_views() -> None:
    """Evaluate what was changed in the scenes that are shown, which drawing would do next anyway."""
    for window in bpy.context.window_manager.windows:
        window.view_layer.update()


def push_undo(message: str) -> None:
    """Make what was changed so far one step of Edit > Undo. For timers only: an operator gets a step of its own."""
    windows = bpy.context.window_manager.windows
    if pump.synchronous or not len(windows):
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.ed.undo_push(message=message)
