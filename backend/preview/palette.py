# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of the preview, RGB 0..255."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

Color = tuple[int, int, int]

BACKGROUND_TOP: Color = (20, 22, 28)
BACKGROUND_BOTTOM: Color = (40, 44, 54)
GRID: Color = (112, 122, 142)
OUTLINE: Color = (12, 13, 16)

#: Hues of people, apart from each other also for most colour-blind eyes, turns of the colour circle.
_HUES = (0.07, 0.55, 0.83, 0.36, 0.15, 0.70)


@dataclass(frozen=True)
class Limbs:
    """Colours of one person's left limbs, right limbs and trunk."""

    left: Color
    right: Color
    middle: Color

    def of(self, joint: str) -> Color:
        """The colour of the bone that ends in `joint`."""
        if joint.startswith("left_"):
            return self.left
        return self.right if joint.startswith("right_") else self.middle


_ALONE = Limbs(left=(255, 140, 66), right=(58, 190, 255), middle=(236, 238, 244))


def limbs(person: int, people: int) -> Limbs:
    """Colours of one of several people: one hue each, left limbs pale and right limbs deep.

    Someone alone gets orange for left and blue for right, which tells the sides apart at a glance.
    """
    if people == 1:
        return _ALONE
    hue = _HUES[person % len(_HUES)]
    return Limbs(left=_rgb(hue, 0.38, 1.0), right=_rgb(hue, 0.95, 0.78), middle=_rgb(hue, 0.70, 0.95))


def confidence_color(confidence: float) -> Color:
    """Red at 0 over yellow to green at 1."""
    return _rgb(min(max(confidence, 0.0), 1.0) / 3, 0.85, 0.95)


def mix(color: Color, other: Color, amount: float) -> Color:
    """`color` moved towards `other` by `amount`, 0..1."""
    r, g, b = (round(a + (z - a) * amount) for a, z in zip(color, other, strict=True))
    return r, g, b


def _rgb(hue: float, saturation: float, value: float) -> Color:
    r, g, b = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return r, g, b
