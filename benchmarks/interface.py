# SPDX-License-Identifier: GPL-3.0-or-later
"""How evenly Blender's interface runs during a capture, against the same Blender idle, in the same session.

    python benchmarks/interface.py --zip ZIP --footage VIDEO --python PYTHON [--blender "CMD" ...]

A timer inside Blender asks to be called every 50 ms; the gaps between its calls are what an animator feels. Beside
them: how long each of the extension's own functions held Blender's main thread, which is what the extension is to be
blamed for. The rest is the machine, whose processors the capture uses too: `--control COMMAND` runs the same capture
beside an idle Blender (`--control ".venv/bin/video-mocap capture VIDEO -o /tmp/control.blend"`) and gives the gaps of
that. See tests/window/README.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "window"))

from animator import MODULE, Animator, add_arguments, install, open_blender
from window import Region

#: What the extension does on the main thread: the pump's tick, the overlay, and every panel (`Watch.panels`).
_WATCH = f"""
pump = sys.modules["{MODULE}.addon.pump"]
watch.wrap(pump, "step", "pump.step")
draw = sys.modules["{MODULE}.addon.overlay.draw"]
watch.wrap(draw, "_draw", "overlay")
watch.panels("{MODULE}")
"""


def figures(seconds: Sequence[float]) -> dict[str, float]:
    """Number, median, 95th percentile and largest, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0}
    at = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {"n": len(ordered)} | {
        name: round(1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2) for name, share in at.items()
    }


def beat(animator: Animator, lasts: Callable[[], bool], seconds: float, redraw: bool) -> dict[str, float]:
    """Figures of the gaps between heartbeats while `lasts()` is true, at most `seconds`.

    redraw: draw the sidebars ten times a second, as a capture does to show its progress.
    """
    animator.window.ask("heart_start", redraw=redraw)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and lasts():
        time.sleep(0.5)
    return figures(animator.window.ask("heart_stop"))


def capture(animator: Animator, panel: Region, limit: float) -> dict[str, Any]:
    """Press Capture and measure until the take is in the scene."""
    x, y = animator.window.find(panel, "video_mocap.capture")
    animator.window.run(_WATCH)
    animator.window.ask("spent")
    animator.display.click(x, y)
    pressed = time.monotonic()
    animator.window.ask("heart_start")
    first = None
    while not animator.takes() and time.monotonic() - pressed < limit:
        if first is None and (animator.job("running") or {}).get("stage"):
            first = time.monotonic() - pressed
        time.sleep(0.25)
    gaps = figures(animator.window.ask("heart_stop"))
    animator.wait_for_take(1)
    spent = animator.window.ask("spent")
    return {
        "capture": gaps,
        "seconds_to_first_progress": round(first or float("nan"), 2),
        "held_by_us": {name: figures(times) for name, times in sorted(spent.items())},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Interface heartbeat during a capture.")
    add_arguments(parser)
    parser.add_argument("--idle", type=float, default=15, help="seconds of the idle run")
    parser.add_argument("--control", help="command that does the same capture without Blender")
    arguments = parser.parse_args()
    install(arguments)
    with open_blender(arguments) as animator:
        report: dict[str, Any] = {"blender": animator.window.value("bpy.app.version_string")}
        animator.use_environment(animator.open_preferences())
        animator.close_preferences()
        animator.empty_scene()
        panel = animator.panel()
        animator.choose_footage(panel)
        report["idle"] = beat(animator, lambda: True, arguments.idle, redraw=False)
        report["idle_drawing_the_sidebar"] = beat(animator, lambda: True, arguments.idle, redraw=True)
        if arguments.control:
            with subprocess.Popen(
                shlex.split(arguments.control), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as beside:
                report["idle_beside_the_same_work"] = beat(
                    animator, lambda: beside.poll() is None, arguments.limit, redraw=True
                )
        report |= capture(animator, panel, arguments.limit)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
