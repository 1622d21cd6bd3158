# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the lifted pose on the picture: robust reprojection over the whole clip, constant bones, smooth in time.

What moves is the pelvis and how every segment of a skeleton is turned (`skeleton.py`), so bones cannot stretch. The
energy of one person, in terms of positions X (F, 26, 3) in metres, in camera axes or in the world of a known camera:

    sum c rho(|pi(X) - x| / sigma)            reprojection, Geman-McClure
  + |(X_child - X_parent) - l d|^2            the lifter's directions d with the person's own lengths l
  + (depth of the pelvis - depth of the root)^2      of `stretches.place`
  + |acceleration|^2                          stronger along the line of sight, which the picture does not show
  + p |X_foot(t + 1) - X_foot(t)|^2           feet that stand, stand still
  + p (height of X_foot)^2                    on the floor, where a known camera says where that is

It is minimised by reweighted least squares (Levenberg's and Marquardt's; each round a banded linear system, see
banded.py), in windows that overlap, so that memory does not grow with the clip. What a single view cannot see (depth
along a ray, overall size) comes from the lifter and the bone lengths: a small reprojection error is no measure of
accuracy.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from ...rigging.joints import TAKE
from . import terms
from .banded import NormalEquations
from .evidence import Evidence, Options
from .limits import limits
from .order import in_front
from .skeleton import Skeleton

_PELVIS = TAKE.index("pelvis")
#: Marquardt's damping to begin with and at most, in parts of the diagonal; metres of a step after which all is said.
_DAMPING, _MOST_DAMPING, _STILL = 1e-6, 1e6, 2e-4
#: How much worse than the start's a frame's misfit (mean robust square, in standard deviations) has to be to count.
_WORSE, _NEARLY = 1.2, 0.2


def refine(evidence: Evidence, start: np.ndarray, options: Options | None = None) -> np.ndarray:
    """Positions (F, 26, 3), metres, in the axes of the evidence.

    start: (F, 26, 3) first guess in the same axes, finite where the lifter gives the joint, in front of the camera.
    """
    options = options or Options()
    frames, skeleton = len(start), Skeleton(evidence.links)
    missing = ~evidence.given
    result = start.astype(np.float64).copy()
    result[:, missing] = 0.0
    first = 0
    while True:
        last = min(first + options.window, frames)
        if frames - last < options.overlap:
            last = frames
        pinned = 0 if first == 0 else options.overlap // 2
        rows = slice(first, last)
        # The blocks are small: on several threads BLAS waits for itself most of the time.
        with threadpool_limits(1, user_api="blas"):
            solver = _Window(skeleton, evidence.part(rows), result[rows], start[rows], pinned, options)
            result[rows] = solver.solved()
        if last == frames:
            result[:, missing] = np.nan
            return result
        first = last - options.overlap


class _Window:
    """Some frames of a person on the way to their least energy.

    begin: (F, 26, 3) from where. start: (F, 26, 3) the first guess, whose root counts. pinned: so many first frames
    stay.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        evidence: Evidence,
        begin: np.ndarray,
        start: np.ndarray,
        pinned: int,
        options: Options,
    ) -> None:
        self._skeleton, self._evidence, self._pinned, self._options = skeleton, evidence, pinned, options
        self._start, self._damping = np.nan_to_num(start), _DAMPING
        self._posture = skeleton.fitted(begin)
        self._x = skeleton.placed(self._posture)

    def solved(self) -> np.ndarray:
        """Positions (F, 26, 3)."""
        for _ in range(self._options.rounds):
            before = self._x
            if not self._step(self._equations()) or np.abs(self._x - before).max() < _STILL:
                break
        return self._x

    def _equations(self) -> NormalEquations:
        evidence, x, options = self._evidence, self._x, self._options
        equations = NormalEquations(len(x), len(TAKE))
        terms.reprojection(equations, evidence, x, options)
        terms.directions(equations, evidence, options)
        terms.smoothness(equations, evidence, x, options)
        terms.root_depth(equations, evidence, self._start[:, _PELVIS], options)
        terms.contacts(equations, evidence, x, options)
        terms.floor(equations, evidence, x, options)
        limits(equations, evidence, x, options)
        in_front(equations, evidence.in_front, x, evidence.times, evidence.camera)
        return equations

    def _step(self, equations: NormalEquations) -> bool:
        """One step down, as far as need be damped; False if there is none."""
        derivative, cost = self._skeleton.derivative(self._posture), equations.value(self._x)
        while self._damping < _MOST_DAMPING:
            step = equations.step(self._x, derivative, self._damping, self._pinned)
            posture = self._skeleton.moved(self._posture, step)
            x = self._skeleton.placed(posture)
            if equations.value(x) <= cost:
                self._posture, self._x, self._damping = posture, x, max(self._damping / 10, _DAMPING)
                return True
            self._damping *= 10
        return False


def worse_frames(evidence: Evidence, start: np.ndarray, result: np.ndarray, options: Options) -> np.ndarray:
    """(F,) bool: frames that meet the keypoints clearly worse than a start did.

    start, result: (F, 26, 3) metres in the axes of the evidence. Somewhere smoothness, feet that stand and limits have
    to win against the picture; this tells where.
    """
    errors = [terms.misfit(evidence, np.nan_to_num(x), options) for x in (start, result)]
    return errors[1] > _WORSE * errors[0] + _NEARLY
