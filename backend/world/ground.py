# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up, where the floor is, and how large the people are: what turns camera axes into the world.

The lifter says which way is up for every frame (it has seen people stand and move under every camera tilt); feet that
stand say where the floor is and, where they stand in several places, correct the tilt. The size of a person cannot be
seen in one view: everybody is expected to be `STATURE` tall, and several people to stand on one floor. One least
squares over the people of a clip weighs all of it by how well it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

#: Standing height, metres, that the lifter's canonical person has.
STATURE = 1.70
#: How well up is known before any foot stands, degrees: within the plane of up and the line of sight, and across it.
#: From the lifter, from how people stand, and as a user says. The lifter's votes of a clip share one error, the one
#: that leans the lifted pose too: more frames do not make it smaller.
LIFTED_TILT, POSTURE_TILT, GIVEN_TILT = (4.0, 2.0), (6.0, 3.0), (0.5, 0.5)
#: How well a person's size is known beforehand (a logarithm), and its heavy tails (degrees of freedom of Student's
#: distribution): there are children.
_SIZE, _TAILS = 0.07, 1.5
#: How high above the floor a standing foot is lifted (metres), and how many times that it may be before it is taken to
#: stand on something else.
_STEP, _STAIR = 0.04, 4.0
#: Seconds of standing that make a full step; metres within which steps are in one place.
_FULL, _PLACE = 0.25, 0.5
#: Metres from one frame to the next that no standing foot moves: it stands again, elsewhere.
_ELSEWHERE = 0.3
#: A camera's height that somebody has measured, as a part of it.
_GIVEN_HEIGHT = 0.02
#: Sizes begin within this (a logarithm) of the expected one, judged by a camera at least so high, metres.
_LARGEST, _LOW = 0.6, 0.1
_ROUNDS = 8


@dataclass(frozen=True)
class Steps:
    """Where one person's feet stood. places: (N, 3) metres, camera axes. weights: (N,) 1 for a step of full length."""

    places: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Ground:
    """The floor as seen from the camera, OpenCV axes, and how well it is known (standard deviations).

    up: (3,) unit vector. height: of the camera above the floor, metres (floor: up . x = -height); NaN if nobody stands.
    sizes: (P,) factor on each person, about the camera's centre.
    tilt_error: degrees. height_error: metres. size_errors: (P,) parts of a person's size. NaN where nobody has asked.
    """

    up: np.ndarray
    height: float
    sizes: np.ndarray
    tilt_error: float = float("nan")
    height_error: float = float("nan")
    size_errors: np.ndarray = field(default_factory=lambda: np.full(0, np.nan))

    def scaled(self, factor: float) -> Ground:
        """The same with everything so many times as large, because somebody has said how large something is."""
        return replace(
            self, height=factor * self.height, sizes=factor * self.sizes, height_error=factor * self.height_error
        )


