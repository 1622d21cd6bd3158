# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the add-on listens to the engine."""

from __future__ import annotations

import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from .driving import as_in_a_window, part, tick_until


@pytest.fixture
def state(addon: Any) -> Any:  # noqa: ARG001, it comes first
    """A session with a capture of ours that is done, long after the button was pressed."""
    state = part("session").get()
    state.jobs["a"] = {"id": "a", "tag": "t", "state": "done", "label": "walk", "footage": {"name": "walk.mp4"}}
    state.origins["t"] = part("capture.origin").Origin("walk", Path("walk.take.npz"))
    state.attentive_until = 0.0
    return state


def test_a_finished_capture_is_listened_for_until_its_take_came(state: Any) -> None:
    """The take travels after the job is done: a timer that ended in between would leave it lying."""
    drain = part("session").drain
    assert state.live() == []
    assert drain()
    del state.origins["t"]
    assert not drain()


def test_nothing_is_listened_for_when_the_take_is_here_or_cannot_come(state: Any) -> None:
    drain = part("session").drain
    state.arrived.append(state.origins["t"])
    assert not drain()
    state.arrived.clear()
    state.stuck.add("a")
    assert not drain()


def test_an_engine_that_starts_slowly_is_listened_for(state: Any) -> None:
    """A first start from a cold disk takes longer than the attention that a button gets."""
    drain = part("session").drain
    state.jobs.clear()
    assert not drain(), "nobody was asked"
    state.engine = SimpleNamespace(messages=queue.Queue(), close=lambda _stop: None)
    assert drain()
    state.problem = "The engine did not start."
    assert not drain()


def test_a_capture_that_was_repeated_well_does_not_stay_in_the_list(state: Any) -> None:
    """Somebody cancelled, changed something and captured again: nobody wants to resume the first."""
    discarded: list[str] = []
    messages: queue.Queue[Any] = queue.Queue()
    state.engine = SimpleNamespace(messages=messages, close=lambda _stop: None, discard=discarded.append)
    done = state.jobs.pop("a")
    state.jobs["old"] = {**done, "id": "old", "tag": "u", "state": "cancelled"}
    state.jobs["other"] = {**done, "id": "other", "tag": "v", "state": "failed", "label": "run"}
    state.jobs["part"] = {**done, "id": "part", "tag": "w", "state": "failed", "options": {"start": 3.0}}
    state.jobs["a"] = {**done, "state": "running"}
    state.jobs["later"] = {**done, "id": "later", "tag": "x", "state": "cancelled"}
    messages.put(part("engine").JobChanged(done, "done"))
    part("session").drain()
    assert discarded == ["old"]


def test_a_file_saved_under_a_new_name_keeps_its_captures(state: Any, tmp_path: Path) -> None:
    """Also where the extension was enabled after the file was opened."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    events = part("file_events")
    events.unregister()
    events._open_file = ""
    events.register()
    state.origins["t"].take_scene(bpy.context.scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot_2.blend"))
    assert state.origins["t"].is_here()
    state.origins["t"].lost = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot_3.blend"))
    assert not state.origins["t"].is_here()


def test_changes_to_the_file_are_made_one_after_the_other(addon: Any) -> None:  # noqa: ARG001, it comes first
    """The undo step of one would hold half of the other."""
    chores, order = part("chores"), []

    def building(name: str) -> Any:
        for number in range(3):
            order.append(f"{name}{number}")
            yield number / 3

    both = [chores.Chore(name, name, lambda: None, lambda _, name=name: building(name)) for name in "ab"]
    stopped = chores.Chore("c", "c", lambda: None, lambda _: building("c"))
    with as_in_a_window():
        stopped.start()
        tick_until(lambda: order)
        both[0].start()
        both[1].start()
        stopped.give_up()
        order.clear()
        tick_until(lambda: all(chore.ended for chore in both))
    assert sorted(order) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert order in (sorted(order), sorted(order)[3:] + sorted(order)[:3])
