# SPDX-License-Identifier: GPL-3.0-or-later
"""Least squares over all joints of all frames of a window: a banded system, solved by Cholesky.

Terms are on positions (F, J, 3). They couple the joints of one frame freely, and a joint with itself one and two frames
later. What moves are parameters of each frame, on which its positions depend; ordered frame by frame their normal
matrix is banded, and its cost grows with F, not with F cubed.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded


class NormalEquations:
    """Sum of weighted squares |A x - b|^2 as A^T A and A^T b.

    frames, joints: size of the unknown (F, J, 3).
    """

    def __init__(self, frames: int, joints: int) -> None:
        self._frames, self._joints = frames, joints
        self._same = np.zeros((frames, joints, 3, joints, 3))
        self._next = np.zeros((max(frames - 1, 0), joints, 3, 3))
        self._second = np.zeros((max(frames - 2, 0), joints, 3, 3))
        self._right = np.zeros((frames, joints, 3))

    def points(self, rows: np.ndarray, matrix: np.ndarray, right: np.ndarray | None = None) -> None:
        """Terms on single joints. rows: (M,) distinct joints; matrix: (F, M, 3, 3) A^T A; right: (F, M, 3) A^T b."""
        self._same[:, rows, :, rows, :] += matrix.swapaxes(0, 1)
        if right is not None:
            self._right[:, rows] += right

    def differences(self, first: np.ndarray, second: np.ndarray, matrix: np.ndarray, right: np.ndarray) -> None:
        """Terms on x[second] - x[first] of one frame. matrix: (F, L, 3, 3); right: (F, L, 3)."""
        for link, (a, b) in enumerate(zip(first, second, strict=True)):
            m, r = matrix[:, link], right[:, link]
            self._same[:, b, :, b] += m
            self._same[:, a, :, a] += m
            self._same[:, a, :, b] -= m
            self._same[:, b, :, a] -= m
            self._right[:, b] += r
            self._right[:, a] -= r

    def steps(self, matrix: np.ndarray) -> None:
        """Terms on x[t + 1] - x[t]. matrix: (F - 1, J, 3, 3)."""
        every = np.arange(self._joints)
        self._same[:-1, every, :, every] += matrix.swapaxes(0, 1)
        self._same[1:, every, :, every] += matrix.swapaxes(0, 1)
        self._next -= matrix

    def bends(self, factors: np.ndarray, matrix: np.ndarray) -> None:
        """Terms on f0 x[t] + f1 x[t + 1] + f2 x[t + 2]. factors: (F - 2, 3); matrix: (F - 2, J, 3, 3)."""
        every = np.arange(self._joints)
        count = len(factors)
        f = factors[:, :, None, None, None]
        for i in range(3):
            self._same[i : i + count, every, :, every] += (f[:, i] ** 2 * matrix).swapaxes(0, 1)
        self._next[:-1] += f[:, 0] * f[:, 1] * matrix
        self._next[1:] += f[:, 1] * f[:, 2] * matrix
        self._second += f[:, 0] * f[:, 2] * matrix

    def sums(self, joints: np.ndarray, factors: np.ndarray, wanted: np.ndarray, weight: np.ndarray) -> None:
        """Terms weight * (sum of factor . x[joint] - wanted)^2 on some joints of one frame.

        joints: (M,) distinct; factors: (F, M, 3); wanted, weight: (F,).
        """
        weighted = weight[:, None, None] * factors
        for a, row in enumerate(joints):
            for b, column in enumerate(joints):
                self._same[:, row, :, column] += weighted[:, a, :, None] * factors[:, b, None, :]
            self._right[:, row] += weighted[:, a] * wanted[:, None]

    def value(self, x: np.ndarray) -> float:
        """The sum of squares at positions (F, J, 3), but for a constant."""
        return float((x * (self._product(x) - 2 * self._right)).sum())

    def step(self, x: np.ndarray, derivative: np.ndarray, damping: float, held: int = 0) -> np.ndarray:
        """The step (F, D) of the parameters that positions depend on, from positions x (F, J, 3): Gauss and Newton's.

        derivative: (F, J, 3, D) of the positions by the parameters of their frame. damping: Marquardt's, in parts of
        the diagonal. held: the parameters of so many first frames stay.
        Raises numpy.linalg.LinAlgError if a parameter is not held by any term.
        """
        frames, size = len(x), derivative.shape[-1]
        flat = derivative.reshape(frames, -1, size)
        turned = flat.swapaxes(-1, -2)
        block = 3 * self._joints
        same = turned @ self._same.reshape(frames, block, block) @ flat
        every = np.arange(size)
        same[:, every, every] *= 1 + damping
        same[:held, every, every] += _HELD * (1 + same[:held, every, every])
        right = (turned @ (self._right - self._product(x)).reshape(frames, -1, 1))[..., 0]
        right[:held] = 0.0
        beside = [same]
        for distance, part in ((1, self._next), (2, self._second)):
            if len(part):
                near = np.matmul(part, derivative[:-distance]).reshape(len(part), block, size)
                beside.append(turned[distance:] @ near)
        return solveh_banded(_band(beside), right.ravel(), lower=True, check_finite=False).reshape(frames, size)

    def _product(self, x: np.ndarray) -> np.ndarray:
        """A^T A x."""
        frames, block = self._frames, 3 * self._joints
        out = (self._same.reshape(frames, block, block) @ x.reshape(frames, block, 1)).reshape(x.shape)
        for distance, part in ((1, self._next), (2, self._second)):
            if len(part):
                out[distance:] += (part @ x[:-distance, ..., None])[..., 0]
                out[:-distance] += (part.swapaxes(-1, -2) @ x[distance:, ..., None])[..., 0]
        return out


#: How firmly frames are held, in parts of what holds them anyway.
_HELD = 1e8


def _band(blocks: list[np.ndarray]) -> np.ndarray:
    """A symmetric matrix in the lower band form of LAPACK.

    blocks: (F, D, D) on the diagonal, then (F - 1, D, D) and (F - 2, D, D) of frames t + 1 and t + 2 by frame t.
    """
    frames, size = blocks[0].shape[:2]
    band = np.zeros((len(blocks) * size, frames * size))
    row, column = np.indices((size, size))
    for distance, block in enumerate(blocks):
        first = np.arange(len(block))[:, None, None] * size
        inside = distance * size + row - column
        keep = inside >= 0
        band[inside[keep], (first + column)[:, keep]] = block[:, keep]
    return band
