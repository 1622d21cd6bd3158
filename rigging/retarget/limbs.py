# SPDX-License-Identifier: GPL-3.0-or-later
"""Two-bone limbs: where knee or elbow goes when the end is moved, in closed form and for all frames at once."""

from __future__ import annotations

import numpy as np

from ..vectors import dot, perpendicular, smoothstep, swing, unit


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


def softened(distance: np.ndarray, length: np.ndarray | float, soft: float) -> np.ndarray:
    """A distance that never quite reaches `length`: unchanged up to (1 - soft) length, then ever slower.

    A limb that is stretched out turns its middle joint infinitely fast; this is the usual remedy.
    """
    free = (1 - soft) * np.asarray(length)
    room = soft * np.asarray(length)
    beyond = np.maximum(distance - free, 0.0)
    return np.where(distance > free, free + room * (1 - np.exp(-beyond / room)), distance)


def bend(start: np.ndarray, middle: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(F,) radians by which a limb is bent; 0 is straight."""
    return np.arccos(np.clip(dot(unit(middle - start), unit(end - middle)), -1.0, 1.0))
