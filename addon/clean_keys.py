# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Cleaning the keys of a take: on a copy of the action, the captured one is kept beside it.

The rig remembers its raw action (custom property `RAW`), so cleaning again or going back starts from what was captured.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import bpy
import numpy as np

from ..rigging.blender.action import curve_holder, fill_bezier, fill_curve, is_linear
from ..rigging.blender.parts import add_part
from . import session
from .chores import Chore, aside
from .clean import Track, whole_frames

RAW = "video_mocap_raw"
#: Seconds after which a piece ends.
_PIECE = 0.008
_CHANNELS = {"location": 3, "rotation_quaternion": 4}
_NAMED = re.compile(r'pose\.bones\["(.*)"\]\.(location|rotation_quaternion)')


#: Gives all tracks their new keys; runs in a thread.
Change = Callable[[Sequence[Track]], list[Track]]


def clean(
    rig: bpy.types.Object,
    collection: bpy.types.Collection,
    change: Change,
    undo: str,
    every_frame: bool = False,
) -> Chore:
    """Replace the rig's action by a changed copy. Raises ValueError if it has no keys that can be changed.

    `change` sees the curves on the frames on which there is any key; with `every_frame`, or where there are other than
    straight lines between keys, on every whole frame.
    """
    if not _curves(action_of(rig)):
        raise ValueError("This person's action has no keys of bones: nothing to clean")
    name, home = rig.name, collection.name

    def build(_result: None) -> Generator[Any, Any, None]:
        tracks: list[Track] = []
        for track in _read(name, every_frame):
            tracks += [track] if track is not None else []
            yield 0.3 * len(tracks) / (len(tracks) + 20)
        changed = yield from aside(lambda: change(tracks))
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


def _curves(action: bpy.types.Action | None) -> dict[tuple[str, str], list[bpy.types.FCurve]]:
    """Complete sets of curves of bones that move them, by (bone, channel)."""
    if action is None or (hasattr(action, "slots") and not (len(action.slots) and len(action.layers))):
        return {}
    found: dict[tuple[str, str], list[bpy.types.FCurve]] = {}
    for curve in curve_holder(action).fcurves:
        named = _NAMED.fullmatch(curve.data_path)
        if named is not None and not curve.lock:
            found.setdefault((bpy.utils.unescape_identifier(named[1]), named[2]), []).append(curve)
    return {
        name: sorted(curves, key=lambda curve: curve.array_index)
        for name, curves in found.items()
        if len(curves) == _CHANNELS[name[1]] and min(len(curve.keyframe_points) for curve in curves) > 1
    }


def _read(rig: str, every_frame: bool) -> Iterator[Track | None]:
    """Every track, on the same frames; None while looking for them."""
    keyed, straight = np.empty(0), True
    names = list(_curves(action_of(bpy.data.objects[rig])))
    for name in names:
        keyed = np.union1d(keyed, np.concatenate([_keys(curve)[:, 0] for curve in _of(rig, name)]))
        straight = straight and all(is_linear(curve) for curve in _of(rig, name))
        yield None
    frames = keyed if straight and not every_frame else whole_frames(keyed)
    for bone, channel in names:
        columns = []
        for number in range(_CHANNELS[channel]):
            columns.append(_values(_of(rig, (bone, channel))[number], frames))
            yield None
        yield Track(bone, channel, frames, np.stack(columns, 1))


def _of(rig: str, name: tuple[str, str]) -> list[bpy.types.FCurve]:
    """Asked for anew each time: between two pieces the user may have changed the action."""
    curves = _curves(action_of(bpy.data.objects[rig])).get(name)
    if curves is None:
        raise ValueError("The action was changed meanwhile: try again")
    return curves


def _keys(curve: bpy.types.FCurve) -> np.ndarray:
    points = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", points)
    return points.reshape(-1, 2).astype(np.float64)


def _values(curve: bpy.types.FCurve, frames: np.ndarray) -> np.ndarray:
    """(F,) the curve at frames (F,)."""
    keys = _keys(curve)
    if np.array_equal(keys[:, 0], frames):
        return keys[:, 1]
    return np.array([curve.evaluate(frame) for frame in frames.tolist()])


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
            curves = _curves(bpy.data.actions[copied]).get((track.bone, track.channel), [])
            for column, curve in enumerate(curves):
                _refill(curve, track, column)
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


def _refill(curve: bpy.types.FCurve, track: Track, column: int) -> None:
    curve.keyframe_points.clear()
    if track.slopes is None:
        fill_curve(curve, track.frames, track.values[:, column])
    else:
        fill_bezier(curve, track.frames, track.values[:, column], track.slopes[:, column])
