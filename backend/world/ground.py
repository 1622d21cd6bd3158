# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up, where the floor is, and how large the people are: what turns camera axes into the world.

The lifter says which way is up for every frame (it has seen people stand and move under every camera tilt); feet that
stand say where the floor is and, where they stand in several places, correct the tilt. The size of a person cannot be
seen in one view; it starts at `STATURE` and is corrected so that several people stand on one floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Standing height, metres, that the lifter's canonical person has.
STATURE = 1.70
#: How well each is known beforehand: the lifter's tilt (radians), a person's size (log), a standing foot's height (m).
#: The last is not the noise of a frame but the lifter's error in how far one foot is behind the other, which stays for
#: as long as the person stands there: taken for smaller, it tilts the world by more than it corrects. Chosen on
#: validation motion, where it takes a fifth off the tilt of people who walk and leaves that of others alone.
_TILT, _SIZE, _HEIGHT = np.radians(4.0), 0.06, 0.10
#: So many independent steps the standing feet of a clip count for at most.
_STEPS = 2.0


@dataclass(frozen=True)
class Ground:
    """The floor as seen from the camera, OpenCV axes.

    up: (3,) unit vector. height: of the camera above the floor, metres (floor: up . x = -height).
    sizes: (P,) factor on each person, about the camera's centre.
    """

    up: np.ndarray
    height: float
    sizes: np.ndarray


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


def fit_ground(up: np.ndarray, feet: Sequence[np.ndarray], standing: Sequence[np.ndarray]) -> Ground:
    """Floor, tilt and sizes from feet that stand.

    up: (3,) camera axes, from the lifter. feet: per person (F, 2, 3) metres in camera axes, the middles of the left and
    the right foot. standing: per person (F, 2) seconds that each stood there (0: not at all).
    Least squares over small turns of `up`, the height and the sizes, with priors; robust to feet on steps.
    The height is NaN if no foot ever stands.
    """
    people = len(feet)
    sizes = np.ones(people)
    rows = [(weight > 0) & np.isfinite(points).all(-1) for points, weight in zip(feet, standing, strict=True)]
    points = np.concatenate([p[r] for p, r in zip(feet, rows, strict=True)])
    weights = np.concatenate([s[r] for s, r in zip(standing, rows, strict=True)])
    owner = np.repeat(np.arange(people), [int(r.sum()) for r in rows])
    if not len(points):
        return Ground(up, float("nan"), sizes)
    height = -float(np.median(points @ up))
    # Errors of neighbouring frames are one error: an hour of standing counts as a few steps, not as thousands.
    weights = weights * min(1.0, _STEPS / weights.sum())
    prior = np.diag(1 / np.array([_TILT, _TILT, 1e6, *[_SIZE] * people]))
    every = np.arange(len(points))
    for _ in range(6):
        side = np.cross(up, [0.0, 0.0, 1.0])
        side /= max(np.linalg.norm(side), 1e-9)
        other = np.cross(side, up)
        scaled = points * sizes[owner, None]
        error = scaled @ up + height
        robust = np.sqrt(weights / (1 + (error / (3 * _HEIGHT)) ** 2) ** 2) / _HEIGHT
        a = np.zeros((len(points), len(prior)))
        a[:, 0], a[:, 1], a[:, 2] = scaled @ side, scaled @ other, 1.0
        a[every, 3 + owner] = scaled @ up
        reached = np.concatenate([np.zeros(3), np.log(sizes)])
        wanted = np.concatenate([-error * robust, -prior @ reached])
        step = np.linalg.lstsq(np.concatenate([a * robust[:, None], prior]), wanted, rcond=None)[0]
        up = up + step[0] * side + step[1] * other
        up /= np.linalg.norm(up)
        height += float(step[2])
        sizes = sizes * np.exp(np.clip(step[3:], -0.2, 0.2))
    return Ground(up, height, _on_the_floor(sizes, height, [points[owner == person] @ up for person in range(people)]))


def _on_the_floor(sizes: np.ndarray, height: float, levels: Sequence[np.ndarray]) -> np.ndarray:
    """Sizes that put everybody's standing feet on the floor, as far as a size may differ from the expected one.

    Somebody who floats is seen at once, somebody a few per cent too large is not.
    """
    exact = [-height / np.median(level) if len(level) else size for size, level in zip(sizes, levels, strict=True)]
    return np.clip(exact, 0.8, 1.25)


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
