# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that stand, stand still on the target too.

The person's feet stand where they stand; on legs of other proportions the same turns put them elsewhere and let them
slide. So the feet are locked after the transfer, in the target's own proportions (retargeting specification 3.8, item
8): while a heel or toe is in contact it does not move, in between the correction fades from one contact to the next,
the hips give way where a leg would be too short, and the knee follows in its plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .. import quaternions
from ..vectors import perpendicular, smoothstep, swing, unit
from .contacts import find_contacts, runs, smooth, standing
from .limbs import reach, softened
from .transfer import Source, Transfer, person_leg

_PREFIX = {"L": "left_", "R": "right_"}
#: The last fiftieth of a leg's length is reached ever slower.
_SOFT = 0.02
#: A foot that stands higher than this part of the leg stands on something, not on the floor.
_STEP = 0.08
_FADE = 0.12  # seconds over which hips give way
_TURNS = 0.10  # seconds for which heel and toe must stand for the sole to be held
_LEVEL = np.sin(np.radians(25.0))  # a sole steeper than this stands on something steep


@dataclass(frozen=True)
class _Foot:
    """One foot of the target over F frames, world. heel, toe: (F, 3); stands: (F, 2) bool for heel and toe."""

    side: str
    heel: np.ndarray
    toe: np.ndarray
    stands: np.ndarray


def lock_feet(moved: Transfer, source: Source, slots: Mapping[str, str]) -> np.ndarray:
    """Correct hips, legs and feet of `moved` in place. Returns (F, 2): is the left, the right foot locked."""
    contacts = source.contacts
    if contacts is None:
        contacts = find_contacts(source.joints, source.times, person_leg(source))
    stands = standing(contacts, source.times)
    for number, side in enumerate("LR"):
        _hold_soles(moved, slots, side, stands[:, 2 * number : 2 * number + 2].all(1), source.times)
    feet = [_foot(moved, slots, side, stands[:, 2 * number : 2 * number + 2]) for number, side in enumerate("LR")]
    floor = float(moved.poser.rig.world[2, 3])
    shifts = [_correction(foot, source.times, floor, moved.anatomy.leg) for foot in feet]
    ankles = [_ankle(moved, slots, foot.side) + shift for foot, shift in zip(feet, shifts, strict=True)]
    locked = np.stack([foot.stands.any(1) for foot in feet], 1)
    _lower_hips(moved, slots, ankles, locked, source.times)
    for foot, ankle in zip(feet, ankles, strict=True):
        _place(moved, slots, foot.side, ankle)
    return locked


def foot_points(moved: Transfer, slots: Mapping[str, str], side: str) -> tuple[np.ndarray, np.ndarray]:
    """Heel and toe tip (F, 3), world, where the rig's foot carries them."""
    rig, row = moved.poser.rig, moved.poser.rig.rows[slots[f"foot.{side}"]]
    rest = rig.to_armature(np.stack([moved.anatomy.joint(_PREFIX[side] + name) for name in ("heel", "toe")]))
    to_pose = moved.poser.pose(row) @ np.linalg.inv(rig.bones[row].rest)
    points = [rig.to_world((to_pose[:, :3, :3] @ point) + to_pose[:, :3, 3]) for point in rest]
    return points[0], points[1]


def _foot(moved: Transfer, slots: Mapping[str, str], side: str, stands: np.ndarray) -> _Foot:
    heel, toe = foot_points(moved, slots, side)
    frames = len(stands)
    return _Foot(side, np.broadcast_to(heel, (frames, 3)), np.broadcast_to(toe, (frames, 3)), stands)


