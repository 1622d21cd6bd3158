# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of one bone as numbers: smoother, fewer, or one on every frame. No bpy.

A track is the keys that belong together, the four channels of a rotation or the three of a location: frames (K,)
increasing, values (K, C).
"""

from __future__ import annotations

import numpy as np


def smooth(frames: np.ndarray, values: np.ndarray, width: float, rotation: bool) -> np.ndarray:
    """Values (K, C) after a Gaussian of standard deviation `width` frames, at their true distances in time.

    The ends are held by what lies next to them only. rotation: quaternions, kept at length 1.
    """
    if width <= 0 or len(frames) < 3:
        return values.copy()
    signed = continuous(values) if rotation else values
    smoothed = np.empty_like(signed)
    for row, frame in enumerate(frames):
        low, high = np.searchsorted(frames, (frame - 3 * width, frame + 3 * width + 1e-6))
        weights = np.exp(-0.5 * ((frames[low:high] - frame) / width) ** 2)
        smoothed[row] = weights @ signed[low:high] / weights.sum()
    # What a symmetric kernel does in the middle it cannot do at the ends: there it would pull the motion short.
    smoothed[0], smoothed[-1] = signed[0], signed[-1]
    if rotation:
        smoothed /= np.maximum(np.linalg.norm(smoothed, axis=1, keepdims=True), 1e-9)
    return smoothed


def reduced(frames: np.ndarray, values: np.ndarray, most: float, rotation: bool) -> np.ndarray:
    """(K,) bool: keys to keep so that straight lines between them pass within `most` of all others.

    most: metres, or radians for a rotation (of quaternions, whose signs must be continuous). First and last stay.
    Ramer, Douglas and Peucker's division, with the error measured at equal times.
    """
    keep = np.zeros(len(frames), bool)
    keep[[0, -1]] = True
    todo = [(0, len(frames) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        errors = _errors(frames[first : last + 1], values[first : last + 1], rotation)
        worst = int(np.argmax(errors))
        if errors[worst] > most:
            keep[first + worst] = True
            todo += [(first, first + worst), (first + worst, last)]
    return keep


def _errors(frames: np.ndarray, values: np.ndarray, rotation: bool) -> np.ndarray:
    """How far each key is from the straight line between the first and the last."""
    share = ((frames - frames[0]) / (frames[-1] - frames[0]))[:, None]
    line = values[0] + share * (values[-1] - values[0])
    if not rotation:
        return np.linalg.norm(values - line, axis=1)
    lengths = np.linalg.norm(line, axis=1) * np.linalg.norm(values, axis=1)
    cosines = np.abs((line * values).sum(1)) / np.maximum(lengths, 1e-9)
    return 2 * np.arccos(np.clip(cosines, 0, 1))


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations (K, 4), each in the sign that is nearer to the one before."""
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(1) < 0, -1.0, 1.0)
    return quaternions * np.concatenate([[1.0], np.cumprod(flips)])[:, None]


def whole_frames(frames: np.ndarray) -> np.ndarray:
    """Every whole frame from the first key to the last; at least one."""
    first, last = int(np.ceil(frames[0] - 1e-3)), int(np.floor(frames[-1] + 1e-3))
    return np.arange(first, max(last, first) + 1, dtype=np.float64)
