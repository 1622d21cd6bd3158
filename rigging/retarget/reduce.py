# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys with a bound, in millimetres at the joints, on what that changes.

Between keys an F-curve is a cubic whose slopes at the keys are the motion's own (Hermite; in Blender a Bezier curve
whose handles lie at a third of the way). Keys are put where the cubic is furthest from the motion until it is near
enough: per bone, since a finger's width at the wrist is nothing at the hip's end of the leg.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .curves import Curve
from .rig import Rig

_Error = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Keys:
    """Keys of one curve: frames (K,) at rows (K,) of the clip, values (K, C), slopes (K, C) per frame."""

    curve: Curve
    rows: np.ndarray
    frames: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    def evaluate(self, frames: np.ndarray) -> np.ndarray:
        """(G, C) the curve between its keys at frames (G,), held outside."""
        return hermite(self.frames, self.values, self.slopes, frames)


def hermite(at: np.ndarray, values: np.ndarray, slopes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(G, C) cubic Hermite interpolation of values (K, C) with slopes (K, C) at `at` (K,)."""
    if len(at) == 1:
        return np.repeat(values, len(wanted), 0)
    right = np.clip(np.searchsorted(at, wanted, side="right"), 1, len(at) - 1)
    left = right - 1
    span = (at[right] - at[left])[:, None]
    t = np.clip((wanted - at[left])[:, None] / span, 0.0, 1.0)
    return (
        (1 + 2 * t) * (1 - t) ** 2 * values[left]
        + t * (1 - t) ** 2 * span * slopes[left]
        + t * t * (3 - 2 * t) * values[right]
        - t * t * (1 - t) * span * slopes[right]
    )


def every_key(curve: Curve, frames: np.ndarray) -> Keys:
    """A key on every frame."""
    slopes = np.gradient(curve.values, frames, axis=0) if len(frames) > 1 else np.zeros_like(curve.values)
    return Keys(curve, np.arange(len(frames)), frames, curve.values, slopes)


def reduce_curve(curve: Curve, frames: np.ndarray, tolerance: float, levers: np.ndarray) -> Keys:
    """As few keys as keep every frame within `tolerance` metres.

    levers: (N, 3) metres, what hangs from the bone in its own axes, for rotations (`lever_arms`).
    Values and slopes at the keys are those of the cubic spline that is nearest to all frames (least squares), which
    needs about half the keys of one that goes through the motion at its keys.
    """
    error = _location_error if curve.path == "location" else _rotation_error(curve, levers)
    count = len(frames)
    rows = np.array([0, count - 1]) if count > 1 else np.array([0])
    while True:
        keys = fit(curve, frames, rows)
        away = error(keys.evaluate(frames), curve.values)
        if away.max() <= tolerance or len(rows) == count:
            break
        rows = _with_more(rows, away, tolerance)
    return _with_fewer(keys, frames, tolerance, error)


def _with_fewer(keys: Keys, frames: np.ndarray, tolerance: float, error: _Error) -> Keys:
    """The same without the keys that turn out not to be needed: every third is taken out, and put back where the motion
    would get too far away; then the next third, until nothing more can go."""
    idle, phase, fewer = 0, 0, keys
    while idle < 3 and len(keys.rows) > 2:
        tried = np.arange(1 + phase % 3, len(keys.rows) - 1, 3)
        phase += 1
        gone = np.ones(len(tried), bool)
        while gone.any():
            rows = np.delete(keys.rows, tried[gone])
            fewer = fit(keys.curve, frames, rows)
            wrong = np.flatnonzero(error(fewer.evaluate(frames), keys.curve.values) > tolerance)
            if not len(wrong):
                break
            # Put back what lies nearest to each frame that is too far away.
            places = keys.rows[tried[gone]]
            nearest = np.abs(places[:, None] - wrong[None]).argmin(0)
            gone[np.flatnonzero(gone)[np.unique(nearest)]] = False
        idle = 0 if gone.any() else idle + 1
        if gone.any():
            keys = fewer
    return keys


def _with_more(rows: np.ndarray, away: np.ndarray, tolerance: float) -> np.ndarray:
    """One key more in every stretch that is too far away, where it halves what is wrong."""
    added = []
    for first, last in pairwise(rows.tolist()):
        part = away[first : last + 1]
        if part.max() <= tolerance:
            continue
        if last - first < 2:
            # The error is at a key itself: its neighbours' stretches have to let it go.
            added += [max(first - 1, 0), min(last + 1, len(away) - 1)]
            continue
        weight = np.cumsum(part**2)
        middle = first + int(np.searchsorted(weight, weight[-1] / 2))
        quarter = (last - first) // 4
        added.append(int(np.clip(middle, first + max(quarter, 1), last - max(quarter, 1))))
    return np.union1d(rows, added).astype(np.int64)


def fit(curve: Curve, frames: np.ndarray, rows: np.ndarray) -> Keys:
    """The cubic with keys at `rows` whose values and slopes are nearest to the curve on all frames.

    Normal equations of the Hermite basis: block tridiagonal with 2 by 2 blocks, eliminated forward and solved backward.
    """
    values = curve.values
    if len(rows) < 2:
        return Keys(curve, rows, frames[rows], values[rows], np.zeros_like(values[rows]))
    span = np.diff(frames[rows])
    segment = np.clip(np.searchsorted(rows, np.arange(len(frames)), side="right") - 1, 0, len(rows) - 2)
    t = (frames - frames[rows][segment]) / span[segment]
    basis = np.stack(
        [
            (1 + 2 * t) * (1 - t) ** 2,
            t * (1 - t) ** 2 * span[segment],
            t * t * (3 - 2 * t),
            -t * t * (1 - t) * span[segment],
        ],
        1,
    )
    starts = rows[:-1]
    products = np.add.reduceat(basis[:, :, None] * basis[:, None, :], starts, 0)
    right = np.add.reduceat(basis[:, :, None] * values[:, None, :], starts, 0)
    count = len(rows)
    diagonal, upper = np.zeros((count, 2, 2)), products[:, :2, 2:]
    target = np.zeros((count, 2, values.shape[1]))
    diagonal[:-1] += products[:, :2, :2]
    diagonal[1:] += products[:, 2:, 2:]
    target[:-1] += right[:, :2]
    target[1:] += right[:, 2:]
    # Between neighbouring frames there is nothing to fit: then the slopes are the motion's own.
    slopes = np.gradient(values, frames, axis=0)[rows]
    diagonal[:, 1, 1] += (hold := 1e-3 * np.einsum("kii->k", diagonal) + 1e-9)
    target[:, 1] += hold[:, None] * slopes
    solved = _block_tridiagonal(diagonal, upper, target)
    return Keys(curve, rows, frames[rows], solved[:, 0], solved[:, 1])


def _block_tridiagonal(diagonal: np.ndarray, upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (K, 2, C) of a symmetric block tridiagonal system: diagonal (K, 2, 2), upper (K - 1, 2, 2), right (K, 2, C)."""
    diagonal, right = diagonal.copy(), right.copy()
    for row in range(1, len(diagonal)):
        factor = upper[row - 1].T @ np.linalg.inv(diagonal[row - 1])
        diagonal[row] -= factor @ upper[row - 1]
        right[row] -= factor @ right[row - 1]
    solved = np.empty_like(right)
    solved[-1] = np.linalg.solve(diagonal[-1], right[-1])
    for row in range(len(diagonal) - 2, -1, -1):
        solved[row] = np.linalg.solve(diagonal[row], right[row] - upper[row] @ solved[row + 1])
    return solved


def _rotation_error(curve: Curve, levers: np.ndarray) -> _Error:
    def error(guess: np.ndarray, true: np.ndarray) -> np.ndarray:
        moved = (curve.rotations(guess) - curve.rotations(true)) @ levers.T
        return np.linalg.norm(moved, axis=1).max(-1)

    return error


def _location_error(guess: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.linalg.norm(guess - true, axis=-1)


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
    joints: Callable[[dict[tuple[str, str], np.ndarray]], np.ndarray],
) -> list[Keys]:
    """Keys for all curves so that no joint is further than `bound` metres from where it was, on any frame.

    curves: locations in metres. levers: of each bone, `lever_arms`. above: for each joint the bones that move it.
    joints: (values of each (bone, path)) -> (F, J, 3) positions, metres. It judges: bones above a joint that breaks the
    bound are reduced less, until it holds.
    """
    true = joints({(curve.bone, curve.path): curve.values for curve in curves})
    depth = {curve.bone: max(len(bones) for bones in above if curve.bone in bones) for curve in curves}
    allowed = {bone: 2.0 * bound / np.sqrt(count) for bone, count in depth.items()}
    keys = [reduce_curve(curve, frames, allowed[curve.bone], levers[curve.bone]) for curve in curves]
    while True:
        values = {(key.curve.bone, key.curve.path): key.evaluate(frames) for key in keys}
        worst = np.linalg.norm(joints(values) - true, axis=-1).max(0)
        guilty: dict[str, float] = {}
        for distance, bones in zip(worst.tolist(), above, strict=True):
            for bone in bones if distance > bound else ():
                guilty[bone] = max(guilty.get(bone, 0.0), distance)
        full = {key.curve.bone for key in keys if len(key.rows) == len(frames)}
        if not guilty.keys() - full:
            return keys
        for bone, distance in guilty.items():
            allowed[bone] *= float(np.clip(bound / distance, 0.5, 0.85))
        keys = [
            reduce_curve(key.curve, frames, allowed[key.curve.bone], levers[key.curve.bone])
            if key.curve.bone in guilty
            else key
            for key in keys
        ]
