# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right of a track, made consistent in time.

Detectors confuse a person's sides for a few frames or a whole run of them: every keypoint then jumps to its counterpart
and, later, back. A body does not do that, so the sides are chosen per frame by the Viterbi algorithm: the cheapest
sequence of states, where a jump is dear, and departing from what the detector says is slightly so. Upper body and legs
have their own state, since detectors confuse them together mostly, but not always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..detection.base import person_scales

_LEGS = ("hip", "knee", "ankle", "heel", "toe")

#: States: are (upper body, legs) exchanged?
STATES = tuple(product((False, True), repeat=2))


@dataclass(frozen=True)
class SideOptions:
    """Costs, in persons' scales of total keypoint movement.

    swap: of one second in which the detector's sides are not believed. split: of one frame in which upper body and
    legs are not swapped alike. change: of a change of state. furthest: beyond this movement a keypoint counts no more.
    quick: seconds between frames up to which movement counts in full. memory: seconds after which a gap in the track
    says nothing about sides any more.
    """

    swap: float = 0.2
    split: float = 0.3
    change: float = 0.3
    furthest: float = 1.0
    quick: float = 0.1
    memory: float = 0.5


def correct_sides(
    keypoints: np.ndarray,
    times: np.ndarray,
    mirror: np.ndarray,
    names: Sequence[str],
    options: SideOptions | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Exchange left and right in the frames where a detector confused them.

    keypoints: (F, K, 3) pixels and confidence of one person. times: (F,) seconds. mirror: (K,) row of each keypoint's
    counterpart. names: (K,). Gives the corrected keypoints and (F, 2) bool, what was exchanged: upper body, legs.
    """
    options = options or SideOptions()
    swapped = np.zeros((len(keypoints), 2), bool)
    present = np.flatnonzero((keypoints[..., 2] > 0).any(-1))
    if len(present) < 3:
        return keypoints.copy(), swapped
    legs = np.array([name.endswith(_LEGS) for name in names])
    for run in np.split(present, np.flatnonzero(np.diff(times[present]) > options.memory) + 1):
        swapped[run] = _cheapest(keypoints[run], times[run], mirror, legs, options)
    exchange = np.where(legs[None], swapped[:, 1:], swapped[:, :1])
    return np.where(exchange[..., None], keypoints[:, mirror], keypoints), swapped


def _cheapest(
    keypoints: np.ndarray, times: np.ndarray, mirror: np.ndarray, legs: np.ndarray, options: SideOptions
) -> np.ndarray:
    """(F, 2) bool: the states of the cheapest path through one uninterrupted run of frames."""
    upper, lower = (_jump_costs(keypoints, times, mirror, part, options) for part in (~legs, legs))
    states = np.array(STATES)
    steps = np.diff(times, prepend=times[0] - np.median(np.diff(times)) if len(times) > 1 else times[0])
    certainty = keypoints[..., 2].mean(-1)
    own = options.swap * states.mean(-1)[None] * (steps * certainty)[:, None]
    own = own + options.split * (states[:, 0] != states[:, 1])[None]
    turns = (states[:, None] != states[None]).astype(int)
    change = options.change * turns.any(-1)
    best, origin = own[0], np.zeros((len(keypoints), len(states)), int)
    for frame in range(1, len(keypoints)):
        move = upper[frame][turns[..., 0]] + lower[frame][turns[..., 1]] + change
        total = best[:, None] + move
        origin[frame] = total.argmin(0)
        best = total.min(0) + own[frame]
    path = np.zeros(len(keypoints), int)
    path[-1] = best.argmin()
    for frame in range(len(keypoints) - 1, 0, -1):
        path[frame - 1] = origin[frame, path[frame]]
    return states[path]


def _jump_costs(
    keypoints: np.ndarray, times: np.ndarray, mirror: np.ndarray, part: np.ndarray, options: SideOptions
) -> np.ndarray:
    """(F, 2): cost of the step into each frame if its sides relative to the frame before are kept, or exchanged.

    Over long steps a body moves far by itself, so beyond `quick` seconds a movement says the less the longer it took.
    """
    rows = np.flatnonzero(part & (mirror != np.arange(len(mirror))))
    scale = np.nanmedian(person_scales(keypoints))
    costs = np.zeros((len(keypoints), 2))
    for column, order in enumerate((np.arange(len(mirror)), mirror)):
        here, before = keypoints[1:, order][:, rows], keypoints[:-1, rows]
        moved = np.linalg.norm(here[..., :2] - before[..., :2], axis=-1) / scale
        weight = np.sqrt(here[..., 2] * before[..., 2])
        cost = np.where(weight > 0, np.minimum(moved, options.furthest) * weight, 0.0)
        costs[1:, column] = np.nansum(cost, -1)
    costs[1:] *= np.minimum(options.quick / np.diff(times), 1)[:, None]
    return costs
