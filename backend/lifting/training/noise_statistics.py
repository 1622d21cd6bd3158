# SPDX-License-Identifier: GPL-3.0-or-later
"""How a detector's keypoints differ from true ones: the numbers behind `detector_noise`.

Errors are fractions of the person's size in the picture (0.97 of the stature at the distance of the hips), per axis of
the picture. The same functions look at a real detector and at simulated noise, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import rankdata

from ....rigging.joints import COCO17
from .noise_numbers import SECONDS

#: Joints whose two sides count as one: rows of COCO-17.
KINDS: dict[str, tuple[int, ...]] = {
    "nose": (0,), "eye": (1, 2), "ear": (3, 4), "shoulder": (5, 6), "elbow": (7, 8), "wrist": (9, 10), "hip": (11, 12),
    "knee": (13, 14), "ankle": (15, 16),
}  # fmt: skip
#: (17,) row of `KINDS` of each joint.
KIND_OF = np.array([next(k for k, rows in enumerate(KINDS.values()) if j in rows) for j in range(17)])
STATES = ("seen", "hidden", "outside")
#: Quantiles at which confidences are kept.
LEVELS = np.linspace(0, 1, 17)
_ARMS, _LEGS = np.arange(5, 11), np.arange(11, 17)
_GROSS = 0.25  # mean error of the trunk from which the detector looks at something else
_MIRROR = COCO17.mirror


@dataclass(frozen=True)
class Recording:
    """A person whose true keypoints are known.

    true: (F, 17, 2) in persons' sizes, NaN where unknown. detected: (F, 17, 3) the same and a confidence; NaN, NaN, 0
    where missing. hidden, outside: (F, 17) bool. fps: Hz. pixels: the person's size. view: front, back or side.
    """

    true: np.ndarray
    detected: np.ndarray
    hidden: np.ndarray
    outside: np.ndarray
    fps: float
    pixels: float
    view: str = ""

    @property
    def state(self) -> np.ndarray:
        """(F, 17) row of `STATES`."""
        return np.where(self.outside, 2, np.where(self.hidden, 1, 0))


@dataclass(frozen=True)
class Cleaned:
    """A recording after looking for what is no noise of a joint.

    error: (F, 17, 2), sides repaired, NaN where missing or in a gross frame. swapped: (F, 2) bool, arms and legs.
    gross: (F,) bool, somebody or something else was tracked. confidence: (F, 17), sides repaired.
    """

    error: np.ndarray
    confidence: np.ndarray
    swapped: np.ndarray
    gross: np.ndarray


def clean(recording: Recording) -> Cleaned:
    """Find exchanged sides and gross failures."""
    detected = recording.detected
    swapped = np.zeros((len(detected), 2), bool)
    for part, rows in enumerate((_ARMS, _LEGS)):
        straight = _mean_error(detected[:, rows], recording.true[:, rows])
        crossed = _mean_error(detected[:, _MIRROR][:, rows], recording.true[:, rows])
        swapped[:, part] = (crossed < 0.5 * straight) & (straight - crossed > 0.03)
    exchange = np.zeros((len(detected), 17), bool)
    exchange[:, _ARMS], exchange[:, _LEGS] = swapped[:, :1], swapped[:, 1:]
    repaired = np.where(exchange[..., None], detected[:, _MIRROR], detected)
    trunk = [5, 6, 11, 12]
    gross = _mean_error(repaired[:, trunk], recording.true[:, trunk]) > _GROSS
    error = repaired[..., :2] - recording.true
    error[(repaired[..., 2] <= 0) | gross[:, None]] = np.nan
    return Cleaned(error, repaired[..., 2], swapped, gross)


def _mean_error(detected: np.ndarray, true: np.ndarray) -> np.ndarray:
    away = np.linalg.norm(detected[..., :2] - true, axis=-1)
    known = np.isfinite(away)
    return np.where(known, away, 0).sum(1) / np.maximum(known.sum(1), 1)


def basis(true: np.ndarray) -> np.ndarray:
    """(F, 17, 5, 2) directions of the body in the picture along which a joint may always be misplaced.

    The trunk's up and the line of the hips towards the joint's own side, the line to the joint's parent and child in
    the limb, and where the face looks. Mirrored bodies have mirrored directions, turned bodies turned ones.
    """
    out = np.zeros((*true.shape[:2], 5, 2))
    side = np.array([0, 1, -1, 1, -1] + [1, -1] * 6)[None, :, None]
    hips, shoulders = true[:, 11:13].mean(1), true[:, 5:7].mean(1)
    out[:, :, 0] = (shoulders - hips)[:, None]
    out[:, :, 1] = (true[:, 11] - true[:, 12])[:, None] * side
    out[:, :, 1] += (true[:, 5] - true[:, 6])[:, None] * side
    for row in range(7, 17):
        if row not in (11, 12):
            out[:, row, 2] = true[:, row] - true[:, row - 2]
    for row in (5, 6, 7, 8, 11, 12, 13, 14):
        out[:, row, 3] = true[:, row + 2] - true[:, row]
    face = true[:, 0] - true[:, 3:5].mean(1)
    out[:, :5, 4] = np.where(np.isfinite(face), face, 0)[:, None]
    return out


def fit_bias(recordings: Sequence[Recording], cleaned: Sequence[Cleaned]) -> np.ndarray:
    """(9, 5) factors of `basis` that explain most of the error of seen joints; every recording counts alike."""
    factors = np.zeros((len(KINDS), 5))
    for kind, rows in enumerate(KINDS.values()):
        normal, right = 1e-5 * np.eye(5), np.zeros(5)
        for recording, found in zip(recordings, cleaned, strict=True):
            rows_of = list(rows)
            known = np.isfinite(found.error[:, rows_of]).all(-1) & (recording.state[:, rows_of] == 0)
            a, b = basis(recording.true)[:, rows_of][known], found.error[:, rows_of][known]
            if len(a) > 20:
                small = np.linalg.norm(b, axis=-1) < 0.15
                a, b = a[small], b[small]
                normal += np.einsum("nkx,nlx->kl", a, a) / len(a)
                right += np.einsum("nkx,nx->k", a, b) / len(a)
        factors[kind] = np.linalg.solve(normal, right)
    return factors


def residual(recording: Recording, found: Cleaned, bias: np.ndarray) -> np.ndarray:
    """(F, 17, 2) the error without the systematic part."""
    return found.error - np.einsum("fjkx,jk->fjx", basis(recording.true), bias[KIND_OF])


def parts(errors: Sequence[np.ndarray], fps: Sequence[float]) -> np.ndarray:
    """(9, 5) variances of the offset, of the parts that last `SECONDS` and of what is new in every frame.

    errors: (F, 17, 2) each; NaN does not count. From autocovariances over all pairs of frames. A kind of joint is drawn
    a little towards the mean of all, since long parts are seen only a few times in a recording.
    """
    designs, targets = zip(*(_autocovariances(errors, fps, list(rows)) for rows in KINDS.values()), strict=True)
    scaled = [target / max(target[0], 1e-12) if len(target) else target for target in targets]
    share = nnls(np.concatenate(designs), np.concatenate(scaled))[0]
    out = np.zeros((len(KINDS), 5))
    for kind, (design, target) in enumerate(zip(designs, scaled, strict=True)):
        if len(target):
            pull = 0.5 * np.eye(5)
            found = nnls(np.concatenate([design, pull]), np.concatenate([target, pull @ share]))[0]
            out[kind] = found * targets[kind][0]
    return out


def _autocovariances(
    errors: Sequence[np.ndarray], fps: Sequence[float], rows: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """(L, 5) what each part of unit variance gives at L lags, and the (L,) measured; the first is the variance."""
    design, target = [], []
    for lag in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80):
        total = count = seconds = 0.0
        for error, rate in zip(errors, fps, strict=True):
            if lag < len(error):
                product = (error[lag:, rows] * error[: len(error) - lag, rows]).ravel()
                known = np.isfinite(product)
                total, count = total + product[known].sum(), count + known.sum()
                seconds += lag / rate * known.sum()
        if count > 100:
            time = seconds / count
            design.append([1, *np.exp(-0.5 * (time / np.array(SECONDS)) ** 2), float(lag == 0)])
            target.append(total / count)
    return np.array(design).reshape(-1, 5), np.array(target)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's; NaN for fewer than 30 pairs or constant values."""
    if len(a) < 30 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def bias_map(factors: np.ndarray) -> np.ndarray:
    """(17, 17) the systematic error as a linear map of the true keypoints, for (9, 5) factors of `basis`."""
    units = np.zeros((17, 17, 2))
    units[np.arange(17), np.arange(17), 0] = 1
    return np.einsum("fjkx,jk->jfx", basis(units), factors[KIND_OF])[..., 0]


