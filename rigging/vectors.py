# SPDX-License-Identifier: GPL-3.0-or-later
"""Vectors and frames as arrays (..., 3) and (..., 3, 3); columns of a frame are its axes."""

from __future__ import annotations

import numpy as np


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 3), (..., 3) -> (...)."""
    return (a * b).sum(-1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) scaled to length 1; NaN where shorter than a micrometre."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.full(np.shape(vectors), np.nan), where=length > 1e-6)


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, 3 t^2 - 2 t^3 between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def perpendicular(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Unit part of `vectors` at right angles to unit `axis`; NaN where they are parallel."""
    return unit(vectors - dot(vectors, axis)[..., None] * axis)


def frame_from_y(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Frames (..., 3, 3) with unit `y` kept and x as near to `x` as it gets."""
    x = perpendicular(x, y)
    return np.stack([x, y, np.cross(x, y)], -1)


def frame_from_x(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Frames (..., 3, 3) with unit `x` kept and y as near to `y` as it gets."""
    y = perpendicular(y, x)
    return np.stack([x, y, np.cross(x, y)], -1)


def swing(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotations (..., 3, 3) from unit `start` to unit `end` (any half turn where they are opposite)."""
    axis = np.cross(start, end)
    cosine = dot(start, end)
    skew = np.zeros((*axis.shape, 3))
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -axis[..., 2], axis[..., 1], -axis[..., 0]
    skew = skew - np.swapaxes(skew, -1, -2)
    opposite = cosine < -1 + 1e-9
    factor = 1 / np.where(opposite, 1.0, 1 + cosine)
    turn = np.eye(3) + skew + factor[..., None, None] * (skew @ skew)
    if opposite.any():
        helper = np.eye(3)[np.argmin(np.abs(start), -1)]
        normal = perpendicular(helper, start)
        half = 2 * normal[..., :, None] * normal[..., None, :] - np.eye(3)
        turn = np.where(opposite[..., None, None], half, turn)
    return turn
