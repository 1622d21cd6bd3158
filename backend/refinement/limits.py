# SPDX-License-Identifier: GPL-3.0-or-later
"""What no joint does: knees that bend forwards, limbs folded flat, a neck or back that is broken.

Only positions are known, so limits are of what positions show; beyond a limit a term pulls back, before it there is
none. The limits are passed by one frame in a thousand of the motion library's validation people at most.
"""

from __future__ import annotations

import numpy as np

from ...rigging.joints import TAKE
from .banded import NormalEquations
from .evidence import Evidence, Options
from .terms import share


def _row(name: str) -> int:
    return TAKE.index(name)


_LEGS = tuple(
    tuple(_row(f"{side}_{joint}") for joint in ("hip", "knee", "ankle", "heel", "toe")) for side in ("left", "right")
)
#: Metres by which a knee lies before the line from hip to ankle at least, forwards being where the foot points.
_KNEE = 0.01
#: How much of the foot has to point away from the leg's axis for it to say where forwards is.
_POINTING = 0.5
#: Limbs by their three joints, and the least angle at the middle one, radians.
_FOLDED = tuple(
    (tuple(_row(f"{side}_{joint}") for joint in joints), np.radians(least))
    for side in ("left", "right")
    for joints, least in ((("shoulder", "elbow", "wrist"), 40.0), (("hip", "knee", "ankle"), 30.0))
)
#: Chains by their three joints, and the greatest angle between their two bones, radians.
_BENT = tuple(
    (tuple(_row(joint) for joint in joints), np.radians(most))
    for joints, most in (
        (("pelvis", "spine", "thorax"), 50.0),
        (("spine", "thorax", "neck"), 40.0),
        (("thorax", "neck", "head_top"), 50.0),
    )
)


def limits(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Terms that bring joints beyond their limits back. x: (F, 26, 3) metres, where they are."""
    given = evidence.given
    weight = share(evidence.times) / options.limit**2
    for leg in _LEGS:
        if given[list(leg)].all():
            _knee(equations, x, np.array(leg), weight)
    for joints, least in _FOLDED:
        rows = np.array(joints)
        if given[rows].all():
            _distance(equations, x, rows, _apart(x, rows, least), weight)
    for joints, most in _BENT:
        rows = np.array(joints)
        if given[rows].all():
            _distance(equations, x, rows, _apart(x, rows, np.pi - most), weight)


def bends_backward(x: np.ndarray) -> np.ndarray:
    """(F, 2) metres by which the left and the right knee of (F, 26, 3) lie behind the line from hip to ankle.

    0 where they do not, or where the foot does not say which way is forwards.
    """
    found = []
    for leg in _LEGS:
        forward, told = _forward(x, np.array(leg))
        found.append(np.where(told, np.maximum(-_before(x, np.array(leg), forward), 0.0), 0.0))
    return np.stack(found, axis=-1)


def _knee(equations: NormalEquations, x: np.ndarray, leg: np.ndarray, weight: np.ndarray) -> None:
    forward, told = _forward(x, leg)
    beyond = told & (_before(x, leg, forward) < _KNEE)
    factors = np.stack([-0.5 * forward, forward, -0.5 * forward], axis=1)
    equations.sums(leg[:3], factors, np.full(len(x), _KNEE), np.where(beyond, weight, 0.0))


def _forward(x: np.ndarray, leg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the foot points, off the line from hip to ankle (F, 3), and whether it does so clearly enough (F,)."""
    hip, _, ankle, heel, toe = (x[:, row] for row in leg)
    axis = ankle - hip
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    foot = toe - heel
    off = foot - (foot * axis).sum(-1, keepdims=True) * axis
    length = np.linalg.norm(off, axis=-1)
    told = length > _POINTING * np.linalg.norm(foot, axis=-1)
    return off / np.maximum(length, 1e-9)[:, None], told


def _before(x: np.ndarray, leg: np.ndarray, forward: np.ndarray) -> np.ndarray:
    hip, knee, ankle = (x[:, row] for row in leg[:3])
    return ((knee - 0.5 * (hip + ankle)) * forward).sum(-1)


def _apart(x: np.ndarray, rows: np.ndarray, angle: float) -> np.ndarray:
    """How far the ends of two bones (F,) are apart that meet at an angle."""
    first, second = (np.linalg.norm(x[:, rows[1]] - x[:, rows[end]], axis=-1) for end in (0, 2))
    return np.sqrt(np.maximum(first**2 + second**2 - 2 * first * second * np.cos(angle), 0.0))


def _distance(
    equations: NormalEquations, x: np.ndarray, rows: np.ndarray, least: np.ndarray, weight: np.ndarray
) -> None:
    """The two ends are at least so far apart."""
    way = x[:, rows[2]] - x[:, rows[0]]
    distance = np.linalg.norm(way, axis=-1)
    unit = way / np.maximum(distance, 1e-9)[:, None]
    beyond = distance < least
    equations.sums(rows[[0, 2]], np.stack([-unit, unit], axis=1), least, np.where(beyond, weight, 0.0))
