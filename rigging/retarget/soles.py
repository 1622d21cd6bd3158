# SPDX-License-Identifier: GPL-3.0-or-later
"""Soles: where heel and toes of a rig's feet are, and how they turn: level while they stand, off the floor in swing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from .. import quaternions
from ..vectors import perpendicular, smoothstep, swing, unit
from .contacts import runs, smooth, spread
from .transfer import Transfer

PREFIX = {"L": "left_", "R": "right_"}
_TURNS = 0.10  # seconds for which heel and toe must stand for the sole to be held
_LEVEL = np.sin(np.radians(25.0))  # a sole steeper than this stands on something steep
_PITCH = np.radians(35.0)  # toes are not lifted further than this
_EARLY = 0.07  # seconds


def foot_points(moved: Transfer, slots: Mapping[str, str], side: str) -> tuple[np.ndarray, np.ndarray]:
    """Heel and toe tip (F, 3), world, where the rig's foot carries them."""
    rig, row = moved.poser.rig, moved.poser.rig.rows[slots[f"foot.{side}"]]
    rest = rig.to_armature(np.stack([moved.anatomy.joint(PREFIX[side] + name) for name in ("heel", "toe")]))
    to_pose = moved.poser.pose(row) @ np.linalg.inv(rig.bones[row].rest)
    points = [rig.to_world((to_pose[:, :3, :3] @ point) + to_pose[:, :3, 3]) for point in rest]
    return points[0], points[1]


def hold_soles(moved: Transfer, slots: Mapping[str, str], side: str, flat: np.ndarray, times: np.ndarray) -> None:
    """While heel and toe stand, (F,) `flat`, the foot does not turn, and its sole is as level as in the rest pose.

    Between two such stretches the correction fades from one to the next.
    """
    stretches = [(first, last) for first, last in runs(flat) if times[last - 1] - times[first] >= _TURNS]
    if not stretches:
        return
    rig, row = moved.poser.rig, moved.poser.rig.rows[slots[f"foot.{side}"]]
    turns = rig.turn @ moved.wanted[row] @ rig.bones[row].rest[:3, :3].T @ rig.turn.T
    spins = np.tile([1.0, 0, 0, 0], (len(times), 1))
    for first, last in stretches:
        middle = turns[(first + last) // 2]
        way = middle @ (moved.anatomy.joint(PREFIX[side] + "toe") - moved.anatomy.joint(PREFIX[side] + "heel"))
        held = middle
        if abs(way[2]) < _LEVEL * np.linalg.norm(way):
            level = unit(way * [1, 1, 0])
            held = swing(unit(way), level) @ middle
            up = held @ moved.anatomy.up
            upright = unit(np.array([0.0, 0, 1]))
            held = swing(perpendicular(up, level), perpendicular(upright, level)) @ held
        spins[first:last] = quaternions.from_matrix(held @ np.swapaxes(turns[first:last], -1, -2))
    spins[: stretches[0][0]] = spins[stretches[0][0]]
    spins[stretches[-1][1] :] = spins[stretches[-1][1] - 1]
    for (_, left), (right, _) in pairwise(stretches):
        rows = np.arange(left, right)
        share = smoothstep(times[rows], times[left - 1], times[right])
        ends = [np.broadcast_to(spins[end], (len(rows), 4)) for end in (left - 1, right)]
        spins[rows] = quaternions.slerp(ends[0], ends[1], share)
    _turn_foot(moved, slots, side, quaternions.to_matrix(spins))


def clear_floor(
    moved: Transfer, slots: Mapping[str, str], side: str, shift: np.ndarray, floor: float, times: np.ndarray
) -> None:
    """Turn a foot towards level, about its ankle, where heel or toe would get below the floor.

    A foot that is long for its leg hits the floor with the toes when the person's clears it. shift: (F, 3) metres that
    will be added to the ankle.
    """
    heel, toe = (np.broadcast_to(point, shift.shape) for point in foot_points(moved, slots, side))
    rig = moved.poser.rig
    ankle = np.broadcast_to(rig.to_world(moved.poser.pose(rig.rows[slots[f"foot.{side}"]])[:, :3, 3]), shift.shape)
    height = (ankle + shift)[:, 2] - floor
    below = height + np.minimum((heel - ankle)[:, 2], (toe - ankle)[:, 2]) < -1e-4
    if not below.any():
        return
    way = unit(toe - heel)
    level = perpendicular(way * [1, 1, 0], np.array([0.0, 0, 1]))
    axis = unit(np.cross(way, level))
    most = np.where(np.isfinite(axis).all(-1), np.minimum(np.arcsin(np.clip(np.abs(way[:, 2]), 0, 1)), _PITCH), 0.0)
    axis = np.nan_to_num(axis)
    low, high = np.zeros(len(most)), most.copy()
    for _ in range(12):
        middle = (low + high) / 2
        turns = turned_about(axis, middle)
        ends = [(turns @ (point - ankle)[..., None])[:, 2, 0] for point in (heel, toe)]
        clear = height + np.minimum(*ends) >= 0
        low, high = np.where(clear, low, middle), np.where(clear, middle, high)
    angle = smooth(spread(np.where(below, high, 0.0), times, _EARLY), times, _EARLY / 2)
    _turn_foot(moved, slots, side, turned_about(axis, np.minimum(angle, most)))


def turned_about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(F, 3, 3) turns by `angle` (F,) radians about unit `axis` (F, 3); none where the axis is zero."""
    half = angle[:, None] / 2
    return quaternions.to_matrix(np.concatenate([np.cos(half), np.sin(half) * axis], -1))


def _turn_foot(moved: Transfer, slots: Mapping[str, str], side: str, turns: np.ndarray) -> None:
    """Turn foot and toes by world rotations (F, 3, 3)."""
    poser, rig = moved.poser, moved.poser.rig
    local = rig.turn.T @ turns @ rig.turn
    for slot in (f"foot.{side}", f"toe.{side}"):
        if slot in slots:
            part = rig.rows[slots[slot]]
            moved.wanted[part] = local @ moved.wanted[part]
            poser.turn_to(part, moved.wanted[part])


def foot_slide(heel: np.ndarray, toe: np.ndarray, stands: np.ndarray, times: np.ndarray) -> float:
    """Mean horizontal speed, mm/s, of heels and toes (F, 3) while they stand (F, 2); 0 if they never do."""
    points = np.stack([heel, toe], 1)[..., :2]
    speed = np.linalg.norm(np.diff(points, axis=0), axis=-1) / np.diff(times)[:, None]
    still = stands[1:] & stands[:-1]
    return 1000.0 * float(speed[still].mean()) if still.any() else 0.0
