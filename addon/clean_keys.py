# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Cleaning the keys of a take: on a copy of the action, the captured one is kept beside it.

The rig remembers its raw action (custom property `RAW`), so cleaning again or going back starts from what was captured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..rigging.blender.action import curve_holder
from ..rigging.blender.parts import add_part
from . import session
from .chores import Chore, aside

RAW = "video_mocap_raw"
#: Seconds after which a piece ends.
_PIECE = 0.008
_CHANNELS = {"location": 3, "rotation_quaternion": 4}


@dataclass
class Track:
    """Keys of the curves of one bone's rotation or location: frames (K,), values (K, C)."""

    path: str
    frames: np.ndarray
    values: np.ndarray

    @property
    def rotation(self) -> bool:
        """Whether the values are quaternions."""
        return self.path.endswith("rotation_quaternion")


#: Gives a track its new keys; runs in a thread.
Change = Callable[[Track], Track]


def clean(rig: bpy.types.Object, collection: bpy.types.Collection, change: Change, undo: str) -> Chore:
    """Replace the rig's action by a changed copy. Raises ValueError if it has no keys that can be changed."""
    if not _curves(action_of(rig)):
        raise ValueError("This person's action has no keys of bones: nothing to clean")
    name, home = rig.name, collection.name

    def build(_result: None) -> Generator[Any, Any, None]:
        tracks: list[Track] = []
        for track in _read(name):
            tracks.append(track)
            yield 0.3 * len(tracks) / (len(tracks) + 20)
        changed = yield from aside(lambda: [change(track) for track in tracks])
        yield from _write(name, home, changed)

    def finished(problem: str | None) -> None:
        if problem is not None:
            session.get().problem = problem

    chore = Chore(undo, undo, lambda: None, build, (home,), finished)
    session.do(chore)
    return chore


def restore(rig: bpy.types.Object) -> None:
    """Give the rig its captured action back and forget the cleaned one. Raises ValueError if there is none."""
    raw = rig.get(RAW)
    if not isinstance(raw, bpy.types.Action):
        raise ValueError("This person's keys are as they were captured")
    cleaned = action_of(rig)
    assign(rig, raw)
    del rig[RAW]
    raw.use_fake_user = False
    if cleaned is not None and cleaned != raw and cleaned.library is None:
        for collection in rig.users_collection:
            parts = collection.get("video_mocap_parts")
            if parts is None:
                continue
            for key in [key for key, block in parts.items() if block == cleaned]:
                del parts[key]
        if cleaned.users == 0:
            bpy.data.actions.remove(cleaned)


def action_of(rig: bpy.types.Object) -> bpy.types.Action | None:
    """The rig's action."""
    return rig.animation_data.action if rig.animation_data is not None else None


def assign(rig: bpy.types.Object, action: bpy.types.Action) -> None:
    """Let the rig play an action, with its slot where there are slots."""
    rig.animation_data.action = action
    if hasattr(action, "slots") and len(action.slots):
        rig.animation_data.action_slot = action.slots[0]


def _curves(action: bpy.types.Action | None) -> dict[str, list[bpy.types.FCurve]]:
    """Complete sets of curves of bones with the same keys, by their data path."""
    if action is None or (hasattr(action, "slots") and not (len(action.slots) and len(action.layers))):
        return {}
    found: dict[str, list[bpy.types.FCurve]] = {}
    for curve in curve_holder(action).fcurves:
        if curve.data_path.startswith("pose.bones[") and not curve.lock:
            found.setdefault(curve.data_path, []).append(curve)
    return {
        path: sorted(curves, key=lambda curve: curve.array_index)
        for path, curves in found.items()
        if len(curves) == _CHANNELS.get(path.rpartition(".")[2], 0)
        and len({len(curve.keyframe_points) for curve in curves}) == 1
        and len(curves[0].keyframe_points) > 0
    }


def _read(rig: str) -> Iterator[Track]:
    paths = list(_curves(action_of(bpy.data.objects[rig])))
    for path in paths:
        # Asked for anew each time: between two pieces the user may have changed the action.
        curves = _curves(action_of(bpy.data.objects[rig])).get(path)
        if curves is None:
            raise ValueError("The action was changed meanwhile: try again")
        keys = [_keys(curve) for curve in curves]
        if any((found[:, 0] != keys[0][:, 0]).any() for found in keys):
            continue
        yield Track(path, keys[0][:, 0].astype(np.float64), np.stack([found[:, 1] for found in keys], 1).astype(float))


def _keys(curve: bpy.types.FCurve) -> np.ndarray:
    points = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", points)
    return points.reshape(-1, 2)


def _write(rig: str, home: str, tracks: list[Track]) -> Iterator[float]:
    """Copy the action, give the copy new keys, let the rig play it; the copy is gone if this is closed."""
    raw = action_of(bpy.data.objects[rig])
    if raw is None:
        raise ValueError("The action was removed meanwhile: try again")
    copy = raw.copy()
    copied = copy.name
    try:
        yield 0.4
        ends = time.perf_counter() + _PIECE
        for number, track in enumerate(tracks):
            curves = _curves(bpy.data.actions[copied]).get(track.path, [])
            for column, curve in enumerate(curves):
                _refill(curve, track.frames, track.values[:, column])
            if time.perf_counter() > ends:
                yield 0.4 + 0.6 * number / len(tracks)
                ends = time.perf_counter() + _PIECE
        yield 1.0
        _install(bpy.data.objects[rig], bpy.data.collections[home], bpy.data.actions[copied])
    except BaseException:
        if copied in bpy.data.actions:
            bpy.data.actions.remove(bpy.data.actions[copied])
        raise


def _install(rig: bpy.types.Object, home: bpy.types.Collection, action: bpy.types.Action) -> None:
    before = action_of(rig)
    if before is None:
        raise ValueError("The action was removed meanwhile: try again")
    raw = rig.get(RAW)
    if isinstance(raw, bpy.types.Action):
        # `before` was cleaned already; what it came from is kept.
        assign(rig, action)
        add_part(home, f"clean {rig.get('video_mocap_person', 0)}", action)
        if before != raw and before.users == 0:
            bpy.data.actions.remove(before)
        return
    rig[RAW] = before
    before.use_fake_user = True
    action.name = f"{before.name} clean"
    assign(rig, action)
    add_part(home, f"clean {rig.get('video_mocap_person', 0)}", action)


def _refill(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    """Other keys with the interpolation of the first of the old ones."""
    points = curve.keyframe_points
    codes = np.empty(len(points), np.int32)
    points.foreach_get("interpolation", codes)
    if len(points) != len(frames):
        points.clear()
        points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], 1).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), codes[0], np.int32))
    curve.update()