def mean_up(up: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One direction (3,) from many (N, 3) with weights (N,), robustly: far votes lose their pull.

    Level (0, -1, 0) if there is none.
    """
    keep = np.isfinite(up).all(-1) & (weights > 0)
    up, weights = up[keep], weights[keep]
    if not len(up):
        return np.array([0.0, -1.0, 0.0])
    mean = np.median(up, axis=0)
    for _ in range(10):
        angle = np.linalg.norm(up - mean / max(np.linalg.norm(mean), 1e-9), axis=-1)
        mean = (up * (weights / (1 + (angle / 0.15) ** 2) ** 2)[:, None]).sum(0)
    return mean / np.linalg.norm(mean)


def find_steps(feet: np.ndarray, standing: np.ndarray) -> Steps:
    """The steps of one person.

    feet: (F, 2, 3) metres in camera axes, the middles of the left and the right foot. standing: (F, 2) seconds that
    each stood there in that frame (0: not at all). However often and long somebody stands in one place, it is lifted
    wrong in the same way: all their steps there weigh as one.
    """
    places, weights = [], []
    seconds = np.where(np.isfinite(feet).all(-1), standing, 0.0)
    elsewhere = np.linalg.norm(np.diff(feet, axis=0, prepend=feet[:1]), axis=-1) > _ELSEWHERE
    for foot in (0, 1):
        stands = seconds[:, foot] > 0
        for run in np.split(np.arange(len(feet)), np.flatnonzero(~stands | elsewhere[:, foot])):
            rows = run[stands[run]]
            if len(rows):
                total = seconds[rows, foot].sum()
                places.append(seconds[rows, foot] @ feet[rows, foot] / total)
                weights.append(min(total / _FULL, 1.0))
    where, weight = np.array(places).reshape(-1, 3), np.array(weights)
    near = [(weight * np.exp(-0.5 * ((where - place) ** 2).sum(-1) / _PLACE**2)).sum() for place in where]
    return Steps(where, weight / np.maximum(near, 1.0))


def fit_ground(
    up: np.ndarray,
    feet: Sequence[np.ndarray],
    standing: Sequence[np.ndarray],
    tilt: tuple[float, float] = LIFTED_TILT,
    camera_height: float | None = None,
) -> Ground:
    """Floor, tilt and sizes of P people from their feet that stand.

    up: (3,) camera axes, of which nothing is known yet from these feet. feet, standing: of each, as for `find_steps`.
    tilt: how well up is known, degrees, as `LIFTED_TILT`. camera_height: above the floor, metres, if somebody has
    measured it: people are then as large as that says.
    Least squares over small turns of `up`, the height and the logarithms of the sizes, with priors, robust to feet that
    stand on something else than the floor. Where people differ in size is tried from two sides, equally tall people and
    everybody on one floor under the given up; the better sum of squares is taken.
    """
    people = [find_steps(points, seconds) for points, seconds in zip(feet, standing, strict=True)]
    count = len(people)
    steps = Steps(*(np.concatenate(each) for each in zip(*((s.places, s.weights) for s in people), strict=True)))
    owner = np.repeat(np.arange(count), [len(each.weights) for each in people])
    if not len(steps.places):
        known = float("nan") if camera_height is None else camera_height
        return Ground(up, known, np.ones(count), float(np.hypot(*tilt)), float("nan"), np.full(count, _SIZE))
    problem = _Problem(up, steps, owner, count, np.radians(tilt), camera_height)
    levels = np.array([-float(np.median(each.places @ up)) if len(each.places) else np.nan for each in people])
    wanted = float(np.nanmedian(levels)) if camera_height is None else camera_height
    levels = np.where(np.isfinite(levels), levels, wanted)
    one_floor = np.log(np.maximum(wanted, _LOW) / np.maximum(levels, _LOW))
    starts = (np.zeros(count), np.clip(one_floor, -_LARGEST, _LARGEST))
    best = min((_solve(problem, sizes) for sizes in starts), key=lambda found: found[0])[1]
    return replace(best, sizes=_on_the_floor(best, people))


def _on_the_floor(ground: Ground, people: Sequence[Steps]) -> np.ndarray:
    """Sizes that put everybody's steps on the floor, as far as their sizes are not known better.

    Somebody who floats is seen at once, somebody a few per cent too large is not.
    """
    exact = ground.sizes.copy()
    for person, steps in enumerate(people):
        level = -float(np.median(steps.places @ ground.up)) if len(steps.places) else 0.0
        if level * ground.height > 0:
            exact[person] = ground.height / level
    spread = np.exp(ground.size_errors)
    return np.clip(exact, ground.sizes / spread, ground.sizes * spread)


@dataclass(frozen=True)
class _Problem:
    """voted: (3,) up. steps: of all people, and whose (N,). tilt: radians."""

    voted: np.ndarray
    steps: Steps
    owner: np.ndarray
    people: int
    tilt: np.ndarray
    camera_height: float | None

    def across(self, up: np.ndarray) -> np.ndarray:
        """(3, 2) two level directions: along the mean line of sight to the steps, and across it."""
        side = np.cross(up, self.steps.places.mean(0))
        if np.linalg.norm(side) < 1e-6:
            side = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
        side /= np.linalg.norm(side)
        return np.stack([np.cross(side, up), side], axis=1)

    def equations(self, up: np.ndarray, height: float, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Normal matrix and right side of the next step, by two turns of up, the height and the sizes, and the cost."""
        level, rows = self.across(up), np.arange(len(self.owner))
        scaled = self.steps.places * np.exp(sizes)[self.owner, None]
        error = scaled @ up + height
        weights, far = self.steps.weights / _STEP**2, (error / (_STAIR * _STEP)) ** 2
        tails = 1 + sizes**2 / (_TAILS * _SIZE**2)
        prior = np.concatenate([1 / self.tilt**2, [0.0], 1 / (tails * _SIZE**2)])
        apart = np.concatenate([level.T @ (up - self.voted), [0.0], sizes])
        if self.camera_height is not None:
            prior[2] = 1 / (_GIVEN_HEIGHT * self.camera_height) ** 2
            apart[2] = height - self.camera_height
        a = np.zeros((len(rows), 3 + self.people))
        a[:, :2], a[:, 2], a[rows, 3 + self.owner] = scaled @ level, 1.0, scaled @ up
        pull = (weights / (1 + far) ** 2)[:, None] * a
        cost = (weights * error**2 / (1 + far)).sum() + (prior * apart**2)[:3].sum() + _TAILS * np.log(tails).sum()
        return a.T @ pull + np.diag(prior), -pull.T @ error - prior * apart, float(cost)


def _solve(problem: _Problem, sizes: np.ndarray) -> tuple[float, Ground]:
    """From a first guess (P,) of the logarithms of the sizes to the sum of squares and the ground."""
    up = problem.voted
    height = problem.camera_height
    if height is None:
        height = -float(np.median(problem.steps.places @ up * np.exp(sizes)[problem.owner]))
    for _ in range(_ROUNDS):
        normal, right, _ = problem.equations(up, height, sizes)
        step = np.linalg.solve(normal, right)
        up = up + problem.across(up) @ step[:2]
        up = up / np.linalg.norm(up)
        height += float(step[2])
        sizes = sizes + np.clip(step[3:], -0.2, 0.2)
    normal, _, cost = problem.equations(up, height, sizes)
    spread = np.sqrt(np.diag(np.linalg.inv(normal)))
    tilt = float(np.degrees(np.hypot(*spread[:2])))
    return cost, Ground(up, height, np.exp(sizes), tilt, float(spread[2]), spread[3:])


def world_from_camera(ground: Ground, origin: np.ndarray) -> np.ndarray:
    """(4, 4) camera to world: Z up, floor at 0, the camera looks along +Y; `origin` (3,), camera axes, is at x = y = 0.

    Blender's convention: a person who faces the camera faces -Y.
    """
    up = ground.up
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(forward) < 1e-3:  # straight up or down: the picture's top is ahead
        forward = np.array([0.0, -1.0, 0.0]) + up[1] * up
    forward /= np.linalg.norm(forward)
    out = np.eye(4)
    out[:3, :3] = np.stack([np.cross(forward, up), forward, up])
    out[:2, 3] = -(out[:2, :3] @ origin)
    out[2, 3] = ground.height
    return out
