# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right of a track, made consistent in time.

Detectors confuse a person's sides for a few frames or a whole run of them, of the whole body or of the arms or the legs
alone: keypoints then jump to their counterparts and, later, back. A body does not do that. Face, arms and legs are each
exchanged or not, and the likeliest sequence of these states is found by the Viterbi algorithm, in which every state
keeps the motion of the keypoints that it has led to (per-survivor processing, Raheli, Polydoros and Tzou 1995): what
comes is compared with where the limbs were going, so that legs that pass each other in profile stay who they are.
Shoulders that point the other way than hips or ears speak against a body of which only a part is exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import median_filter

from ..detection.base import person_scales
from .moving import Motions

_ARMS = ("shoulder", "elbow", "wrist", "hand")
_LEGS = ("hip", "knee", "ankle", "heel", "toe")
_FACE, _UPPER, _LOWER = range(3)
#: (8, 3) states: are (face, arms, legs) exchanged?
STATES = np.array(list(product((0, 1), repeat=3)))
_PARTS = np.arange(STATES.shape[1])


@dataclass(frozen=True)
class SideOptions:
    """What is expected of a detector and of a body; lengths in persons' scales (`person_scales`).

    begins: how often a second sides are confused; first: the share of tracks that begin so; lasts: for how long,
    seconds; partial: negative logarithm of the share of these times at which it is one given part, or two, rather than
    everything. trust: factor on what the
    keypoints say: they err together, but movements are mostly smaller than what is allowed for. apart: what half a
    trunk's width of shoulders against hips counts a second, logarithm; face: the same of shoulders against ears.
    memory: seconds after which a gap in the track says nothing about sides any more.
    """

    begins: float = 0.001
    first: float = 0.02
    lasts: float = 0.5
    partial: float = 2.5
    trust: float = 1.5
    apart: float = 4.0
    face: float = 1.0
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
    counterpart. names: (K,). Gives the corrected keypoints and (F, 3) bool, what was exchanged: face, arms, legs.
    """
    options = options or SideOptions()
    swapped = np.zeros((len(keypoints), len(_PARTS)), bool)
    present = np.flatnonzero((keypoints[..., 2] > 0).any(-1))
    if len(present) < 3:
        return keypoints.copy(), swapped
    parts = np.array([_UPPER if n.endswith(_ARMS) else _LOWER if n.endswith(_LEGS) else _FACE for n in names])
    for run in np.split(present, np.flatnonzero(np.diff(times[present]) > options.memory) + 1):
        swapped[run] = _likeliest(keypoints[run], times[run], mirror, parts, names, options)
    return np.where(swapped[:, parts, None], keypoints[:, mirror], keypoints), swapped


def _likeliest(
    keypoints: np.ndarray,
    times: np.ndarray,
    mirror: np.ndarray,
    parts: np.ndarray,
    names: Sequence[str],
    options: SideOptions,
) -> np.ndarray:
    """(F, 3) bool: the states of the likeliest path through one uninterrupted run of frames."""
    frames, count = keypoints.shape[:2]
    scale = np.maximum(median_filter(person_scales(keypoints), 15, mode="nearest"), 3.0)
    sided = mirror != np.arange(count)
    sure = np.where(sided, keypoints[..., 2], 0)
    places = np.where(sure[..., None] > 0, keypoints[..., :2], 0) / scale[:, None, None]
    order = np.stack([np.arange(count), mirror])
    looks = Motions.looks(places, sure, scale)[:, order]  # (F, 2, K, 4) as detected, and exchanged
    member = ((parts[:, None] == _PARTS) & sided[:, None]).astype(float)
    steps = np.diff(times, prepend=times[0])
    own = _twists(keypoints, scale, names, steps, options)
    crossed = STATES[:, parts], np.arange(count)  # of each state and keypoint, which of the two looks
    motions = Motions(looks[0][crossed])
    partial = options.partial * ~STATES.all(-1)
    best = own[0] + np.where(STATES.any(-1), partial - np.log(options.first), 0)
    origin = np.zeros((frames, len(STATES)), np.int64)
    for frame in range(1, frames):
        motions.move(steps[frame])
        surprise = options.trust * motions.surprise(looks[frame]) @ member  # (states before, 2, parts)
        total = best[:, None] + surprise[:, STATES, _PARTS].sum(-1) + _changes(steps[frame], options)
        origin[frame] = total.argmin(0)
        best = total.min(0) + own[frame]
        motions.keep(origin[frame], looks[frame][crossed])
    path = np.zeros(frames, np.int64)
    path[-1] = best.argmin()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = origin[frame, path[frame]]
    return STATES[path].astype(bool)


def _changes(step: float, options: SideOptions) -> np.ndarray:
    """(8, 8) negative log probability of going from one state to another within `step` seconds."""
    parts = (STATES[:, None] != STATES).sum(-1)
    some = STATES.any(-1)
    begin, end = -np.log(options.begins * step), -np.log(-np.expm1(-step / options.lasts))
    change = np.where(some[:, None] & ~some, end, begin) + np.where(parts < len(_PARTS), options.partial, 0)
    stay = np.where(some, step / options.lasts, 0)[:, None]
    return np.where(parts > 0, change, stay)


def _twists(
    keypoints: np.ndarray, scale: np.ndarray, names: Sequence[str], steps: np.ndarray, options: SideOptions
) -> np.ndarray:
    """(F, 8) cost of each state where its shoulders, hips and ears do not point the same way."""
    row = {name: index for index, name in enumerate(names)}
    across: dict[str, np.ndarray] = {}
    for name in ("shoulder", "hip", "ear"):
        across[name] = np.zeros((len(keypoints), 2))
        if f"left_{name}" in row and f"right_{name}" in row:
            left, right = keypoints[:, row[f"left_{name}"]], keypoints[:, row[f"right_{name}"]]
            sure = (left[:, 2] * right[:, 2]) ** 0.25
            apart = (left[:, :2] - right[:, :2]) * (sure / scale)[:, None]
            across[name] = np.where(sure[:, None] > 0, apart, 0)
    trunk, face = (np.clip((across["shoulder"] * across[n]).sum(-1) / 0.05, -1, 1)[:, None] for n in ("hip", "ear"))
    signs = 1 - 2 * STATES
    upper = signs[:, _UPPER]
    alike = options.apart * trunk * upper * signs[:, _LOWER] + options.face * face * upper * signs[:, _FACE]
    # What one frame says the next one says again: it counts by the time that it stands for.
    return -np.minimum(steps, 0.2)[:, None] * alike
