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
_SPEED, _HEIGHT = 0.30, 0.06  # m/s and metres of a person with legs of 0.9 m


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


def find_contacts(joints: np.ndarray, times: np.ndarray, leg: float) -> np.ndarray:
    """(F, 4) probabilities that heels and toes stand on the floor z = 0, from how slow and how low they are.

    joints: (F, 26, 3) metres, world. leg: the person's leg length, metres; speeds and heights grow with it.
    """
    feet = joints[:, FOOT_ROWS]
    known = np.isfinite(feet).all(-1)
    if len(feet) < 2:
        return np.zeros(known.shape)
    filled = np.where(known[..., None], feet, 0.0)
    size = leg / 0.9
    speed = np.linalg.norm(np.gradient(smooth(filled, times, 0.04), times, axis=0), axis=-1) / size
    # The floor of the motion library and of a take is at 0; toes and heels rest a little above it.
    slow = 1 / (1 + np.exp(np.clip((speed - _SPEED) / 0.06, -50, 50)))
    low = 1 / (1 + np.exp(np.clip((filled[..., 2] / size - _HEIGHT) / 0.015, -50, 50)))
    return np.where(known, slow * low, 0.0)


def standing(probability: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(F, C) bool: in contact, with hysteresis; short gaps are bridged and short contacts dropped."""
    result = np.zeros(probability.shape, bool)
    for column in range(probability.shape[1]):
        on = False
        values = probability[:, column]
        for row, value in enumerate(values.tolist()):
            on = value > (_ENDS if on else _BEGINS)
            result[row, column] = on
        _drop_runs(result[:, column], times, False, _BRIDGED)
        _drop_runs(result[:, column], times, True, _SHORTEST)
    return result


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[first, last) of every run of True in (F,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _drop_runs(flags: np.ndarray, times: np.ndarray, value: bool, shortest: float) -> None:
    for first, last in runs(flags == value):
        inside = value or (first > 0 and last < len(flags))
        if inside and times[last - 1] - times[first] < shortest and last - first < len(flags):
            flags[first:last] = not value
