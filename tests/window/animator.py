# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator does with the extension, one method a step, by pointer and keys."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from display import Display, Tools
from window import Region, Window, wait_for

MODULE = "bl_ext.user_default.video_mocap"
TAB = "Video Mocap"
_SESSION = f"sys.modules['{MODULE}.addon.session'].get()"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every script here needs to know: the commands, the zip, the footage, the engine."""
    parser.add_argument("--blender", default="blender", help="command that starts Blender")
    parser.add_argument("--xvfb", default="Xvfb", help="command that starts Xvfb")
    parser.add_argument("--xdotool", default="xdotool", help="command that starts xdotool")
    parser.add_argument("--import", dest="picture", default="import", help="command that starts ImageMagick's import")
    parser.add_argument("--display", type=int, default=95, help="number of the display to start")
    parser.add_argument("--zip", type=Path, required=True, help="the extension, as Blender sees it")
    parser.add_argument("--footage", type=Path, required=True, help="a video, as Blender sees it")
    parser.add_argument("--python", type=Path, required=True, help="Python of an engine's environment")
    parser.add_argument("--limit", type=float, default=240, help="seconds that a capture may take")
    parser.add_argument("--log", type=Path, default=Path("blender-window.log"), help="where Blender's output goes")


def tools(arguments: argparse.Namespace) -> Tools:
    """The commands that were given."""
    return Tools(arguments.blender, arguments.xvfb, arguments.xdotool, arguments.picture)


def install(arguments: argparse.Namespace) -> None:
    """Install the extension's zip and enable it."""
    command = [*shlex.split(arguments.blender), "--command", "extension", "install-file", "-r", "user_default"]
    command += ["--enable", str(arguments.zip)]
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, timeout=120)
    if done.returncode or "rror" in done.stderr:
        raise SystemExit(f"the extension was not installed: {done.stdout}{done.stderr}")


@contextmanager
def open_blender(arguments: argparse.Namespace) -> Iterator[Animator]:
    """Blender in a window with the extension; it and its display are gone afterwards."""
    with (
        Display(arguments.display, tools(arguments)) as display,
        Window(display, tools(arguments), arguments.log) as window,
    ):
        yield Animator(window, arguments)


