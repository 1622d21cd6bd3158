# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a Blender with a window (`blender --python agent.py -- PORT`) and answers the driver outside.

It looks and reports: where areas and regions lie, which button is under the pointer, how evenly Blender's main thread
runs. Clicks and keys come from outside, as an animator's do. Lines of JSON over loopback, read from a timer, so
nothing here waits.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
import traceback
from itertools import pairwise
from typing import Any

import bpy

# Before the first draw: from a timer it is too late for the splash. Nothing is saved at exit.
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_tooltips = False
bpy.context.preferences.use_preferences_save = False

_TICK = 0.02


class Heart:
    """A timer asked for every 50 ms; the gaps between its calls say how evenly the interface runs.

    With `redraw`, every second beat draws the sidebars again, as progress that is shown does.
    """

    period = 0.05

    def __init__(self) -> None:
        self.beats: list[float] = []
        self.redraw = False
        self.timer = self._beat  # one object: Blender tells timers apart by it

    def start(self, redraw: bool = False) -> None:
        self.stop()
        self.beats, self.redraw = [], redraw
        bpy.app.timers.register(self.timer)

    def stop(self) -> list[float]:
        if bpy.app.timers.is_registered(self.timer):
            bpy.app.timers.unregister(self.timer)
        return [after - before for before, after in pairwise(self.beats)]

    def _beat(self) -> float:
        self.beats.append(time.perf_counter())
        if self.redraw and len(self.beats) % 2:
            for area in bpy.context.window_manager.windows[0].screen.areas:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
        return self.period


class Watch:
    """How long the extension's own functions hold the main thread: name -> seconds of each call.

    "NAME, processor" is the time that the thread really ran, where other programs wanted the processors too.
    """

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = {}

    def wrap(self, holder: Any, name: str, label: str) -> None:
        function = getattr(holder, name)
        if getattr(function, "watched", False):
            return
        spent = self.spent.setdefault(label, [])
        running = self.spent.setdefault(f"{label}, processor", [])

        def timed(*arguments: Any, **keywords: Any) -> Any:
            started, ran = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments, **keywords)
            finally:
                spent.append(time.perf_counter() - started)
                running.append(time.thread_time() - ran)

        # Blender gives a method of a panel as many arguments as its code says it takes.
        code = function.__code__
        names = ", ".join(code.co_varnames[: code.co_argcount])
        same = eval(f"lambda {names}: timed({names})", {"timed": timed}) if isinstance(holder, type) else timed
        same.watched = True
        setattr(holder, name, same)

    def panels(self, prefix: str) -> None:
        """Watch the drawing of every panel, list and menu of the modules that begin with `prefix`."""
        for kind in (bpy.types.Panel, bpy.types.UIList, bpy.types.Menu):
            for cls in kind.__subclasses__():
                if cls.__module__.startswith(prefix):
                    for name in ("draw", "draw_item", "draw_header"):
                        if hasattr(cls, name):
                            self.wrap(cls, name, f"{cls.__name__}.{name}")

    def take(self) -> dict[str, list[float]]:
        spent = {name: list(times) for name, times in self.spent.items() if times}
        for times in self.spent.values():
            times.clear()
        return spent


heart, watch = Heart(), Watch()


def areas() -> list[dict[str, Any]]:
    """Every area of every window; rectangles are x, y (from the bottom), width, height in pixels of the display."""

    def rectangle(window: Any, part: Any) -> list[int]:
        return [window.x + part.x, window.y + part.y, part.width, part.height]

    found = []
    for number, window in enumerate(bpy.context.window_manager.windows):
        for row, area in enumerate(window.screen.areas):
            regions = [
                {"type": region.type, "rect": rectangle(window, region), "row": n}
                for n, region in enumerate(area.regions)
                if region.width > 1 and region.height > 1
            ]
            found.append(
                {
                    "window": number,
                    "area": row,
                    "type": area.ui_type,
                    "rect": rectangle(window, area),
                    "regions": regions,
                }
            )
    return found


def hovered(window: int, area: int, region: int) -> dict[str, str]:
    """What the button under the pointer does: {"operator": its Python call} or {"property": its data path} or {}.

    Settings that belong to no data-block, such as an add-on's preferences, are properties called "?".
    """
    manager = bpy.context.window_manager
    win = manager.windows[window]
    place = win.screen.areas[area]
    told: dict[str, str] = {}
    with bpy.context.temp_override(window=win, area=place, region=place.regions[region]):
        for key, operator, arguments in (
            ("operator", bpy.ops.ui.copy_python_command_button, {}),
            ("property", bpy.ops.ui.copy_data_path_button, {"full_path": True}),
        ):
            try:
                if operator.poll() and "FINISHED" in operator(**arguments):
                    told[key] = manager.clipboard
            except RuntimeError:
                continue
        if not told and bpy.ops.ui.reset_default_button.poll():
            told["property"] = "?"
    return told


def tab(window: int, area: int, region: int, name: str) -> bool:
    """Open the sidebar of an area on a tab; False until Blender has drawn it once (then try again)."""
    place = bpy.context.window_manager.windows[window].screen.areas[area]
    place.spaces.active.show_region_ui = True
    sidebar = place.regions[region]
    if sidebar.active_panel_category != name:
        with contextlib.suppress(TypeError, AttributeError):
            sidebar.active_panel_category = name
        place.tag_redraw()
        return False
    return True


def run(code: str) -> Any:
    """Execute statements; what they leave in `value` is the answer. For set-ups and looking, not for clicks."""
    names: dict[str, Any] = {"bpy": bpy, "watch": watch, "sys": sys, "value": None}
    exec(code, names)
    return names["value"]


_ACTIONS: dict[str, Any] = {
    "areas": areas,
    "hovered": hovered,
    "tab": tab,
    "run": run,
    "heart_start": heart.start,
    "heart_stop": heart.stop,
    "spent": watch.take,
}


class Line:
    """The connection to the driver: a request is answered one tick after it came, when events before it are handled."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.read = b""
        self.waiting: list[dict[str, Any]] = []

    def tick(self) -> float | None:
        due, self.waiting = self.waiting, []
        for request in due:
            self.answer(request)
        try:
            while chunk := self.socket.recv(65536):
                self.read += chunk
            return None  # the driver is gone
        except BlockingIOError:
            pass
        except OSError:
            return None
        *lines, self.read = self.read.split(b"\n")
        self.waiting = [json.loads(line) for line in lines]
        return _TICK

    def answer(self, request: dict[str, Any]) -> None:
        try:
            reply: dict[str, Any] = {"value": _ACTIONS[request["do"]](**request["with"])}
        except Exception:
            reply = {"error": traceback.format_exc()}
        reply["id"] = request["id"]
        self.socket.setblocking(True)
        self.socket.sendall(json.dumps(reply, default=str).encode() + b"\n")
        self.socket.setblocking(False)


line = Line(int(sys.argv[sys.argv.index("--") + 1]))
bpy.app.timers.register(line.tick, persistent=True)
