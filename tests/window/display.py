# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual display: Xvfb, a pointer and keys (xdotool), pictures (ImageMagick's import)."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tools:
    """The commands that start the tools, as on a command line (`xvfb="Xvfb"`, or with what enters a container)."""

    blender: str = "blender"
    xvfb: str = "Xvfb"
    xdotool: str = "xdotool"
    picture: str = "import"


class Display:
    """One Xvfb; also a context manager that ends it."""

    def __init__(self, number: int, tools: Tools, size: tuple[int, int] = (1440, 1000)) -> None:
        self.tools, self.size = tools, size
        self.environment = {**os.environ, "DISPLAY": f":{number}", "LIBGL_ALWAYS_SOFTWARE": "1"}
        command = [*shlex.split(tools.xvfb), f":{number}", "-screen", "0", f"{size[0]}x{size[1]}x24"]
        command += ["+extension", "GLX", "-nolisten", "tcp"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"Xvfb ended at once: is display :{number} taken?")
            if self._xdotool("getmouselocation", check=False) == 0:
                return
            time.sleep(0.1)
        self.close()
        raise RuntimeError("Xvfb did not answer within 20 s")

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End Xvfb."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def move(self, x: float, y: float) -> None:
        """Move the pointer as a hand does: Blender wants to see it come."""
        self._xdotool("mousemove", int(x) - 7, int(y) - 2, "sleep", 0.02, "mousemove", int(x), int(y))

    def click(self, x: float, y: float, button: int = 1, times: int = 1) -> None:
        """Click window pixel (x, y). button: 1 left, 2 middle, 3 right, 4 and 5 wheel up and down."""
        self.move(x, y)
        time.sleep(0.25)
        self._xdotool("click", "--repeat", times, "--delay", 60, button)

    def press(self, *keys: str) -> None:
        """Press keys by their X names, one after another: "Return", "ctrl+a"."""
        for key in keys:
            self._xdotool("key", key)
            time.sleep(0.1)

    def type(self, text: str) -> None:
        """Type a text."""
        self._xdotool("type", "--delay", 12, text)

    def picture(self, path: Path) -> Path:
        """Write what the display shows."""
        command = [*shlex.split(self.tools.picture), "-window", "root", "png:-"]
        found = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, check=True, timeout=60)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(found.stdout)
        return path

    def _xdotool(self, *arguments: object, check: bool = True) -> int:
        command = [*shlex.split(self.tools.xdotool), *(str(argument) for argument in arguments)]
        quiet = subprocess.DEVNULL
        return subprocess.run(
            command, env=self.environment, stdout=quiet, stderr=quiet, check=check, timeout=60
        ).returncode
