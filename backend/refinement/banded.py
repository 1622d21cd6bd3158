# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear least squares over all joints of all frames of a window: a banded system, solved by Cholesky.

Unknowns are positions (F, J, 3). Terms couple the joints of one frame freely, and a joint with itself one and two
frames later; ordered frame by frame the normal matrix is banded, and its cost grows with F, not with F cubed.
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

    def combination(self, rows: tuple[int, ...], factors: tuple[float, ...], weight: float) -> None:
        """The term weight * |sum of factor * x[row]|^2 in every frame."""
        eye = weight * np.eye(3)
        for a, fa in zip(rows, factors, strict=True):
            for b, fb in zip(rows, factors, strict=True):
                self._same[:, a, :, b] += fa * fb * eye

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

    def solve(self) -> np.ndarray:
        """The minimum (F, J, 3). Raises numpy.linalg.LinAlgError if a joint is not held by any term."""
        frames, block = self._frames, 3 * self._joints
        reach = 2 if frames > 2 else frames - 1
        band = np.zeros((max(block, reach * block + 3), frames * block))
        columns = np.arange(frames)[:, None] * block
        lower_row, lower_column = np.tril_indices(block)
        same = self._same.reshape(frames, block, block)
        band[lower_row - lower_column, columns + lower_column] = same[:, lower_row, lower_column]
        for distance, part in ((1, self._next), (2, self._second)):
            if len(part):
                joint, row, column = np.meshgrid(np.arange(self._joints), range(3), range(3), indexing="ij")
                at = columns[: len(part), :, None, None] + 3 * joint + column
                band[distance * block + row - column, at] = part[:, joint, row, column]
        return solveh_banded(band, self._right.ravel(), lower=True, check_finite=False).reshape(frames, -1, 3)
