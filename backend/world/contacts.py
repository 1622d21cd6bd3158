# SPDX-License-Identifier: GPL-3.0-or-later
"""When heels and toes stand: slow and low."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...rigging.joints import TAKE

#: Take rows of the order in which a take stores contacts: left heel, left toe, right heel, right toe.
FOOT_ROWS = np.array([TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")])

_SPEED, _SPEED_WIDTH = 0.35, 0.08  # m/s
_HEIGHT, _HEIGHT_WIDTH = 0.07, 0.02  # metres above the floor
_SMOOTH_SECONDS = 0.05


def foot_speed(feet: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Speed (F, 4), m/s, of foot joints (F, 4, 3), metres, at times (F,) seconds, lightly smoothed."""
    if len(feet) < 2:
        return np.zeros(feet.shape[:2])
    step = float(np.median(np.diff(times)))
    smooth = gaussian_filter1d(feet, _SMOOTH_SECONDS / step, axis=0, mode="nearest")
    return np.linalg.norm(np.gradient(smooth, times, axis=0), axis=-1)


def contact_probability(feet: np.ndarray, times: np.ndarray, up: np.ndarray, floor: float) -> np.ndarray:
    """Probability (F, 4) that foot joints stand on the floor.

    feet: (F, 4, 3) metres, order of `FOOT_ROWS`. up: (3,) unit. floor: height of the floor along `up`.
    Contacts shorter than a tenth of a second are removed.
    """
    slow = _falling(foot_speed(feet, times), _SPEED, _SPEED_WIDTH)
    low = _falling(feet @ up - floor, _HEIGHT, _HEIGHT_WIDTH)
    return _without_blips(slow * low, times)


def middle_of_feet(feet: np.ndarray) -> np.ndarray:
    """(F, 2, 3) the middles of the left and the right foot, from heels and toes (F, 4, 3).

    Whether the toe or the heel of a standing foot seems lower says how the foot was lifted, not how the floor lies.
    """
    return 0.5 * (feet[:, 0::2] + feet[:, 1::2])


def resting_weight(feet: np.ndarray, times: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Seconds (F, 2) for which the left and the right foot may be standing, before the floor is known.

    feet: (F, 4, 3) metres. Heel and toe slow, and the foot as low as the other one or little above it.
    """
    height = middle_of_feet(feet) @ up
    low = _falling(height - height.min(axis=1, keepdims=True), 0.05, 0.015)
    each = _falling(foot_speed(feet, times), _SPEED, _SPEED_WIDTH)
    slow = np.minimum(each[:, 0::2], each[:, 1::2])
    step = np.gradient(times)[:, None] if len(times) > 1 else np.full((1, 1), 1 / 30)
    weight = slow * low
    return np.where(weight > 0.2, weight, 0.0) * step


def _falling(value: np.ndarray, middle: float, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip((value - middle) / width, -50, 50)))


def _without_blips(probability: np.ndarray, times: np.ndarray) -> np.ndarray:
    out = probability.copy()
    for joint in range(probability.shape[1]):
        on = probability[:, joint] > 0.5
        edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            if times[last - 1] - times[first] < 0.1 and last - first < len(times):
                out[first:last, joint] = np.minimum(out[first:last, joint], 0.4)
    return out
