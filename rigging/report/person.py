# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of one person of a take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..take import Take
from . import limits
from .motion import below_floor, bone_variation, foot_slide, shaking, usual_shaking
from .picture import FILLED, Misfit, misfit, weighted_quantile
from .stretches import Stretch, averaged, worst_parts, worst_stretches

_MM, _PERCENT = 1000.0, 100.0


@dataclass(frozen=True)
class _Person:
    """seen, there: (F,) bool, the detector saw the person; they have joints. misfit: of joints from the picture."""

    take: Take
    row: int
    seen: np.ndarray
    there: np.ndarray
    misfit: Misfit


def person_report(take: Take, row: int) -> dict[str, Any]:
    """Of the person in a row of the take's arrays; None where something cannot be said."""
    there = np.isfinite(take.joints[row]).all(-1).any(-1)
    confidence = take.joints_confidence[row][there]
    sure = confidence[:, confidence.max(0, initial=0) > 0]
    # A take without any keypoints, as of rendered truth, does not say that nobody was seen.
    seen = (take.keypoints[row, ..., 2] > FILLED).any(-1) if take.keypoints[..., 2].any() else there
    person = _Person(take, row, seen, there, misfit(take, row))
    return {
        **_frames(person),
        "confidence": _number(_mean(sure.ravel()), 2),
        **_fit(person.misfit),
        **_motion(take, row),
        "stretches": _stretches(person),
    }


def _frames(person: _Person) -> dict[str, Any]:
    """seen: frames in which the detector saw the person. filled: they are there in 3D, but nobody saw them. missing:
    neither, between the first and the last frame that has them. start, end: seconds of these two."""
    rows = np.flatnonzero(person.there)
    span = int(rows[-1] - rows[0] + 1) if len(rows) else 0
    return {
        "seen": int((person.there & person.seen).sum()),
        "filled": int((person.there & ~person.seen).sum()),
        "missing": span - len(rows),
        "start": _number(float(person.take.times[rows[0]]), 3) if span else None,
        "end": _number(float(person.take.times[rows[-1]]), 3) if span else None,
    }


def _fit(found: Misfit) -> dict[str, Any]:
    pixels, shares, weight = found.pixels.ravel(), found.shares.ravel(), found.weight.ravel()
    return {
        "reprojection_median_px": _number(weighted_quantile(pixels, weight, 0.5), 2),
        "reprojection_95_px": _number(weighted_quantile(pixels, weight, 0.95), 2),
        "reprojection_median_percent": _number(_PERCENT * weighted_quantile(shares, weight, 0.5), 2),
        "reprojection_95_percent": _number(_PERCENT * weighted_quantile(shares, weight, 0.95), 2),
    }


def _motion(take: Take, row: int) -> dict[str, Any]:
    joints, names = take.joints[row], take.joint_names
    shaken, speed = shaking(joints, take.times, names)
    slide, standing = foot_slide(joints, take.contacts[row], take.times, names)
    below = below_floor(joints)
    inside = below > limits.BELOW_FLOOR
    return {
        "bone_variation_percent": _number(_PERCENT * bone_variation(joints, names), 2),
        "jitter_mm": _number(_MM * _median(shaken), 2),
        "jitter_ratio": _number(_median(shaken / usual_shaking(speed)), 2),
        "foot_slide_mm_s": _number(_MM * slide, 1),
        "standing_seconds": _number(standing, 2),
        "below_floor_99_mm": _number(_MM * _percentile(below, 99), 1),
        "below_floor_percent": _number(_PERCENT * _mean(inside[np.isfinite(below)]), 1),
    }


def _stretches(person: _Person) -> list[dict[str, Any]]:
    """The worst stretches between the first and the last frame that has the person."""
    rows = np.flatnonzero(person.there)
    if not len(rows):
        return []
    take, inside = person.take, slice(int(rows[0]), int(rows[-1]) + 1)
    times, lost = take.times[inside], ~(person.seen & person.there)[inside]
    confidence = take.joints_confidence[person.row, inside]
    has = confidence.max(0) > 0
    doubt = np.where(lost[:, None] | ~has, np.nan, 1.0 - confidence)
    fit = averaged(person.misfit.frames()[inside], times)
    sure = averaged(1.0 - doubt[:, has].mean(-1), times) if has.any() else np.full(len(times), np.nan)
    found = worst_stretches(
        times,
        {
            "picture": fit / limits.FIT,
            "confidence": limits.CONFIDENCE / np.maximum(sure, 0.01),
            "unseen": np.where(lost, limits.UNSEEN, np.nan),
        },
    )
    shares = person.misfit.shares[inside]
    return [_told(each, fit, sure, worst_of(each, person, shares, doubt)) for each in found]


def worst_of(stretch: Stretch, person: _Person, shares: np.ndarray, doubt: np.ndarray) -> list[str]:
    """The parts of the body that are worst in a stretch; none where the person was not seen."""
    part = slice(stretch.first, stretch.last + 1)
    if stretch.why == "picture":
        return worst_parts(person.misfit.names, shares[part])
    return worst_parts(person.take.joint_names, doubt[part]) if stretch.why == "confidence" else []


def _told(stretch: Stretch, fit: np.ndarray, sure: np.ndarray, parts: list[str]) -> dict[str, Any]:
    """fit, sure: (F,) mean share of the height that the joints are off, and mean confidence."""
    part = slice(stretch.first, stretch.last + 1)
    told: dict[str, Any] = {"start": _number(stretch.start, 3), "end": _number(stretch.end, 3), "why": stretch.why}
    if stretch.why == "picture":
        told["worst_percent"] = _number(_PERCENT * float(np.nanmax(fit[part])), 1)
    elif stretch.why == "confidence":
        told["least_confidence"] = _number(float(np.nanmin(sure[part])), 2)
    return told | ({"parts": parts} if parts else {})


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _median(values: np.ndarray) -> float:
    return _percentile(values, 50)


def _percentile(values: np.ndarray, percent: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if len(known) else float("nan")


def _number(value: float, digits: int) -> float | None:
    return round(value, digits) if np.isfinite(value) else None
