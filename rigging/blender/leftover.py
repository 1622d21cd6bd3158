# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Where an animator's hand or an earlier action left bones that a motion turns: at rest they are where they belong.

Bones get keys for it, so that it holds on an NLA track too and goes with the action. A scale stays: files bring
characters whose size it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import bpy
import numpy as np

from ..retarget.reduce import Keys
from ..retarget.rig import Rig
from .retarget_give import all_curves

_NEAR = 1e-6

#: (bone, data path, array index, value) of a key on the first frame.
Held = tuple[str, str, int, float]


def at_rest(rig: Rig, names: Iterable[str]) -> Rig:
    """The rig with these bones where they are at rest, turned as they are."""
    bones = list(rig.bones)
    for row in {rig.rows[name] for name in names}:
        basis = bones[row].basis
        if basis is not None:
            basis = basis.copy()
            basis[:3, 3] = 0.0
            bones[row] = replace(bones[row], basis=basis)
    return replace(rig, bones=tuple(bones))


def displaced(armature: bpy.types.Object, names: Iterable[str]) -> list[str]:
    """Those bones that are elsewhere than at rest, or that something of the armature's animation moves."""
    moved = _moved(armature.animation_data)
    return [
        name
        for name in dict.fromkeys(names)
        if not armature.data.bones[name].use_connect
        and (np.abs(armature.pose.bones[name].location).max() > _NEAR or _location(name) in moved)
    ]


def brought_back(names: Sequence[str], keys: Sequence[Keys]) -> list[Held]:
    """The keys that put bones where they are at rest, of those that a motion turns but does not move."""
    turned = {key.curve.bone for key in keys}
    placed = {key.curve.bone for key in keys if key.curve.path == "location"}
    return [(name, _location(name), axis, 0.0) for name in names if name in turned - placed for axis in range(3)]


def _moved(animation: bpy.types.AnimData | None) -> set[str]:
    if animation is None:
        return set()
    actions = {strip.action for track in animation.nla_tracks for strip in track.strips} | {animation.action}
    return {curve.data_path for action in actions if action is not None for curve in all_curves(action)}


def _location(name: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(name)}"].location'
