# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a take's joints lie on what the detector saw: a fit, not accuracy, but where it is bad something is wrong.

Letters: F frames, J joints, K keypoints, N joints that are both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..take import Take
from .motion import columns

#: Keypoints with no more confidence than this were not seen but filled in (backend/tracking/gaps.py gives it to them).
FILLED = 0.05
#: What adds up to the height of somebody who stands, from the ankle; the sole below it is a constant share.
_CHAINS = (
    ("left_ankle", "left_knee", "left_hip"),
    ("right_ankle", "right_knee", "right_hip"),
    ("pelvis", "spine", "thorax", "neck", "head_top"),
)
_SOLE = 1.05


@dataclass(frozen=True)
class Misfit:
    """Distances in the picture of one person's joints from what the detector gave.

    names: (N,) joints. pixels: (F, N), NaN where one of both is missing. weight: (F, N) confidence of the keypoint, 0
    where there is no distance. height: (F,) pixels that the person would be tall in the picture, standing upright.
    """

    names: tuple[str, ...]
    pixels: np.ndarray
    weight: np.ndarray
    height: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """(F, N) distances as shares of the person's height in the picture."""
        return self.pixels / self.height[:, None]

    def frames(self) -> np.ndarray:
        """(F,) mean share of the height, weighted by confidence; NaN where nothing was seen."""
        total = self.weight.sum(-1)
        mean = (self.weight * np.nan_to_num(self.shares)).sum(-1) / np.where(total > 0, total, 1)
        return np.where(total > 0, mean, np.nan)


def misfit(take: Take, row: int) -> Misfit:
    """Of the person in a row of the take's arrays."""
    names = tuple(name for name in take.joint_names if name in take.keypoint_names)
    joints = take.joints[row][:, columns(take.joint_names, names)]
    keypoints = take.keypoints[row][:, columns(take.keypoint_names, names)].astype(np.float64)
    matrices = take.world_to_camera
    seen = joints @ matrices[:, :3, :3].swapaxes(1, 2) + matrices[:, None, :3, 3]
    depth = np.where(seen[..., 2] > 0, seen[..., 2], np.nan)
    pixels = (seen @ take.intrinsics.T)[..., :2] / depth[..., None]
    distance = np.linalg.norm(pixels - keypoints[..., :2], axis=-1)
    usable = np.isfinite(distance) & (keypoints[..., 2] > FILLED)
    known = np.isfinite(depth)
    mean_depth = np.where(known, depth, 0.0).sum(-1) / np.maximum(known.sum(-1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        height = np.where(mean_depth > 0, take.intrinsics[1, 1] * stature(take, row) / mean_depth, np.nan)
    usable &= np.isfinite(height)[:, None]
    return Misfit(names, np.where(usable, distance, np.nan), np.where(usable, keypoints[..., 2], 0.0), height)


def stature(take: Take, row: int) -> float:
    """Metres that a person is tall when they stand upright, by the median lengths of their bones; NaN without them."""
    lengths = [_length(take, row, chain) for chain in _CHAINS]
    legs = [length for length in lengths[:2] if np.isfinite(length)]
    return _SOLE * (float(np.mean(legs)) + lengths[2]) if legs else float("nan")


def _length(take: Take, row: int, chain: tuple[str, ...]) -> float:
    if any(name not in take.joint_names for name in chain):
        return float("nan")
    points = take.joints[row][:, columns(take.joint_names, chain)]
    lengths = np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(-1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) else float("nan")


def weighted_quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The value that a share (0..1) of the weight does not exceed; NaN without any weight."""
    use = weight > 0
    found, weight = values[use], weight[use]
    if not len(found):
        return float("nan")
    order = np.argsort(found)
    total = np.cumsum(weight[order])
    return float(found[order][min(np.searchsorted(total, share * total[-1]), len(found) - 1)])