def quickness(error: np.ndarray) -> np.ndarray:
    """(F, 17, 2) what an error differs by from its neighbours in time, scaled to keep white noise; NaN at the ends."""
    out = np.full(error.shape, np.nan)
    out[1:-1] = (2 * error[1:-1] - error[:-2] - error[2:]) / np.sqrt(6)
    return out


#: What `summary` gives of each of `KINDS`; the first five are fractions of the person's size.
SUMMARY = (
    "offset", "drift", "jitter", "median error", "95 % error", "acceleration", "confidence rank", "confidence"
)  # fmt: skip


def summary(recordings: Sequence[Recording]) -> np.ndarray:
    """(9, 8) `SUMMARY` of all states together: what a lifter meets.

    Deviations per axis: of the mean error of a recording, around it, and of `quickness`. Acceleration: of the detected
    joint over the true one's, the median recording. Rank correlation of confidence with a small error; mean confidence.
    """
    out = np.full((len(KINDS), len(SUMMARY)), np.nan)
    cleaned = [clean(recording) for recording in recordings]
    for kind, both in enumerate(KINDS.values()):
        rows, squares, ratios, lengths, sure = list(both), [], [], [], []
        for recording, found in zip(recordings, cleaned, strict=True):
            far = np.linalg.norm(found.error[:, rows], axis=-1) > _GROSS
            error = np.where(far[..., None], np.nan, found.error[:, rows])
            known = np.isfinite(error).all(-1)
            if known.mean() < 0.3:
                continue
            offset = np.nanmean(np.where(known[..., None], error, np.nan), 0)
            quick, true = quickness(error), quickness(recording.true[:, rows])
            squares.append([np.nanmean(offset**2), np.nanmean((error - offset) ** 2), np.nanmean(quick**2)])
            ratios.append(np.sqrt(np.nanmean((quick + true) ** 2) / np.nanmean(true**2)))
            lengths.append(np.linalg.norm(error, axis=-1)[known])
            sure.append(found.confidence[:, rows][known])
        if squares:
            length, confidence = np.concatenate(lengths), np.concatenate(sure)
            spread = np.quantile(length, [0.5, 0.95])
            rank = rank_correlation(-length, confidence)
            out[kind] = [*np.sqrt(np.mean(squares, 0)), *spread, np.median(ratios), rank, confidence.mean()]
    return out
