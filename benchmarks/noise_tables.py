# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of a detector's error for `detector_noise.py`; lengths in hundredths of the person's size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata
from video_mocap.backend.lifting.training.noise_statistics import (
    KINDS,
    SUMMARY,
    Cleaned,
    Recording,
    clean,
    fit_bias,
    quickness,
    residual,
)


def print_summaries(columns: dict[str, np.ndarray]) -> None:
    """Tables of `summary`, one row a joint, the columns beside each other."""
    print("| joint | " + " | ".join(f"{name}, {' / '.join(columns)}" for name in SUMMARY) + " |")
    print("|---|" + "---|" * len(SUMMARY))
    for kind, name in enumerate(KINDS):
        cells = []
        for measure_row in range(len(SUMMARY)):
            values = [column[kind, measure_row] * (100 if measure_row < 5 else 1) for column in columns.values()]
            cells.append(" / ".join("-" if np.isnan(value) else f"{value:.2f}" for value in values))
        print(f"| {name} | " + " | ".join(cells) + " |")


def by_group(found: Sequence[Recording]) -> None:
    """How the error depends on the view, the size and the state of a joint."""
    lengths = [np.linalg.norm(clean(one).error, axis=-1) for one in found]
    groups = {f"{view} view": [one.view == view for one in found] for view in ("front", "side", "back")}
    edges = (0, 130, 200, 350, 2000)
    groups |= {f"{a} to {b} pixels": [a <= one.pixels < b for one in found] for a, b in pairwise(edges)}
    print("| group | recordings | median error, % | 95 % | swapped frames, % | gross, % | without the person, % |")
    print("|---|---|---|---|---|---|---|")
    for name, chosen in groups.items():
        some = [(one, length) for one, length, take in zip(found, lengths, chosen, strict=True) if take]
        if some:
            pool = np.concatenate([length[np.isfinite(length)] for _, length in some])
            cleaned = [clean(one) for one, _ in some]
            shares = [
                np.mean([one.swapped.any(1).mean() for one in cleaned]), np.mean([one.gross.mean() for one in cleaned]),
                np.mean([(one.detected[..., 2] <= 0).all(1).mean() for one, _ in some]),
            ]  # fmt: skip
            cells = [100 * np.median(pool), 100 * np.quantile(pool, 0.95), *(100 * share for share in shares)]
            print(f"| {name} | {len(some)} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    print("| state | share of joints, % | median error, % | 95 % | mean confidence |")
    print("|---|---|---|---|---|")
    for row, name in enumerate(("seen", "hidden", "outside")):
        inside = [one.state == row for one in found]
        pool = np.concatenate([length[chosen] for length, chosen in zip(lengths, inside, strict=True)])
        sure = np.concatenate([one.detected[..., 2][chosen] for one, chosen in zip(found, inside, strict=True)])
        pool = pool[np.isfinite(pool)]
        if not len(pool):
            continue
        share = 100 * np.mean([chosen.mean() for chosen in inside])
        cells = [share, 100 * np.median(pool), 100 * np.quantile(pool, 0.95), sure.mean()]
        print(f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")


def _text(values: Sequence[float], digits: int) -> str:
    return " / ".join("-" if np.isnan(value) else f"{value:.{digits}f}" for value in values)


def _autocovariance(errors: Sequence[np.ndarray], lag: int) -> float:
    return float(np.nanmean(np.concatenate([(one[lag:] * one[: len(one) - lag]).ravel() for one in errors])))


def _chance(worse: np.ndarray, better: np.ndarray) -> float:
    """Probability that one of `worse` is larger than one of `better` (the area under the ROC curve)."""
    if min(len(worse), len(better)) < 30:
        return float("nan")
    ranks = rankdata(np.concatenate([worse, better]))[: len(worse)]
    return float((ranks.sum() - len(worse) * (len(worse) + 1) / 2) / len(worse) / len(better))


def _without_bias(found: Sequence[Recording]) -> tuple[list[Cleaned], list[np.ndarray]]:
    cleaned = [clean(one) for one in found]
    bias = fit_bias(found, cleaned)
    return cleaned, [residual(one, good, bias) for one, good in zip(found, cleaned, strict=True)]


def by_joint(found: Sequence[Recording]) -> None:
    """What being hidden means for each joint, and how long its error lasts. Errors without the bias."""
    cleaned, errors = _without_bias(found)
    columns = (
        "joint", "error before / after bias", "hidden, %", "median error seen / hidden / outside",
        "chance that hidden is worse", "median confidence seen / hidden / outside",
        "correlation after 0.03 / 0.1 / 0.5 s",
    )  # fmt: skip
    print("| " + " | ".join(columns) + " |")
    print("|---|" + "---|" * 6)
    for name, both in KINDS.items():
        rows = list(both)
        state = np.concatenate([one.state[:, rows].ravel() for one in found])
        away = np.concatenate([np.linalg.norm(error[:, rows], axis=-1).ravel() for error in errors])
        raw = np.concatenate([np.linalg.norm(good.error[:, rows], axis=-1).ravel() for good in cleaned])
        sure = np.concatenate([good.confidence[:, rows].ravel() for good in cleaned])
        known = np.isfinite(away)
        groups = [known & (state == row) for row in range(3)]
        medians = [100 * np.median(away[group]) if group.sum() > 30 else np.nan for group in groups]
        confidence = [np.median(sure[group]) if group.sum() > 30 else np.nan for group in groups]
        near = groups[0] & (raw < 0.25)
        rms = [100 * np.sqrt(np.mean(values[near] ** 2) / 2) for values in (raw, away)]
        seen = [
            np.where((one.state == 0)[..., None], error, np.nan)[:, rows]
            for one, error in zip(found, errors, strict=True)
        ]
        power = [_autocovariance(seen, lag) for lag in (0, 1, 3, 15)]
        cells = [
            _text(rms, 2), f"{100 * groups[1].sum() / known.sum():.0f}", _text(medians, 1),
            f"{_chance(away[groups[1]], away[groups[0]]):.2f}", _text(confidence, 2),
            _text([value / power[0] for value in power[1:]], 2),
        ]  # fmt: skip
        print(f"| {name} | " + " | ".join(cells) + " |")


def by_truth(found: Sequence[Recording]) -> None:
    """Error of body joints by what the detector says of them, and by how fast they move."""
    cleaned, errors = _without_bias(found)
    away = np.concatenate([np.linalg.norm(error[:, 5:], axis=-1).ravel() for error in errors])
    sure = np.concatenate([good.confidence[:, 5:].ravel() for good in cleaned])
    speed = [np.linalg.norm(np.gradient(one.true, axis=0), axis=-1)[:, 5:].ravel() * one.fps for one in found]
    quick = np.concatenate([np.abs(quickness(good.error)).mean(-1)[:, 5:].ravel() for good in cleaned])
    tables = (
        ("confidence", sure, (0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 1.01)),
        ("speed, sizes a second", np.concatenate(speed), (0, 0.1, 0.3, 0.6, 1.2, 2.4, 99)),
    )
    for name, values, edges in tables:
        print(f"| {name} | joints | median error | 95 % | jitter |\n|---|---|---|---|---|")
        for low, high in pairwise(edges):
            group = np.isfinite(away) & (values >= low) & (values < high)
            jitter = quick[group & np.isfinite(quick)]
            if group.sum() > 30:
                cells = [np.median(away[group]), np.quantile(away[group], 0.95), np.sqrt(np.pi / 2) * jitter.mean()]
                numbers = " | ".join(f"{100 * cell:.2f}" for cell in cells)
                print(f"| {low:g} to {min(high, 99):g} | {group.sum()} | {numbers} |")
