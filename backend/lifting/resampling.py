# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks of any frame rate to the even rate of a lifter, and its output back to the frames of the footage.

Letters: F frames of the footage, G frames of the lifter, K keypoints, D numbers per frame.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.sparse import csr_array

#: A step of time so many times longer than usual is a gap: nothing is interpolated across it but a straight line.
_GAP = 2.5
#: Seconds over which the confidence of a bridged point falls to a third, and the furthest from an observation.
MEMORY, BRIDGED = 0.5, 1.5
#: Lobes of the Lanczos window.
_LOBES = 3
#: Columns that are splined together.
_COLUMNS = 9


def fill_missing(track: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Give missing keypoints a position so that a network without a notion of missing can run.

    track: (F, K, 3) x, y, confidence; a point without confidence or position is missing. times: (F,) seconds.
    Missing points get the straight line between their neighbours in time, held at the ends, with confidence 0; a
    keypoint that is never seen gets the mean of the others; a track without any point is all 0.
    """
    known = np.isfinite(track[..., :2]).all(-1) & (track[..., 2] > 0)
    out = np.zeros(track.shape, np.float64)
    out[..., 2] = np.where(known, track[..., 2], 0.0)
    seen = np.flatnonzero(known.any(0))
    for k in seen:
        rows = known[:, k]
        for axis in (0, 1):
            out[:, k, axis] = np.interp(times, times[rows], track[rows, k, axis])
    if 0 < len(seen) < track.shape[1]:
        never = np.flatnonzero(~known.any(0))
        out[:, never, :2] = out[:, seen, :2].mean(1, keepdims=True)
    return out


def lifter_times(times: np.ndarray, fps: float) -> np.ndarray:
    """(G,) the instants at which a lifter of `fps` Hz looks at footage with frames at `times` (F,) seconds.

    The footage's own where its rate agrees within 2 % (nothing is interpolated then), else an even grid over the same
    span, its last instant at or after the last frame.
    """
    steps = np.diff(times) * fps
    if len(times) < 2 or (np.abs(steps - 1).max() < 0.1 and abs(steps.mean() - 1) < 0.02):
        return times
    count = int(np.ceil((times[-1] - times[0]) * fps - 1e-6)) + 1
    return times[0] + np.arange(count) / fps


def resample_track(track: np.ndarray, times: np.ndarray, grid: np.ndarray, bridge: bool = True) -> np.ndarray:
    """A filled track (F, K, 3) at `times` to (G, K, 3) at `grid`: band-limited if the grid is coarser, else a spline.

    Confidence is interpolated linearly. bridge: also where a point is missing and within gaps of time, so that a
    network sees the straight line that `fill_missing` draws: it is then steadier and more accurate than one that is
    told that nothing is there. Such confidence fades, and is 0 further than `BRIDGED` from an observation. Without it,
    confidence is 0 next to a missing point and within gaps of time.
    """
    if bridge:
        confidence = _bridged(track[..., 2], times, grid)
    else:
        confidence = track[..., 2] if grid is times else _unbridged(track[..., 2], times, grid)
    positions = track[..., :2]
    if grid is not times:
        positions = resample(positions.reshape(len(times), -1), times, grid).reshape(len(grid), -1, 2)
    return np.concatenate([positions, confidence[..., None]], axis=-1)


def _bridged(confidence: np.ndarray, times: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """(F, K) to (G, K), 0 being missing: lines between the others, fading with the time to the nearest of them."""
    out = np.zeros((len(grid), confidence.shape[1]))
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    for k in np.flatnonzero((confidence > 0).any(0)):
        rows = confidence[:, k] > 0
        seen = times[rows]
        after = np.searchsorted(seen, grid)
        before = seen[np.maximum(after - 1, 0)]
        away = np.minimum(np.abs(grid - before), np.abs(seen[np.minimum(after, len(seen) - 1)] - grid))
        away = np.maximum(away - usual, 0.0)  # between two frames nothing is missing
        out[:, k] = np.interp(grid, seen, confidence[rows, k]) * np.exp(-away / MEMORY) * (away <= BRIDGED)
    return out


def _unbridged(confidence: np.ndarray, times: np.ndarray, grid: np.ndarray) -> np.ndarray:
    right = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    left = right - 1
    weight = np.clip((grid - times[left]) / (times[right] - times[left]), 0, 1)[:, None]
    before, after = confidence[left], confidence[right]
    broken = (np.minimum(before, after) == 0) | _in_gap(times)[left, None]
    on_frame = (weight < 1e-6) | (weight > 1 - 1e-6)
    return np.where(broken & ~on_frame, 0.0, (1 - weight) * before + weight * after)


def resample(values: np.ndarray, times: np.ndarray, new_times: np.ndarray) -> np.ndarray:
    """Finite values (F, D) at `times` to `new_times` (G,), held outside the span.

    Coarser new times: a Lanczos low-pass at half their rate first sums what lies between (motion above that would
    fold back). Finer or equal: a cubic spline through the values; across gaps of time a straight line.
    """
    if len(times) == 1:
        return np.repeat(values, len(new_times), axis=0)
    times, values = _bridge_gaps(times, values)
    inside = np.clip(new_times, times[0], times[-1])
    step = np.median(np.diff(new_times)) if len(new_times) > 1 else 0.0
    if step > 1.05 * np.median(np.diff(times)):
        return _low_pass(values, times, inside, float(step))
    return interpolate(values, times, inside)


def interpolate(values: np.ndarray, times: np.ndarray, new_times: np.ndarray) -> np.ndarray:
    """Finite values (F, D) at `times` read off at `new_times` (G,) on a cubic spline, held outside the span."""
    if new_times is times:
        return values
    inside = np.clip(new_times, times[0], times[-1])
    if len(times) == 1:
        return np.repeat(values, len(new_times), axis=0)
    # A spline needs some ten times the memory of its values, so a long clip goes a few columns at a time.
    blocks = [values[:, first : first + _COLUMNS] for first in range(0, values.shape[1], _COLUMNS)]
    return np.concatenate([CubicSpline(times, block)(inside) for block in blocks], axis=1)


def _in_gap(times: np.ndarray) -> np.ndarray:
    steps = np.diff(times)
    return steps > _GAP * np.median(steps)


def _bridge_gaps(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add frames on the straight line across every gap, so that a spline does not swing out there."""
    steps, usual = np.diff(times), float(np.median(np.diff(times)))
    added = [
        np.linspace(times[row], times[row + 1], int(np.ceil(steps[row] / usual)) + 1)[1:-1]
        for row in np.flatnonzero(_in_gap(times))
    ]
    if not added:
        return times, values
    dense = np.sort(np.concatenate([times, *added]))
    columns = [np.interp(dense, times, column) for column in values.T]
    return dense, np.stack(columns, axis=1)


def _low_pass(values: np.ndarray, times: np.ndarray, new_times: np.ndarray, step: float) -> np.ndarray:
    """Lanczos resampling onto a coarser grid of spacing `step`, for unevenly spaced times too."""
    radius = _LOBES * step
    # Point reflection at the ends keeps position and speed there.
    head, tail = times - times[0] <= radius, times[-1] - times <= radius
    head[0] = tail[-1] = False
    t = np.concatenate([2 * times[0] - times[head][::-1], times, 2 * times[-1] - times[tail][::-1]])
    v = np.concatenate([2 * values[0] - values[head][::-1], values, 2 * values[-1] - values[tail][::-1]])
    share = np.gradient(t)
    first, last = np.searchsorted(t, new_times - radius), np.searchsorted(t, new_times + radius)
    counts = last - first
    row = np.repeat(np.arange(len(new_times)), counts)
    column = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[row]
    offset = (t[column] - new_times[row]) / step
    weights = np.sinc(offset) * np.sinc(offset / _LOBES) * share[column]
    matrix = csr_array((weights, (row, column)), shape=(len(new_times), len(t)))
    return (matrix @ v) / np.asarray(matrix.sum(axis=1)).reshape(-1, 1)
