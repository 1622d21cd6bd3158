# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Keyframes without per-key Python: one action, one slot, one channelbag for an object.

Works on the action API of Blender 4.2 and 4.3 (flat), 4.4 and 4.5 (slots, flat still there) and 5.x (slots only).
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


def new_action(owner: bpy.types.Object, name: str) -> Any:
    """Give an object a new action; return what holds its F-curves (see `curve_holder`).

    An armature must have been in a view layer that was updated: Blender 4.5 and 5.2 crash otherwise.
    """
    animation = owner.animation_data or owner.animation_data_create()
    action = bpy.data.actions.new(name)
    if not hasattr(action, "slots"):
        animation.action = action
        return action
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    animation.action = action
    # Without this the action is assigned but nothing moves.
    animation.action_slot = slot
    action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    return curve_holder(action)


def curve_holder(action: bpy.types.Action) -> Any:
    """What holds the F-curves of an action that `new_action` made: itself before 4.4, its slot's channelbag since."""
    if not hasattr(action, "slots"):
        return action
    return action.layers[0].strips[0].channelbag(action.slots[0], ensure=True)


def write_curve(
    holder: Any,
    path: str,
    index: int,
    frames: np.ndarray,
    values: np.ndarray,
    group: str,
    interpolation: str = "LINEAR",
) -> None:
    """One F-curve with keys at `frames` (F,) of `values` (F,). RuntimeError where there already is one."""
    curve = holder.fcurves.new(path, index=index)
    curve.group = holder.groups.get(group) or holder.groups.new(group)
    fill_curve(curve, frames, values, interpolation)


def fill_curve(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray, interpolation: str = "LINEAR") -> None:
    """Give an F-curve without keys these: frames (F,), values (F,)."""
    code = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items[interpolation].value
    points = np.stack([frames, values], 1).astype(np.float32)
    curve.keyframe_points.add(len(frames))
    curve.keyframe_points.foreach_set("co", points.ravel())
    curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), code, np.int32))
    curve.update()


def write_curves(
    holder: Any, path: str, frames: np.ndarray, values: np.ndarray, group: str, interpolation: str = "LINEAR"
) -> None:
    """One F-curve per column of `values` (F, C) with keys at `frames` (F,). RuntimeError where one already is."""
    for index in range(values.shape[1]):
        write_curve(holder, path, index, frames, values[:, index], group, interpolation)


def write_bezier(
    holder: Any, path: str, index: int, frames: np.ndarray, values: np.ndarray, slopes: np.ndarray, group: str
) -> None:
    """One F-curve that is a cubic with these slopes (F,), per frame, at keys (F,): handles at a third of the way.

    RuntimeError where there already is one.
    """
    curve = holder.fcurves.new(path, index=index)
    curve.group = holder.groups.get(group) or holder.groups.new(group)
    fill_bezier(curve, frames, values, slopes)


def fill_bezier(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray, slopes: np.ndarray) -> None:
    """Give an F-curve without keys these: frames, values, slopes per frame, (F,) each."""
    points, count = curve.keyframe_points, len(frames)
    points.add(count)
    spans = np.diff(frames) / 3 if count > 1 else np.ones(1)
    sides = {"handle_left": -np.concatenate([spans[:1], spans]), "handle_right": np.concatenate([spans, spans[-1:]])}
    points.foreach_set("co", _flat(frames, values))
    points.foreach_set("interpolation", np.full(count, _code("interpolation", "BEZIER"), np.int32))
    for name, away in sides.items():
        away = away[-count:] if name == "handle_left" else away[:count]
        points.foreach_set(name + "_type", np.full(count, _code(name + "_type", "ALIGNED"), np.int32))
        points.foreach_set(name, _flat(frames + away, values + away * slopes))
    curve.update()


def is_linear(curve: bpy.types.FCurve) -> bool:
    """Whether there are straight lines between all its keys."""
    codes = np.empty(len(curve.keyframe_points), np.int32)
    curve.keyframe_points.foreach_get("interpolation", codes)
    return bool((codes == _code("interpolation", "LINEAR")).all())


def _flat(frames: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.stack([frames, values], 1).astype(np.float32).ravel()


def _code(name: str, item: str) -> int:
    return bpy.types.Keyframe.bl_rna.properties[name].enum_items[item].value
