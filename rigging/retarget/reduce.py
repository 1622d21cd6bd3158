# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys with a bound, in millimetres at the joints, on what that changes.

All curves are reduced together: keys are added where the nearest cubic is too far from the motion and taken out where
it is near without them. Then the joints are looked at on every frame: where one is too far away, the bones above it
get less room around that frame, where there is room to spare they get more, until every joint keeps the bound. At last
keys are tried without as long as the joints allow it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .curves import Curve
from .reduction import Reduction
from .splines import Keys, hermite

__all__ = ["Keys", "every_key", "hermite", "lever_arms", "reduce_curves"]

_Values = dict[tuple[str, str], np.ndarray]
_ROUNDS = 3  # in which room is given and taken, before it is only taken
_LAST = 4  # times that keys are tried without at the end
_BESIDE = 0.25  # of how far a bone reaches: how far beside it there is something
_ALL = 20  # rounds after which every frame around one that is too far away gets a key


def every_key(curve: Curve, frames: np.ndarray) -> Keys:
    """A key on every frame."""
    slopes = np.gradient(curve.values, frames, axis=0) if len(frames) > 1 else np.zeros_like(curve.values)
    return Keys(curve, np.arange(len(frames)), frames, curve.values, slopes)


def lever_arms(points: np.ndarray) -> np.ndarray:
    """(3, 3) metres, in a bone's own axes: to the furthest of the points (P, 3) that it moves, and across that line.

    Across is at least a part of it: skin lies beside a bone and turns with it.
    """
    along = points[np.linalg.norm(points, axis=-1).argmax()]
    reach = max(float(np.linalg.norm(along)), 1e-6)
    way = along / reach
    aside = np.linalg.norm(points - (points @ way)[:, None] * way, axis=-1).max()
    normal = np.cross(way, np.eye(3)[np.abs(way).argmin()])
    normal *= max(float(aside), _BESIDE * reach) / np.linalg.norm(normal)
    return np.stack([along, normal, np.cross(way, normal)])


def reduce_curves(
    curves: list[Curve],
    frames: np.ndarray,
    levers: dict[str, np.ndarray],
    above: list[set[str]],
    bound: float | np.ndarray,
    joints: Callable[[_Values], np.ndarray],
    true: np.ndarray | None = None,
) -> list[Keys]:
    """Keys for all curves so that no joint is further than `bound` metres from where it shall be, on any frame.

    curves: locations in metres. levers: of each bone, `lever_arms`. above: for each joint the bones that move it.
    bound: of all joints or (J,) of each. joints: (values of each (bone, path)) -> (F, J, 3) positions, metres. It
    judges what is handed back. true: (F, J, 3) where they shall be, or None for where the curves put them.
    """
    if len(frames) < 3 or not curves:
        return [every_key(curve, frames) for curve in curves]
    work = Reduction(curves, frames, levers)
    moves = np.array([[curve.bone in bones for bones in above] for curve in curves]).reshape(len(curves), -1)
    limits = np.broadcast_to(bound, (len(above),))
    if true is None:
        true = joints(_by_curve(curves, work.splines.values, len(frames)))

    def judge() -> np.ndarray:
        now = joints(_by_curve(curves, work.found, len(frames)))
        return _of_curves(np.linalg.norm(now - true, axis=-1) / limits, moves)

    depth = np.maximum(moves.sum(0), 1)
    least = float(limits.min())
    allowed = [float((limits / np.sqrt(depth))[row].min()) if row.any() else least for row in moves]
    work.room = np.repeat(allowed, len(frames))
    for number in range(10 * _ALL):
        work.add()
        if number <= _ROUNDS:
            work.remove()
        away = judge()
        if number >= _ROUNDS and away.max() <= 1.0:
            break
        if number >= _ALL and not work.fill(away > 1.0):
            break
        work.give(away, more=number < _ROUNDS)
    for _ in range(_LAST):
        work.trim(judge, least)
    return work.keys(curves)


def _by_curve(curves: list[Curve], rows: np.ndarray, length: int) -> _Values:
    return {
        (curve.bone, curve.path): rows[number * length : (number + 1) * length, : curve.values.shape[1]]
        for number, curve in enumerate(curves)
    }


def _of_curves(away: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """(N F,) how far away, as a part of the bound, the worst joint is that a curve moves. away: (F, J)."""
    worst = [away[:, row].max(1) if row.any() else np.zeros(len(away)) for row in moves]
    return np.concatenate(worst)
