# SPDX-License-Identifier: GPL-3.0-or-later
"""How keypoints move, under several hypotheses at once: a Kalman filter of place and velocity for each.

Accelerations are white noise, what is detected has the tails of Student's distribution: a detector that is mostly right
errs far at times, which moves a hypothesis little. Lengths are in persons' scales.
"""

from __future__ import annotations

import numpy as np

#: Of detected places: deviation of sure keypoints in scales, and in pixels besides; of unsure ones up to 4 times that.
_NOISE, _PIXELS, _UNSURE = 0.04, 3.0, 3.0
#: Deviation of a velocity after a second, scales a second, and degrees of freedom of the tails.
_PUSH, _FREEDOM = 12.0, 2.0
#: Deviations of place and velocity of what was never seen.
_ANYWHERE, _ANY_SPEED = 100.0, 10.0


class Motions:
    """S hypotheses of K keypoints; looks are (..., K, 4): x, y, variance, 1 if seen else 0."""

    def __init__(self, look: np.ndarray) -> None:
        """look: (S, K, 4) of the first frame."""
        shape = look.shape[:2]
        self._place, self._speed = np.zeros((2, *shape, 2))
        self._spread = np.broadcast_to([[_ANYWHERE**2], [0.0], [_ANY_SPEED**2]], (3, shape[0] * shape[1]))
        self._spread = self._spread.reshape(3, *shape).copy()  # variance of place, covariance, variance of velocity
        self.keep(np.arange(len(look)), look)

    @staticmethod
    def looks(places: np.ndarray, sure: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """(F, K, 4) of places (F, K, 2) scales, confidences (F, K), 0 where missing, and scales (F,) pixels."""
        doubt = 1 + (_UNSURE * (1 - np.clip(sure, 0, 1))) ** 2
        variance = _NOISE**2 * doubt + (_PIXELS / scale[:, None]) ** 2
        return np.concatenate([places, variance[..., None], (sure > 0)[..., None]], -1)

    def move(self, seconds: float) -> None:
        """Go on for some time."""
        place, both, speed = self._spread
        push = _PUSH**2 * seconds
        self._place += seconds * self._speed
        place += 2 * seconds * both + seconds**2 * speed + push * seconds**2 / 3
        both += seconds * speed + push * seconds / 2
        speed += push

    def surprise(self, looks: np.ndarray) -> np.ndarray:
        """(S, O, K) negative log likelihood, up to a constant, of O looks (O, K, 4); 0 where nothing is seen."""
        variance = self._spread[0][:, None] + looks[..., 2]
        away = ((looks[..., :2] - self._place[:, None]) ** 2).sum(-1)
        return looks[..., 3] * ((_FREEDOM + 2) / 2 * np.log1p(away / (_FREEDOM * variance)) + np.log(variance))

    def keep(self, origin: np.ndarray, look: np.ndarray) -> None:
        """Go on from hypotheses `origin` (S,), each with a look of its own (S, K, 4)."""
        self._place, self._speed, self._spread = self._place[origin], self._speed[origin], self._spread[:, origin]
        place, both, speed = self._spread
        away = look[..., :2] - self._place
        weight = (_FREEDOM + 2) / (_FREEDOM + (away**2).sum(-1) / (place + look[..., 2]))
        gain = np.stack([place, both]) * look[..., 3] / (place + look[..., 2] / np.maximum(weight, 1e-3))
        self._place = self._place + gain[0, ..., None] * away
        self._speed = self._speed + gain[1, ..., None] * away
        self._spread = np.stack([(1 - gain[0]) * place, (1 - gain[0]) * both, speed - gain[1] * both])
