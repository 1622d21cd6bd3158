# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a picture that a detector looks at, and boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Look:
    """The part [x0, x1) x [y0, y1) of a picture, whole pixels, seen `scale` times as large."""

    x0: int
    y0: int
    x1: int
    y1: int
    scale: float


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(A, B) intersection over union of boxes (A, 4) and (B, 4), x0 y0 x1 y1."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), -1)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), -1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.where(union > 0, common / np.maximum(union, 1e-9), 0.0)
