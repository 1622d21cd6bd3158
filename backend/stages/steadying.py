# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lifter is shown of footage whose camera turns: what a camera would see that turns smoothly.

Lifters have learned from cameras that stand still. One that shakes, or is jerked after somebody, looks to them like a
person who does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...rigging import quaternions
from ..camera import rays
from ..lifting.lifter import Lifted

#: Seconds over which the camera's turns are smoothed: slower than the lifter's own camera follows the person.
_SMOOTH = 1.0


def steadied(turns: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(F, 3, 3) turns from the axes of every frame's camera to those of one that turns smoothly.

    turns: (F, 3, 3) from common axes to every frame's. times: (F,) seconds.
    """
    q = quaternions.continuous(quaternions.from_matrix(turns)[:, None])[:, 0]
    weight = np.gradient(times) if len(times) > 1 else np.ones(1)
    smooth = np.empty_like(q)
    for row, time in enumerate(times):
        near = slice(*np.searchsorted(times, (time - 3 * _SMOOTH, time + 3 * _SMOOTH)))
        kernel = weight[near] * np.exp(-0.5 * ((times[near] - time) / _SMOOTH) ** 2)
        smooth[row] = kernel @ q[near]
    smooth /= np.linalg.norm(smooth, axis=-1, keepdims=True)
    return quaternions.to_matrix(smooth) @ turns.swapaxes(-1, -2)


def seen_by(keypoints: np.ndarray, turn: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Keypoints (F, K, 3), pixels and confidence, as a camera with the same lens sees them that is turned by (F, 3, 3)
    against the one they are from; what lies behind it is missing."""
    ahead = rays(keypoints[..., :2].astype(np.float64), intrinsics) @ turn.swapaxes(-1, -2)
    visible = ahead[..., 2] > 0.05
    with np.errstate(invalid="ignore", divide="ignore"):
        pixels = (ahead @ intrinsics.T)[..., :2] / ahead[..., 2:]
    out = np.concatenate([pixels, keypoints[..., 2:]], axis=-1)
    out[(keypoints[..., 2] > 0) & ~visible] = (np.nan, np.nan, 0.0)
    return out


def turned_back(lifted: Lifted, turn: np.ndarray) -> Lifted:
    """What was lifted of such keypoints, in the axes of the camera they are from."""
    joints = np.matmul(lifted.joints, turn)
    up, root = (None if way is None else np.matmul(way[:, None], turn)[:, 0] for way in (lifted.up, lifted.root))
    return replace(lifted, joints=joints, up=up, root=root)
