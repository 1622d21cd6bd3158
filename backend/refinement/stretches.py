# SPDX-License-Identifier: GPL-3.0-or-later
"""Uninterrupted stretches of a person's track, and where each starts in space before it is refined."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from ..root.table import DEFAULT, find_root
from .body import keypoint_rows

#: Nearest a person may be to the camera, metres: closer, a wrong focal length or a false detection is speaking.
_NEAREST = 0.3


def stretches(present: np.ndarray, shortest: int = 1) -> list[slice]:
    """Runs of True in (F,) that are at least `shortest` long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [slice(first, last) for first, last in pairs if last - first >= shortest]


def place(
    lifted: np.ndarray,
    keypoints: np.ndarray,
    names: tuple[str, ...],
    intrinsics: np.ndarray,
    learned: np.ndarray | None = None,
    method: str = DEFAULT,
) -> np.ndarray | None:
    """Lifted joints (F, 26, 3), root-relative metres, put into camera axes by their root; None if nowhere.

    Joints that the lifter does not give are NaN and stay so.
    keypoints: (F, K, 3) pixels and confidence; names: (K,); intrinsics: (3, 3). learned: (F, 3) the pelvis as the
    lifter knows it, metres in camera axes, NaN where it does not; None if it never does. method: one of `root.table`'s.
    Frames in which the keypoints say nothing get the root of their neighbours; single frames far off are taken out by a
    median over five.
    """
    rows, joints, looseness = keypoint_rows(names)
    weights = np.nan_to_num(keypoints[:, rows, 2]) / looseness**2
    if learned is not None:
        learned = np.where((weights > 0).any(-1, keepdims=True), learned, np.nan)
    root = find_root(method, lifted[:, joints], keypoints[:, rows, :2], weights, intrinsics, learned)
    known = np.isfinite(root).all(-1) & (root[:, 2] + np.nanmin(lifted[..., 2], axis=-1) > _NEAREST)
    if not known.any():
        return None
    frames = np.arange(len(root))
    filled = np.stack([np.interp(frames, frames[known], root[known, axis]) for axis in range(3)], axis=-1)
    # The direction to the person is seen well, the distance is not: only the distance is filtered.
    distance = median_filter(filled[:, 2], size=min(5, len(filled)), mode="nearest")
    return lifted + (filled / filled[:, 2:] * distance[:, None])[:, None]
