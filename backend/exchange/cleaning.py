# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as other programs write them to pixels and confidences from 0 to 1; missing is NaN, NaN, 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import UserError

#: Positions that never go beyond this are parts of the picture, not pixels.
_NORMALISED = 1.5
#: Positions beyond this, in pixels, are no positions.
_FURTHEST = 1e6
#: Confidences up to this are 1, more or less.
_ROUNDED = 1.005


@dataclass(frozen=True)
class Cleaned:
    """frames: by number, (M, K, 3) pixels and confidence. warnings: what had to be done, one sentence each."""

    frames: dict[int, np.ndarray]
    warnings: list[str]


def clean(frames: Mapping[int, np.ndarray], image_size: tuple[int, int], where: str) -> Cleaned:
    """Clip confidences, find out what is missing, and turn parts of the picture into pixels.

    frames: (M, K, 3) each, as they stand in the file. A point is missing whose confidence is not above 0, that has no
    number or lies at exactly 0, 0. Raises UserError if nobody is left, or most of them lie outside of the picture.
    """
    numbers = list(frames)
    lengths = [len(frames[number]) for number in numbers]
    points = np.concatenate([frames[number] for number in numbers]).astype(np.float64)
    points, warnings = _confidences(points)
    seen = points[..., 2] > 0
    if not seen.any():
        raise UserError(f"there is nobody in {where}: no point has a confidence above 0")
    points, scaled = _pixels(points, seen, image_size)
    _check_picture(points[seen, :2], image_size, where)
    parts = np.split(points, np.cumsum(lengths)[:-1])
    return Cleaned(dict(zip(numbers, parts, strict=True)), [*warnings, *scaled])


def _confidences(points: np.ndarray) -> tuple[np.ndarray, list[str]]:
    points = points.copy()
    confidence = points[..., 2]
    known = np.isfinite(points).all(-1) & (points[..., :2] != 0).any(-1) & (np.abs(points[..., :2]) < _FURTHEST).all(-1)
    warnings = []
    high = known & (confidence > 1)
    if known.any() and confidence[known].max() > _ROUNDED:
        share = 100 * high.sum() / known.sum()
        warnings.append(
            f"{share:.0f} % of the confidences lie above 1 (up to {confidence[high].max():.3g}) and count as 1; "
            "such scores say little about how sure a point is"
            if share >= 1
            else f"confidences above 1 (up to {confidence[high].max():.3g}) count as 1"
        )
    low = known & (confidence < 0)
    if low.any():
        warnings.append(
            f"{100 * low.sum() / known.sum():.0f} % of the confidences are negative: those points count as missing"
        )
    points[..., 2] = np.clip(np.where(known, confidence, 0.0), 0.0, 1.0)
    points[points[..., 2] <= 0] = (np.nan, np.nan, 0.0)
    return points, warnings


def _pixels(points: np.ndarray, seen: np.ndarray, image_size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    positions = points[seen, :2]
    if np.abs(positions).max() > _NORMALISED:
        return points, []
    points = points.copy()
    if (positions < -0.1).any():
        points[..., :2] = (points[..., :2] + 1) / 2 * image_size
        return points, ["positions are taken for parts of the picture from -1 to 1"]
    points[..., :2] *= image_size
    return points, ["positions are taken for parts of the picture from 0 to 1"]


def _check_picture(positions: np.ndarray, image_size: tuple[int, int], where: str) -> None:
    outside = ((positions < 0) | (positions > image_size)).any(-1)
    if outside.mean() > 0.5:
        furthest = " x ".join(f"{value:.0f}" for value in positions.max(0))
        raise UserError(
            f"most points of {where} lie outside of a picture of {image_size[0]}x{image_size[1]}: "
            f"they reach {furthest}; check the size"
        )
