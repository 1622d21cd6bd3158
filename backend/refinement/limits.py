# SPDX-License-Identifier: GPL-3.0-or-later
"""What joints do: knees bend forwards, limbs do not fold flat, neck and back do not break.

Only positions are known, so limits are of what positions show; beyond a limit a term pulls back, before it there is
none. In 24 clips of validation motion some 5 knees in a thousand are beyond theirs, 1.5 of them by more than 2 cm; of
the angles less than one in a thousand.
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
    np.array([_row(f"{side}_{joint}") for joint in ("hip", "knee", "ankle", "heel", "toe")])
    for side in ("left", "right")
)
#: Metres by which a knee lies before the line from hip to ankle at least, forwards being where the foot points.
_KNEE = 0.01
#: How much of the foot has to point away from the leg's axis for it to say where forwards is.
_POINTING = 0.5
#: Chains of three joints, and the least angle between the bones at the middle one, radians; straight is 180 degrees.
_ANGLES = tuple(
    (np.array([_row(joint) for joint in joints]), np.radians(least))
    for joints, least in (
        *(((f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"), 40.0) for side in ("left", "right")),
        *(((f"{side}_hip", f"{side}_knee", f"{side}_ankle"), 30.0) for side in ("left", "right")),
        (("pelvis", "spine", "thorax"), 130.0),
        (("spine", "thorax", "neck"), 140.0),
        (("thorax", "neck", "head_top"), 130.0),
    )
)


def limits(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Terms that bring joints beyond their limits back. x: (F, 26, 3) metres, where they are."""
    given = evidence.given
    weight = share(evidence.times) / options.limit**2
    for leg in _LEGS:
        if given[leg].all():
            _knee(equations, x, leg, weight)
    for rows, least in _ANGLES:
        if given[rows].all():
            _distance(equations, x, rows, _apart(x, rows, least), weight)


def _knee(equations: NormalEquations, x: np.ndarray, leg: np.ndarray, weight: np.ndarray) -> None:
    forward, told = _forward(x, leg)
    hip, knee, ankle = (x[:, row] for row in leg[:3])
    beyond = told & (((knee - 0.5 * (hip + ankle)) * forward).sum(-1) < _KNEE)
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