def _hold_soles(moved: Transfer, slots: Mapping[str, str], side: str, flat: np.ndarray, times: np.ndarray) -> None:
    """While heel and toe stand, (F,) `flat`, the foot does not turn, and its sole is as level as in the rest pose.

    Between two such stretches the correction fades from one to the next.
    """
    stretches = [(first, last) for first, last in runs(flat) if times[last - 1] - times[first] >= _TURNS]
    if not stretches:
        return
    poser, rig, row = moved.poser, moved.poser.rig, moved.poser.rig.rows[slots[f"foot.{side}"]]
    turns = rig.turn @ moved.wanted[row] @ rig.bones[row].rest[:3, :3].T @ rig.turn.T
    spins = np.tile([1.0, 0, 0, 0], (len(times), 1))
    for first, last in stretches:
        middle = turns[(first + last) // 2]
        way = middle @ (moved.anatomy.joint(_PREFIX[side] + "toe") - moved.anatomy.joint(_PREFIX[side] + "heel"))
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
    local = rig.turn.T @ quaternions.to_matrix(spins) @ rig.turn
    for slot in (f"foot.{side}", f"toe.{side}"):
        if slot in slots:
            part = rig.rows[slots[slot]]
            moved.wanted[part] = local @ moved.wanted[part]
            poser.turn_to(part, moved.wanted[part])


def _correction(foot: _Foot, times: np.ndarray, floor: float, leg: float) -> np.ndarray:
    """(F, 3) metres to add to a foot."""
    points = np.stack([foot.heel, foot.toe], 1)
    shift = np.zeros((len(times), 3))
    locked = runs(foot.stands.any(1))
    for first, last in locked:
        part = slice(first, last)
        path = _held(points[part], foot.stands[part])
        shift[part] = path - path.mean(0)
        shift[part, 2] = _onto_floor(points[part], foot.stands[part], floor, leg)
    _between(shift, locked, times)
    below = floor - (points + shift[:, None])[..., 2].min(1)
    shift[:, 2] += np.maximum(below, 0.0)
    return shift


def _held(points: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """(F, 3) the correction, up to a constant, that holds the points (F, 2, 3) still while they stand (F, 2)."""
    both = (stands[1:] & stands[:-1]).astype(float)
    # Where contact passes from heel to toe in one frame, the one that arrives holds.
    both = np.where(both.any(1, keepdims=True), both, stands[1:].astype(float))
    steps = np.diff(points, axis=0)
    drift = (steps * both[..., None]).sum(1) / np.maximum(both.sum(1), 1e-9)[:, None]
    return np.concatenate([np.zeros((1, 3)), -np.cumsum(drift, 0)])


def _onto_floor(points: np.ndarray, stands: np.ndarray, floor: float, leg: float) -> np.ndarray:
    """(F,) what brings the lowest standing point to the level on which this foot stands."""
    lowest = np.where(stands, points[..., 2], np.inf).min(1)
    level = float(np.median(lowest))
    return (floor if level - floor < _STEP * leg else level) - lowest


def _between(shift: np.ndarray, locked: list[tuple[int, int]], times: np.ndarray) -> None:
    """Fade the correction from the end of each contact to the start of the next, in place; held at the ends.

    Cubic (Hermite) with the speeds at which it leaves and arrives, so that a foot does not start with a jerk.
    """
    if not locked:
        return
    shift[: locked[0][0]] = shift[locked[0][0]]
    shift[locked[-1][1] :] = shift[locked[-1][1] - 1]
    for (_, left), (right, _) in pairwise(locked):
        rows = np.arange(left, right)
        t = ((times[rows] - times[left - 1]) / (times[right] - times[left - 1]))[:, None]
        leaving = _speed(shift, times, left - 1, -1) * (times[right] - times[left - 1])
        arriving = _speed(shift, times, right, 1) * (times[right] - times[left - 1])
        shift[rows] = (
            (1 + 2 * t) * (1 - t) ** 2 * shift[left - 1]
            + t * (1 - t) ** 2 * leaving
            + t**2 * (3 - 2 * t) * shift[right]
            - t**2 * (1 - t) * arriving
        )


def _speed(shift: np.ndarray, times: np.ndarray, row: int, step: int) -> np.ndarray:
    """(3,) how fast the correction changes at one end of a contact, from the frame next to it inside."""
    other = row + step
    return (
        step * (shift[other] - shift[row]) / abs(times[other] - times[row]) if 0 <= other < len(times) else np.zeros(3)
    )


def _ankle(moved: Transfer, slots: Mapping[str, str], side: str) -> np.ndarray:
    return _head(moved, slots[f"foot.{side}"])


def _head(moved: Transfer, bone: str) -> np.ndarray:
    rig = moved.poser.rig
    return rig.to_world(moved.poser.pose(rig.rows[bone])[:, :3, 3])


def _lengths(moved: Transfer, slots: Mapping[str, str], side: str) -> float:
    """Thigh + shin as the rig is posed, world."""
    hip, knee, ankle = (_head(moved, slots[f"{part}.{side}"]) for part in ("thigh", "shin", "foot"))
    return float(np.median(np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)))


def _lower_hips(
    moved: Transfer, slots: Mapping[str, str], ankles: list[np.ndarray], locked: np.ndarray, times: np.ndarray
) -> None:
    """Lower the hips where a standing foot would be out of reach, smoothly."""
    need = np.zeros(len(times))
    for number, side in enumerate("LR"):
        hip = np.broadcast_to(_head(moved, slots[f"thigh.{side}"]), ankles[number].shape)
        away = ankles[number] - hip
        level = np.linalg.norm(away[:, :2], axis=-1)
        most = (1 - _SOFT) * _lengths(moved, slots, side)
        down = -away[:, 2] - np.sqrt(np.maximum(most**2 - level**2, 0.0))
        need = np.maximum(need, np.where(locked[:, number], down, 0.0))
    if not need.any():
        return
    lower = smooth(_spread(need, times), times, _FADE / 2)
    rig, row = moved.poser.rig, moved.poser.rig.rows[slots["hips"]]
    place = rig.to_world(np.broadcast_to(moved.poser.pose(row)[:, :3, 3], (len(times), 3)))
    moved.poser.move_to(row, rig.to_armature(place - lower[:, None] * [0, 0, 1]))


def _spread(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The greatest value within `_FADE` seconds, so that smoothing does not take away what is needed."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    width = max(1, round(_FADE / step))
    padded = np.concatenate([np.full(width, values[0]), values, np.full(width, values[-1])])
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 1).max(1)


def _place(moved: Transfer, slots: Mapping[str, str], side: str, ankle: np.ndarray) -> None:
    """Turn thigh and shin so that the ankle is at `ankle` (F, 3), world; foot and toes keep their turn."""
    poser, rig = moved.poser, moved.poser.rig
    thigh, shin, foot = (rig.rows[slots[f"{part}.{side}"]] for part in ("thigh", "shin", "foot"))
    hip, knee, now = (np.broadcast_to(_head(moved, rig.bones[row].name), ankle.shape) for row in (thigh, shin, foot))
    length = _lengths(moved, slots, side)
    away = ankle - hip
    distance = np.linalg.norm(away, axis=-1)
    # What was reached before stays in reach: only what the correction asks for more is softened.
    limit = np.maximum(softened(distance, length, _SOFT), np.minimum(distance, np.linalg.norm(now - hip, axis=-1)))
    target = hip + away * (limit / np.maximum(distance, 1e-9))[:, None]
    upper, lower = reach(hip, knee, now, target, moved.solved[f"thigh.{side}"][:, :, 0])
    for row, turned in ((thigh, upper), (shin, lower)):
        local = rig.turn.T @ turned @ rig.turn
        poser.turn_to(row, local @ poser_rotation(moved, row, len(ankle)))
        moved.wanted[row] = poser.pose(row)[:, :3, :3]
    for slot in (f"foot.{side}", f"toe.{side}"):
        if slot in slots:
            poser.turn_to(rig.rows[slots[slot]], moved.wanted[rig.rows[slots[slot]]])


def poser_rotation(moved: Transfer, row: int, frames: int) -> np.ndarray:
    """(F, 3, 3) the rotation that a bone was meant to have, armature space."""
    return np.broadcast_to(moved.wanted[row], (frames, 3, 3))


def foot_slide(heel: np.ndarray, toe: np.ndarray, stands: np.ndarray, times: np.ndarray) -> float:
    """Mean horizontal speed, mm/s, of heels and toes (F, 3) while they stand (F, 2); 0 if they never do."""
    points = np.stack([heel, toe], 1)[..., :2]
    speed = np.linalg.norm(np.diff(points, axis=0), axis=-1) / np.diff(times)[:, None]
    still = stands[1:] & stands[:-1]
    return 1000.0 * float(speed[still].mean()) if still.any() else 0.0
