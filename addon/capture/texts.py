# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a shot and written as text, as on the command line: lens distortion, lines, points, orders. No bpy.

Every check returns the text or raises ValueError with what it must be. The engine reads these texts itself; here only
their form is looked at, so that a mistake is told before a capture begins.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...rigging.joints import TAKE

_NUMBER = r"\s*-?\d+(?:\.\d*)?\s*"
_POINTS = ",".join([_NUMBER] * 4)
_LINE = re.compile(_POINTS)
_FLOOR = re.compile(f"({_POINTS})=\\s*(\\d+(?:\\.\\d*)?)\\s*")
_PAIR = re.compile(r"\s*(\d+)\s*=\s*(\d+)\s*")
_ORDER = re.compile(r"\s*(\w+)\s*,\s*(\w+)\s*,\s*(\d+(?:\.\d*)?)\s*,\s*(\d+(?:\.\d*)?)\s*(?:,\s*(\d+)\s*)?")


@dataclass(frozen=True)
class Order:
    """A joint is nearer to the camera than another one. nearer, farther: names of take joints. first, last: seconds
    between which it is so. person: whose, None of all."""

    nearer: str
    farther: str
    first: float
    last: float
    person: int | None = None

    def __str__(self) -> str:
        text = f"{self.nearer},{self.farther},{self.first:.3f},{self.last:.3f}"
        return text if self.person is None else f"{text},{self.person}"


def distortion(value: Any) -> str:
    """ "k1,k2,p1,p2" or "k1,k2,p1,p2,k3", OpenCV's coefficients."""
    try:
        numbers = [float(part) for part in _text(value).split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, 5) or not all(map(math.isfinite, numbers)):
        raise ValueError("must be k1,k2,p1,p2 or k1,k2,p1,p2,k3, as OpenCV has them")
    return value


def vertical(value: Any) -> str:
    """ "X,Y,X,Y" in pixels, several with semicolons."""
    if not all(_LINE.fullmatch(part) for part in _text(value).split(";")):
        raise ValueError("must be X,Y,X,Y in pixels, several lines joined by semicolons")
    return value


def floor_points(value: Any) -> str:
    """ "X,Y,X,Y" in pixels."""
    if not _LINE.fullmatch(_text(value)):
        raise ValueError("must be X,Y,X,Y in pixels")
    return value


def floor(value: Any) -> str:
    """ "X,Y,X,Y=METRES"."""
    split_floor(value)
    return value


def split_floor(value: Any) -> tuple[str, float]:
    """ "X,Y,X,Y=METRES" as the points and the metres between them."""
    found = _FLOOR.fullmatch(_text(value))
    if found is None or float(found[2]) <= 0:
        raise ValueError("must be X,Y,X,Y=METRES, two points in pixels and the distance between them")
    return found[1].strip(), float(found[2])


def stitch(value: Any) -> str:
    """ "2=1,5=3": numbers of people who are one person."""
    found = [_PAIR.fullmatch(part) for part in _text(value).split(",")]
    if not all(pair is not None and int(pair[1]) != int(pair[2]) for pair in found):
        raise ValueError("must be numbers of people who are one, as in 2=1 or 2=1,5=3")
    return value


def in_front(value: Any) -> str:
    """ "NEARER,FARTHER,FROM,TO[,PERSON]", several with semicolons."""
    orders_of(value)
    return value


def orders_of(value: Any) -> list[Order]:
    """The orders that such a text holds."""
    return [_order(part) for part in _text(value).split(";") if part.strip()]


def _order(text: str) -> Order:
    said = _ORDER.fullmatch(text)
    if said is None:
        raise ValueError("must be NEARER,FARTHER,FROM,TO, as in left_wrist,thorax,1.2,1.8")
    nearer, farther, first, last, person = said.groups()
    for joint in (nearer, farther):
        if joint not in TAKE:
            raise ValueError(f"must name joints of a take, which {joint} is not")
    if nearer == farther or float(last) < float(first):
        raise ValueError("must name two joints, and a time that does not end before it begins")
    return Order(nearer, farther, float(first), float(last), None if person is None else int(person))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text in quotes")
    return value


def problem_of(value: str, check: Callable[[Any], str], what: str) -> str | None:
    """Why a field of the panel cannot be used, in one sentence; None if it can, or is empty. what: the field's name."""
    if not value.strip():
        return None
    try:
        check(value)
    except ValueError as error:
        return f"{what} {error}, not {value.strip()}"
    return None
