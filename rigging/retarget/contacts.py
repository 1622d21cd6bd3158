# SPDX-License-Identifier: GPL-3.0-or-later
"""When feet stand: from a take's own probabilities, or from the motion where a source has none."""

from __future__ import annotations

import numpy as np

from ..joints import TAKE

#: Rows of the joints whose contacts a take stores, in its order: left heel, left toe, right heel, right toe.
FOOT_ROWS = np.array([TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")])
#: A contact begins above the first and ends below the second, so that one uncertain frame does not end it.
_BEGINS, _ENDS = 0.55, 0.35
_SHORTEST, _BRIDGED = 0.10, 0.07  # seconds
_MOVES = 0.02  # a gap is not bridged if the foot surely moves in it
_SPEED, _HEIGHT = 0.25, 0.05  # m/s and metres of a person with legs of 0.9 m
_FLOATS = 0.10  # metres of the same: a foot that rests higher stands on something else than the floor
_STEADY = 0.02  # seconds over which positions are averaged before their speed is taken


def smooth(values: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    """(F, ...) Gaussian over time with standard deviation `seconds`; ends are held. Zero phase."""
    if len(values) < 3:
        return values
    step = float(np.median(np.diff(times)))
    width = max(1, round(4 * seconds / step))
    kernel = np.exp(-0.5 * (np.arange(-width, width + 1) * step / seconds) ** 2)
    kernel /= kernel.sum()
    flat = values.reshape(len(values), -1)
    padded = np.concatenate([np.repeat(flat[:1], width, 0), flat, np.repeat(flat[-1:], width, 0)])
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], 1).reshape(values.shape)


def spread(values: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    """(F,) the greatest value within `seconds`, so that smoothing does not take away what is needed."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    width = max(1, round(seconds / step))
    padded = np.concatenate([np.full(width, values[0]), values, np.full(width, values[-1])])
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 1).max(1)


def find_contacts(joints: np.ndarray, times: np.ndarray, leg: float) -> np.ndarray:
    """(F, 4) probabilities that heels and toes stand, from how slow they are and how low over where they rest.

    joints: (F, 26, 3) metres, world, floor at 0. leg: the person's leg length, metres; speeds and heights grow with it.
    """
    feet = joints[:, FOOT_ROWS]
    known = np.isfinite(feet).all(-1)
    if len(feet) < 2:
        return np.zeros(known.shape)
    size = leg / 0.9
    filled = smooth(np.where(known[..., None], feet, 0.0), times, _STEADY)
    step = np.linalg.norm(np.diff(filled, axis=0), axis=-1) / np.diff(times)[:, None]
    # On the last frame on which it stands a foot has not moved yet, on the first it moves no more.
    speed = np.minimum(np.concatenate([step[:1], step]), np.concatenate([step, step[-1:]])) / size
    slow = 1 / (1 + np.exp(np.clip((speed - _SPEED) / 0.06, -50, 50)))
    height = (np.where(known, feet[..., 2], 0.0) - _resting(feet[..., 2], known, size)) / size
    low = 1 / (1 + np.exp(np.clip((height - _HEIGHT) / 0.015, -50, 50)))
    return np.where(known, slow * low, 0.0)


def _resting(heights: np.ndarray, known: np.ndarray, size: float) -> np.ndarray:
    """(C,) the height over the floor at which each point of a foot, (F, C), rests: heels and toes of a skeleton lie in
    the foot, not under it, and a take may float. 0 where it is never near the floor."""
    near = known & (np.abs(np.where(known, heights, 0.0)) < _FLOATS * size)
    return np.array([np.percentile(h[n], 5) if n.any() else 0.0 for h, n in zip(heights.T, near.T, strict=True)])


def standing(probability: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(F, C) bool: in contact, with hysteresis; short gaps are bridged and short contacts dropped."""
    result = np.zeros(probability.shape, bool)
    for column in range(probability.shape[1]):
        on = False
        values = probability[:, column]
        for row, value in enumerate(values.tolist()):
            on = value > (_ENDS if on else _BEGINS)
            result[row, column] = on
        _drop_runs(result[:, column], times, False, _BRIDGED, values > _MOVES)
        _drop_runs(result[:, column], times, True, _SHORTEST)
    return result


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[first, last) of every run of True in (F,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _drop_runs(
    flags: np.ndarray, times: np.ndarray, value: bool, shortest: float, may: np.ndarray | None = None
) -> None:
    """Turn runs of `value` round, in place, that are too short; only those on whose every frame they `may` be."""
    for first, last in runs(flags == value):
        inside = value or (first > 0 and last < len(flags))
        short = inside and times[last - 1] - times[first] < shortest and last - first < len(flags)
        if short and (may is None or may[first:last].all()):
            flags[first:last] = not value
