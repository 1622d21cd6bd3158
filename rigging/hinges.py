# SPDX-License-Identifier: GPL-3.0-or-later
"""The hinge axis of a knee or an elbow over a whole clip.

The axis is the normal of the plane of the two bones, which says nothing while the limb is straight. So the roll of the
limb is solved as one angle per frame in a basis carried by parallel transport with the parent segment: measured where
the limb is bent, carried through straight stretches from both sides, and drawn weakly to the untwisted limb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .vectors import dot, smoothstep, swing, unit

#: Pull towards the untwisted limb relative to the pull between neighbouring frames: a limb so straight that nothing is
#: measured forgets its roll over some sixty frames.
_RELAX = 3e-4
#: The weight of a frame up to which it pulls, 5 degrees of bend: the roll of limbs that rest slightly bent is believed.
_SILENT = 1e-3
#: Pull of a frame that is half believed, likewise. Low, because the less a limb is bent the more its roll is noise:
#: where it is nearly straight the roll is that of many frames, from 30 degrees on that of each.
_FIRM = 0.02
#: Sines of the bends from which a roll is measured at all, and from which it is wholly believed.
_BENT = (0.05, 0.50)
#: Likewise of the bends the wrong way from which on it costs to take them for an overstretched joint.
_WRONG = (0.35, 0.50)


@dataclass(frozen=True)
class Hinge:
    """What is known of a joint that bends one way.

    anatomy: cost of a roll opposite to the untwisted limb, relative to the cost of a joint bent the wrong way. High for
    a knee, whose thigh twists little, low for an elbow, whose upper arm twists by more than a right angle.
    """

    anatomy: float


KNEE = Hinge(anatomy=1.0)
ELBOW = Hinge(anatomy=0.25)


def solve_hinge(
    upper: np.ndarray, lower: np.ndarray, confidence: np.ndarray, carrier: np.ndarray, frame: np.ndarray, hinge: Hinge
) -> tuple[np.ndarray, np.ndarray]:
    """The flexion axis x = upper x lower, kept through straight stretches.

    upper, lower: (F, 3) unit vectors of the two bones, world. confidence: (F,) 0..1, 0 where `lower` is not known
    (it may be NaN there). carrier: (F, 3, 3) world rotation of the segment that carries the limb. frame: (3, 3) rest
    frame of the upper bone in the carrier's axes (columns x hinge, y bone, z).
    Returns (F, 3) unit axes perpendicular to `upper`, and (F,) the weight 0..1 with which each was measured.

    Retargeting specification 3.8, item 2. A single pose (F = 1) is believed from a bend of 2 degrees on.
    """
    u = unit(np.einsum("fji,fj->fi", carrier, upper))
    known = confidence > 0
    lower_local = np.einsum("fji,fj->fi", carrier, np.where(known[:, None], lower, upper))
    normal = np.cross(u, lower_local)
    sine = np.linalg.norm(normal, axis=1)
    folded = dot(u, lower_local) < 0
    low, high = _BENT if len(u) > 1 else (0.03490, 0.03491)
    weight = np.where(known, confidence, 0.0) * smoothstep(sine, low, high) ** 2

    neutral = swing(np.broadcast_to(frame[:, 1], u.shape), u) @ frame
    reference, other = neutral[:, :, 0], np.cross(u, neutral[:, :, 0])
    carried = _transport(u, reference, other)
    measured = np.arctan2(dot(normal, other), dot(normal, reference)) - carried
    # Opposite to the rest direction the untwisted limb is undefined; near it, not to be trusted.
    trust = ((1 + u @ frame[:, 1]) / 2) ** 2
    wrong_bend = np.where(folded, 1.0, smoothstep(sine, *_WRONG))
    measured = _choose_signs(measured, weight, np.cos(measured + carried) * trust, wrong_bend, hinge.anatomy)
    roll = _smooth_angles(measured, weight, -carried, _RELAX * trust + 1e-9) + carried

    axis = np.cos(roll)[:, None] * reference + np.sin(roll)[:, None] * other
    return unit(np.einsum("fij,fj->fi", carrier, axis)), weight


def _transport(u: np.ndarray, reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(F,) angle, against `reference`, of a vector carried along the directions `u` by parallel transport."""
    carried = np.zeros(len(u))
    if len(u) > 1:
        moved = np.einsum("fij,fj->fi", swing(u[:-1], u[1:]), reference[:-1])
        carried[1:] = np.cumsum(np.arctan2(dot(moved, other[1:]), dot(moved, reference[1:])))
    return carried


