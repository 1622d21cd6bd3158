# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole capture as an animator does it, in a Blender with a window, with a picture of every step.

Install, look at the set-up, choose an engine, choose footage, Capture, Cancel, Capture again, the result in the camera
view and in the clip editor. See README.md for how to run it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from animator import Animator, add_arguments, install, open_blender
from window import wait_for


class Steps:
    """Says each step, takes its picture."""

    def __init__(self, animator: Animator, folder: Path) -> None:
        self.animator, self.folder, self.number = animator, folder, 0

    def __call__(self, name: str, step: Callable[[], object] | None = None) -> None:
        started = time.monotonic()
        self.number += 1
        try:
            if step is not None:
                step()
        finally:
            picture = self.folder / f"{self.number:02d}_{name}.png"
            self.animator.display.picture(picture)
        print(f"{self.number:2d} {name}: {time.monotonic() - started:.1f} s, {picture}", flush=True)


def main() -> None:
    """Run it; an exception says which step did not work, and its picture is the last one."""
    parser = argparse.ArgumentParser(description="A whole capture by clicks.")
    add_arguments(parser)
    parser.add_argument("--pictures", type=Path, default=Path("window-pictures"), help="folder for the pictures")
    parser.add_argument("--frame", type=int, default=20, help="frame at which the result is looked at")
    arguments = parser.parse_args()
    install(arguments)
    with open_blender(arguments) as animator:
        run(animator, Steps(animator, arguments.pictures), arguments.frame)


def run(animator: Animator, step: Steps, frame: int) -> None:
    """The steps."""
    set_up(animator, step)
    animator.empty_scene()
    panel = animator.panel()
    step("panel")
    step("footage", lambda: animator.choose_footage(panel))
    press = animator.window.press

    x, y = animator.window.find(panel, "video_mocap.capture")
    step("pressed_capture", lambda: animator.display.click(x, y))
    wait_for("the capture runs", lambda: animator.job("running"), 60)
    wait_for("people are looked for", lambda: in_detection(animator, 4), 90)
    step("capturing")
    step("pressed_cancel", lambda: animator.press_cancel(panel, y))
    wait_for("it was cancelled", lambda: animator.job("cancelled"), 30)
    step("cancelled")

    step("pressed_capture_again", lambda: press(panel, "video_mocap.capture"))
    wait_for("it runs again", lambda: animator.job("running", "done") or animator.takes(), 60)
    time.sleep(3)
    step("capturing_again")
    step("take_in_the_scene", lambda: animator.wait_for_take(1))
    time.sleep(1)
    step("result")
    step("match_scene", lambda: animator.look_through_camera(panel))
    animator.show_frame(frame)
    step("camera_view")
    animator.clip_editor()
    animator.panel("CLIP_EDITOR")
    animator.show_frame(frame + 1)
    step("clip_editor")
    print(f"takes: {animator.takes()}, problem: {animator.problem()}")


def in_detection(animator: Animator, frames: int) -> bool:
    """Some frames have been looked at."""
    job = animator.job("running") or {}
    return job.get("stage") == "detection" and job.get("done", 0) >= frames


def set_up(animator: Animator, step: Steps) -> None:
    """The preferences: the dialog of the set-up, then the existing environment."""
    region = animator.open_preferences()
    step("preferences")
    animator.window.press(region, "video_mocap.set_up")
    time.sleep(1.0)
    step("set_up_dialog")
    animator.display.press("Escape")
    time.sleep(0.5)
    animator.use_environment(region)
    step("existing_environment", lambda: animator.window.press(region, "video_mocap.check_engine"))
    time.sleep(8.0)
    step("checked")
    animator.close_preferences()


if __name__ == "__main__":
    main()
