# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves that make up for what was lost where the bones above them got fewer keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import quaternions
from ..vectors import swing, unit
from .curves import Curve, rotation_curve
from .pose import Poser

_SAME = 1e-4  # a bone that cannot be turned or moved to within this keeps the curve that it has


def told_anew(
    curve: Curve, aim: int | None, gone: dict[int, np.ndarray], levels: dict[int, int], was: Poser, now: Poser
) -> Curve:
    """The curve that makes up for what was lost above.

    With it the bone's next joint is on its old line from where the bone is now; without such a joint the bone points
    where it pointed in the world, and a bone that is moved is where it was.

    curve: locations in metres. aim: row of the next joint. gone: (F, 3) how far IK controls are moved along, by row.
    levels: of keyed rows, 0 where nothing above has keys. was, now: the pose as it shall be, and as it is reduced so
    far; `now` gets what the new curve makes.
    """
    rig = was.rig
    row = rig.rows[curve.bone]
    if levels[row] == 0:
        return curve
    wanted = was.pose(row)
    if curve.path == "location":
        head = wanted[:, :3, 3] + gone.get(row, np.zeros(3))
        values = now.move_to(row, head) * rig.size
        missed = np.abs(now.pose(row)[:, :3, 3] - head).max()
        return replace(curve, values=np.broadcast_to(values, curve.values.shape)) if missed < _SAME else curve
    rotation = wanted[:, :3, :3]
    if aim is not None:
        old = was.pose(aim)[:, :3, 3] - wanted[:, :3, 3]
        new = was.pose(aim)[:, :3, 3] - now.pose(row)[:, :3, 3]
        rotation = swing(unit(old), unit(new)) @ rotation
    turned = np.broadcast_to(now.turn_to(row, rotation), (len(curve.values), 3, 3))
    if np.abs(now.pose(row)[:, :3, :3] - rotation).max() > _SAME:
        return curve
    quaternion = quaternions.continuous(quaternions.from_matrix(turned))
    mode = {"rotation_quaternion": "QUATERNION", "rotation_axis_angle": "AXIS_ANGLE"}.get(curve.path, curve.order)
    return replace(curve, values=_nearer(rotation_curve(curve.bone, quaternion, mode).values, curve))


def _nearer(values: np.ndarray, curve: Curve) -> np.ndarray:
    """Of the values (F, C) that mean the same rotation those on the side where the curve was."""
    if curve.path == "rotation_euler":
        return values + 2 * np.pi * np.round((curve.values[0] - values[0]) / (2 * np.pi))
    return values if (values * curve.values).sum() >= 0 or curve.path == "rotation_axis_angle" else -values