class Animator:
    """Steps on an open Blender."""

    def __init__(self, window: Window, arguments: argparse.Namespace) -> None:
        self.window, self.display, self.arguments = window, window.display, arguments

    def open_preferences(self) -> Region:
        """The preferences' window, at ours."""
        self.window.run(f"bpy.ops.preferences.addon_show(module='{MODULE}')")
        region = wait_for("the preferences' window", self._preferences, 20)
        time.sleep(1.5)
        return region

    def _preferences(self) -> Region | None:
        try:
            return self.window.region("PREFERENCES")
        except LookupError:
            return None

    def close_preferences(self) -> None:
        """Close that window."""
        self.window.run(
            "window = bpy.context.window_manager.windows[-1]\n"
            "with bpy.context.temp_override(window=window): bpy.ops.wm.window_close()"
        )
        time.sleep(0.5)

    def use_environment(self, region: Region) -> None:
        """Choose the existing environment: the middle of the engine's three buttons, then its path."""
        x, y = self.window.find(region, "?", across=(0.5,))
        self.display.click(x, y)
        wait_for("the engine is chosen", lambda: self.preference("engine") == "EXISTING", 20)
        # Until its fields are drawn, which Blender tells nobody.
        time.sleep(0.5)
        x, y = self.window.find(region.below(y + 16), "?", across=(0.6,))
        self.display.click(x, y, times=2)
        time.sleep(0.4)
        self.display.press("ctrl+a")
        self.display.type(str(self.arguments.python))
        self.display.press("Return")
        wait_for("the path is there", lambda: self.preference("existing") == str(self.arguments.python), 5)

    def preference(self, name: str) -> Any:
        """A value of the add-on's preferences."""
        return self.window.value(f"bpy.context.preferences.addons['{MODULE}'].preferences.{name}")

    def panel(self, editor: str = "VIEW_3D") -> Region:
        """The sidebar of an editor with our panels."""
        return self.window.sidebar(editor, TAB)

    def choose_footage(self, region: Region) -> None:
        """Write the footage's path into its field."""
        self.window.write(region, "video_mocap.footage_path", str(self.arguments.footage))
        found = self.window.value("bpy.context.scene.video_mocap.footage_path")
        if found != str(self.arguments.footage):
            raise RuntimeError(f"the footage's field holds {found!r}")

    def press_cancel(self, panel: Region, capture: float) -> None:
        """Press a capture's Cancel; capture: y of the Capture button.

        It stands at the right of the first row below that button. To look for it in the whole sidebar takes longer
        than a short capture.
        """
        near = panel.below(capture, 100)
        self.window.press(near, "video_mocap.cancel", across=(0.85, 0.9, 0.8, 0.95))

    def jobs(self) -> list[dict[str, Any]]:
        """The jobs that the panel shows."""
        return self.window.value(f"list({_SESSION}.jobs.values())")

    def problem(self) -> str | None:
        """What the panel says went wrong."""
        return self.window.value(f"{_SESSION}.problem")

    def job(self, *states: str) -> dict[str, Any] | None:
        """The newest job, if it is in one of these states."""
        jobs = self.jobs()
        return jobs[-1] if jobs and jobs[-1]["state"] in states else None

    def takes(self) -> list[str]:
        """Names of the scene's takes."""
        return self.window.value("[take.name for take in bpy.context.scene.video_mocap.takes]")

    def wait_for_take(self, count: int) -> float:
        """Wait until the scene has so many takes, and nothing more to do; returns the seconds."""
        started = time.monotonic()

        def there() -> bool:
            if problem := self.problem():
                raise RuntimeError(f"the capture failed: {problem}")
            failed = self.job("failed")
            if failed:
                raise RuntimeError(f"the capture failed: {failed['message']}")
            return len(self.takes()) >= count and not self.window.value(f"bool({_SESSION}.chores)")

        wait_for(f"{count} takes", there, self.arguments.limit)
        return time.monotonic() - started

    def empty_scene(self) -> None:
        """Delete what a new file begins with."""
        self.window.run("bpy.data.batch_remove(list(bpy.data.objects))")

    def look_through_camera(self, panel: Region) -> None:
        """Match Scene, then numpad 0 with the pointer in the 3D view."""
        self.window.press(panel, "video_mocap.match_scene")
        camera = "bpy.context.scene.camera is not None"
        wait_for("the scene has the footage's camera", lambda: self.window.value(camera), 20)
        wait_for("the keys are retimed", lambda: not self.window.value(f"bool({_SESSION}.chores)"), 60)
        view = self.window.region("VIEW_3D")
        self.display.move(view.x + view.width / 3, view.y + view.height / 2)
        time.sleep(0.3)
        self.display.press("KP_0")
        looks = "[a.spaces.active.region_3d.view_perspective for a in bpy.context.screen.areas if a.type == 'VIEW_3D']"
        wait_for("the view looks through the camera", lambda: "CAMERA" in self.window.value(looks), 10)
        time.sleep(1.0)
        self.display.press("Home")
        time.sleep(1.0)

    def clip_editor(self) -> None:
        """Turn the 3D view into a clip editor that shows the footage."""
        self.window.run(
            "area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'VIEW_3D')\n"
            "area.ui_type = 'CLIP_EDITOR'\n"
            "area.spaces.active.clip = bpy.data.movieclips[-1]"
        )
        time.sleep(1.0)

    def show_frame(self, frame: int) -> None:
        """Go to a frame as the time line does, so that clip editors follow."""
        self.window.run(
            "window = bpy.context.window_manager.windows[0]\n"
            f"step = {frame} - bpy.context.scene.frame_current\n"
            "with bpy.context.temp_override(window=window): bpy.ops.screen.frame_offset(delta=step)"
        )
        time.sleep(1.5)
