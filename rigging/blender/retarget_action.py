# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The action of a retargeting: made aside, and given to the armature in one step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import bpy
import numpy as np

from ..retarget.controls import Switch
from ..retarget.reduce import Keys
from .action import write_bezier, write_curve
from .blocks import Block, GoneError
from .retarget_give import Given

_PIECE = 0.008
#: On the action while it is being made: how many pieces are done, so that undo under way is noticed.
_DONE = "video_mocap_pieces"


class ActionBuild:
    """One action being made for an armature object.

    `pieces` writes it, `give` puts it on the object and `keep` ends it; until then `discard` takes everything back.
    """

    def __init__(self, armature: bpy.types.Object, way: str, name: str) -> None:
        """way: "new", "replace" or "nla"."""
        self._armature = Block("objects", armature)
        animation = armature.animation_data
        old = animation.action if animation is not None else None
        replaced = old if way == "replace" else None
        self._old = Block("actions", replaced) if replaced is not None else None
        self._nla = way == "nla"
        made = replaced.copy() if replaced is not None else bpy.data.actions.new(name)
        self.action, self._given = Block("actions", made), None
        try:
            made[_DONE] = 0
            self._slot = _slot_of(made, animation, armature)
        except BaseException:
            self.discard()
            raise

    def pieces(
        self,
        keys: tuple[Keys, ...],
        reduced: bool,
        switches: list[tuple[Switch, float]],
        first: float,
        held: Sequence[tuple[str, str, int, float]] = (),
    ) -> Iterator[float]:
        """Write the curves; yields the progress after each piece.

        first: the frame on which switches get their key. held: (bone, data path, array index, value) of what else is
        keyed there.
        """
        holder = self._holder()
        if self._old is not None:
            _clear(holder, {_path(key) for key in keys} | {_rotation_paths(key.curve.bone) for key in keys})
        yield 0.0
        for switch, value in switches:
            path = f'{_bone(switch.bone)}["{bpy.utils.escape_identifier(switch.property)}"]'
            _replace(holder, path, 0)
            write_curve(holder, path, 0, np.array([first]), np.array([value]), switch.bone, "CONSTANT")
        for bone, path, index, value in held:
            _replace(holder, path, index)
            write_curve(holder, path, index, np.array([first]), np.array([value]), bone, "CONSTANT")
        total, written = sum(key.values.shape[1] for key in keys), 0
        ends = time.perf_counter() + _PIECE
        for key in keys:
            for index in range(key.values.shape[1]):
                _write(holder, key, index, reduced)
                written += 1
                if time.perf_counter() > ends:
                    del holder
                    yield from self._step(written / total)
                    holder, ends = self._holder(), time.perf_counter() + _PIECE
        yield from self._step(1.0)

    def _step(self, progress: float) -> Iterator[float]:
        action = self.action.get()
        action[_DONE] = done = action[_DONE] + 1
        del action
        yield progress
        if self.action.get().get(_DONE) != done:
            raise GoneError

    def _holder(self) -> Any:
        action = self.action.get()
        if self._slot is None:
            return action
        if not action.layers:
            action.layers.new("Layer").strips.new(type="KEYFRAME")
        return action.layers[0].strips[0].channelbag(action.slots[self._slot], ensure=True)

    def give(self) -> None:
        """Put the finished action where it was wanted."""
        armature, action = self._armature.get(), self.action.get()
        del action[_DONE]
        self._given = Given(armature, action, self._old)
        self._given.give(self._slot, self._nla)

    def keep(self) -> None:
        """It was given and stays."""
        assert self._given is not None
        self._given.keep()

    def discard(self) -> None:
        """Everything as it was, as far as it is still there; what was made is removed."""
        if self._given is not None:
            with contextlib.suppress(GoneError, ReferenceError):
                self._given.take_back()
        with contextlib.suppress(GoneError, ReferenceError):
            bpy.data.actions.remove(self.action.get())


def _slot_of(action: bpy.types.Action, animation: Any, armature: bpy.types.Object) -> str | None:
    """Identifier of the slot to write to; None before Blender 4.4, where actions have none."""
    if not hasattr(action, "slots"):
        return None
    current = animation.action_slot if animation is not None and len(action.slots) else None
    if current is not None and current.identifier in action.slots:
        return current.identifier
    return action.slots.new(id_type="OBJECT", name=armature.name).identifier


def action_curves(animation: bpy.types.AnimData) -> list[bpy.types.FCurve]:
    """The curves of the action that an object has, of its own slot."""
    action = animation.action
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    if animation.action_slot is None or not action.layers or not action.layers[0].strips:
        return []
    bag = action.layers[0].strips[0].channelbag(animation.action_slot)
    return [] if bag is None else list(bag.fcurves)


def _bone(name: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(name)}"]'


def _path(key: Keys) -> str:
    return f"{_bone(key.curve.bone)}.{key.curve.path}" if key.curve.bone else key.curve.path


def _rotation_paths(bone: str) -> str:
    return f"{_bone(bone)}.rotation_" if bone else "rotation_"


def _clear(holder: Any, paths: set[str]) -> None:
    """Remove the curves that would say otherwise: the same properties, and rotations in another mode."""
    gone = [curve for curve in holder.fcurves if curve.data_path in paths or _any_rotation(curve.data_path) in paths]
    for curve in gone:
        holder.fcurves.remove(curve)


def _any_rotation(path: str) -> str | None:
    """What `_rotation_paths` says of a bone's rotation in whatever mode."""
    before, rotation, _ = path.rpartition("rotation_")
    return before + rotation if rotation else None


def _replace(holder: Any, path: str, index: int) -> None:
    found = holder.fcurves.find(path, index=index)
    if found is not None:
        holder.fcurves.remove(found)


def _write(holder: Any, key: Keys, index: int, reduced: bool) -> None:
    group = key.curve.bone or "Object"
    if reduced and len(key.frames) > 1:
        write_bezier(holder, _path(key), index, key.frames, key.values[:, index], key.slopes[:, index], group)
    else:
        write_curve(holder, _path(key), index, key.frames, key.values[:, index], group)
