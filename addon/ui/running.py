# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""How operators begin, if they may, and end: at once in a window, with the work done where there is none."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from .. import pump, session
from ..chores import Chore, sentence

#: Seconds that operators in background mode wait: for the engine's answer, a change to the file, a whole capture.
SHORT, _CHANGE, LONG = 60.0, 3600.0, 24 * 3600.0


def allowed(operator: type[bpy.types.Operator], problem: str | None) -> bool:
    """What `poll` returns: that nothing is in the way; else Blender shows the problem, one sentence, as a tooltip."""
    if problem:
        operator.poll_message_set(problem)
    return not problem


def finish(
    operator: bpy.types.Operator, over: Callable[[], bool], seconds: float, well: Callable[[], bool] = lambda: True
) -> set[str]:
    """What an operator returns that started something. Without timers it waits until `over`; `well`: it worked."""
    if not pump.synchronous:
        return {"FINISHED"}
    if not pump.until(over, seconds):
        operator.report({"ERROR"}, "The capture engine did not answer in time")
        return {"CANCELLED"}
    problem = session.get().problem
    if not well() or problem:
        operator.report({"ERROR"}, problem or "It did not come to its end")
        return {"CANCELLED"}
    return {"FINISHED"}


def finish_capture(operator: bpy.types.Operator, tag: str) -> set[str]:
    """The same for a capture: it is over when its take is in its scene."""
    state = session.get()
    return finish(operator, lambda: state.is_over(tag), LONG, lambda: tag not in state.origins)


def follow(operator: bpy.types.Operator, chore: Chore) -> set[str]:
    """The same for a change to the file."""
    return finish(operator, lambda: chore.ended, _CHANGE, lambda: chore.problem is None)


def report(operator: bpy.types.Operator, error: Exception) -> set[str]:
    """Tell in one sentence why an operator does nothing."""
    text = str(error) if isinstance(error, session.NotReadyError) else sentence(error)
    operator.report({"ERROR"}, text)
    return {"CANCELLED"}
