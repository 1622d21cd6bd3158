# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person is if the lifted pose may also be turned: perspective-n-point of the pose, as of any rigid thing.

Martinez et al. (ICCV 2017) and others place lifted poses so. The turn takes up errors that all joints share, such as a
wrong level, but a pose that is wrong in itself is turned out of its way, too.
"""

from __future__ import annotations

import numpy as np

from .linear import linear_root, observations

#: Joints below which three turns and three shifts are as good as arbitrary.
_JOINTS = 6
#: Weight from which a joint counts; OpenCV's solver knows no weights.
_BELIEVED = 0.05


def pnp_root(joints: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """(F, 3) as `linear.linear_root`, from which each frame starts and whose frames it keeps that it cannot solve."""
    import cv2

    root = linear_root(joints, pixels, confidence, intrinsics)
    _, points, direction, weights = observations(joints, pixels, confidence, intrinsics)
    for frame in np.flatnonzero(np.isfinite(root).all(-1)):
        keep = weights[frame] >= _BELIEVED
        if keep.sum() < _JOINTS:
            continue
        shape, seen = np.ascontiguousarray(points[frame, keep]), np.ascontiguousarray(direction[frame, keep])
        straight, turn, start = np.zeros(4), np.zeros((3, 1)), root[frame, :, None].copy()
        solved, turn, shift = cv2.solvePnP(
            shape, seen, np.eye(3), straight, turn, start, useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE
        )
        depths = shape @ cv2.Rodrigues(turn)[0][2] + shift[2, 0]
        if solved and np.isfinite(shift).all() and depths.min() > 0:
            root[frame] = shift[:, 0]
    return root
