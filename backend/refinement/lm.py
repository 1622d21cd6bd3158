# SPDX-License-Identifier: GPL-3.0-or-later
"""Levenberg-Marquardt for small dense problems (a camera, a root; Marquardt, SIAM J. Appl. Math. 11, 1963)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Vector = np.ndarray
_SMALLEST_DAMPING, _LARGEST_DAMPING = 1e-15, 1e12


@dataclass(frozen=True)
class Solution:
    """parameters: (N,). rms: root mean square residual at the start and after every accepted step.

    converged: the last step changed the cost by less than the tolerance, or no step could lower it further.
    """

    parameters: Vector
    rms: tuple[float, ...]
    converged: bool


def levenberg_marquardt(
    residuals: Callable[[Vector], Vector],
    start: Vector,
    jacobian: Callable[[Vector], np.ndarray] | None = None,
    *,
    max_steps: int = 50,
    damping: float = 1e-3,
    tolerance: float = 1e-12,
) -> Solution:
    """Minimise the sum of squares of `residuals`.

    residuals: (N,) parameters to (M,) residuals. start: (N,). jacobian: (N,) to (M, N); None takes central
    differences. max_steps: accepted steps at most. damping: added to the diagonal of the normal equations in parts of
    itself (so units do not matter), divided by 10 after a step that lowers the cost, multiplied by 10 otherwise.
    tolerance: relative change of the root mean square at which to stop.
    Raises ValueError if the residuals are not finite at the start; a step onto non-finite residuals is not taken.
    """
    derivative = jacobian or (lambda x: _central_differences(residuals, x))
    x = np.array(start, np.float64)
    r = np.asarray(residuals(x), np.float64)
    if not np.isfinite(r).all():
        raise ValueError("the residuals are not finite at the start")
    rms = [_rms(r)]
    for _ in range(max_steps):
        J = derivative(x)
        normal, gradient = J.T @ J, J.T @ r
        diagonal = np.diag(np.maximum(np.diag(normal), np.finfo(np.float64).tiny))  # a parameter may have no effect
        while damping < _LARGEST_DAMPING:
            step = -np.linalg.solve(normal + damping * diagonal, gradient)
            candidate = np.asarray(residuals(x + step), np.float64)
            if np.isfinite(candidate).all() and _rms(candidate) < rms[-1]:
                break
            damping *= 10
        else:
            return Solution(x, tuple(rms), True)
        x, r = x + step, candidate
        damping = max(damping / 10, _SMALLEST_DAMPING)
        rms.append(_rms(r))
        if rms[-2] - rms[-1] <= tolerance * rms[-2]:
            return Solution(x, tuple(rms), True)
    return Solution(x, tuple(rms), False)


def _rms(r: Vector) -> float:
    return float(np.sqrt(np.mean(r * r)))


def _central_differences(residuals: Callable[[Vector], Vector], x: Vector) -> np.ndarray:
    steps = np.cbrt(np.finfo(np.float64).eps) * np.maximum(1.0, np.abs(x))
    columns = []
    for row, step in enumerate(steps):
        offset = np.zeros_like(x)
        offset[row] = step
        columns.append((residuals(x + offset) - residuals(x - offset)) / (2 * step))
    return np.stack(columns, axis=1)
