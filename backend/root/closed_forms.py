# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person is, as other systems find it: each function takes and gives what `linear.linear_root` does.

None is exact where the pose is: ratios of spreads take perspective for weak, the box of RootNet says nothing of the
pose. They are here to be chosen and compared (`table.py`); docs/world.md says how well each does.
"""

from __future__ import annotations

import numpy as np

from .linear import MIN_JOINTS, observations

#: RootNet's box: metres that its side stands for, and how much larger than the person it is.
_BOX, _MARGIN = 2.0, 1.25
#: The search looks between an eighth and eight times the depth that `mehta_root` gives, until it is known to 1e-10.
_SPAN, _ROUNDS = 8.0, 60


def mehta_root(joints: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """The ratio of the roots of both spreads (Mehta et al., 3DV 2017, equation 4): (F, 3), see `linear_root`."""
    known, points, direction, weights = observations(joints, pixels, confidence, intrinsics)
    flat, seen = _centred(points[..., :2], weights), _centred(direction, weights)
    ratio = np.sqrt(_divided(_power(flat, flat, weights), _power(seen, seen, weights)))
    return _in_front(_at_distance(ratio, points, direction, weights), known, points)


def ratio_root(joints: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """The scale that takes the picture to the pose (Véges and Lőrincz, IJCNN 2019): (F, 3), see `linear_root`."""
    known, points, direction, weights = observations(joints, pixels, confidence, intrinsics)
    flat, seen = _centred(points[..., :2], weights), _centred(direction, weights)
    ratio = _divided(_power(flat, flat, weights), _power(seen, flat, weights))
    return _in_front(_at_distance(ratio, points, direction, weights), known, points)


def search_root(joints: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """The depth at which keypoints, projected back to their joints' depths, look most like the pose: (F, 3).

    Wang et al. (ICCVW 2019) try every millimetre for the least sum of distances. It is convex in the depth, so halving
    the interval finds the same. The pose's middle stands for their root, which a detector need not see.
    """
    known, points, direction, weights = observations(joints, pixels, confidence, intrinsics)
    slope = _centred(direction, weights)
    offset = _centred(direction * points[..., 2:] - points[..., :2], weights)

    def misfit(depth: np.ndarray) -> np.ndarray:
        return (weights * np.linalg.norm(slope * depth[:, None, None] + offset, axis=-1)).sum(-1)

    start = mehta_root(joints, pixels, confidence, intrinsics)[:, 2]
    low, high = start / _SPAN, start * _SPAN
    for _ in range(_ROUNDS):
        left, right = (2 * low + high) / 3, (low + 2 * high) / 3
        nearer = misfit(left) < misfit(right)
        low, high = np.where(nearer, low, left), np.where(nearer, right, high)
    return _in_front(_at_depth(0.5 * (low + high), points, direction, weights), known, points)


def rootnet_root(
    joints: np.ndarray,
    pixels: np.ndarray,
    confidence: np.ndarray,
    intrinsics: np.ndarray,
    correction: np.ndarray | float = 1.0,
) -> np.ndarray:
    """The depth at which a box of two metres has the size of the person's in the picture (Moon et al., ICCV 2019).

    correction: (F,) what RootNet's network, which is not carried, says of a picture's crop (its gamma, 1 / sqrt of the
    paper's); without it, everybody is upright, whole and of one size. The box is that of the keypoints. (F, 3) metres.
    """
    known, points, direction, weights = observations(joints, pixels, confidence, intrinsics)
    inside = np.where(known[..., None], pixels, np.nan)
    box = np.full((len(joints), 2), np.nan)
    some = known.any(-1)
    box[some] = np.nanmax(inside[some], axis=1) - np.nanmin(inside[some], axis=1)
    side = _MARGIN * box.max(-1)
    depth = correction * rootnet_depth(np.stack([side, side], axis=-1), intrinsics)
    return _in_front(_at_depth(depth, points, direction, weights), known, points)


def rootnet_depth(box: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """RootNet's k (equation 2), (...,) metres: how far off 2 m times 2 m fill a box (..., 2) of so many pixels."""
    with np.errstate(divide="ignore"):
        return _BOX * np.sqrt(intrinsics[0, 0] * intrinsics[1, 1] / (box[..., 0] * box[..., 1]))


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(F, 2) of (F, J, 2)."""
    return _divided((weights[..., None] * values).sum(1), weights.sum(1)[:, None])


def _centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return values - _mean(values, weights)[:, None]


def _power(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (weights[..., None] * a * b).sum((1, 2))


def _divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=b > 0)


def _at_distance(ratio: np.ndarray, points: np.ndarray, direction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The pose's middle at a depth of `ratio` on the line of sight of the picture's middle; its own depth is left out,
    as in the papers."""
    seen, flat = _mean(direction, weights), _mean(points[..., :2], weights)
    return np.concatenate([ratio[:, None] * seen - flat, ratio[:, None]], axis=-1)


def _at_depth(depth: np.ndarray, points: np.ndarray, direction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The root at a depth (F,), where it has to be to put the joints on their lines of sight on average."""
    beside = _mean(direction * (depth[:, None] + points[..., 2])[..., None] - points[..., :2], weights)
    return np.concatenate([beside, depth[:, None]], axis=-1)


def _in_front(root: np.ndarray, known: np.ndarray, points: np.ndarray) -> np.ndarray:
    """NaN where there are too few joints, or some of them would be behind the camera."""
    nearest = np.where(known, points[..., 2], np.inf).min(-1, initial=np.inf)
    with np.errstate(invalid="ignore"):
        good = (known.sum(-1) >= MIN_JOINTS) & (root[:, 2] + nearest > 0) & np.isfinite(root).all(-1)
    return np.where(good[:, None], root, np.nan)
