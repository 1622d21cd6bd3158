# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user knows of the world: lines in the picture that are vertical, and how far points of the floor are apart.

A vertical line in the picture says in which plane up lies, two of them say up itself; what they leave open the lifter
says. The distance between two points on the floor says how high above it the camera is, and so how large everything is.
Points are pixels of the first frame that is captured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from ..camera import rays
from ..errors import UserError
from ..lens import undistorted
from .ground import GIVEN_TILT

#: How well somebody marks a point, in longer sides of the picture.
_MARKED = 0.001
#: Shorter lines than this, in longer sides, say nothing.
_SHORTEST = 0.02
_NUMBER = r"\s*(-?\d+(?:\.\d*)?)\s*"
_LINE = re.compile(",".join([_NUMBER] * 4))
_FLOOR = re.compile(",".join([_NUMBER] * 4) + "=" + _NUMBER)


@dataclass(frozen=True)
class Given:
    """verticals: (N, 2, 2) ends of lines. floor: (2, 2) points, or None; metres: between those. longer: side of the
    picture. All but the metres in pixels."""

    verticals: np.ndarray
    floor: np.ndarray | None
    metres: float
    longer: float

    def without_distortion(self, intrinsics: np.ndarray, distortion: np.ndarray) -> Given:
        """The same as a lens without its distortion (5,) shows it."""
        floor = None if self.floor is None else undistorted(self.floor, intrinsics, distortion)
        return replace(self, verticals=undistorted(self.verticals, intrinsics, distortion), floor=floor)

    def level(
        self, up: np.ndarray, error: tuple[float, float], intrinsics: np.ndarray
    ) -> tuple[np.ndarray, tuple[float, float]]:
        """Up (3,) in camera axes and how well it is known, from what both were before; see `ground.LIFTED_TILT`."""
        if not len(self.verticals):
            return up, error
        ends = rays(self.verticals, intrinsics)
        planes = np.cross(ends[:, 0], ends[:, 1])
        planes /= np.linalg.norm(planes, axis=-1, keepdims=True)
        length = np.linalg.norm(self.verticals[:, 1] - self.verticals[:, 0], axis=-1)
        sure = length / (np.sqrt(2) * _MARKED * self.longer)
        before, prior = up, 1 / np.radians(error) ** 2
        spread = np.eye(2)
        for _ in range(8):
            ways = _ways(up)
            a = sure[:, None] * (planes @ ways)
            spread = np.linalg.inv(a.T @ a + np.diag(prior))
            step = spread @ (-a.T @ (sure * (planes @ up)) - prior * (ways.T @ (up - before)))
            up = up + ways @ step
            up = up / np.linalg.norm(up)
        found = np.maximum(np.degrees(np.sqrt(np.diag(spread))), GIVEN_TILT)
        return up, (float(found[0]), float(found[1]))

    def camera_height(self, up: np.ndarray, intrinsics: np.ndarray) -> float | None:
        """Metres from the floor up to the camera, if two points of the floor say so; up: (3,) camera axes.

        Raises UserError if a point is not below the horizon.
        """
        if self.floor is None:
            return None
        sight = rays(self.floor, intrinsics)
        below = -(sight @ up)
        if (below < 1e-3 * np.linalg.norm(sight, axis=-1)).any():
            raise UserError("a point of --floor lies on or above the horizon; mark two points where the floor is seen")
        spots = sight / below[:, None]
        return self.metres / float(np.linalg.norm(spots[1] - spots[0]))


def parse_given(vertical: str, floor: str, image_size: tuple[int, int]) -> Given | None:
    """ "X,Y,X,Y" of a vertical line, several with semicolons, and "X,Y,X,Y=METRES" of the floor; None of nothing.

    Raises UserError if that is not what they are.
    """
    if not vertical and not floor:
        return None
    longer = float(max(image_size))
    lines = [_LINE.fullmatch(part) for part in vertical.split(";")] if vertical else []
    if None in lines:
        raise UserError(f"a vertical line is X,Y,X,Y in pixels, several are joined by semicolons, not {vertical}")
    verticals = np.array([line.groups() for line in lines if line is not None], float).reshape(-1, 2, 2)
    if (np.linalg.norm(verticals[:, 1] - verticals[:, 0], axis=-1) < _SHORTEST * longer).any():
        raise UserError("a vertical line is too short to say which way is up; mark its ends farther apart")
    said = _FLOOR.fullmatch(floor) if floor else None
    if floor and (said is None or float(said[5]) <= 0):
        raise UserError(f"two points of the floor are X,Y,X,Y=METRES, the distance between them, not {floor}")
    if said is None:
        return Given(verticals, None, 0.0, longer)
    points = np.array(said.groups()[:4], float).reshape(2, 2)
    if np.linalg.norm(points[1] - points[0]) < _SHORTEST * longer:
        raise UserError("the two points of the floor are too near each other to say how large it is")
    return Given(verticals, points, float(said[5]), longer)


def _ways(up: np.ndarray) -> np.ndarray:
    """(3, 2) level directions: along the line of sight, and across it."""
    side = np.cross(up, [0.0, 0.0, 1.0])
    if np.linalg.norm(side) < 1e-6:
        side = np.array([1.0, 0.0, 0.0])
    side = side / np.linalg.norm(side)
    return np.stack([np.cross(side, up), side], axis=1)
