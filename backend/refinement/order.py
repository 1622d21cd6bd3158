# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees and a single view hardly shows: which of two joints is nearer to the camera.

Pavlakos et al. (CVPR 2018) train with such orders; here the person who looks at the result says one, and the
refinement keeps it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ...rigging.joints import TAKE
from ..errors import UserError
from .banded import NormalEquations

#: Metres by which the nearer joint is nearer, and how firmly it is held there.
_NEARER, _FIRM = 0.05, 0.01
_SAID = re.compile(r"\s*(\w+)\s*,\s*(\w+)\s*,\s*(\d+(?:\.\d*)?)\s*,\s*(\d+(?:\.\d*)?)\s*(?:,\s*(\d+)\s*)?")


@dataclass(frozen=True)
class InFront:
    """nearer, farther: rows of take joints. first, last: seconds between which it is so. person: whose, None of all."""

    nearer: int
    farther: int
    first: float
    last: float
    person: int | None = None


def parse_in_front(text: str) -> tuple[InFront, ...]:
    """ "NEARER,FARTHER,FROM,TO[,PERSON]", several with semicolons: joints of a take, seconds, the number of a person.

    Raises UserError if it is not that.
    """
    return tuple(_parse(part) for part in text.split(";") if part.strip())


def _parse(text: str) -> InFront:
    said = _SAID.fullmatch(text)
    if said is None:
        raise UserError(
            f"'{text.strip()}' does not say what is in front: write NEARER,FARTHER,FROM,TO, "
            "as in left_wrist,thorax,1.2,1.8"
        )
    nearer, farther, first, last, person = said.groups()
    for joint in (nearer, farther):
        if joint not in TAKE:
            raise UserError(f"there is no joint {joint} to be in front; a take has {', '.join(TAKE.names)}")
    if nearer == farther:
        raise UserError(f"{nearer} cannot be in front of itself")
    if float(last) < float(first):
        raise UserError(f"{nearer} in front of {farther} ends at {last} s, before it begins at {first} s")
    rows = TAKE.index(nearer), TAKE.index(farther)
    return InFront(*rows, float(first), float(last), None if person is None else int(person))


def in_front(
    equations: NormalEquations,
    orders: tuple[InFront, ...],
    x: np.ndarray,
    times: np.ndarray,
    camera: np.ndarray | None,
) -> None:
    """Terms that bring the nearer joint before the farther one, where it is not.

    x: (F, 26, 3) metres. times: (F,) seconds. camera: (F, 4, 4) world to camera, None if x is in camera axes.
    """
    for order in orders:
        ahead = np.broadcast_to([0.0, 0.0, 1.0], (len(x), 3)) if camera is None else camera[:, 2, :3]
        between = ((x[:, order.farther] - x[:, order.nearer]) * ahead).sum(-1)
        # One instant that falls between two frames counts for the nearest of them.
        slack = 0.5 * float(np.median(np.diff(times))) if len(times) > 1 else np.inf
        within = (times >= order.first - slack) & (times <= order.last + slack)
        weight = np.where(within & (between < _NEARER), 1 / _FIRM**2, 0.0)
        factors = np.stack([-ahead, ahead], axis=1)
        equations.sums(np.array([order.nearer, order.farther]), factors, np.full(len(x), _NEARER), weight)
