# SPDX-License-Identifier: GPL-3.0-or-later
"""When heels and toes stand, and whether on the floor: by a network that learned it from true motion.

`find_contacts` is for people whose heels and toes the lifter gives; for others, of whom there are only ankles, there is
the rule "slow and low" (`contact_probability`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...rigging.joints import TAKE
from .contact_network import ContactNetwork, shipped
from .foot_features import FootEvidence, foot_features, network_times

#: Take rows of the order in which a take stores contacts: left heel, left toe, right heel, right toe.
FOOT_ROWS = np.array([TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")])

#: Evidence, in units of the network's logits, that a foot has to give before it is believed to step or to be lifted.
_SWITCH = 2.0
#: What a probability becomes at most, or at least, where that little is not believed.
_UNBELIEVED = 0.4
_SPEED, _SPEED_WIDTH = 0.35, 0.08  # m/s
_HEIGHT, _HEIGHT_WIDTH = 0.07, 0.02  # metres above the floor
_SMOOTH_SECONDS = 0.05


@dataclass(frozen=True)
class Contacts:
    """Over F frames, for left heel, left toe, right heel, right toe.

    stands: (F, 4) probability that the point stands still on something. on_floor: (F, 4) probability that this, if
    there is anything, is the floor and not a step or a chair; the same for heel and toe; 0 if nobody knows the floor.
    """

    stands: np.ndarray
    on_floor: np.ndarray


def find_contacts(evidence: FootEvidence, network: ContactNetwork | None = None) -> Contacts:
    """The contacts of one uninterrupted stretch. network: None for the one that the product carries.

    The network looks 30 times a second whatever the footage's rate. A stance or a swing is believed only if all of its
    instants together say so (Viterbi's algorithm over two states), so contacts do not flicker.
    """
    frames = len(evidence.times)
    if frames < 2:
        return Contacts(np.zeros((frames, 4)), np.zeros((frames, 4)))
    grid = network_times(evidence.times)
    logits = (network or shipped()).logits(foot_features(evidence, grid))
    stands, floor = [], []
    for side in (0, 1):
        states = [two_states(logits[side, :, column], _SWITCH) for column in (0, 1)]
        for column, on in enumerate(states):
            probability = _logistic(logits[side, :, column])
            believed = np.where(on, np.maximum(probability, 1 - _UNBELIEVED), np.minimum(probability, _UNBELIEVED))
            stands.append(np.interp(evidence.times, grid, believed))
        known = evidence.floor is not None
        support = _logistic(_steady(logits[side, :, 2], states[0] | states[1])) if known else np.zeros(len(grid))
        floor += 2 * [np.interp(evidence.times, grid, support)]
    return Contacts(np.stack(stands, axis=1), np.stack(floor, axis=1))


def two_states(logits: np.ndarray, switch: float) -> np.ndarray:
    """(G,) bool: the most likely course of a state that is on or off, from log odds (G,) that it is on.

    switch: what each change costs, so that the odds between two changes have to come to twice that.
    """
    gain = np.zeros(2)  # of being off, on
    came = np.zeros((len(logits), 2), bool)  # from the other state
    for instant, value in enumerate(logits.tolist()):
        came[instant] = gain[::-1] - switch > gain
        gain = np.maximum(gain, gain[::-1] - switch) + 0.5 * value * np.array([-1.0, 1.0])
    out = np.zeros(len(logits), bool)
    state = int(gain[1] > gain[0])
    for instant in range(len(logits) - 1, -1, -1):
        out[instant] = bool(state)
        state ^= int(came[instant, state])
    return out


def _steady(logits: np.ndarray, standing: np.ndarray) -> np.ndarray:
    """Every stance has one support: its mean over the stance."""
    out = logits.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], standing, [False]]).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        out[first:last] = logits[first:last].mean()
    return out


def _logistic(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value, -50, 50)))


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
