# SPDX-License-Identifier: GPL-3.0-or-later
"""The least correction of hips and feet with which feet stand still on the floor, over a whole clip at once.

Unknown are the way of the hips and what each leg adds to it. Least squares weigh how far thighs and shins turn away
from the person's against how feet slide and how high they are while they stand, how far the hips go from the person's
way, and how suddenly all of that changes. Hips alone cost a limb nothing, so a foot that stands carries the whole body
with it, and legs give way only where both feet want something else. A leg's turns are linear in its correction only
while that is small: the problem is solved again around what was found (Gauss-Newton), each time with more weight on
what was worst (iteratively reweighted least squares), so that a few frames do not pay for all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..vectors import smoothstep, unit
from .splines import block_tridiagonal

# Weights, for lengths as parts of the leg, seconds and radians. A limb's turn weighs 1.
_STILL = 14.0  # s^2, speed of a foot that stands
_FLOOR = 2.5  # height of a foot that stands, over the floor or its step
_DEEP = 100.0  # of what gets under the floor
_HIPS = 0.1  # the hips' way
_DRIFT = 0.01  # s^2, its speed
_HIPS_CALM = 0.085**4  # s^4, its acceleration
_CALM = 0.065**4  # s^4, acceleration of what a leg adds
_LYING = 10.0  # height of the hips of somebody whose legs lie

_STRETCH = 10.0  # of a leg longer than it is
_STRAIGHT = np.radians(8.0)  # a knee that is bent less turns as one that is bent so much
_ASTRAY = 0.04  # hips that are so far from the person's way weigh twice as much
_BAD_TURN, _BAD_SPEED = np.radians(1.5), 0.005  # what weighs twice as much: radians, legs per second
_MOST = 9.0  # times as much at most
_FORGET = (0.6, 1.2)  # seconds after the last contact over which a correction is given up


@dataclass(frozen=True)
class Legs:
    """Both legs over F frames and what their feet want; lengths as parts of the leg.

    way: (F, 2, 3) from hip joint to ankle. bones: (F, 2, 2) lengths of thigh and shin. held: (F, 2, 3) shift of a foot
    with which it stands still; up to a constant on every run of frames in which it stands, but for its height. firm:
    (F, 2) how much it stands, 0 to 1. above: (F, 2) height of its lowest point over the floor.
    """

    way: np.ndarray
    bones: np.ndarray
    held: np.ndarray
    firm: np.ndarray
    above: np.ndarray


def correct(legs: Legs, times: np.ndarray, start: np.ndarray | None = None, rounds: int = 3) -> np.ndarray:
    """(F, 3, 3) shifts: of the hips, and what the left and the right leg add to that at the ankle.

    start: what was found before. rounds: how often it is solved.
    """
    found = np.zeros((len(times), 3, 3)) if start is None else start
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    for _ in range(rounds):
        found = _given_up(_solved(legs, found, step), legs, found, times)
    return found


def _solved(legs: Legs, found: np.ndarray, step: float) -> np.ndarray:
    """One round: the least squares around `found`."""
    normal = _Normal(len(found))
    for side in (0, 1):
        _limbs(normal, legs, found, side)
        _standing(normal, legs, found, side, step)
        deep = legs.above[:, side] + found[:, 0, 2] + found[:, 1 + side, 2] < 0
        normal.foot(side, _DEEP * deep[:, None] * [0.0, 0, 1], -legs.above[:, side, None] * [0.0, 0, 1])
    lie = 1 - smoothstep(-unit(legs.way)[..., 2].min(1), 0.3, 0.8)
    astray = 1 + (np.linalg.norm(found[:, 0, :2], axis=-1) / _ASTRAY) ** 2
    normal.diagonal[:, range(3), range(3)] += _HIPS * astray[:, None] + _LYING * lie[:, None] * [0.0, 0, 1]
    change = np.zeros(9)
    change[:3] = _DRIFT / step**2
    normal.first_difference(np.broadcast_to(np.diag(change), (max(len(found) - 1, 0), 9, 9)))
    calm = np.full(9, _CALM / step**4)
    calm[:3] = _HIPS_CALM / step**4
    normal.second_difference(calm)
    return normal.solve().reshape(-1, 3, 3)


def _limbs(normal: _Normal, legs: Legs, found: np.ndarray, side: int) -> None:
    """A leg's turn as a whole, and its bones' as it bends."""
    was, added = legs.way[:, side], found[:, 1 + side]
    now = was + added
    long, before = np.linalg.norm(now, axis=-1), np.linalg.norm(was, axis=-1)
    upper, lower = legs.bones[:, side].T
    turned, slope = _bend(long, upper, lower)
    away = (turned - _bend(before, upper, lower)[0]) / 2
    slope = slope / 2
    across = unit(was)
    along = now / long[:, None]
    swung = np.linalg.norm(added - (added * across).sum(-1, keepdims=True) * across, axis=-1) / before
    weight = _heavier(np.hypot(swung, away), _BAD_TURN)
    square = (np.eye(3) - along[:, :, None] * along[:, None, :]) / (long**2)[:, None, None]
    square = square + (slope**2)[:, None, None] * along[:, :, None] * along[:, None, :]
    # The part across is 0 where the leg points the person's way; the part along where it is as bent.
    aim = (slope * (slope * (along * added).sum(-1) - away))[:, None] * along
    part = slice(3 + 3 * side, 6 + 3 * side)
    aim += (_across(along, long) @ _missing(was, now)[..., None])[..., 0]
    normal.diagonal[:, part, part] += weight[:, None, None] * square
    normal.right[:, part] += weight[:, None] * aim


def _across(along: np.ndarray, long: np.ndarray) -> np.ndarray:
    return (np.eye(3) - along[:, :, None] * along[:, None, :]) / (long**2)[:, None, None]


def _missing(was: np.ndarray, now: np.ndarray) -> np.ndarray:
    """(F, 3) what a leg would have to add, across, to point its old way at its new length; its old way is `was`."""
    return unit(was) * np.linalg.norm(now, axis=-1, keepdims=True) - was


def _standing(normal: _Normal, legs: Legs, found: np.ndarray, side: int, step: float) -> None:
    """A foot that stands moves as what is held says, and comes to the height that it says."""
    firm, held = legs.firm[:, side], legs.held[:, side]
    shift = found[:, 0] + found[:, 1 + side]
    both = np.minimum(firm[1:], firm[:-1]) * ((firm[1:] > 0) & (firm[:-1] > 0))
    change = np.diff(held, axis=0)
    slide = np.linalg.norm((np.diff(shift, axis=0) - change)[:, :2], axis=-1) / step
    weight = both * _STILL * _heavier(slide, _BAD_SPEED) / step**2
    normal.foot_difference(side, weight[:, None] * np.ones(3), change)
    normal.foot(side, _FLOOR * firm[:, None] * [0.0, 0, 1], held)


def _heavier(error: np.ndarray, bad: float) -> np.ndarray:
    return 1 + np.minimum((error / bad) ** 2, _MOST - 1)


def _bend(distance: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F,) radians by which a leg is bent whose ends are that far apart, and how that changes with the distance.

    Where it is nearly straight it goes on as a line, through straight and beyond, so that there is a way back.
    """
    edge = np.sqrt(a**2 + b**2 + 2 * a * b * np.cos(_STRAIGHT))
    inside = np.clip(distance, np.abs(a - b) + 1e-6, edge)
    angle = np.arccos(np.clip((inside**2 - a**2 - b**2) / (2 * a * b), -1, 1))
    slope = -inside / (a * b * np.maximum(np.sin(angle), np.sin(_STRAIGHT)))
    angle = angle + slope * (distance - inside)
    beyond = distance - (a + b)
    return np.where(beyond > 0, angle + _STRETCH * slope * beyond, angle), np.where(
        beyond > 0, (1 + _STRETCH) * slope, slope
    )


