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
_TILT, _SIZE, _HEIGHT = np.radians(4.0), 0.06, 0.03


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

    up: (3,) camera axes, from the lifter. feet: per person (N, 3) metres in camera axes, joints that may stand.
    standing: per person (N,) seconds that each stood there (0: not at all).
    Least squares over small turns of `up`, the height and the sizes, with priors; robust to feet on steps.
    """
    people = len(feet)
    sizes = np.ones(people)
    rows = [keep & np.isfinite(points).all(-1) for points, keep in zip(feet, (s > 0 for s in standing), strict=True)]
    points = np.concatenate([p[r] for p, r in zip(feet, rows, strict=True)]) if people else np.zeros((0, 3))
    weights = np.concatenate([s[r] for s, r in zip(standing, rows, strict=True)]) if people else np.zeros(0)
    owner = np.repeat(np.arange(people), [int(r.sum()) for r in rows]) if people else np.zeros(0, int)
    if not len(points):
        return Ground(up, float("nan"), sizes)
    height = -float(np.median(points @ up))
    # Errors of neighbouring frames are one error: an hour of standing counts as ten steps, not as a thousand.
    weights = weights * min(1.0, 10.0 / weights.sum())
    for _ in range(6):
        side = np.cross(up, [0.0, 0.0, 1.0])
        side /= max(np.linalg.norm(side), 1e-9)
        other = np.cross(side, up)
        scaled = points * sizes[owner, None]
        error = scaled @ up + height
        robust = weights / (1 + (error / (3 * _HEIGHT)) ** 2) ** 2
        a = np.zeros((len(points), 3 + people))
        a[:, 0], a[:, 1], a[:, 2] = scaled @ side, scaled @ other, 1.0
        a[np.arange(len(points)), 3 + owner] = scaled @ up
        root = np.sqrt(robust)[:, None] / _HEIGHT
        prior = np.diag([1 / _TILT, 1 / _TILT, 1e-6, *np.full(people, 1 / _SIZE)])
        wanted = np.concatenate([-error * root[:, 0], prior @ np.concatenate([np.zeros(3), -np.log(sizes)])])
        step = np.linalg.lstsq(np.concatenate([a * root, prior]), wanted, rcond=None)[0]
        up = up + step[0] * side + step[1] * other
        up /= np.linalg.norm(up)
        height += float(step[2])
        sizes = sizes * np.exp(np.clip(step[3:], -0.2, 0.2))
    return Ground(up, height, sizes)


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
