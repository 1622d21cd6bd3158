# SPDX-License-Identifier: GPL-3.0-or-later
"""Footholds: what must be added to a foot so that it stands still while it stands, and how that fades in between."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .contacts import runs, smooth
from .hips import spread
from .limbs import held_back

#: A foot that stands higher than this part of the leg stands on something, not on the floor.
_STEP = 0.08
_EARLY = 0.07  # seconds
_FADE = 0.5  # seconds, at most, over which a correction is given up
#: A foot is not kept further than this part of the leg from where it would be: one that shuffles on slowly shuffles.
_LEASH = 0.16


@dataclass(frozen=True)
class Foot:
    """One foot of the target over F frames, world. heel, toe: (F, 3); stands: (F, 2) bool for heel and toe."""

    side: str
    heel: np.ndarray
    toe: np.ndarray
    stands: np.ndarray

    @property
    def lowest(self) -> np.ndarray:
        """(F,) height of heel or toe, whichever is lower."""
        return np.minimum(self.heel[:, 2], self.toe[:, 2])


def correction(foot: Foot, times: np.ndarray, floor: float, leg: float) -> np.ndarray:
    """(F, 3) metres to add to a foot."""
    points = np.stack([foot.heel, foot.toe], 1)
    shift = np.zeros((len(times), 3))
    locked = runs(foot.stands.any(1))
    for first, last in locked:
        part = slice(first, last)
        path = _held(points[part], foot.stands[part])
        shift[part] = _leashed(path - path.mean(0), _LEASH * leg)
        shift[part, 2] = _onto_floor(points[part], foot.stands[part], floor, leg)
    _between(shift, locked, times)
    return shift


def lift(foot: Foot, shift: np.ndarray, times: np.ndarray, floor: float) -> np.ndarray:
    """(F,) metres by which to raise a foot that is below the floor, smoothly."""
    lowest = foot.lowest + shift[:, 2]
    below = np.maximum(floor - lowest, 0.0)
    return smooth(spread(below, times, _EARLY), times, _EARLY / 2) if below.max() > 1e-4 else np.zeros(len(times))


def _held(points: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """(F, 3) the correction, up to a constant, that holds the points (F, 2, 3) still while they stand (F, 2)."""
    both = (stands[1:] & stands[:-1]).astype(float)
    # Where contact passes from heel to toe in one frame, the one that arrives holds.
    both = np.where(both.any(1, keepdims=True), both, stands[1:].astype(float))
    steps = np.diff(points, axis=0)
    drift = (steps * both[..., None]).sum(1) / np.maximum(both.sum(1), 1e-9)[:, None]
    return np.concatenate([np.zeros((1, 3)), -np.cumsum(drift, 0)])


def _leashed(path: np.ndarray, leash: float) -> np.ndarray:
    """(F, 3) no further from 0 than `leash` metres, unchanged within half of that."""
    away = np.linalg.norm(path, axis=-1)
    kept = held_back(away, leash, np.zeros(len(away)), 0.5)
    return path * (kept / np.maximum(away, 1e-9))[:, None]


def _onto_floor(points: np.ndarray, stands: np.ndarray, floor: float, leg: float) -> np.ndarray:
    """(F,) what brings the lowest standing point to the level on which this foot stands."""
    lowest = np.where(stands, points[..., 2], np.inf).min(1)
    level = float(np.median(lowest))
    return (floor if level - floor < _STEP * leg else level) - lowest


def _between(shift: np.ndarray, locked: list[tuple[int, int]], times: np.ndarray) -> None:
    """Fade the correction from the end of each contact to the start of the next, in place.

    Cubic (Hermite) with the speeds at which it leaves and arrives, so that a foot does not start with a jerk. A foot
    that is long in the air goes its own way in between: nothing is left of the correction after `_FADE` seconds.
    """
    ends = [(None, locked[0]), *pairwise(locked), (locked[-1], None)] if locked else []
    for before, after in ends:
        first, last = (before[1] if before else 0), (after[0] if after else len(times))
        if last <= first:
            continue
        rows = slice(first, last)
        shift[rows] = 0.0
        apart = times[last] - times[first - 1] if before and after else _FADE
        span = min(apart, _FADE)
        for end, step in ((first - 1, -1), (last, 1)):
            if 0 <= end < len(times):
                t = np.minimum(np.abs(times[rows] - times[end]) / span, 1.0)[:, None]
                speed = -step * _speed(shift, times, end, step) * span
                shift[rows] += (1 + 2 * t) * (1 - t) ** 2 * shift[end] + t * (1 - t) ** 2 * speed


def _speed(shift: np.ndarray, times: np.ndarray, row: int, step: int) -> np.ndarray:
    """(3,) how fast the correction changes at one end of a contact, from the frame next to it inside."""
    other = row + step
    return (
        step * (shift[other] - shift[row]) / abs(times[other] - times[row]) if 0 <= other < len(times) else np.zeros(3)
    )
