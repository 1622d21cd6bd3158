# SPDX-License-Identifier: GPL-3.0-or-later
"""Footholds: what must be added to a foot so that it stands still while it stands, and how that fades in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .contacts import runs, smooth, spread
from .limbs import held_back

#: A foot that stands higher than this part of the leg stands on something, not on the floor.
_STEP = 0.08
_EARLY = 0.07  # seconds
#: A foot is not kept further than this part of the leg from where it would be: one that shuffles on slowly shuffles.
_LEASH = 0.16
_LONG = 2.0  # seconds: in a contact that is shorter it may be further


@dataclass(frozen=True)
class Foot:
    """One foot of the target over F frames, world.

    heel, toe: (F, 3). stands: (F, 2) bool for heel and toe. rise: (F, 2) how high the person's are, in the target's
    size: a foot of other proportions does not say whether it stands on its toes or on a step.
    """

    heel: np.ndarray
    toe: np.ndarray
    stands: np.ndarray
    rise: np.ndarray

    @property
    def lowest(self) -> np.ndarray:
        """(F,) height of heel or toe, whichever is lower."""
        return np.minimum(self.heel[:, 2], self.toe[:, 2])


def hold(foot: Foot, times: np.ndarray, floor: float, leg: float) -> np.ndarray:
    """(F, 3) metres to add to a foot so that it stands still while it stands, in every contact up to a constant, and
    comes to the height of what it stands on; 0 where it does not stand."""
    points = np.stack([foot.heel, foot.toe], 1)
    shift = np.zeros(foot.heel.shape)
    for first, last in runs(foot.stands.any(1)):
        part = slice(first, last)
        path = _held(points[part], foot.stands[part])
        lasts = max(float(times[last - 1] - times[first]), 1e-6)
        shift[part] = _leashed(path - path.mean(0), _LEASH * leg * max(1.0, _LONG / lasts))
        shift[part, 2] = _onto_floor(foot, part, floor, leg)
    return shift


def lift(foot: Foot, shift: np.ndarray, times: np.ndarray, floor: float) -> np.ndarray:
    """(F,) metres by which to raise a foot that is below the floor, smoothly."""
    below = np.maximum(floor - foot.lowest - shift[:, 2], 0.0)
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


def _onto_floor(foot: Foot, part: slice, floor: float, leg: float) -> np.ndarray:
    """(F,) what brings the lowest standing point to the level on which this foot stands."""
    stands, points = foot.stands[part], np.stack([foot.heel[part, 2], foot.toe[part, 2]], 1)
    lowest, rise = (np.where(stands, heights, np.inf).min(1) for heights in (points, foot.rise[part]))
    level = float(np.median(rise))
    return floor + (level if level > _STEP * leg else 0.0) - lowest
