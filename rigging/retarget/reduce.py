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
from .rig import Rig
from .splines import Keys, hermite

__all__ = ["Keys", "every_key", "hermite", "lever_arms", "reduce_curves"]

_Values = dict[tuple[str, str], np.ndarray]
_ROUNDS = 3  # in which room is given and taken, before it is only taken
_LAST = 4  # times that keys are tried without at the end
_ALL = 20  # rounds after which every frame around one that is too far away gets a key


def every_key(curve: Curve, frames: np.ndarray) -> Keys:
    """A key on every frame."""
    slopes = np.gradient(curve.values, frames, axis=0) if len(frames) > 1 else np.zeros_like(curve.values)
    return Keys(curve, np.arange(len(frames)), frames, curve.values, slopes)


def lever_arms(rig: Rig, row: int) -> np.ndarray:
    """(3, 3) metres, in the bone's own axes: to the furthest thing it moves, and across that line.

    Across is what the limb beyond the next joint reaches when it is bent: a thigh's roll moves the foot of a bent knee.
    """
    bone = rig.bones[row]
    below, todo = [row], list(rig.children[row])
    while todo:
        below.append(todo.pop())
        todo += rig.children[below[-1]]
    tips = np.array([rig.bones[one].rest[:3, 3] + rig.bones[one].length * rig.bones[one].rest[:3, 1] for one in below])
    local = (tips - bone.rest[:3, 3]) @ bone.rest[:3, :3]
    along = local[np.linalg.norm(local, axis=-1).argmax()]
    reach = float(np.linalg.norm(along))
    way = along / max(reach, 1e-9)
    aside = np.linalg.norm(local - (local @ way)[:, None] * way, axis=-1).max()
    across = max(float(aside), 0.5 * (reach - bone.length), 0.05 * reach)
    normal = np.cross(way, np.eye(3)[np.abs(way).argmin()])
    normal /= np.linalg.norm(normal)
    return rig.size * np.stack([along, across * normal, across * np.cross(way, normal)])


def reduce_curves(
    curves: list[Curve],
    frames: np.ndarray,
    levers: dict[str, np.ndarray],
    above: list[set[str]],
    bound: float,
    joints: Callable[[_Values], np.ndarray],
) -> list[Keys]:
    """Keys for all curves so that no joint is further than `bound` metres from where it was, on any frame.

    curves: locations in metres. levers: of each bone, `lever_arms`. above: for each joint the bones that move it.
    joints: (values of each (bone, path)) -> (F, J, 3) positions, metres. It judges what is handed back.
    """
    if len(frames) < 3 or not curves:
        return [every_key(curve, frames) for curve in curves]
    work = Reduction(curves, frames, levers)
    moves = np.array([[curve.bone in bones for bones in above] for curve in curves]).reshape(len(curves), -1)
    true = joints(_by_curve(curves, work.splines.values, len(frames)))

    def judge() -> np.ndarray:
        now = joints(_by_curve(curves, work.found, len(frames)))
        return _of_curves(np.linalg.norm(now - true, axis=-1) / bound, moves)

    depth = np.maximum(moves.sum(0), 1)
    allowed = bound * np.array([2.0 / np.sqrt(depth[row].max()) if row.any() else 2.0 for row in moves])
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
        work.trim(judge, bound)
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