def _choose_signs(
    angles: np.ndarray, weight: np.ndarray, agreement: np.ndarray, wrong_bend: np.ndarray, anatomy: float
) -> np.ndarray:
    """Turn by pi the frames in which the joint is bent the wrong way (noise at a straight limb, or a wrong depth).

    The cheapest sequence of signs (Viterbi) over the measured frames: against the untwisted limb, against a bend the
    wrong way, and against jumps.
    """
    rows = np.flatnonzero(weight > 0.1)
    if len(rows) == 0:
        return angles
    keep = weight[rows] * anatomy * (1 - agreement[rows]) / 2
    turn = weight[rows] * (anatomy * (1 + agreement[rows]) / 2 + 0.8 * wrong_bend[rows])
    # A jump costs little where the limb is nearly straight: that is where a sign may change.
    firm = 2 * np.minimum(weight[rows[1:]], weight[rows[:-1]])
    cosine = np.cos(np.diff(angles[rows]))
    same, other = (firm * (1 - cosine)).tolist(), (firm * (1 + cosine)).tolist()
    costs = [float(keep[0]), float(turn[0])]
    back: list[tuple[int, int]] = []
    for step, (kept, turned) in enumerate(zip(keep[1:].tolist(), turn[1:].tolist(), strict=True)):
        stay, change = same[step], other[step]
        from_kept = int(costs[1] + change < costs[0] + stay)
        from_turned = int(costs[1] + stay < costs[0] + change)
        costs = [
            kept + min(costs[0] + stay, costs[1] + change),
            turned + min(costs[0] + change, costs[1] + stay),
        ]
        back.append((from_kept, from_turned))
    state = int(costs[1] < costs[0])
    states = [state]
    for choice in reversed(back):
        state = choice[state]
        states.append(state)
    result = angles.copy()
    result[rows] += np.pi * np.array(states[::-1])
    return result


def _smooth_angles(measured: np.ndarray, weight: np.ndarray, neutral: np.ndarray, relax: np.ndarray) -> np.ndarray:
    """Angles that follow `measured` where weight is 1, join up where it is 0, and drift to `neutral` in long gaps."""
    strength = _FIRM * weight / (1 - np.minimum(weight, 1) + 1e-6)
    relax = relax * (1 - smoothstep(weight, 0.0, _SILENT))
    if not (weight > 0).any():
        return _tridiagonal(relax, relax * np.unwrap(neutral))
    target = _unwrap(measured, weight)
    angles = _tridiagonal(strength + 1e-12, strength * target)
    near = neutral + 2 * np.pi * np.round((angles - neutral) / (2 * np.pi))
    return _tridiagonal(strength + relax, strength * target + relax * near)


def _unwrap(angles: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Angles unwrapped against a running mean, so that unreliable frames cannot start a false turn."""
    mean = float(angles[np.argmax(weight > 0)])
    result = np.empty_like(angles)
    for row, (angle, trust) in enumerate(zip(angles.tolist(), weight.tolist(), strict=True)):
        step = (angle - mean + np.pi) % (2 * np.pi) - np.pi
        result[row] = mean + step
        mean += trust * step
    return result


def _tridiagonal(diagonal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """argmin over x of sum d (x - r / d)^2 + sum (x[i + 1] - x[i])^2, by one pass forward and one backward (Thomas)."""
    count = len(diagonal)
    ends = np.full(count, 2.0)
    ends[0] -= 1
    ends[-1] -= 1
    pivots = (diagonal + ends).tolist()
    values = right.tolist()
    for row in range(1, count):
        factor = 1.0 / pivots[row - 1]
        pivots[row] -= factor
        values[row] += factor * values[row - 1]
    result = [0.0] * count
    result[-1] = values[-1] / pivots[-1]
    for row in range(count - 2, -1, -1):
        result[row] = (values[row] + result[row + 1]) / pivots[row]
    return np.array(result)
