# SPDX-License-Identifier: GPL-3.0-or-later
"""When heels and toes stand in true motion: what the contact network learns.

The motion library stores no contacts, so they are read off the true motion. A point stands where it is slow and

- low, near the height at which that point of that person rests on the floor: it stands on the floor; or
- quite still for a while, well below the pelvis, after it came down onto where it is: it stands on something else (a
  step, a rung, a chair). A foot that is held in the air came up to where it is, and trembles.

A point that slides or turns over the floor does not stand: contacts are for keeping feet still.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

#: Thresholds of hysteresis: a contact begins below the first and lasts to the second. m/s, and metres over the rest.
_SPEED, _HEIGHT = (0.20, 0.35), (0.030, 0.055)
_STILL = (0.08, 0.16)  # m/s, away from the floor
_LOW = 0.12  # metres within which a point may rest on the floor: heels and toes of a skeleton lie in the foot
_CAME_DOWN, _BEFORE = 0.012, 0.5  # metres and seconds
_BELOW = 0.25  # metres below the pelvis
_SHORTEST, _SHORTEST_STILL, _AT_THE_START = 0.07, 0.20, 0.5  # seconds
_SMOOTH = 0.025  # seconds
_ENOUGH, _DIFFERS = 0.3, 0.03  # seconds of rest that say its height, and metres by which clips of a person differ


def true_contacts(
    points: np.ndarray, pelvis: np.ndarray, fps: float, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which points stand, and which of those on the floor: (F, C) bool each.

    points: (F, C, 3) metres, world, Z up, floor at 0, of somebody of `CANONICAL_SIZE`. pelvis: (F, 3). rest: (C,)
    height at which a point rests on the floor, metres (`resting_heights`).
    """
    speed = true_speed(points, fps)
    height = points[..., 2] - rest
    near = hysteresis(speed, *_SPEED) & hysteresis(height, *_HEIGHT)
    floor = _longer(near, round(_SHORTEST * fps))
    still = hysteresis(speed, *_STILL) & ~floor & (points[..., 2] < pelvis[:, None, 2] - _BELOW)
    else_ = np.zeros_like(floor)
    before = max(1, round(_BEFORE * fps))
    apex = maximum_filter1d(points[..., 2], 2 * before + 1, axis=0, origin=before, mode="nearest")
    for column in range(points.shape[1]):
        for first, last in _runs(still[:, column]):
            length = (last - first) / fps
            level = float(np.median(points[first:last, column, 2]))
            came = apex[first, column] > level + _CAME_DOWN and length >= _SHORTEST_STILL
            off = np.median(height[first:last, column]) > _HEIGHT[1]
            if off and (came or (first == 0 and length >= _AT_THE_START)):
                else_[first:last, column] = True
    return floor | else_, floor


def resting_heights(points: np.ndarray, fps: float, usual: np.ndarray | None = None) -> np.ndarray:
    """(C,) at what height each point of a foot, (F, C, 3), rests on the floor; NaN for one that never does.

    usual: (C,) of the same person's other motion, which it must be near to.
    """
    low = (true_speed(points, fps) < _SPEED[0]) & (points[..., 2] < _LOW)
    enough = low.sum(0) > _ENOUGH * fps
    out = np.full(points.shape[1], np.nan)
    for column in np.flatnonzero(enough):
        out[column] = np.percentile(points[low[:, column], column, 2], 30)
    if usual is None:
        return out
    return np.where(enough, np.clip(np.nan_to_num(out), usual - _DIFFERS, usual + _DIFFERS), usual)


def true_speed(points: np.ndarray, fps: float) -> np.ndarray:
    """(F, C) m/s of points (F, C, 3), hardly smoothed."""
    smooth = gaussian_filter1d(points.astype(np.float64), _SMOOTH * fps, axis=0, mode="nearest")
    return np.linalg.norm(np.gradient(smooth, 1 / fps, axis=0), axis=-1)


def hysteresis(values: np.ndarray, begins: float, ends: float) -> np.ndarray:
    """(F, C) bool: runs below `ends` in which a value is once below `begins`."""
    out = np.zeros(values.shape, bool)
    for column in range(values.shape[1]):
        for first, last in _runs(values[:, column] < ends):
            out[first:last, column] = values[first:last, column].min() < begins
    return out


def _longer(flags: np.ndarray, shortest: int) -> np.ndarray:
    out = flags.copy()
    for column in range(flags.shape[1]):
        for first, last in _runs(flags[:, column]):
            if last - first < shortest and last - first < len(flags):
                out[first:last, column] = False
    return out


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
