# SPDX-License-Identifier: GPL-3.0-or-later
"""Two-bone limbs: where knee or elbow goes when the end is moved, in closed form and for all frames at once."""

from __future__ import annotations

import numpy as np

from ..vectors import dot, perpendicular, smoothstep, swing, unit
from .smoothing import whittaker

_STRAIGHT = np.radians(4.0)  # below this bend a limb counts as bent by this
#: What a turn's jerkiness weighs against the way of the end: 2.5 mm of a metre are worth 30 rad/s^2.
_CALM = (0.0025 / 30.0) ** 2


def reach(
    start: np.ndarray, middle: np.ndarray, end: np.ndarray, target: np.ndarray, hinge: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World rotations (F, 3, 3) of the upper and the lower bone that bring `end` to `target`.

    start, middle, end, target: (F, 3). hinge: (F, 3) unit axis about which the limb bends (as in `rigging.rotations`:
    a positive turn folds it); it decides where the limb is too straight to say. The plane of the limb swings with the
    line from start to target and does not turn about it. A target out of reach is approached as near as the limb's
    length lets it. Law of cosines; no iteration, so nothing jumps.
    """
    upper, lower = middle - start, end - middle
    a, b = np.linalg.norm(upper, axis=-1), np.linalg.norm(lower, axis=-1)
    before, after = unit(end - start), unit(target - start)
    after = np.where(np.isfinite(after), after, before)
    plain = swing(before, after)
    crossed = np.cross(unit(upper), unit(lower))
    bent = smoothstep(np.linalg.norm(crossed, axis=-1), 0.02, 0.10)[:, None]
    axis = unit(bent * np.nan_to_num(unit(crossed)) + (1 - bent) * hinge)
    normal = perpendicular((plain @ axis[..., None])[..., 0], after)
    distance = np.clip(np.linalg.norm(target - start, axis=-1), np.abs(a - b) + 1e-9, a + b - 1e-9)
    cosine = np.clip((a**2 + distance**2 - b**2) / (2 * a * distance), -1, 1)
    # A positive hinge turns the lower bone away from the upper's side: the knee lies on the other one.
    side = np.cross(after, normal)
    way = cosine[:, None] * after + np.sqrt(1 - cosine**2)[:, None] * side
    rest = unit(distance[:, None] * after - a[:, None] * way)
    carried_upper, carried_lower = (plain @ unit(upper)[..., None])[..., 0], (plain @ unit(lower)[..., None])[..., 0]
    return swing(carried_upper, way) @ plain, swing(carried_lower, rest) @ plain


def held_back(distance: np.ndarray, length: np.ndarray | float, before: np.ndarray, soft: float) -> np.ndarray:
    """Distances (F,) that never quite reach `length`: unchanged as far as the limb reached `before` (F,) or up to
    (1 - soft) length, then ever slower.

    A limb that is stretched out turns its middle joint infinitely fast; this is the usual remedy.
    """
    free = np.minimum(np.maximum((1 - soft) * np.asarray(length), before), length)
    room = np.maximum(length - free, 1e-6 * np.asarray(length))
    beyond = np.maximum(distance - free, 0.0)
    return np.where(distance > free, free + room * (1 - np.exp(-beyond / room)), distance)


def settled(
    distance: np.ndarray, lengths: tuple[np.ndarray, np.ndarray], before: np.ndarray, firm: np.ndarray, step: float
) -> np.ndarray:
    """Distances (F,) at which the middle joint does not pop, as near as can be to those wanted.

    A limb that is nearly straight turns its joint by ten degrees for a few millimetres of its end; the other way round
    those millimetres buy a calm joint. So the change of the joint's angle against `before` (F,), radians, is smoothed:
    least squares of its second difference against the way of the end, where firm (F,) says how much a way counts
    (1 for a foot that stands). lengths: (F,) of upper and lower bone. step: seconds between frames.
    """
    a, b = lengths
    whole = a + b
    angle = _bend_at(distance, a, b)
    moved = np.maximum(a * b * np.sin(angle) / np.maximum(distance, 1e-9), a * b / whole * np.sin(_STRAIGHT))
    weight = firm * (moved / whole) ** 2
    change = before + whittaker((angle - before)[:, None], weight, _CALM / step**4)[:, 0]
    calm = np.clip(change, 0.0, np.maximum(_bend_at(np.abs(a - b), a, b), angle))
    return np.sqrt(np.maximum(a**2 + b**2 + 2 * a * b * np.cos(calm), 1e-12))


def _bend_at(distance: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(F,) radians by which a limb is bent whose ends are that far apart."""
    return np.arccos(np.clip((distance**2 - a**2 - b**2) / (2 * a * b), -1.0, 1.0))


def bend(start: np.ndarray, middle: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(F,) radians by which a limb is bent; 0 is straight."""
    return np.arccos(np.clip(dot(unit(middle - start), unit(end - middle)), -1.0, 1.0))
