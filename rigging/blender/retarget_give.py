# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""An action given to an armature so that it can be taken back: then everything is as it was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .blocks import Block


@dataclass(frozen=True)
class _Before:
    """What an armature's animation data said. action: None where there was none. slot, last: identifiers.

    track: name of the active NLA track, or None.
    """

    animated: bool
    action: Block | None
    fake_user: bool
    slot: str | None
    last: str | None
    track: str | None


class Given:
    """What `give` did to one armature; ends with `keep` or `take_back`."""

    def __init__(self, armature: bpy.types.Object, action: bpy.types.Action, old: Block | None) -> None:
        """old: the action that `action` is to replace for all that use it, or None. Nothing is changed yet."""
        self._armature, self._action, self._old = Block("objects", armature), Block("actions", action), old
        self._before = _before(armature.animation_data)
        self._values = _values(armature, action)
        self._track = ""

    def give(self, slot: str | None, nla: bool) -> None:
        """Let the armature have the action. slot: identifier, None before Blender 4.4. nla: on a muted track."""
        armature, action = self._armature.get(), self._action.get()
        if self._old is not None:
            self._old.get().user_remap(action)
            return
        animation = armature.animation_data or armature.animation_data_create()
        if nla:
            self._add_track(animation, action, slot)
            return
        before = animation.action
        animation.action = action
        if slot is not None:
            # Without this the action is assigned but nothing moves.
            animation.action_slot = action.slots[slot]
        if before is not None and before.users == 0 and before.library is None:
            # Blender would not save it: the animator's earlier work is not ours to lose.
            before.use_fake_user = True

    def _add_track(self, animation: bpy.types.AnimData, action: bpy.types.Action, slot: str | None) -> None:
        track = animation.nla_tracks.new()
        self._track = track.name
        track.name, track.mute = action.name, True
        self._track = track.name
        strip = track.strips.new(action.name, int(np.floor(action.frame_range[0])), action)
        if slot is not None:
            strip.action_slot = action.slots[slot]

    def keep(self) -> None:
        """It stays: what it replaces goes, and it has its name."""
        if self._old is None:
            return
        old, action = self._old.get(), self._action.get()
        name = old.name
        bpy.data.actions.remove(old)
        action.name = name

    def take_back(self) -> None:
        """Everything as it was; the action has no users then."""
        armature, action = self._armature.get(), self._action.get()
        if self._old is not None:
            action.user_remap(self._old.get())
        elif armature.animation_data is not None:
            self._put_back(armature)
        for path, value in self._values.items():
            _put(armature, path, value)

    def _put_back(self, armature: bpy.types.Object) -> None:
        animation, before = armature.animation_data, self._before
        if not before.animated:
            armature.animation_data_clear()
            return
        track = animation.nla_tracks.get(self._track) if self._track else None
        if track is not None:
            animation.nla_tracks.remove(track)
            animation.nla_tracks.active = animation.nla_tracks.get(before.track) if before.track else None
        action = before.action.get() if before.action is not None else None
        if animation.action != action:
            animation.action = action
            if action is not None:
                action.use_fake_user = before.fake_user
        if before.last is not None and animation.last_slot_identifier != before.last:
            animation.last_slot_identifier = before.last
        if action is not None and hasattr(action, "slots"):
            wanted = action.slots.get(before.slot) if before.slot is not None else None
            if animation.action_slot != wanted:
                animation.action_slot = wanted


def _before(animation: bpy.types.AnimData | None) -> _Before:
    if animation is None:
        return _Before(False, None, False, None, None, None)
    action, slot, track = animation.action, getattr(animation, "action_slot", None), animation.nla_tracks.active
    return _Before(
        animated=True,
        action=None if action is None else Block("actions", action),
        fake_user=action is not None and action.use_fake_user,
        slot=None if slot is None else slot.identifier,
        last=getattr(animation, "last_slot_identifier", None),
        track=None if track is None else track.name,
    )


def _values(armature: bpy.types.Object, action: bpy.types.Action) -> dict[str, Any]:
    """What stands now in everything that the action moves: Blender writes there what it evaluates."""
    found: dict[str, Any] = {}
    for path in {curve.data_path for curve in all_curves(action)}:
        try:
            value = armature.path_resolve(path)
        except ValueError:  # a curve of the animator's that leads nowhere
            continue
        found[path] = list(value) if hasattr(value, "__len__") and not isinstance(value, str) else value
    return found


def all_curves(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The curves of an action, of all its slots."""
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]


def _put(armature: bpy.types.Object, path: str, value: Any) -> None:
    now = armature.path_resolve(path)
    if (list(now) if isinstance(value, list) else now) == value:
        return
    if path.endswith('"]'):  # a property of the animator's own
        owner, _, name = path.removesuffix('"]').rpartition('["')
        armature.path_resolve(owner)[bpy.utils.unescape_identifier(name)] = value
        return
    owner, _, name = path.rpartition(".")
    setattr(armature.path_resolve(owner) if owner else armature, name, value)
