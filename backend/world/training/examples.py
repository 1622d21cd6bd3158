# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures to what the contact network learns from: features of feet on floors that are known, unknown or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ....rigging.joints import TAKE
from ..contacts import FOOT_ROWS
from ..foot_features import COUNT, FootEvidence, feet_shown, foot_features, network_times
from ..ground import mean_up
from .captures import KEYPOINTS, Capture
from .settings import LearningSettings

#: Metres: closer to the true floor than the first it is that floor, further than the second it is another one.
_SAME, _OTHER = 0.05, 0.10
#: Metres below and above somebody's feet where a wrong floor is.
_DEEPEST, _HIGHEST = 0.9, 0.3
#: Seconds by which positions and their distances are smoothed, and how far feet follow the picture.
_SMOOTH, _DISTANCE, _SEEN = 0.04, 0.15, 0.7
_PELVIS, _ANKLES = TAKE.index("pelvis"), [TAKE.index("left_ankle"), TAKE.index("right_ankle")]
#: Points of feet on the floor that say where it is.
_ENOUGH = 10


@dataclass(frozen=True)
class Examples:
    """N feet over G instants, shorter ones repeating their last.

    features: (N, G, COUNT) float16. stands: (N, G, 2) bool, heel and toe. floor: (N, G) bool, on the floor that the
    features know; judged: (N, G) bool, where that can be said. capture: (N,) number of the capture.
    """

    features: np.ndarray
    stands: np.ndarray
    floor: np.ndarray
    judged: np.ndarray
    capture: np.ndarray


def examples_of(captures: Iterable[Capture], settings: LearningSettings, seed: int) -> Examples:
    """The examples of captures: each smoothed, and refined if it is, with `settings.variants` floors."""
    rng = np.random.default_rng(seed)
    found: list[tuple[np.ndarray, ...]] = []
    for number, capture in enumerate(captures):
        versions = [steadied(capture), *([capture.refined] if np.isfinite(capture.refined).all() else [])]
        for positions in versions:
            evidence = evidence_of(capture, positions)
            for _ in range(settings.variants):
                found += _feet(capture, evidence, settings, rng, number)
    length = max(len(each[0]) for each in found)
    columns = [np.stack([_extended(each[i], length) for each in found]) for i in range(4)]
    assert columns[0].shape[-1] == COUNT
    return Examples(*columns, np.array([each[4] for each in found]))  # type: ignore[arg-type]


def steadied(capture: Capture) -> np.ndarray:
    """(F, 26, 3) about what refinement would make of the placed positions, for a hundredth of the time: smooth, more so
    in the distance, and with feet near to where the picture shows them."""
    placed = capture.placed
    rate = 1 / float(np.median(np.diff(capture.times)))
    distance = placed[:, _PELVIS, 2]
    smooth = placed * (gaussian_filter1d(distance, _DISTANCE * rate, mode="nearest") / distance)[:, None, None]
    shown, _ = feet_shown(smooth, capture.keypoints, KEYPOINTS, capture.intrinsics)
    shift = (shown - smooth[:, FOOT_ROWS]).reshape(-1, 2, 2, 3)
    smooth[:, FOOT_ROWS] += _SEEN * shift.reshape(-1, 4, 3)
    smooth[:, _ANKLES] += _SEEN * shift.mean(2)
    return gaussian_filter1d(smooth, _SMOOTH * rate, axis=0, mode="nearest")


def evidence_of(capture: Capture, positions: np.ndarray) -> FootEvidence:
    """What a capture knows; the floor is where the feet that truly stand on it are, as far as they ever do."""
    up = mean_up(capture.up, capture.lifted_confidence.mean(-1))
    shown, sure = feet_shown(positions, capture.keypoints, KEYPOINTS, capture.intrinsics)
    heights = (positions[:, FOOT_ROWS] @ up)[capture.floor]
    floor = float(np.median(heights)) if len(heights) > _ENOUGH else None
    return FootEvidence(capture.times, positions, shown, sure, np.zeros(3), up, floor)


def _feet(
    capture: Capture, evidence: FootEvidence, settings: LearningSettings, rng: np.random.Generator, number: int
) -> list[tuple[np.ndarray, ...]]:
    floor, off = evidence.floor, float(rng.normal(0, settings.floor))
    unknown, wrong = rng.random(2) < (settings.unknown, settings.wrong)
    if floor is not None and unknown:
        floor = None
    elif floor is not None and wrong:
        off = float(rng.uniform(_OTHER, _HIGHEST) if rng.random() < 0.2 else rng.uniform(-_DEEPEST, -_OTHER))
    if floor is not None:
        floor += off
    grid = network_times(evidence.times)
    features = foot_features(replace(evidence, floor=floor), grid).astype(np.float16)
    stands, on_floor = (_at(grid, evidence.times, each) for each in (capture.stands, capture.floor))
    known = floor is not None and not _SAME < abs(off) < _OTHER
    out = []
    for side in (0, 1):
        own = slice(2 * side, 2 * side + 2)
        supported = stands[:, own].any(1)
        there = on_floor[:, own].any(1) & (abs(off) < _OTHER)
        out.append((features[side], stands[:, own], there, supported & known, np.array(number)))
    return out


def _at(grid: np.ndarray, times: np.ndarray, flags: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(grid, times, column) > 0.5 for column in flags.T], axis=1)


def _extended(values: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[-1:], length - len(values), axis=0)])
