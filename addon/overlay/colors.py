# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence as colour: one scale for everything that shows confidence inside Blender.

Orange is doubtful, pale yellow is fair, blue is sure. Orange against blue is told apart with every common kind of
colour blindness, which red against green is not; all three are bright enough for footage, and have a dark rim.
"""

from __future__ import annotations

import numpy as np

#: Confidence and its colour, sRGB 0..1.
STOPS: tuple[tuple[float, tuple[float, float, float]], ...] = (
    (0.0, (0.87, 0.30, 0.02)),
    (0.5, (0.99, 0.89, 0.55)),
    (1.0, (0.18, 0.60, 0.98)),
)
#: The rim around dots and lines, sRGB and alpha.
RIM = (0.03, 0.03, 0.04, 0.75)

_AT = np.array([at for at, _ in STOPS])
_RGB = np.array([rgb for _, rgb in STOPS])


def confidence_colors(confidence: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """(...) confidences 0..1 -> (..., 4) float32 sRGB colours with alpha 0..1; NaN counts as 0."""
    values = np.clip(np.nan_to_num(np.asarray(confidence, np.float64)), 0, 1)
    channels = [np.interp(values, _AT, _RGB[:, channel]) for channel in range(3)]
    return np.stack([*channels, np.full(values.shape, alpha)], -1).astype(np.float32)


def confidence_color(confidence: float) -> tuple[float, float, float]:
    """The sRGB colour (0..1) of one confidence."""
    red, green, blue, _ = confidence_colors(np.array(confidence)).tolist()
    return red, green, blue
