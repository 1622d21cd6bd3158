# SPDX-License-Identifier: GPL-3.0-or-later
"""How evenly Blender's interface runs during a capture, against the same Blender idle, in the same session.

    python benchmarks/interface.py --zip ZIP --footage VIDEO --python PYTHON [--blender "CMD" ...]

A timer inside Blender asks to be called every 50 ms; the gaps between its calls are what an animator feels. Beside
them: how long each of the extension's own functions held Blender's main thread, which is what the extension is to be
blamed for. The rest is the machine, whose processors the capture uses too. See tests/window/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "window"))

from animator import MODULE, Animator, add_arguments, install, open_blender
from window import wait_for

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


def beat(animator: Animator, while_: object, seconds: float) -> list[float]:
    """Gaps between heartbeats while `while_()` is true, at most `seconds`."""
    animator.window.ask("heart_start")
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and (not callable(while_) or while_()):
        time.sleep(1.0)
    return animator.window.ask("heart_stop")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Interface heartbeat during a capture.")
    add_arguments(parser)
    parser.add_argument("--idle", type=float, default=15, help="seconds of the idle run")
    arguments = parser.parse_args()
    install(arguments)
    with open_blender(arguments) as animator:
        version = animator.window.value("bpy.app.version_string")
        animator.use_environment(animator.open_preferences())
        animator.close_preferences()
        panel = animator.panel()
        animator.choose_footage(panel)
        animator.window.run(_WATCH)
        idle = beat(animator, None, arguments.idle)
        animator.window.ask("spent")
        pressed = time.monotonic()
        animator.window.press(panel, "video_mocap.capture")
        wait_for("the capture runs", lambda: animator.job("running", "done") or animator.takes(), 60)
        first = time.monotonic() - pressed
        gaps = beat(animator, lambda: not animator.takes(), arguments.limit)
        animator.wait_for_take(1)
        spent = animator.window.ask("spent")
    report = {
        "blender": version,
        "idle": figures(idle),
        "capture": figures(gaps),
        "seconds_to_first_progress": round(first, 2),
        "held_by_us": {name: figures(times) for name, times in sorted(spent.items())},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
