# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing of whole clips without delay, on positions and rotations, at any frame rate.

Every filter runs forward and backward or looks as far ahead as back, so that nothing comes late. Rotations are smoothed
as quaternions without sign flips, component by component, and made unit again: the mean of rotations near each other
(Markley 2007), which does not care in which axes they are told. Functions return new arrays; the raw motion stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from .. import quaternions
from .transfer import Source

METHODS = ("one euro", "savitzky-golay", "butterworth")
#: From strength 0 to 1: the frequency, Hz, above which motion goes (a geometric scale), and the window in seconds.
_CUTOFF = (15.0, 1.5)
_WINDOW = (0.08, 0.44)
_SPEEDY = 4.0  # Hz of cut-off that each metre (or radian) per second adds (One Euro's beta)
_BLOW = 0.08  # seconds around a frame whose speed counts
_EVEN = 0.02  # steps that differ by no more than this are even

_Filter = Callable[[np.ndarray, np.ndarray], np.ndarray]


def smoothed(values: np.ndarray, times: np.ndarray, method: str, strength: float) -> np.ndarray:
    """(F, ..., C) points, smoothed; NaN stays NaN and what lies between is bridged while filtering.

    times: (F,) seconds. method: of `METHODS`, or "none". strength: 0..1, 0 changes nothing. Raises ValueError for a
    method that is not known.
    """
    apply = _filter(method, strength)
    values = np.asarray(values, np.float64)
    if apply is None or len(values) < 4:
        return values.copy()
    flat = values.reshape(len(values), -1, values.shape[-1])
    found = np.stack([_known(flat[:, point], times, apply) for point in range(flat.shape[1])], 1)
    return found.reshape(values.shape)


def smoothed_rotations(turns: np.ndarray, times: np.ndarray, method: str, strength: float) -> np.ndarray:
    """(F, ..., 4) unit quaternions, smoothed, without sign flips. As `smoothed`."""
    found = smoothed(quaternions.continuous(turns), times, method, strength)
    return found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)


def smoothed_source(source: Source, method: str, strength: float) -> Source:
    """A person's motion with smoothed joints; contacts are those of the raw one. The source is not changed."""
    if _filter(method, strength) is None:
        return source
    joints = np.where((source.confidence > 0)[..., None], source.joints, np.nan)
    found = smoothed(joints, source.times, method, strength)
    turns = None if source.turns is None else source.turns.each(partial(_calm, source.times, method, strength))
    return replace(source, joints=np.where(np.isfinite(found), found, source.joints), turns=turns)


def _calm(times: np.ndarray, method: str, strength: float, values: np.ndarray) -> np.ndarray:
    """Angles (F,) or rotations (F, 3, 3), smoothed."""
    if values.ndim == 1:
        return smoothed(values[:, None], times, method, strength)[:, 0]
    return quaternions.to_matrix(smoothed_rotations(quaternions.from_matrix(values), times, method, strength))


def _filter(method: str, strength: float) -> _Filter | None:
    if method not in (*METHODS, "none"):
        raise ValueError(f"there is no smoothing called {method!r}; choose one of none, {', '.join(METHODS)}")
    strength = float(np.clip(strength, 0.0, 1.0))
    if method == "none" or strength == 0.0:
        return None
    cutoff = _CUTOFF[0] * (_CUTOFF[1] / _CUTOFF[0]) ** strength
    if method == "butterworth":
        return lambda values, times: butterworth(values, times, cutoff)
    if method == "savitzky-golay":
        return lambda values, times: savitzky_golay(values, times, _WINDOW[0] + strength * (_WINDOW[1] - _WINDOW[0]))
    return lambda values, times: one_euro(values, times, cutoff / 2, _SPEEDY)


def _known(values: np.ndarray, times: np.ndarray, apply: _Filter) -> np.ndarray:
    """(F, C) filtered over even steps and over gaps, which stay gaps."""
    known = np.isfinite(values).all(-1)
    if known.sum() < 4:
        return values
    first, last = np.flatnonzero(known)[[0, -1]]
    span = slice(first, last + 1)
    count = last + 1 - first
    even = np.linspace(times[first], times[last], count)
    step = np.diff(times[span])
    uneven = np.ptp(step) > _EVEN * np.median(step)

    def line(at: np.ndarray, known_at: np.ndarray, column: np.ndarray) -> np.ndarray:
        return np.interp(at, known_at, column)

    grid = even if uneven else times[span]
    filled = np.stack([line(grid, times[known], column) for column in values[known].T], -1)
    found = apply(filled, grid)
    if uneven:
        found = np.stack([line(times[span], grid, column) for column in found.T], -1)
    result = values.copy()
    result[span] = np.where(known[span, None], found, np.nan)
    return result


