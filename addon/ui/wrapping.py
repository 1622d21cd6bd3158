# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Sentences over several lines, as wide as Blender's own letters are."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import blf

#: Pixels that the interface's letters are measured at; everything else is in proportion.
_SIZE = 11.0
_CUT = "..."


@lru_cache(4096)
def _wide(text: str) -> float:
    """Pixels of a text at interface scale 1."""
    blf.size(0, _SIZE)
    return float(blf.dimensions(0, text)[0])


def wrapped(text: str, width: float, whole: bool = False) -> list[str]:
    """A text as lines of at most `width` pixels at interface scale 1; at least one.

    A word that is longer than a line, such as a path, loses its middle: its beginning and its end say most. whole: it
    is broken instead, and nothing is lost. Several spaces between two words, as paths may have, stay where the line
    goes on.
    """
    lines, line = [], ""
    for gap, word in re.findall(r"(\s*)(\S+)", text):
        # Other white space, such as a new line, is one space.
        joined = (line + (gap if gap.strip(" ") == "" else " ") if line else "") + word
        if line and _wide(joined) > width:
            lines.append(line)
            joined = word
        while whole and _wide(joined) > width:
            kept = _most(len(joined) - 1, lambda count, word=joined: _wide(word[:count]) <= width)
            lines.append(joined[:kept])
            joined = joined[kept:]
        line = _shortened(joined, width)
    return [*lines, line]


def _shortened(text: str, width: float) -> str:
    if _wide(text) <= width:
        return text
    return _middle_out(text, _most(len(text), lambda kept: _wide(_middle_out(text, kept)) <= width))


def _most(high: int, fits: Callable[[int], bool]) -> int:
    """The largest of 1 to `high` that fits; 1 if none does."""
    low = 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _middle_out(text: str, kept: int) -> str:
    """The text with `kept` of its characters, more of the end: that is what tells paths apart."""
    start = kept * 2 // 5
    return text[:start] + _CUT + text[len(text) - (kept - start) :]
