# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Long work on Blender's main thread, in pieces that the interface does not feel.

One timer, which exists only while there is something to do: it empties the engine's messages and steps generators for
about 10 ms a tick. In background mode timers never fire: there, `step` and `until` are called instead.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import bpy

#: Seconds of work a tick; Blender draws between ticks.
BUDGET = 0.01
#: Seconds between ticks while generators run, and while there is only something to wait for.
WORKING, WAITING = 0.01, 0.1
#: What a generator yields that can do nothing but wait for a thread or for the user.
WAIT = object()

Work = Iterator[Any] | Generator[Any, Any, Any]
#: Called every tick; True while it waits for something.
Source = Callable[[], bool]


@dataclass(eq=False)
class Task:
    """A generator under way. done(value): it ended and returned value. failed(error): it raised."""

    generator: Work
    done: Callable[[Any], None] | None = None
    failed: Callable[[Exception], None] | None = None
    progress: float = 0.0


_tasks: list[Task] = []
_sources: list[Source] = []
#: Whether operators run to their end before they return: without timers nobody else would go on with the work.
synchronous = bpy.app.background


def run(
    generator: Work, done: Callable[[Any], None] | None = None, failed: Callable[[Exception], None] | None = None
) -> Task:
    """Step `generator` from now on until it ends; it yields its progress 0..1 after each short piece of work."""
    task = Task(generator, done, failed)
    _tasks.append(task)
    wake()
    return task


def drop(task: Task) -> None:
    """Stop a task: its generator is closed, neither `done` nor `failed` is called."""
    if task in _tasks:
        _tasks.remove(task)
        close = getattr(task.generator, "close", None)
        if close is not None:
            _guarded(close)


def add_source(source: Source) -> None:
    """Call `source` every tick, as long as it (or anything else) has something to wait for."""
    if source not in _sources:
        _sources.append(source)


def wake() -> None:
    """Start ticking, if we do not already."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=WORKING, persistent=True)


def step() -> bool:
    """One tick: sources, then generators in turn for `BUDGET` seconds. True while there is something left to do."""
    ends = time.monotonic() + BUDGET
    waiting = [bool(_guarded(source)) for source in list(_sources)]
    idle = 0
    while idle < len(_tasks):
        task = _tasks[0]
        _tasks.append(_tasks.pop(0))
        idle = idle + 1 if _advance(task) is WAIT else 0
        if time.monotonic() >= ends:
            break
    return bool(_tasks) or any(waiting)


def until(finished: Callable[[], bool], seconds: float) -> bool:
    """Tick until `finished()`, for background mode and tests; False if that took more than `seconds`."""
    ends = time.monotonic() + seconds
    while not finished():
        if time.monotonic() > ends:
            return False
        step()
        if not finished():
            time.sleep(0.002)
    return True


def reset() -> None:
    """Forget all work: the extension is being disabled."""
    if not bpy.app.background and bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for task in list(_tasks):
        drop(task)
    _sources.clear()


def redraw() -> None:
    """Draw the sidebars again; nothing else, because a whole 3D view can take long."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "CLIP_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _tick() -> float | None:
    busy = step()
    if not busy:
        return None
    return WORKING if _tasks else WAITING


def _advance(task: Task) -> Any:
    """One piece of a task; what it yielded."""
    try:
        value = next(task.generator)
    except StopIteration as end:
        _finish(task)
        if task.done is not None:
            _guarded(task.done, end.value)
    except Exception as error:
        _finish(task)
        if task.failed is None:
            traceback.print_exc()
        else:
            _guarded(task.failed, error)
    else:
        if isinstance(value, int | float):
            task.progress = float(value)
        return value
    return None


def _finish(task: Task) -> None:
    if task in _tasks:
        _tasks.remove(task)


def _guarded(call: Callable[..., Any], *arguments: Any) -> Any:
    """A timer whose function raises is gone for good, so what fails is told on the console and the rest goes on."""
    try:
        return call(*arguments)
    except Exception:
        traceback.print_exc()
        return None
