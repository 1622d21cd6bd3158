# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's curves with fewer keys: which joints judge `reduce_curves`, and which bones move them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .curves import Curve
from .pose import Poser
from .reduce import Keys, lever_arms, reduce_curves
from .riding import OBJECT, object_pose, object_size
from .rig import Rig

Values = dict[tuple[str, str], np.ndarray]


def reduced(curves: list[Curve], rig: Rig, slots: Mapping[str, str], frames: np.ndarray, bound: float) -> list[Keys]:
    """Keys such that no mapped joint, nor the tip of a bone, is further than `bound` metres from where it was.

    rig: where the object itself has curves, `riding.ridden`.
    """
    rows = [rig.rows[name] for name in slots.values()]
    bones = {curve.bone: rig.rows[curve.bone] for curve in curves}
    moves = {name: _moved_by(rig, row) for name, row in bones.items()}
    heads = [{name for name, below in moves.items() if row in below and (row != bones[name])} for row in rows]
    heads = [
        above | {curve.bone for curve in curves if curve.path == "location" and bones[curve.bone] == row}
        for above, row in zip(heads, rows, strict=True)
    ]
    tips = [{name for name, below in moves.items() if row in below} for row in rows]
    kept = [number for number, above in enumerate([*heads, *tips]) if above]
    sizes = [object_size(rig) if curve.bone == OBJECT else rig.size for curve in curves]
    metres = [_in_metres(curve, size) for curve, size in zip(curves, sizes, strict=True)]

    def joints(values: Values) -> np.ndarray:
        poser = _with_values(rig, metres, values)
        found = []
        for row in rows:
            pose = np.broadcast_to(poser.pose(row), (len(frames), 4, 4))
            found.append((pose[:, :3, 3], pose[:, :3, 3] + rig.bones[row].length * pose[:, :3, 1]))
        places = [head for head, _ in found] + [tip for _, tip in found]
        return rig.size * np.stack([places[number] for number in kept], 1)

    above = [[*heads, *tips][number] for number in kept]
    levers = {name: lever_arms(rig, row) for name, row in bones.items()}
    keys = reduce_curves(metres, frames, levers, above, bound, joints)
    return [_in_units(key, size) for key, size in zip(keys, sizes, strict=True)]


def _moved_by(rig: Rig, row: int) -> set[int]:
    """Rows of everything that a bone moves, itself included."""
    below, todo = {row}, [row]
    while todo:
        for other in rig.dependants[todo.pop()]:
            if other not in below:
                below.add(other)
                todo.append(other)
    return below


def _with_values(rig: Rig, curves: list[Curve], values: Values) -> Poser:
    poser = Poser(rig)
    for curve in curves:
        given = values[curve.bone, curve.path]
        if curve.bone == OBJECT:
            if curve.path != "location":
                own = {"location": values[OBJECT, "location"] / object_size(rig), curve.path: given}
                poser.put(rig.rows[OBJECT], *object_pose(own, curve, rig))
        elif curve.path == "location":
            poser.put(rig.rows[curve.bone], None, given / rig.size)
        else:
            poser.put(rig.rows[curve.bone], curve.rotations(given))
    return poser


def _in_metres(curve: Curve, size: float) -> Curve:
    return replace(curve, values=curve.values * size) if curve.path == "location" else curve


def _in_units(key: Keys, size: float) -> Keys:
    if key.curve.path != "location":
        return key
    curve = replace(key.curve, values=key.curve.values / size)
    return replace(key, curve=curve, values=key.values / size, slopes=key.slopes / size)
