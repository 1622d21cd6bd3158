# SPDX-License-Identifier: GPL-3.0-or-later
"""The legend of the overlay: what the colours say. No bpy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .colors import STOPS, confidence_colors
from .geometry import Triangles, merge, rectangle

_WIDTH, _BAR, _BAR_BOTTOM, _PAD = 148.0, 7.0, 20.0, 8.0


def legend_size(unit: float) -> tuple[float, float]:
    """(width, height) in region pixels. unit: the interface's scale."""
    return _WIDTH * unit, (_BAR_BOTTOM + _BAR + 22) * unit


def legend_texts(place: tuple[float, float], unit: float) -> list[tuple[str, float, float, float]]:
    """(text, share, x, y): a text of width w starts at x - share * w, y, region pixels."""
    left, bottom = place
    right = left + _WIDTH * unit
    return [
        ("Confidence", 0.0, left, bottom + (_BAR_BOTTOM + _BAR + 7) * unit),
        ("doubtful", 0.0, left, bottom + 5 * unit),
        ("sure", 1.0, right, bottom + 5 * unit),
    ]


def legend_triangles(place: tuple[float, float], unit: float, under: Triangles) -> Triangles:
    """The legend's box and bar, over the triangles `under`. place: its left and bottom in region pixels."""
    left, bottom = place
    width, height = legend_size(unit)
    pad = _PAD * unit
    shade = np.tile(np.array((0.05, 0.05, 0.06, 0.6), np.float32), (4, 1))
    parts = [under, rectangle(left - pad, bottom - pad / 2, left + width + pad, bottom + height, shade)]
    low, high = bottom + _BAR_BOTTOM * unit, bottom + (_BAR_BOTTOM + _BAR) * unit
    for (start, _), (end, _) in pairwise(STOPS):
        colors = confidence_colors(np.array([start, end, end, start]))
        parts.append(rectangle(left + start * width, low, left + end * width, high, colors))
    return merge(parts)
