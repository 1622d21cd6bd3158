# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector's confidences say of its errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, rankdata

from .noise_statistics import KINDS, LEVELS, Cleaned, Recording, rank_correlation


def confidences(
    recordings: Sequence[Recording], found: Sequence[Cleaned], errors: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3, 17, 2) logarithm of the error, (3, 17, L) quantiles of confidence, (3, 17) correlation of their ranks."""
    error, levels, rank = np.zeros((3, 17, 2)), np.zeros((3, 17, len(LEVELS))), np.zeros((3, 17))
    for state in range(3):
        for rows in KINDS.values():
            a, b = [], []
            for recording, one, wrong in zip(recordings, found, errors, strict=True):
                length = np.linalg.norm(wrong[:, list(rows)], axis=-1)
                known = np.isfinite(length) & (recording.state[:, list(rows)] == state)
                a.append(np.log(length[known] + 1e-5))
                b.append(one.confidence[:, list(rows)][known])
            size, sure = np.concatenate(a), np.concatenate(b)
            for row in rows:
                if len(size) < 50:  # too little was seen of it: as if one state better
                    error[state, row], levels[state, row], rank[state, row] = (
                        (error[state - 1, row] + [0.5, 0], 0.7 * levels[state - 1, row], rank[state - 1, row])
                        if state
                        else ((-4.2, 0.8), LEVELS, 0.2)
                    )
                    continue
                error[state, row] = size.mean(), size.std()
                levels[state, row] = np.quantile(sure, LEVELS)
                rho = rank_correlation(-size, sure)
                rank[state, row] = np.clip(np.nan_to_num(2 * np.sin(np.pi / 6 * rho)), 0, 0.95)
    return error, levels, rank


def constant_shares(recordings: Sequence[Recording], found: Sequence[Cleaned]) -> list[float]:
    """Share of confidence's variance (as normal scores) between recordings, and within them over 3 frames and more."""
    scores = []
    for row in range(5, 17):
        picked = [
            np.where(r.state[:, row] == 0, f.confidence[:, row], np.nan) for r, f in zip(recordings, found, strict=True)
        ]
        pool = np.concatenate(picked)
        known = np.isfinite(pool) & (pool > 0)
        if known.sum() > 100:
            z = np.full(len(pool), np.nan)
            z[known] = norm.ppf((rankdata(pool[known]) - 0.5) / known.sum())
            scores.append(np.split(z, np.cumsum([len(p) for p in picked])[:-1]))
    between, lasting, total = [], [], []
    for rows in scores:
        for z in rows:
            known = z[np.isfinite(z)]
            if len(known) > 30:
                inner = z - known.mean()
                between.append(known.mean() ** 2)
                lasting.append(np.nanmean(inner[3:] * inner[:-3]))
                total.append(np.mean(known**2))
    share = [np.mean(between) / np.mean(total), max(np.nanmean(lasting), 0) / np.mean(total)]
    return [float(min(value, 0.9)) for value in share]
