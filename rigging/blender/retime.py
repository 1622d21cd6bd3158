# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""After the scene's frame rate was changed: a take's keys at their true times again, and the footage in step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import bpy
import numpy as np

from .. import quaternions
from ..timing import scene_frames
from .action import curve_holder, fill_curve, is_linear
from .blocks import Block, GoneError
from .footage import drive, keep_in_step
from .parts import RATE, START, TAKE_RATE, check_local, parts
from .rate import scene_rate, update_view_layer

_PIECE = 0.008


def retime(scene: bpy.types.Scene, collection: bpy.types.Collection) -> Iterator[float]:
    """Move a take's keys to where they belong at the scene's rate, and bring the footage behind it in step.

    A generator: each step is short (the longest copies one action) and yields the progress, 0..1. What was edited
    stays: curves as they were written get keys on whole frames by interpolation, curves with other than linear keys are
    stretched with their handles. The new keys are made in copies of the actions, which replace them in the last step,
    so that undo under way does no harm. Raises ValueError, in one sentence, if the take is linked or goes under way.
    """
    check_local(collection, f'the collection "{collection.name}"')
    home, home_scene, name = Block("collections", collection), Block("scenes", scene), collection.name
    old, new = float(collection[RATE]), scene_rate(scene)
    start = int(collection[START])
    actions = [block for block in parts(collection).values() if isinstance(block, bpy.types.Action)]
    for action in actions:
        check_local(action, f'"{action.name}"')
    originals = [Block("actions", action) for action in actions]
    copies: list[Block] = []
    try:
        for number, original in enumerate(originals):
            copies.append(Block("actions", original.get().copy()))
            yield 0.95 * number / len(originals)
            for _ in _retime_action(copies[-1], old, new, start):
                yield 0.95 * number / len(originals)
        _exchange(originals, copies)
        copies = []
        shown = home.get()
        shown[RATE] = new
        _footage_in_step(home_scene.get(), shown, new, start)
        yield 1.0
    except (GoneError, ReferenceError):
        raise ValueError(f'the take "{name}" was removed or undone under way; try again') from None
    finally:
        for copy in copies:
            _remove(copy)


def _exchange(originals: list[Block], copies: list[Block]) -> None:
    for original, copy in zip(originals, copies, strict=True):
        before, after = original.get(), copy.get()
        name = before.name
        before.user_remap(after)
        bpy.data.actions.remove(before)
        after.name = name


def _remove(copy: Block) -> None:
    try:
        bpy.data.actions.remove(copy.get())
    except GoneError:
        return


def _footage_in_step(scene: bpy.types.Scene, collection: bpy.types.Collection, fps: float, start: int) -> None:
    clip = parts(collection).get("clip")
    if clip is None:
        return
    take_fps = float(collection[TAKE_RATE])
    driven = keep_in_step(clip, fps, take_fps, start)
    update_view_layer(scene)
    if driven:
        drive(clip, fps, take_fps)


def _retime_action(block: Block, old: float, new: float, start: int) -> Iterator[None]:
    holder = curve_holder(block.get())
    paths = [path for path, _ in groupby(curve.data_path for curve in holder.fcurves)]
    del holder
    ends = time.perf_counter() + _PIECE
    for path in dict.fromkeys(paths):
        _retime_path(curve_holder(block.get()), path, old, new, start)
        if time.perf_counter() > ends:
            yield
            ends = time.perf_counter() + _PIECE
    yield


def _retime_path(holder: Any, path: str, old: float, new: float, start: int) -> None:
    """All the curves of one property: a rotation's four channels are interpolated together."""
    curves = [curve for curve in holder.fcurves if curve.data_path == path]
    keys = [_keys(curve) for curve in curves]
    frames = keys[0][:, 0]
    plain = all(is_linear(curve) for curve in curves)
    whole = bool((frames == np.round(frames)).all())
    if not plain or not whole or any(not np.array_equal(one[:, 0], frames) for one in keys) or len(frames) < 2:
        for curve in curves:
            _stretch(curve, old, new, start)
        return
    moved, rows = _whole_frames(frames, old, new, start)
    values = np.stack([one[:, 1] for one in keys], -1)
    if path.endswith("rotation_quaternion") and len(curves) == 4:
        unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        values = quaternions.resample(unit, frames, rows)
    else:
        values = np.stack([np.interp(rows, frames, column) for column in values.T], -1)
    for curve, column in zip(curves, values.T, strict=True):
        curve.keyframe_points.clear()
        fill_curve(curve, moved, column)


def _whole_frames(frames: np.ndarray, old: float, new: float, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole frames at the new rate (G,), and where they lie among the old ones (G,); gaps between keys stay gaps."""
    exact = scene_frames((frames - start) / old, new, start)
    if (exact == np.round(exact)).all():
        return exact, frames
    moved = np.arange(round(exact[0]), round(exact[-1]) + 1, dtype=np.float64)
    rows = start + (moved - start) * old / new
    nearest = np.clip(np.searchsorted((frames[1:] + frames[:-1]) / 2, rows), 0, len(frames) - 1)
    kept = np.abs(frames[nearest] - rows) <= 0.5 * max(1.0, old / new) + 1e-6
    return moved[kept], rows[kept]


def _keys(curve: bpy.types.FCurve) -> np.ndarray:
    points = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", points)
    return points.reshape(-1, 2).astype(np.float64)


def _stretch(curve: bpy.types.FCurve, old: float, new: float, start: int) -> None:
    """Move keys and handles, exactly, also off whole frames: what somebody shaped keeps its shape."""
    for name in ("co", "handle_left", "handle_right"):
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get(name, points)
        points[0::2] = start + (points[0::2] - start) * (new / old)
        curve.keyframe_points.foreach_set(name, points)
    curve.update()
