# SPDX-License-Identifier: GPL-3.0-or-later
"""The focal length, where the footage shows it.

Focal length and distance trade off: from one view only perspective tells them apart, that is how much larger the near
parts of a body look than the far ones. On validation motion that rules out focal lengths which are too short for
people nearer than some 4 m, and says next to nothing otherwise (docs/lifting.md). So an assumed focal length is only
moved when it fits clearly worse than others, and only as far as it must be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..camera import project
from .body import given_joints, keypoint_rows
from .stretches import place

#: Focal lengths to try, as factors of the assumed one.
FACTORS = np.exp(np.linspace(np.log(0.55), np.log(1.8), 9))
#: How much worse than the best a focal length may fit: errors of the lifted pose alone make this much difference.
_TOLERANCE = 0.10
#: A usual error of a reprojected joint, as a fraction of the person's extent in the picture.
_USUAL = 0.015


def misfit(lifted: np.ndarray, keypoints: np.ndarray, names: tuple[str, ...], intrinsics: np.ndarray) -> float:
    """Mean robust reprojection error of lifted joints at their linear root, in squares of a usual error.

    lifted: (F, 26, 3) metres, root-relative, lifted under these intrinsics. keypoints: (F, K, 3) pixels and confidence.
    NaN if the joints cannot be placed.
    """
    known = np.isfinite(lifted[:, given_joints(lifted)]).all((1, 2))
    placed = place(lifted[known], keypoints[known], names, intrinsics) if known.any() else None
    if placed is None:
        return float("nan")
    rows, joints, _ = keypoint_rows(names)
    points = keypoints[known][:, rows]
    weight = np.nan_to_num(points[..., 2])
    pixel = np.where(weight[..., None] > 0, points[..., :2], np.nan)
    seen = pixel[weight.any(axis=1)]
    extent = np.median(np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1), axis=0).max() if len(seen) else 0.0
    error = np.linalg.norm(project(placed[:, joints], intrinsics) - pixel, axis=-1) / (_USUAL * max(extent, 1.0))
    robust = np.nan_to_num(error**2 / (1 + error**2 / 9), nan=9.0)
    return float((weight * robust).sum() / max(weight.sum(), 1e-9))


def nearest_explanation(misfits: Sequence[float], factors: np.ndarray = FACTORS) -> float:
    """The factor nearest to 1 whose misfit is within tolerance of the best, interpolated between those tried."""
    values = np.asarray(misfits, float)
    if not np.isfinite(values).all():
        return 1.0
    fine = np.linspace(np.log(factors[0]), np.log(factors[-1]), 401)
    curve = np.interp(fine, np.log(factors), values)
    good = fine[curve <= (1 + _TOLERANCE) * curve.min()]
    return float(np.exp(good[np.argmin(np.abs(good))])) if np.abs(good).min() > 0.01 else 1.0


def estimate_focal(cost: Callable[[float], float]) -> float:
    """Factor on the assumed focal length. cost: the misfit for a factor, lifting anew."""
    return nearest_explanation([cost(float(factor)) for factor in FACTORS])
