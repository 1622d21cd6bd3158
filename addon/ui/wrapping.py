# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Sentences over several lines, as wide as Blender's own letters are."""

from __future__ import annotations

from functools import cache

import blf

#: Pixels that the interface's letters are measured at; everything else is in proportion.
_SIZE = 11.0
_CUT = "..."


@cache
def _wide(text: str) -> float:
    """Pixels of a text at interface scale 1."""
    blf.size(0, _SIZE)
    return float(blf.dimensions(0, text)[0])


def wrapped(text: str, width: float) -> list[str]:
    """A text as lines of at most `width` pixels at interface scale 1; at least one.

    A word that is longer than a line, such as a path, loses its middle: its beginning and its end say most.
    """
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if line and _wide(joined) > width:
            lines.append(line)
            joined = word
        line = _shortened(joined, width)
    return [*lines, line]


def _shortened(text: str, width: float) -> str:
    if _wide(text) <= width:
        return text
    low, high = 1, len(text)
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (kept, high) if _wide(_middle_out(text, kept)) <= width else (low, kept - 1)
    return _middle_out(text, low)


def _middle_out(text: str, kept: int) -> str:
    """The text with `kept` of its characters, more of the end: that is what tells paths apart."""
    start = kept * 2 // 5
    return text[:start] + _CUT + text[len(text) - (kept - start) :]
