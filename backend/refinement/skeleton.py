# SPDX-License-Identifier: GPL-3.0-or-later
"""A person as rigid segments: what moves is the pelvis and how every segment is turned; bones cannot stretch.

Hips, head (nose and ears about the head's top) and feet (heel and toe about the ankle) are rigid; every other joint
hangs on its parent by a bone of constant length. That is what the motion library's people are, to a tenth of a per
cent. A single bone has two ways to turn: about itself, nothing is seen of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from ...rigging.joints import TAKE
from .body import Links

_PELVIS = TAKE.index("pelvis")
#: The rigid groups: the joint that they turn about, and what they carry.
_GROUPS = tuple(
    (TAKE.index(joint), tuple(TAKE.index(name) for name in carried))
    for joint, carried in (
        ("pelvis", ("left_hip", "right_hip")),
        ("left_ankle", ("left_heel", "left_toe")),
        ("right_ankle", ("right_heel", "right_toe")),
        ("head_top", ("nose", "left_ear", "right_ear")),
    )
)


@dataclass(frozen=True)
class Segment:
    """A rigid piece.

    joint: the take's row that it turns about. carried: (C,) rows of the joints that it holds.
    offsets: (C, 3) metres, where they are in the segment's own axes; along z if they lie on one line.
    free: ways to turn, 2 or 3; the third is about z.
    """

    joint: int
    carried: tuple[int, ...]
    offsets: np.ndarray
    free: int


@dataclass(frozen=True)
class Posture:
    """How a skeleton stands in F frames: pelvis (F, 3) metres; turns (F, S, 3, 3), segments' own axes to the world."""

    pelvis: np.ndarray
    turns: np.ndarray


