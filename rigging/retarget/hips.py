# SPDX-License-Identifier: GPL-3.0-or-later
"""Hips that give way to feet that stand: their height follows what the standing legs need.

On other proportions feet come to stand a little higher or lower than the transfer puts them. If legs alone made up for
that, straight knees would bend or pop; moved together with the hips, standing legs keep the bend of the person's.
"""

from __future__ import annotations

import numpy as np

from ..vectors import smoothstep
from .contacts import smooth

_FADE = 0.12  # seconds over which hips give way
_EASE = 0.06  # standard deviation, seconds, of the hips' correction over time
_FORGET = (0.6, 1.2)  # seconds after the last contact over which the hips' correction is given up
_DIP = 0.03  # of the leg
_ASIDE = 0.02  # of the leg, the same over the ground, each time they follow
_MOST = 0.15  # of the leg: hips are not moved further than this for feet


def keep_bend(legs: np.ndarray, shifts: np.ndarray, locked: np.ndarray, times: np.ndarray, leg: float) -> np.ndarray:
    """(F,) metres by which to raise the hips so that standing legs stay as long as they are.

    legs: (F, 2, 3) metres, world, from each hip joint to its ankle. shifts: (F, 2, 3) what is about to be added to the
    ankles. locked: (F, 2) bool. leg: length, metres. Legs that lie level say nothing about the hips' height; in between
    (a jump) the correction passes from one contact to the next, so that the flight keeps its shape.
    """
    length = np.linalg.norm(legs, axis=-1)
    ends = legs + shifts
    level = (ends[..., :2] ** 2).sum(-1)
    above = np.sqrt(np.maximum(length**2 - level, 0.0))
    raised = np.clip(ends[..., 2] + above, -_MOST * leg, _MOST * leg)
    steep = np.clip(-legs[..., 2] / np.maximum(length, 1e-9), 0.0, 1.0)
    weight = np.where(locked & (above > 0), smoothstep(steep, 0.3, 0.8), 0.0)
    total = weight.sum(1)
    known = total > 1e-3
    if not known.any():
        return np.zeros(len(times))
    mean = (weight * raised).sum(1)[known] / total[known]
    return _passed_on(mean[:, None], known, times)[:, 0]


def follow(shifts: np.ndarray, locked: np.ndarray, times: np.ndarray, leg: float) -> np.ndarray:
    """(F, 2) metres by which to move the hips over the ground with the feet that stand, so that legs keep their way.

    shifts: (F, 2, 3) what is about to be added to the ankles. locked: (F, 2) bool. leg: length, metres. A foot that
    slid in the capture slid against hips that were placed wrongly as much as the foot was. No further than `_ASIDE`.
    """
    weight = locked.astype(float)
    known = weight.sum(1) > 0
    if not known.any():
        return np.zeros((len(times), 2))
    mean = (weight[..., None] * shifts[..., :2]).sum(1)[known] / weight.sum(1)[known, None]
    moved = _passed_on(mean, known, times)
    away = np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-9)
    return moved * np.minimum(1.0, _ASIDE * leg / away)


def _passed_on(wanted: np.ndarray, known: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(F, C) what the frames `known` (F,) want, (K, C), passed on from one to the next, eased, given up far away."""
    filled = np.stack([np.interp(times, times[known], column) for column in wanted.T], -1)
    ahead = np.searchsorted(times[known], times)
    after, before = np.clip(ahead, 0, known.sum() - 1), np.clip(ahead - 1, 0, known.sum() - 1)
    far = np.minimum(np.abs(times[known][after] - times), np.abs(times[known][before] - times))
    return smooth(filled * (1 - smoothstep(far, *_FORGET))[:, None], times, _EASE)


def surface(below: np.ndarray, locked: np.ndarray, times: np.ndarray, leg: float) -> np.ndarray:
    """(F,) metres, not below 0, by which to raise somebody who sinks into the floor while no foot stands.

    below: (F,) metres by which the lowest foot is under the floor. locked: (F, 2) bool. leg: length, metres. Feet
    alone, put back onto the floor, would bend the knees of a person who is only placed too low. A foot that stands
    holds the body where it is, and one that dips in a little (`_DIP`) comes out by itself.
    """
    need = np.where(locked.any(1), 0.0, np.maximum(below - _DIP * leg, 0.0))
    return smooth(spread(need, times, _FADE / 2), times, _FADE / 2) if need.max(initial=0.0) > 1e-4 else 0.0 * need


def give_way(legs: np.ndarray, reach: np.ndarray, locked: np.ndarray, times: np.ndarray, leg: float) -> np.ndarray:
    """(F,) metres, not below 0, by which to lower the hips so that locked ankles come into reach.

    legs: (F, 2, 3) metres from each hip joint to where its ankle shall be. reach: (F, 2) metres, the furthest that an
    ankle gets. locked: (F, 2) bool.
    """
    level = (legs[..., :2] ** 2).sum(-1)
    down = -legs[..., 2] - np.sqrt(np.maximum(reach**2 - level, 0.0))
    steep = smoothstep(-legs[..., 2] / np.maximum(np.linalg.norm(legs, axis=-1), 1e-9), 0.3, 0.8)
    need = np.clip((np.where(locked, down, 0.0) * steep).max(1), 0.0, _MOST * leg)
    return smooth(spread(need, times, _FADE), times, _FADE / 2) if need.any() else need


def spread(values: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    """(F,) the greatest value within `seconds`, so that smoothing does not take away what is needed."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    width = max(1, round(seconds / step))
    padded = np.concatenate([np.full(width, values[0]), values, np.full(width, values[-1])])
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 1).max(1)
