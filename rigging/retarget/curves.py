# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels as the F-curves that a bone has: quaternions, Euler angles in its own order, or axis and angle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import quaternions
from .rig import Rig
from .transfer import Channels


@dataclass(frozen=True)
class Curve:
    """The F-curves of one property of one bone.

    path: `rotation_quaternion`, `rotation_euler`, `rotation_axis_angle` or `location`. order: of Euler angles ("XYZ").
    values: (F, C) as Blender stores them; angles in radians, without jumps along the clip.
    """

    bone: str
    path: str
    values: np.ndarray
    order: str = ""

    def rotations(self, values: np.ndarray) -> np.ndarray:
        """(G, 3, 3) what Blender makes of values (G, C) of a rotation."""
        if self.path == "rotation_quaternion":
            return quaternions.to_matrix(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))
        if self.path == "rotation_axis_angle":
            axis = values[:, 1:] / np.maximum(np.linalg.norm(values[:, 1:], axis=-1, keepdims=True), 1e-12)
            half = values[:, :1] / 2
            return quaternions.to_matrix(np.concatenate([np.cos(half), np.sin(half) * axis], -1))
        return euler_matrix(values, self.order)


def curves_of(channels: Channels, rig: Rig) -> list[Curve]:
    """One curve per keyed property, in the rotation mode that each bone has."""
    found = []
    for name, location in channels.locations.items():
        found.append(Curve(name, "location", np.asarray(location, np.float64)))
    for name, turned in channels.rotations.items():
        found.append(rotation_curve(name, turned, rig.bones[rig.rows[name]].rotation_mode))
    return found


def rotation_curve(name: str, turned: np.ndarray, mode: str) -> Curve:
    """The curve of quaternions (F, 4) in a rotation mode of Blender's."""
    if mode == "QUATERNION":
        return Curve(name, "rotation_quaternion", quaternions.continuous(turned))
    if mode == "AXIS_ANGLE":
        return Curve(name, "rotation_axis_angle", _axis_angle(quaternions.continuous(turned)))
    return Curve(name, "rotation_euler", euler_angles(quaternions.to_matrix(turned), mode), mode)


def euler_matrix(angles: np.ndarray, order: str) -> np.ndarray:
    """(F, 3) radians about x, y, z -> (F, 3, 3). Blender's "XYZ" turns about X first: R = Rz Ry Rx."""
    matrix = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for letter in order:
        matrix = _about("XYZ".index(letter), angles[:, "XYZ".index(letter)]) @ matrix
    return matrix


def euler_angles(matrices: np.ndarray, order: str) -> np.ndarray:
    """(F, 3, 3) -> (F, 3) radians about x, y, z in Blender's `order`, each frame as near as can be to the one before.

    Of the two triples that give the same rotation and their whole turns the nearest is taken; where the middle angle is
    a quarter turn the first one keeps its value of the frame before (Shoemake, "Euler angle conversion", 1994).
    """
    i, j, k = ("XYZ".index(letter) for letter in order)
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    # R = R_k R_j R_i: the entry (k, i) is -sin of the middle angle (times the parity of the order).
    sine = np.clip(-parity * matrices[:, k, i], -1.0, 1.0)
    middle = np.arcsin(sine)
    first = np.arctan2(parity * matrices[:, k, j], matrices[:, k, k])
    last = np.arctan2(parity * matrices[:, j, i], matrices[:, i, i])
    locked = np.abs(sine) > 1 - 1e-9
    # At the quarter turn only one combination of first and last is known.
    joint = np.arctan2(-parity * matrices[:, i, j], matrices[:, j, j])
    one = np.stack([first, middle, last], -1)
    other = np.stack([first + np.pi, np.pi - middle, last + np.pi], -1)
    turned = (
        _nearest_locked(one, other, locked, parity * np.sign(sine), joint) if locked.any() else _nearest(one, other)
    )
    angles = np.zeros((len(matrices), 3))
    angles[:, [i, j, k]] = turned
    return angles


def _nearest(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(F, 3) of two triples (F, 3) that mean the same the one nearer to the frame before, without jumps."""
    both = np.stack([one, other], 1)
    steps = both[1:, None, :] - both[:-1, :, None]
    # (F - 1, before, after): how far it is, whole turns apart.
    far = np.abs(steps - 2 * np.pi * np.round(steps / (2 * np.pi))).sum(-1)
    change = (far[:, :, 1] < far[:, :, 0]).tolist()
    chosen = [0] * len(one)
    for row in range(1, len(one)):
        chosen[row] = int(change[row - 1][chosen[row - 1]])
    return np.unwrap(both[np.arange(len(one)), chosen], axis=0)


def _nearest_locked(
    one: np.ndarray, other: np.ndarray, locked: np.ndarray, sign: np.ndarray, joint: np.ndarray
) -> np.ndarray:
    """As `_nearest` where the middle angle is a quarter turn on the frames `locked`: there only `joint` is known, the
    last angle less `sign` times the first."""
    turned = np.zeros_like(one)
    before = np.zeros(3)
    for row in range(len(one)):
        options = np.stack([one[row], other[row]])
        if locked[row]:
            start = before[0] if row else 0.0
            options = np.array([[start, one[row, 1], joint[row] + sign[row] * start]])
        options += 2 * np.pi * np.round((before - options) / (2 * np.pi)) if row else 0.0
        before = options[np.abs(options - before).sum(1).argmin()] if row else options[0]
        turned[row] = before
    return turned


def _about(axis: int, angles: np.ndarray) -> np.ndarray:
    matrix = np.zeros((len(angles), 3, 3))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1
    matrix[:, a, a] = matrix[:, b, b] = np.cos(angles)
    matrix[:, b, a], matrix[:, a, b] = np.sin(angles), -np.sin(angles)
    return matrix


def _axis_angle(turned: np.ndarray) -> np.ndarray:
    """(F, 4) continuous quaternions -> (F, 4) angle and unit axis; the axis is held where there is no turn."""
    size = np.linalg.norm(turned[:, 1:], axis=-1)
    axis = np.tile([0.0, 1, 0], (len(turned), 1))
    known = size > 1e-7
    axis[known] = turned[known, 1:] / size[known, None]
    rows = np.flatnonzero(known)
    if len(rows):
        axis = axis[rows[np.clip(np.searchsorted(rows, np.arange(len(turned)), side="right") - 1, 0, None)]]
    # One hemisphere of axes along the clip, so that neither axis nor angle jumps.
    flips = np.cumprod(np.concatenate([[1.0], np.where((axis[1:] * axis[:-1]).sum(-1) < 0, -1.0, 1.0)]))
    axis = axis * flips[:, None]
    angle = 2 * np.arctan2((turned[:, 1:] * axis).sum(-1), turned[:, 0])
    return np.concatenate([np.unwrap(angle)[:, None], axis], -1)
