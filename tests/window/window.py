# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender with a window, driven from outside: finds buttons by what they do, and presses them with a real pointer.

Blender tells no script where a button lies. So the pointer is moved down a region as a reader's finger, and the agent
inside says what the button under it is: Blender's own "Copy Python Command" and "Copy Data Path" know. A button that is
greyed out is not found, just as it cannot be pressed.
"""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from display import Display, Tools

T = TypeVar("T")
AGENT = Path(__file__).resolve().parent / "agent.py"


@dataclass(frozen=True)
class Region:
    """A region on the display: window, area, row name it inside Blender; x, y (from the top), width, height, pixels."""

    window: int
    area: int
    row: int
    type: str
    x: int
    y: int
    width: int
    height: int

    def below(self, y: float, height: int | None = None) -> Region:
        """Its part from y on, down to its end or `height` pixels of it."""
        left = self.y + self.height - int(y)
        return replace(self, y=int(y), height=left if height is None else min(height, left))


def wait_for(what: str, condition: Callable[[], T | None], seconds: float = 30.0, every: float = 0.1) -> T:
    """What `condition` gives once it is true; TimeoutError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every)
    raise TimeoutError(f"not within {seconds:g} s: {what}")


class Window:
    """Blender on a display, with the agent inside. A context manager that ends Blender."""

    def __init__(self, display: Display, tools: Tools, log: Path, *arguments: str) -> None:
        self.display, self._number, self._read = display, 0, b""
        width, height = display.size
        with socket.create_server(("127.0.0.1", 0)) as server:
            command = [*shlex.split(tools.blender), "--window-geometry", "0", "0", str(width), str(height), *arguments]
            command += ["--python", str(AGENT), "--", str(server.getsockname()[1])]
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as output:
                self.process = subprocess.Popen(
                    command, env=display.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
            server.settimeout(60)
            try:
                self._line, _ = server.accept()
            except TimeoutError:
                self.process.kill()
                raise RuntimeError(f"Blender did not start within 60 s; see {log}") from None
        self._line.settimeout(120)
        self.areas()

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End Blender."""
        self._line.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def ask(self, do: str, **arguments: Any) -> Any:
        """Let the agent do something (see `agent.py`) and return its answer; RuntimeError with its traceback."""
        self._number += 1
        request = {"id": self._number, "do": do, "with": arguments}
        self._line.sendall(json.dumps(request).encode() + b"\n")
        while b"\n" not in self._read:
            chunk = self._line.recv(65536)
            if not chunk:
                raise RuntimeError("Blender ended")
            self._read += chunk
        line, self._read = self._read.split(b"\n", 1)
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["value"]

    def value(self, expression: str) -> Any:
        """The value of a Python expression inside Blender: for looking."""
        return self.ask("run", code=f"value = {expression}")

    def run(self, code: str) -> Any:
        """Execute statements inside Blender: for set-ups."""
        return self.ask("run", code=code)

    def areas(self) -> list[dict[str, Any]]:
        """Every area, as the agent tells it, with y from the display's top."""
        found = self.ask("areas")
        for part in (part for area in found for part in (area, *area["regions"])):
            x, y, width, height = part["rect"]
            part["rect"] = [x, self.display.size[1] - y - height, width, height]
        return found

    def region(self, editor: str, kind: str = "WINDOW") -> Region:
        """The first region of a kind in the first editor of a type (`VIEW_3D`, `CLIP_EDITOR`, `PREFERENCES`)."""
        for area in self.areas():
            for region in area["regions"]:
                if area["type"] == editor and region["type"] == kind:
                    return Region(area["window"], area["area"], region["row"], kind, *region["rect"])
        raise LookupError(f"no region {kind} in an editor {editor}")

    def sidebar(self, editor: str, tab: str) -> Region:
        """The sidebar of an editor, opened on a tab."""
        area = next(area for area in self.areas() if area["type"] == editor)
        rows = self.value(
            f"[r.type for r in bpy.context.window_manager.windows[{area['window']}]"
            f".screen.areas[{area['area']}].regions]"
        )
        row = rows.index("UI")
        place = {"window": area["window"], "area": area["area"], "region": row}
        wait_for(f"the tab {tab}", lambda: self.ask("tab", **place, name=tab), every=0.3)
        time.sleep(0.5)
        return self.region(editor, "UI")

    def hovered(self, region: Region, x: float, y: float) -> str:
        """What the button at a pixel does, "" where there is none."""
        self.display.move(x, y)
        told = self.ask("hovered", window=region.window, area=region.area, region=region.row)
        return " ".join(told.values())

    def find(self, region: Region, name: str, across: tuple[float, ...] = (0.5, 0.85, 0.25), step: int = 9) -> Any:
        """(x, y) of the button whose operator or property contains `name`. across: columns, shares of the width.

        LookupError if there is none in what the region shows.
        """
        seen = set()
        for share in across:
            x = region.x + share * region.width
            for y in range(region.y + 4, region.y + region.height - 4, step):
                told = self.hovered(region, x, y)
                seen.add(told)
                if name in told:
                    return self._middle(region, x, y, name)
        raise LookupError(f"no button {name} to press; there are: {sorted(seen - {''})}")

    def _middle(self, region: Region, x: float, y: float, name: str) -> tuple[float, float]:
        """A little further down, if that is still the button: its edge is no good place to click."""
        return (x, y + 5) if name in self.hovered(region, x, y + 5) else (x, y)

    def press(self, region: Region, name: str, **keywords: Any) -> tuple[float, float]:
        """Find a button and click it; returns where."""
        x, y = self.find(region, name, **keywords)
        self.display.click(x, y)
        time.sleep(0.3)
        return x, y

    def write(self, region: Region, name: str, text: str, **keywords: Any) -> None:
        """Write a text into a field: double click, replace everything, Return."""
        x, y = self.find(region, name, **keywords)
        self.display.click(x, y, times=2)
        time.sleep(0.4)
        self.display.press("ctrl+a")
        self.display.type(text)
        self.display.press("Return")
        time.sleep(0.3)