class Skeleton:
    """Segments of one person, from the pelvis outwards.

    links: the person's lengths; joints that they do not reach take no part.
    """

    def __init__(self, links: Links) -> None:
        pairs = zip(links.first.tolist(), links.second.tolist(), strict=True)
        lengths = {frozenset(pair): float(length) for pair, length in zip(pairs, links.length, strict=True)}
        grouped = {row for _, carried in _GROUPS for row in carried}
        segments = [_group(joint, carried, lengths) for joint, carried in _GROUPS]
        for parent, child in TAKE.bones:
            length = lengths.get(frozenset((parent, child)))
            if child not in grouped and length is not None:
                segments.append(Segment(parent, (child,), np.array([[0.0, 0.0, length]]), 2))
        self.segments = _outwards([segment for segment in segments if segment is not None])

    @cached_property
    def size(self) -> int:
        """How many numbers a step has: three of the pelvis, then the turns of the segments."""
        return 3 + sum(segment.free for segment in self.segments)

    @cached_property
    def _below(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """For each segment and each joint that it carries: the rows of that joint and all that hang on it."""
        hanging: dict[int, tuple[int, ...]] = {}
        for segment in reversed(self.segments):
            own = tuple(row for carried in segment.carried for row in (carried, *hanging.get(carried, ())))
            hanging[segment.joint] = hanging.get(segment.joint, ()) + own
        return tuple(tuple((row, *hanging.get(row, ())) for row in segment.carried) for segment in self.segments)

    @cached_property
    def rows(self) -> np.ndarray:
        """The take's joints that the skeleton has."""
        return np.array(sorted({_PELVIS, *(row for segment in self.segments for row in segment.carried)}))

    def fitted(self, positions: np.ndarray) -> Posture:
        """The posture whose segments are turned as in positions (F, 26, 3), metres, finite in `rows`."""
        turns = np.zeros((len(positions), len(self.segments), 3, 3))
        for number, segment in enumerate(self.segments):
            arms = positions[:, segment.carried] - positions[:, [segment.joint]]
            turns[:, number] = _aligned(segment.offsets, arms, segment.free)
        return Posture(positions[:, _PELVIS].copy(), turns)

    def placed(self, posture: Posture) -> np.ndarray:
        """Positions (F, 26, 3), metres; 0 for joints that the skeleton does not have."""
        positions = np.zeros((len(posture.pelvis), len(TAKE), 3))
        positions[:, _PELVIS] = posture.pelvis
        for number, segment in enumerate(self.segments):
            arms = segment.offsets @ posture.turns[:, number].swapaxes(-1, -2)
            positions[:, segment.carried] = positions[:, [segment.joint]] + arms
        return positions

    def derivative(self, posture: Posture) -> np.ndarray:
        """(F, 26, 3, D) of the positions by the numbers of a step at this posture."""
        frames = len(posture.pelvis)
        out = np.zeros((frames, len(TAKE), 3, self.size))
        out[:, self.rows, :, :3] = np.eye(3)
        column = 3
        for number, segment in enumerate(self.segments):
            for offset, below in zip(segment.offsets, self._below[number], strict=True):
                # d(R exp(w) o) / dw = -R [o]x, the same for everything that hangs on the joint.
                lever = -(posture.turns[:, number] @ _cross(offset))[..., : segment.free]
                out[:, below, :, column : column + segment.free] += lever[:, None]
            column += segment.free
        return out

    def moved(self, posture: Posture, step: np.ndarray) -> Posture:
        """The posture after a step (F, D): metres of the pelvis, radians about the segments' own axes."""
        turns, column = posture.turns.copy(), 3
        for number, segment in enumerate(self.segments):
            vector = np.zeros((len(step), 3))
            vector[:, : segment.free] = step[:, column : column + segment.free]
            turns[:, number] = turns[:, number] @ Rotation.from_rotvec(vector).as_matrix()
            column += segment.free
        return Posture(posture.pelvis + step[:, :3], turns)


def _group(joint: int, carried: Sequence[int], lengths: dict[frozenset[int], float]) -> Segment | None:
    """A rigid group from its distances; None without them."""
    reach = [lengths.get(frozenset((joint, row))) for row in carried]
    between = [lengths.get(frozenset(pair)) for pair in zip(carried, (*carried[1:], carried[0]), strict=True)]
    known = [length for length in (*reach, *between) if length is not None]
    if len(known) < len(reach) + len(between):
        return None
    if joint == _PELVIS:  # between the hips by definition
        half = known[2] / 2
        return Segment(joint, tuple(carried), np.array([[0.0, 0.0, half], [0.0, 0.0, -half]]), 2)
    return Segment(joint, tuple(carried), _points_at(known[: len(reach)], known[len(reach) :]), 3)


def _points_at(reach: Sequence[float], between: Sequence[float]) -> np.ndarray:
    """Two or three points (C, 3) at distances `reach` from the origin and `between` from each other (in a ring).

    Seen from the origin, three points go round against the clock: nose, left and right ear below the head's top.
    Distances that no points have (triangles that do not close) are met as nearly as the law of cosines, clipped, does.
    """
    first = np.array([0.0, 0.0, reach[0]])
    second = _corner(reach[0], reach[1], between[0])
    second = np.array([second[1], 0.0, second[0]])
    if len(reach) == 2:
        return np.stack([first, second])
    # The third by its products with the first two; what is left of its length is along y.
    with_first = 0.5 * (reach[0] ** 2 + reach[2] ** 2 - between[2] ** 2)
    with_second = 0.5 * (reach[1] ** 2 + reach[2] ** 2 - between[1] ** 2)
    z = with_first / reach[0]
    x = (with_second - z * second[2]) / second[0] if abs(second[0]) > 1e-6 else 0.0
    flat = np.array([x, 0.0, z])
    length = np.linalg.norm(flat)
    if length > reach[2]:
        return np.stack([first, second, flat * reach[2] / length])
    return np.stack([first, second, flat - [0.0, np.sqrt(reach[2] ** 2 - length**2), 0.0]])


def _corner(a: float, b: float, opposite: float) -> tuple[float, float]:
    """Where a point is, along and beside a, that is b away from the origin and `opposite` from the end of a."""
    cosine = np.clip((a * a + b * b - opposite * opposite) / (2 * a * b), -1.0, 1.0)
    return b * float(cosine), b * float(np.sqrt(1 - cosine * cosine))


def _aligned(offsets: np.ndarray, arms: np.ndarray, free: int) -> np.ndarray:
    """Rotations (F, 3, 3) that lay offsets (C, 3) along arms (F, C, 3), by least squares over their directions."""
    units = arms / np.maximum(np.linalg.norm(arms, axis=-1, keepdims=True), 1e-9)
    own = offsets / np.maximum(np.linalg.norm(offsets, axis=-1, keepdims=True), 1e-9)
    if free == 2:
        towards = (units * own[:, 2:]).sum(1)
        return _turned_to(towards / np.maximum(np.linalg.norm(towards, axis=-1, keepdims=True), 1e-9))
    u, _, vt = np.linalg.svd(np.einsum("fci,cj->fij", units, own))
    sign = np.linalg.det(u @ vt)
    flip = np.ones((len(arms), 3))
    flip[:, 2] = sign
    return (u * flip[:, None]) @ vt


def _turned_to(direction: np.ndarray) -> np.ndarray:
    """Some rotation (F, 3, 3) whose z axis is the direction (F, 3)."""
    helper = np.eye(3)[np.argmin(np.abs(direction), axis=-1)]
    x = np.cross(helper, direction)
    x /= np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
    return np.stack([x, np.cross(direction, x), direction], axis=-1)


def _cross(v: np.ndarray) -> np.ndarray:
    """The matrix of the cross product with v (3,)."""
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def _outwards(segments: list[Segment]) -> tuple[Segment, ...]:
    """In an order in which every segment comes after the one that carries its joint; unreachable ones are left out."""
    reached, ordered, waiting = {_PELVIS}, [], list(segments)
    while waiting:
        ready = [segment for segment in waiting if segment.joint in reached]
        if not ready:
            break
        waiting = [segment for segment in waiting if segment.joint not in reached]
        reached.update(row for segment in ready for row in segment.carried)
        ordered += ready
    return tuple(ordered)
