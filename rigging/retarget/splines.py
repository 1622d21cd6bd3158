# SPDX-License-Identifier: GPL-3.0-or-later
"""Cubic curves through keys, and the nearest ones to many curves at once.

Between keys an F-curve is a cubic with a slope at every key (Hermite; in Blender a Bezier curve whose handles lie at a
third of the way).
"""

from __future__ import annotations

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
    span = at[right] - at[left]
    basis = hermite_basis(np.clip((wanted - at[left]) / span, 0.0, 1.0), span)
    ends = (values[left], slopes[left], values[right], slopes[right])
    return np.einsum("gn,ngc->gc", basis, np.stack(ends))


def hermite_basis(t: np.ndarray, span: np.ndarray) -> np.ndarray:
    """(G, 4) what value and slope at the left key and value and slope at the right one weigh at t 0..1 of a span."""
    s = 1 - t
    return np.stack([(1 + 2 * t) * s * s, t * s * s * span, t * t * (1 + 2 * s), -t * t * s * span], 1)


class Splines:
    """N curves over the same frames, each with keys of its own, as one problem.

    frames: (F,) increasing, F at least 2. values: (N, F, C). The N curves lie one after the other in rows of N F.
    """

    def __init__(self, frames: np.ndarray, values: np.ndarray) -> None:
        self.count, self.length = values.shape[:2]
        self.times = np.tile(frames, self.count)
        self.values = values.reshape(-1, values.shape[-1])
        self.natural = np.gradient(values, frames, axis=1).reshape(self.values.shape)
        self.first, self.last = np.zeros((2, len(self.times)), bool)
        self.first[:: self.length] = True
        self.last[self.length - 1 :: self.length] = True

    def segments(self, keyed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of keys at `keyed` (N F,) bool, which include both ends of every curve: the first rows (S,) and last rows
        (S,) of the segments between them, and (N F,) the segment to which each row belongs."""
        first = keyed & ~self.last
        return np.flatnonzero(first), np.flatnonzero(keyed & ~self.first), np.cumsum(first) - 1

    def fit(self, keyed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and slopes (N F, C), filled at the keys, of the cubics nearest to all frames (least squares).

        Normal equations of the Hermite basis: block tridiagonal with blocks of 2 by 2.
        """
        starts, ends, segment = self.segments(keyed)
        keys = np.flatnonzero(keyed)
        basis = self._basis(starts, ends, segment)
        products = np.add.reduceat((basis[:, :, None] * basis[:, None, :]).reshape(-1, 16), starts).reshape(-1, 4, 4)
        columns = self.values.shape[1]
        right = np.add.reduceat((basis[:, :, None] * self.values[:, None, :]).reshape(len(basis), -1), starts)
        right = right.reshape(-1, 4, columns)
        number = np.cumsum(keyed) - 1
        left_key, right_key = number[starts], number[ends]
        diagonal, target = np.zeros((len(keys), 2, 2)), np.zeros((len(keys), 2, columns))
        upper = np.zeros((len(keys) - 1, 2, 2))
        diagonal[left_key] += products[:, :2, :2]
        diagonal[right_key] += products[:, 2:, 2:]
        target[left_key] += right[:, :2]
        target[right_key] += right[:, 2:]
        upper[left_key] = products[:, :2, 2:]
        # Between neighbouring frames there is nothing to fit: then the slopes are the motion's own.
        diagonal[:, 1, 1] += (hold := 1e-3 * np.einsum("kii->k", diagonal) + 1e-9)
        target[:, 1] += hold[:, None] * self.natural[keys]
        solved = block_tridiagonal(diagonal, upper, target)
        values, slopes = np.zeros_like(self.values), np.zeros_like(self.values)
        values[keys], slopes[keys] = solved[:, 0], solved[:, 1]
        return values, slopes

    def evaluate(self, keyed: np.ndarray, values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """(N F, C) the curves on all frames."""
        starts, ends, segment = self.segments(keyed)
        basis = self._basis(starts, ends, segment)
        left, right = starts[segment], ends[segment]
        parts = (values[left], slopes[left], values[right], slopes[right])
        return np.einsum("gn,ngc->gc", basis, np.stack(parts))

    def _basis(self, starts: np.ndarray, ends: np.ndarray, segment: np.ndarray) -> np.ndarray:
        span = (self.times[ends] - self.times[starts])[segment]
        return hermite_basis((self.times - self.times[starts][segment]) / span, span)


def block_tridiagonal(diagonal: np.ndarray, upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (K, N, C) of a symmetric positive block tridiagonal system: diagonal (K, N, N), upper (K - 1, N, N), right
    (K, N, C). Cyclic reduction: every second block is eliminated at once, then every second of the rest."""
    count = len(diagonal)
    if count == 1:
        return _inverse(diagonal) @ right
    before, after = upper[0::2], upper[1::2]  # from an even block to the odd one after it, and from that to the next
    odd, more = count // 2, len(after)
    inverse = _inverse(diagonal[1::2])
    back = np.swapaxes(before, 1, 2)
    from_left, from_right = before @ inverse, np.swapaxes(after, 1, 2) @ inverse[:more]
    less, fewer = diagonal[0::2].copy(), right[0::2].copy()
    less[:odd] -= from_left @ back
    less[1:][:more] -= from_right @ after
    fewer[:odd] -= from_left @ right[1::2]
    fewer[1:][:more] -= from_right @ right[1::2][:more]
    solved = np.empty_like(right)
    solved[0::2] = even = block_tridiagonal(less, -from_left[:more] @ after, fewer)
    rest = right[1::2] - back @ even[:odd]
    rest[:more] -= after @ even[1:][:more]
    solved[1::2] = inverse @ rest
    return solved


def _inverse(blocks: np.ndarray) -> np.ndarray:
    """(K, N, N) inverses of symmetric positive blocks."""
    if blocks.shape[-1] != 2:
        return _inverse_by_cholesky(blocks)
    a, b, c, d = blocks[:, 0, 0], blocks[:, 0, 1], blocks[:, 1, 0], blocks[:, 1, 1]
    adjugate = np.stack([np.stack([d, -b], -1), np.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[:, None, None]


def _inverse_by_cholesky(blocks: np.ndarray) -> np.ndarray:
    """(K, N, N) inverses, row by row for all blocks at once: LAPACK's own starts its threads anew for each of them."""
    lower = np.linalg.cholesky(blocks)
    found = np.zeros_like(lower)
    scale = 1 / np.einsum("kii->ki", lower)
    for row in range(lower.shape[-1]):
        found[:, row, row] = scale[:, row]
        found[:, row, :row] = -scale[:, row, None] * (lower[:, row : row + 1, :row] @ found[:, :row, :row])[:, 0]
    return np.swapaxes(found, 1, 2) @ found