def _given_up(found: np.ndarray, legs: Legs, before: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Nothing is left of a correction long after the last contact and long before the next."""
    lowest = legs.above + before[:, :1, 2] + before[:, 1:, 2]
    known = (legs.firm > 0).any(1) | (lowest < 0).any(1)
    if known.all() or not known.any():
        return found if known.any() else np.zeros_like(found)
    ahead = np.searchsorted(times[known], times)
    after, last = np.clip(ahead, 0, known.sum() - 1), np.clip(ahead - 1, 0, known.sum() - 1)
    far = np.minimum(np.abs(times[known][after] - times), np.abs(times[known][last] - times))
    return found * (1 - smoothstep(far, *_FORGET))[:, None, None]


class _Normal:
    """Normal equations of 9 unknowns a frame: hips, left, right; each frame knows the two before and after it."""

    def __init__(self, frames: int) -> None:
        self.diagonal = np.zeros((frames, 9, 9))
        self.next = np.zeros((frames, 9, 9))
        self.over = np.zeros((frames, 9))
        self.right = np.zeros((frames, 9))

    def foot(self, side: int, weight: np.ndarray, wanted: np.ndarray) -> None:
        """The shift of a foot shall be `wanted` (F, 3), each axis with its weight (F, 3)."""
        self.diagonal += _of_foot(side, weight)
        aim = weight * wanted
        self.right[:, :3] += aim
        self.right[:, 3 + 3 * side : 6 + 3 * side] += aim

    def foot_difference(self, side: int, weight: np.ndarray, wanted: np.ndarray) -> None:
        """The shift of a foot shall change by `wanted` (F - 1, 3) from frame to frame."""
        self.first_difference(_of_foot(side, weight))
        aim = weight * wanted
        for part in (slice(0, 3), slice(3 + 3 * side, 6 + 3 * side)):
            self.right[1:, part] += aim
            self.right[:-1, part] -= aim

    def first_difference(self, weight: np.ndarray) -> None:
        """weight: (F - 1, 9, 9)."""
        self.diagonal[1:] += weight
        self.diagonal[:-1] += weight
        self.next[:-1] -= weight

    def second_difference(self, weight: np.ndarray) -> None:
        """weight: (9,)."""
        if len(self.right) < 3:
            return
        places = range(9)
        for offset, factor in ((0, 1.0), (1, 4.0), (2, 1.0)):
            self.diagonal[offset : len(self.right) - 2 + offset, places, places] += factor * weight
        for offset in (0, 1):
            self.next[offset : len(self.right) - 2 + offset, places, places] -= 2 * weight
        self.over[:-2] += weight

    def solve(self) -> np.ndarray:
        """(F, 9). Two frames make a block, so that the system is block tridiagonal."""
        frames = len(self.right)
        blocks = (frames + 1) // 2
        diagonal, right = np.tile(np.eye(18), (blocks, 1, 1)), np.zeros((2 * blocks, 9))
        upper = np.zeros((blocks, 18, 18))
        odd = frames // 2
        diagonal[:, :9, :9], diagonal[:odd, 9:, 9:] = self.diagonal[0::2], self.diagonal[1::2]
        diagonal[:odd, :9, 9:] = self.next[0::2][:odd]
        diagonal[:odd, 9:, :9] = np.swapaxes(self.next[0::2][:odd], 1, 2)
        places = np.arange(9)
        upper[:, places, places] = self.over[0::2]
        upper[:odd, 9:, :9] = self.next[1::2]
        upper[:odd, 9 + places, 9 + places] = self.over[1::2]
        right[:frames] = self.right
        return block_tridiagonal(diagonal, upper[:-1], right.reshape(blocks, 18, 1)).reshape(-1, 9)[:frames]


def _of_foot(side: int, weight: np.ndarray) -> np.ndarray:
    """(F, 9, 9) the square of hips + leg, each axis with its weight (F, 3)."""
    square = np.zeros((len(weight), 9, 9))
    leg = 3 + 3 * side
    for axis in range(3):
        for row in (axis, leg + axis):
            for column in (axis, leg + axis):
                square[:, row, column] = weight[:, axis]
    return square
