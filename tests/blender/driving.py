# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the panel share: the extension's modules, takes to work on, and ticking instead of a timer."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np

from .conftest import MODULE, ROOT

SAMPLE_TAKE = ROOT / "sample" / "sample_truth.take.npz"
SAMPLE = ROOT / "sample" / "sample.mp4"


def part(name: str) -> ModuleType:
    """A module of the installed add-on: `part("session")`."""
    return importlib.import_module(f"{MODULE}.{name}" if name.startswith("rigging") else f"{MODULE}.addon.{name}")


@contextlib.contextmanager
def as_in_a_window(one_piece: bool = True) -> Iterator[None]:
    """Operators return at once, as they do where there is a window; `tick_until` stands for the timer.

    one_piece: a tick does one piece of work only, so that tests can stop anywhere.
    """
    pump = part("pump")
    usual = pump.BUDGET
    pump.synchronous, pump.BUDGET = False, 0.0 if one_piece else usual
    try:
        yield
    finally:
        pump.synchronous, pump.BUDGET = True, usual


def tick_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Do what the timer does until `condition()`."""
    assert part("pump").until(condition, seconds), f"not within {seconds:g} s: {part('session').get()}"


def until_idle(seconds: float = 60.0) -> None:
    """Until no change to the file is under way."""
    tick_until(lambda: not part("session").get().chores, seconds)


def write_take(path: Path, people: int = 1, frames: int = 40, times: int = 1) -> Path:
    """A take of the sample's truth at `path`: its first frames, some times over, of people beside each other."""
    take_module, files = part("rigging.take"), part("files")
    whole = take_module.read_take(SAMPLE_TAKE)
    rows = {name: getattr(whole, name)[:, :frames] for name in ("joints", "joints_confidence", "keypoints", "contacts")}
    rows = {name: np.repeat(np.concatenate([values] * times, 1), people, axis=0) for name, values in rows.items()}
    for row in range(people):
        rows["joints"][row, ..., 0] += row
    take = replace(whole, times=np.arange(frames * times) / whole.fps, person_ids=np.arange(1, people + 1), **rows)
    files.write_take(path, take)
    return path


def open_take(path: Path) -> Any:
    """Add a take to the scene with the operator; its entry in the list."""
    assert bpy.ops.video_mocap.open_take(filepath=str(path)) == {"FINISHED"}
    settings = bpy.context.scene.video_mocap
    return settings.takes[settings.active_take]


def keys_of(rig: Any) -> dict[tuple[str, int], np.ndarray]:
    """Keys (K, 2) of each curve of a rig."""
    holder = part("rigging.blender.action").curve_holder(rig.animation_data.action)
    found = {}
    for curve in holder.fcurves:
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", points)
        found[curve.data_path, curve.array_index] = points.reshape(-1, 2)
    return found


def refused(operator: Callable[..., set[str]], **options: Any) -> str:
    """The sentence with which an operator refuses, in its poll or by a report."""
    try:
        result = operator(**options)
    except RuntimeError as error:
        return str(error)
    raise AssertionError(f"{operator} did not refuse but gave {result}")
