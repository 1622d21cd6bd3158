# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of a detector beside the truth to the numbers in `detector_noise.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .noise_confidence import confidences, constant_shares
from .noise_statistics import (
    KIND_OF,
    KINDS,
    Recording,
    bias_map,
    clean,
    fit_bias,
    parts,
    quickness,
    residual,
)

_FAR = 0.25  # an error beyond this, in persons' sizes, is a confusion and not noise


def measure(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Everything `detector_noise.Noise` holds, as lists; both sides of the body count as one. See there."""
    found = [clean(recording) for recording in recordings]
    bias = fit_bias(recordings, found)
    errors = [residual(recording, one, bias) for recording, one in zip(recordings, found, strict=True)]
    for error in errors:
        error[np.linalg.norm(error, axis=-1) > _FAR] = np.nan
    skill, pixels, deviations = _skill(recordings, errors)
    # Recordings weigh alike only after their skill is taken out.
    even = [error / np.exp(level) for error, level in zip(errors, skill, strict=True)]
    seen = [_only(error, recording, 0) for error, recording in zip(even, recordings, strict=True)]
    rates = [recording.fps for recording in recordings]
    variance = parts(seen, rates)
    faster, growth = _speed(recordings, seen)
    variance[:, 3:] /= growth
    error, levels, rank = confidences(recordings, found, errors)
    return {
        "bias": bias_map(bias).tolist(),
        "deviation": np.sqrt(variance)[KIND_OF].tolist(),
        "gain": _gains(recordings, even).tolist(),
        "together": [_root(_correlation(seen, quick)).tolist() for quick in (False, True)],
        "tail": [_tail(seen, quick).tolist() for quick in (False, True)],
        "skill": deviations,
        "pixels": pixels.tolist(),
        "speed": faster,
        "error": error.tolist(),
        "levels": levels.tolist(),
        "rank": rank.tolist(),
        "constant": constant_shares(recordings, found),
        "missing": _missing(recordings).tolist(),
        "lost": _bouts([(one.detected[..., 2] <= 0).all(1) for one in recordings], rates),
        "swap": _bouts([one.swapped.any(1) for one in found], rates),
    }


def _only(error: np.ndarray, recording: Recording, state: int) -> np.ndarray:
    return np.where((recording.state == state)[..., None], error, np.nan)


def _skill(recordings: Sequence[Recording], errors: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """(R,) logarithm of each recording's noise against the mean of all; its value at 300 pixels and its slope; its
    deviation around them, and that of the quick noise around the slow."""
    level = _levels([_only(error, recording, 0) for error, recording in zip(errors, recordings, strict=True)])
    quick = _levels(
        [quickness(_only(error, recording, 0)) for error, recording in zip(errors, recordings, strict=True)]
    )
    logs = np.log([recording.pixels / 300 for recording in recordings])
    slope, value = np.polyfit(logs, level, 1)
    around = float(np.std(level - value - slope * logs))
    return level, np.array([value, slope]), [around, float(np.std(quick - level))]


def _levels(errors: Sequence[np.ndarray]) -> np.ndarray:
    """(R,) logarithm of each recording's errors against the mean of all, joint by joint."""
    size = np.full((len(errors), len(KINDS)), np.nan)
    for row, error in enumerate(errors):
        length = np.linalg.norm(error, axis=-1)
        for kind, rows in enumerate(KINDS.values()):
            known = length[:, list(rows)][np.isfinite(length[:, list(rows)])]
            if len(known) > 20:
                size[row, kind] = np.log(np.sqrt(np.mean(known**2)) + 1e-5)
    return np.nan_to_num(np.nanmean(size - np.nanmean(size, 0), 1))


def _gains(recordings: Sequence[Recording], errors: Sequence[np.ndarray]) -> np.ndarray:
    """(3, 2, 17) noise by state over that of joints that are seen, slow and quick; of all joints where few were so."""
    gains = np.ones((3, 2, 17))
    everything = list(range(17))
    for part in (0, 1):
        values = [np.abs(quickness(error) if part else error).mean(-1) for error in errors]
        typical = _ratios(values, recordings, everything, 20)
        for rows in KINDS.values():
            found = _ratios(values, recordings, list(rows), 100)
            gains[:, part, list(rows)] = np.where(np.isfinite(found), found, typical)[:, None]
    return np.clip(np.nan_to_num(gains, nan=2.0), 0.4, 6)


def _ratios(values: list[np.ndarray], recordings: Sequence[Recording], rows: list[int], least: int) -> np.ndarray:
    """(3,) mean value in each state over that of the first; NaN where there are fewer than `least`."""
    means = np.full(3, np.nan)
    for state in range(3):
        chosen = [v[:, rows][one.state[:, rows] == state] for v, one in zip(values, recordings, strict=True)]
        pool = np.concatenate(chosen)
        pool = pool[np.isfinite(pool)]
        if len(pool) >= least:
            means[state] = pool.mean()
    return means / means[0]


def _correlation(errors: Sequence[np.ndarray], quick: bool) -> np.ndarray:
    """(17, 17) of slow errors around each recording's mean, or of quick ones; the two sides of the body averaged."""
    total, count = np.zeros((17, 17)), np.zeros((17, 17))
    for error in errors:
        if np.isfinite(error).any():
            values = quickness(error) if quick else error - np.nanmedian(error, 0)
            values = np.clip(values / (np.nanstd(values, 0) + 1e-9), -3, 3)
            known = np.isfinite(values).astype(float)
            values = np.nan_to_num(values)
            total += np.einsum("fix,fjx->ij", values, values)
            count += np.einsum("fix,fjx->ij", known, known)
    raw = total / np.maximum(count, 1)
    mirror = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
    raw = (raw + raw[mirror][:, mirror]) / 2
    scale = np.sqrt(np.maximum(np.diag(raw), 1e-9))
    out = raw / scale[:, None] / scale
    np.fill_diagonal(out, 1)
    return out


def _root(correlation: np.ndarray) -> np.ndarray:
    """A matrix whose square is the correlation, made positive."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.02))
    return root / np.linalg.norm(root, axis=1, keepdims=True)


def _tail(errors: Sequence[np.ndarray], quick: bool) -> np.ndarray:
    """(17,) deviation of the logarithm of the noise: noise of changing size has a smaller mean for its variance."""
    out = np.zeros(17)
    for rows in KINDS.values():
        ratios = []
        for error in errors:
            values = (
                quickness(error) if quick else error - np.nanmedian(error, 0) if np.isfinite(error).any() else error
            )
            for row in rows:
                known = values[:, row][np.isfinite(values[:, row]).all(-1)]
                if len(known) > 30:
                    ratios.append(np.abs(known).mean() / np.sqrt(np.mean(known**2)))
        ratio = min(np.mean(ratios) / np.sqrt(2 / np.pi), 1.0) if ratios else 1.0
        out[list(rows)] = np.sqrt(-2 * np.log(ratio))
    return out


def _speed(recordings: Sequence[Recording], errors: Sequence[np.ndarray]) -> tuple[float, float]:
    """Growth of quick noise with a joint's speed, per person's size a second, against a joint at rest; how much larger
    it makes the variance of all."""
    speeds, values = [], []
    for recording, error in zip(recordings, errors, strict=True):
        speed = np.linalg.norm(np.gradient(recording.true, axis=0), axis=-1) * recording.fps
        quick = np.abs(quickness(error)).mean(-1)
        known = np.isfinite(quick + speed)
        speeds.append(speed[known])
        values.append(quick[known])
    speed = np.minimum(np.concatenate(speeds), 6)
    slope, start = np.polyfit(speed, np.concatenate(values), 1)
    growth = float(np.clip(slope / max(start, 1e-6), 0, 2))
    return growth, float(np.mean((1 + growth * speed) ** 2))


def _missing(recordings: Sequence[Recording]) -> np.ndarray:
    """(3, 17) share of keypoints that are not there in frames in which the person is, by state."""
    out = np.zeros((3, 17))
    for state in range(3):
        for rows in KINDS.values():
            gone = count = 0
            for one in recordings:
                there = (one.detected[..., 2] > 0).any(1)
                chosen = (one.state == state)[there][:, list(rows)]
                gone += ((one.detected[there][:, list(rows), 2] <= 0) & chosen).sum()
                count += chosen.sum()
            out[state, list(rows)] = gone / count if count > 50 else 0.0
    return out


def _bouts(flags: Sequence[np.ndarray], rates: Sequence[float]) -> list[float]:
    """Share of recordings in which something happens, share of their frames, mean seconds of a run."""
    shares, seconds = [], []
    for flag, fps in zip(flags, rates, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flag.astype(int), [0]])))
        shares.append(flag.mean())
        seconds += ((edges[1::2] - edges[::2]) / fps).tolist()
    some = [share for share in shares if share > 0]
    return [len(some) / len(shares), float(np.mean(some)) if some else 0.0, float(np.mean(seconds)) if some else 0.1]
