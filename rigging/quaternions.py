# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as arrays: unit quaternions (w, x, y, z) and 3x3 matrices whose columns are the axes."""

from __future__ import annotations

import numpy as np


def from_matrix(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation matrices -> (..., 4) unit quaternions with w >= 0.

    The largest eigenvector of Bar-Itzhack's symmetric matrix in its closed form: the best conditioned of Shepperd's
    four candidates is taken (Shepperd 1978).
    """
    m = np.asarray(matrices, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    yz, zx, xy = m[..., 2, 1], m[..., 0, 2], m[..., 1, 0]
    zy, xz, yx = m[..., 1, 2], m[..., 2, 0], m[..., 0, 1]
    candidates = np.stack(
        [
            np.stack([1 + xx + yy + zz, yz - zy, zx - xz, xy - yx], -1),
            np.stack([yz - zy, 1 + xx - yy - zz, xy + yx, zx + xz], -1),
            np.stack([zx - xz, xy + yx, 1 - xx + yy - zz, yz + zy], -1),
            np.stack([xy - yx, zx + xz, yz + zy, 1 - xx - yy + zz], -1),
        ],
        -2,
    )
    size = np.linalg.norm(candidates, axis=-1, keepdims=True)
    best = np.argmax(size[..., 0], -1)[..., None, None]
    quaternions = np.take_along_axis(candidates, best, -2)[..., 0, :] / np.take_along_axis(size, best, -2)[..., 0, :]
    return np.where(quaternions[..., :1] < 0, -quaternions, quaternions)


def to_matrix(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions -> (..., 3, 3)."""
    w, x, y, z = np.moveaxis(np.asarray(quaternions, np.float64), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """(F, ..., 4) with each frame the nearer of q and -q to the frame before; the first frame is kept."""
    q = np.array(quaternions, np.float64)
    if len(q) > 1:
        flips = np.where((q[1:] * q[:-1]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
        q[1:] *= np.cumprod(flips, 0)
    return q


def slerp(start: np.ndarray, end: np.ndarray, fraction: np.ndarray | float) -> np.ndarray:
    """Shortest great-circle interpolation of (..., 4) unit quaternions; fraction (...) 0..1."""
    cosine = (start * end).sum(-1, keepdims=True)
    end = np.where(cosine < 0, -end, end)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    t = np.asarray(fraction, np.float64)[..., None]
    sine = np.sin(angle)
    close = sine < 1e-6
    safe = np.where(close, 1.0, sine)
    a = np.where(close, 1 - t, np.sin((1 - t) * angle) / safe)
    b = np.where(close, t, np.sin(t * angle) / safe)
    mixed = a * start + b * end
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def resample(quaternions: np.ndarray, times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rotations (F, ..., 4) at increasing `times` (F,) -> (G, ..., 4) at `wanted` (G,); held beyond the ends."""
    if len(times) == 1:
        return np.repeat(np.asarray(quaternions, np.float64), len(wanted), 0)
    right = np.clip(np.searchsorted(times, wanted, side="right"), 1, len(times) - 1)
    span = times[right] - times[right - 1]
    fraction = np.clip((wanted - times[right - 1]) / span, 0.0, 1.0)
    shape = (len(fraction),) + (1,) * (np.ndim(quaternions) - 2)
    return continuous(slerp(quaternions[right - 1], quaternions[right], fraction.reshape(shape)))
