# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a take an animator should look: the worst stretches of a person, with why and which part of the body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: Seconds over which numbers are averaged, up to which two stretches are one, and of the shortest that counts.
_AVERAGED, _BETWEEN, _SHORTEST = 0.2, 0.3, 0.15
#: Stretches of a person that are told.
_MOST = 5
#: Joints by the part of the body that an animator would name.
_PARTS = {"elbow": "arm", "wrist": "arm", "hand": "hand", "hip": "leg", "knee": "leg", "ankle": "leg"}
_PARTS |= {"heel": "foot", "toe": "foot", "shoulder": "arm"}
_MIDDLE = {"pelvis": "hips", "spine": "trunk", "thorax": "trunk", "neck": "trunk"}


@dataclass(frozen=True)
class Stretch:
    """start, end: seconds of the footage. why: what is worst there. first, last: rows of its frames."""

    start: float
    end: float
    why: str
    first: int
    last: int


def worst_stretches(times: np.ndarray, severity: Mapping[str, np.ndarray]) -> list[Stretch]:
    """The worst stretches in the order of time, at most five.

    times: (F,) seconds. severity: for each reason (F,) how bad each frame is, as a multiple of what is still well; NaN
    where that cannot be said.
    """
    if len(times) < 2:
        return []
    reasons = list(severity)
    values = np.stack([np.nan_to_num(averaged(severity[why], times)) for why in reasons])
    worst = values.max(0)
    steps = np.gradient(times)
    found = []
    for first, last in _joined(_runs(worst > 1), times):
        if times[last] - times[first] + steps[last] < _SHORTEST:
            continue
        part = slice(first, last + 1)
        why = reasons[int((values[:, part] * steps[part]).sum(1).argmax())]
        found.append((float((worst[part] * steps[part]).sum()), Stretch(times[first], times[last], why, first, last)))
    found.sort(key=lambda pair: -pair[0])
    return sorted((stretch for _, stretch in found[:_MOST]), key=lambda stretch: stretch.start)


def averaged(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(F,) mean of what is known around each frame; NaN where the frame itself says nothing."""
    half = round(0.5 * _AVERAGED / float(np.median(np.diff(times)))) if len(times) > 1 else 0
    known = np.isfinite(values)
    window = np.ones(2 * half + 1)
    if len(values) < len(window):
        return values
    total = np.convolve(np.where(known, values, 0.0), window, "same")
    count = np.convolve(known.astype(float), window, "same")
    return np.where(known, total / np.maximum(count, 1), np.nan)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]


def _joined(runs: Sequence[tuple[int, int]], times: np.ndarray) -> list[tuple[int, int]]:
    """Runs with those made one that are near to each other."""
    found: list[tuple[int, int]] = []
    for first, last in runs:
        if found and times[first] - times[found[-1][1]] <= _BETWEEN:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def worst_parts(names: Sequence[str], badness: np.ndarray) -> list[str]:
    """The one or two parts of the body that are worst. names: (N,) joints. badness: (F, N), NaN where unknown."""
    known = np.isfinite(badness)
    count = known.sum(0)
    mean = np.where(known, badness, 0.0).sum(0) / np.maximum(count, 1)
    parts: dict[str, list[float]] = {}
    for name, value, frames in zip(names, mean, count, strict=True):
        if frames:
            parts.setdefault(part_of(name), []).append(float(value))
    ranked = sorted(((float(np.mean(values)), part) for part, values in parts.items()), reverse=True)
    return [part for value, part in ranked[:2] if value > 0.7 * ranked[0][0]]


def part_of(joint: str) -> str:
    """left_knee -> left leg."""
    side, _, place = joint.rpartition("_")
    return f"{side} {_PARTS[place]}" if place in _PARTS else _MIDDLE.get(joint, "head")