def butterworth(values: np.ndarray, times: np.ndarray, cutoff: float) -> np.ndarray:
    """(F, C) second order low-pass, run forward and backward: at `cutoff` Hz 0.71 of the motion is left.

    Even steps. Bilinear transform; the cut-off is raised for the two passes (Winter 2009, section 3.4.4). The ends are
    continued by their point reflection. A cut-off of nearly half the frame rate changes nothing.
    """
    if len(values) < 4:
        return values.copy()
    rate = 1 / float(np.median(np.diff(times)))
    raised = cutoff / (2**0.5 - 1) ** 0.25
    if raised >= 0.45 * rate:
        return values.copy()
    w = np.tan(np.pi * raised / rate)
    scale = 1 / (1 + 2**0.5 * w + w * w)
    b, a1, a2 = w * w * scale, 2 * (w * w - 1) * scale, (1 - 2**0.5 * w + w * w) * scale
    around = min(len(values) - 1, max(6, round(2 * rate / cutoff)))
    padded = np.concatenate(
        [2 * values[:1] - values[around:0:-1], values, 2 * values[-1:] - values[-2 : -around - 2 : -1]]
    )
    for _ in range(2):
        inputs = b * (padded + 2 * _later(padded, 1) + _later(padded, 2))
        one = two = padded[0]
        for row in range(len(padded)):
            padded[row] = inputs[row] - a1 * one - a2 * two
            one, two = padded[row], one
        padded = padded[::-1].copy()
    return padded[around : around + len(values)]


def _later(values: np.ndarray, rows: int) -> np.ndarray:
    """(F, C) delayed by `rows`; the first value is held."""
    return np.concatenate([np.repeat(values[:1], rows, 0), values[:-rows]])


def savitzky_golay(values: np.ndarray, times: np.ndarray, window: float, degree: int = 3) -> np.ndarray:
    """(F, C) each frame by the polynomial that is nearest to the `window` seconds around it (Savitzky, Golay 1964).

    Even steps. At the ends the polynomial of the first and last whole window goes on. A window too short for the
    degree changes nothing.
    """
    half = round(window / 2 / float(np.median(np.diff(times))))
    half = min(half, (len(values) - 1) // 2)
    if 2 * half + 1 <= degree + 1:
        return values.copy()
    powers = np.vander(np.arange(-half, half + 1) / half, degree + 1, increasing=True)
    fit = powers @ np.linalg.pinv(powers)
    middle = np.lib.stride_tricks.sliding_window_view(values, 2 * half + 1, axis=0) @ fit[half]
    return np.concatenate([fit[:half] @ values[: 2 * half + 1], middle, fit[half + 1 :] @ values[-2 * half - 1 :]])


def one_euro(values: np.ndarray, times: np.ndarray, cutoff: float, beta: float) -> np.ndarray:
    """(F, C) a low-pass that lets go when things move fast: its cut-off, Hz, is `cutoff` + `beta` times the speed.

    Casiez, Roussel, Vogel, "1 Euro filter" (2012), but run forward and backward, and with the speed, units per second,
    measured without delay.
    """
    step = float(np.median(np.diff(times)))
    calm = savitzky_golay(values, times, max(0.12, 5 * step), 2)
    speed = np.linalg.norm(np.gradient(calm, times, axis=0), axis=-1)
    # A blow stands still where it turns round; what is fast just before and after is no trembling.
    around = max(1, round(_BLOW / step))
    speed = np.lib.stride_tricks.sliding_window_view(np.pad(speed, around, mode="edge"), 2 * around + 1).max(-1)
    share = 1 / (1 + 1 / (2 * np.pi * (cutoff + beta * speed) * step))
    result = values.copy()
    for _ in range(2):
        for row in range(1, len(result)):
            result[row] = result[row - 1] + share[row] * (result[row] - result[row - 1])
        result, share = result[::-1].copy(), share[::-1]
    return result


def whittaker(values: np.ndarray, weight: np.ndarray, stiffness: float) -> np.ndarray:
    """(F, C) nearest to `values` (F, C) with small second differences: least squares of weight (F,) times the
    difference squared plus `stiffness` times the second difference squared (Whittaker 1922, Eilers 2003).

    Linear time: the normal equations have five diagonals.
    """
    count = len(values)
    if count < 3:
        return np.array(values, np.float64)
    main, first, second = np.full(count, 6.0), np.full(count, -4.0), np.ones(count)
    main[[0, -1]], main[[1, -2]] = 1.0, 5.0
    first[[0, count - 2]] = -2.0
    if count == 3:
        main[:], first[:2] = (1.0, 4.0, 1.0), -2.0
    floor = 1e-12 * (stiffness + weight.max())
    return _five_diagonals(
        stiffness * main + weight + floor, stiffness * first, stiffness * second, (weight + floor)[:, None] * values
    )


def _five_diagonals(main: np.ndarray, first: np.ndarray, second: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (F, C) of a symmetric positive system with diagonals `main`, `first` (beside it) and `second`: L D L^T."""
    count = len(main)
    d, u, v = main.tolist(), first.tolist(), second.tolist()
    low, lower = [0.0] * count, [0.0] * count
    for row in range(count):
        if row > 1:
            d[row] -= lower[row - 2] ** 2 * d[row - 2]
        if row > 0:
            d[row] -= low[row - 1] ** 2 * d[row - 1]
        if row < count - 1:
            between = lower[row - 1] * d[row - 1] * low[row - 1] if row > 0 else 0.0
            low[row] = (u[row] - between) / d[row]
        if row < count - 2:
            lower[row] = v[row] / d[row]
    x = [column.copy() for column in np.asarray(right, np.float64)]
    for row in range(1, count):
        x[row] -= low[row - 1] * x[row - 1] + (lower[row - 2] * x[row - 2] if row > 1 else 0.0)
    solved = [one / pivot for one, pivot in zip(x, d, strict=True)]
    for row in range(count - 2, -1, -1):
        solved[row] -= low[row] * solved[row + 1] + (lower[row] * solved[row + 2] if row < count - 2 else 0.0)
    return np.array(solved)
