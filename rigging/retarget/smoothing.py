# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing of motion without delay: whole clips, any frame rate."""

from __future__ import annotations

import numpy as np


def whittaker(values: np.ndarray, weight: np.ndarray, stiffness: float) -> np.ndarray:
    """(F, C) nearest to `values` (F, C) with small second differences: least squares of weight (F,) times the
    difference squared plus `stiffness` times the second difference squared (Whittaker 1922, Eilers 2003).

    Linear time: the normal equations have five diagonals.
    """
    count = len(values)
    if count < 3:
        return np.array(values, np.float64)
    main, first, second = np.full(count, 6.0), np.full(count, -4.0), np.ones(count)
    main[[0, -1]], main[[1, -2]] = 1.0, 5.0
    first[[0, count - 2]] = -2.0
    if count == 3:
        main[:], first[:2] = (1.0, 4.0, 1.0), -2.0
    floor = 1e-12 * (stiffness + weight.max())
    return _five_diagonals(
        stiffness * main + weight + floor, stiffness * first, stiffness * second, (weight + floor)[:, None] * values
    )


def _five_diagonals(main: np.ndarray, first: np.ndarray, second: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (F, C) of a symmetric positive system with diagonals `main`, `first` (beside it) and `second`: L D L^T."""
    count = len(main)
    d, u, v = main.tolist(), first.tolist(), second.tolist()
    low, lower = [0.0] * count, [0.0] * count
    for row in range(count):
        if row > 1:
            d[row] -= lower[row - 2] ** 2 * d[row - 2]
        if row > 0:
            d[row] -= low[row - 1] ** 2 * d[row - 1]
        if row < count - 1:
            between = lower[row - 1] * d[row - 1] * low[row - 1] if row > 0 else 0.0
            low[row] = (u[row] - between) / d[row]
        if row < count - 2:
            lower[row] = v[row] / d[row]
    x = [column.copy() for column in np.asarray(right, np.float64)]
    for row in range(1, count):
        x[row] -= low[row - 1] * x[row - 1] + (lower[row - 2] * x[row - 2] if row > 1 else 0.0)
    solved = [one / pivot for one, pivot in zip(x, d, strict=True)]
    for row in range(count - 2, -1, -1):
        solved[row] -= low[row] * solved[row + 1] + (lower[row] * solved[row + 2] if row < count - 2 else 0.0)
    return np.array(solved)
