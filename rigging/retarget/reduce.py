# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys with a bound, in millimetres at the joints, on what that changes.

Between keys an F-curve is a cubic whose slopes at the keys are the motion's own (Hermite; in Blender a Bezier curve
whose handles lie at a third of the way). Keys are put where the cubic is furthest from the motion until it is near
enough: per bone, since a finger's width at the wrist is nothing at the hip's end of the leg.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .curves import Curve


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


def reduce_curve(curve: Curve, frames: np.ndarray, tolerance: float, lever: float) -> Keys:
    """As few keys as keep every frame within `tolerance` metres.

    lever: metres that one radian of this bone moves what hangs from it; for locations the metres of one unit.
    """
    error = _rotation_error(curve, lever) if curve.path != "location" else _location_error(lever)
    whole = every_key(curve, frames)
    keep = np.zeros(len(frames), bool)
    keep[[0, -1]] = True
    todo = [(0, len(frames) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        rows = np.arange(first + 1, last)
        ends = [first, last]
        guess = hermite(frames[ends], whole.values[ends], whole.slopes[ends], frames[rows])
        away = error(guess, curve.values[rows])
        if away.max() <= tolerance:
            continue
        # The worst frame, but not right beside an end, where a key would save nothing.
        worst = int(np.clip(rows[away.argmax()], first + (last - first) // 4, last - (last - first) // 4))
        keep[worst] = True
        todo += [(first, worst), (worst, last)]
    rows = np.flatnonzero(keep)
    return Keys(curve, rows, frames[rows], curve.values[rows], whole.slopes[rows])


def _rotation_error(curve: Curve, lever: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def error(guess: np.ndarray, true: np.ndarray) -> np.ndarray:
        difference = np.swapaxes(curve.rotations(guess), -1, -2) @ curve.rotations(true)
        # |R - I| = 2 sqrt(2) sin(angle / 2): exact for small angles, where the trace is not.
        chord = np.linalg.norm(difference - np.eye(3), axis=(1, 2)) / (2 * np.sqrt(2))
        return lever * 2 * np.arcsin(np.clip(chord, 0, 1))

    return error


def _location_error(unit_length: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda guess, true: unit_length * np.linalg.norm(guess - true, axis=-1)


def reduce_curves(
    curves: list[Curve],
    frames: np.ndarray,
    levers: dict[str, float],
    depths: dict[str, int],
    bound: float,
    joints: Callable[[dict[tuple[str, str], np.ndarray]], np.ndarray],
) -> list[Keys]:
    """Keys for all curves so that no joint is further than `bound` metres from where it was, on any frame.

    levers, depths: of each bone: metres to the furthest thing it moves; keyed bones above it, itself counted.
    joints: (values of each (bone, path)) -> (F, J, 3) positions, metres. It judges: where the bound is broken the
    curves are reduced less, until it holds.
    """
    true = joints({(curve.bone, curve.path): curve.values for curve in curves})
    share = 1.0
    while True:
        keys = [
            reduce_curve(c, frames, share * bound / np.sqrt(max(depths[c.bone], 1)), levers[c.bone]) for c in curves
        ]
        values = {(key.curve.bone, key.curve.path): key.evaluate(frames) for key in keys}
        worst = float(np.linalg.norm(joints(values) - true, axis=-1).max(initial=0.0))
        if worst <= bound or all(len(key.rows) == len(frames) for key in keys):
            return keys
        share *= max(0.5, 0.9 * bound / worst)
