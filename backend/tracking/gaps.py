# SPDX-License-Identifier: GPL-3.0-or-later
"""Short gaps of a track, filled with straight lines and flagged; long ones are left.

What is filled carries `FILLED` as confidence: too little for the lifter to take it for something seen.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

#: Confidence of filled keypoints.
FILLED = 0.05
#: Seconds from the last frame before a gap to the first one after it, up to which it is filled.
LONGEST = 0.3


def fill_gaps(keypoints: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill the frames of one track in which its person was not found, where others are near on both sides.

    keypoints: (F, K, 3) pixels and confidence. times: (F,) seconds. Gives the filled keypoints and (F,) bool, which
    frames were. A keypoint that either neighbour lacks stays missing.
    """
    filled, made = keypoints.copy(), np.zeros(len(keypoints), bool)
    seen = np.flatnonzero((keypoints[..., 2] > 0).any(-1))
    for before, after in pairwise(seen):
        known = np.minimum(keypoints[before, :, 2], keypoints[after, :, 2]) > 0
        if after - before == 1 or times[after] - times[before] > LONGEST or not known.any():
            continue
        rows = np.arange(before + 1, after)
        share = ((times[rows] - times[before]) / (times[after] - times[before]))[:, None, None]
        ends = keypoints[before, known, :2], keypoints[after, known, :2]
        filled[rows[:, None], known, :2] = ends[0] + share * (ends[1] - ends[0])
        filled[rows[:, None], known, 2] = FILLED
        made[rows] = True
    return filled, made


def runs(flags: np.ndarray) -> list[list[int]]:
    """First and last row of each run of true flags (F,), JSON-able."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [[int(first), int(end) - 1] for first, end in edges.reshape(-1, 2)]
