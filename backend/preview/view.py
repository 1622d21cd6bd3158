# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual camera of the 3D view, and projection."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, radians, sin, tan

import numpy as np

from ...rigging.take import Take

_FIELD_OF_VIEW = radians(34)  # of the shorter side
_ELEVATION = radians(14)
_TURN = radians(32)  # from where the footage was filmed: the three-quarter view
_SWAY, _PERIOD = radians(16), 12.0
_MARGIN = 0.86
_SMALLEST_DISTANCE = 3.0
_NEAR = 0.05


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. intrinsics: (3, 3) pixels. world_to_camera: (4, 4), OpenCV axes."""

    intrinsics: np.ndarray
    world_to_camera: np.ndarray

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., 3) metres, world, to (..., 2) pixels and (...) depth in metres; NaN for what lies behind."""
        seen = points @ self.world_to_camera[:3, :3].T + self.world_to_camera[:3, 3]
        depth = np.where(seen[..., 2] > _NEAR, seen[..., 2], np.nan)
        pixels = seen @ self.intrinsics.T
        return pixels[..., :2] / depth[..., None], depth


@dataclass(frozen=True)
class View:
    """Where the virtual camera swings about.

    center: (3,) metres, world. distance: metres. azimuth: radians about Z, of the camera seen from the center.
    reach: metres from the center that the floor grid covers.
    """

    center: np.ndarray
    distance: float
    azimuth: float
    reach: float

    def camera(self, time: float, width: int, height: int) -> Camera:
        """The camera at `time` seconds, for a panel of width x height pixels: a slow sway shows the depth."""
        towards = _towards(self.azimuth + _SWAY * sin(2 * pi * time / _PERIOD))
        rotation = _looking(-towards)
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3] = rotation
        world_to_camera[:3, 3] = -rotation @ (self.center + self.distance * towards)
        focal = min(width, height) / 2 / tan(_FIELD_OF_VIEW / 2)
        intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        return Camera(intrinsics, world_to_camera)


def fit_view(take: Take, width: int, height: int) -> View:
    """The three-quarter view that keeps everybody in a panel of width x height pixels over the whole take."""
    points = take.joints.reshape(-1, 3).astype(np.float64)
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return View(np.array([0.0, 0.0, 0.9]), 2 * _SMALLEST_DISTANCE, 0.0, 3.0)
    # Strays of a few frames must not make everybody small.
    low, high = np.percentile(points, [0.3, 99.7], axis=0)
    points = np.clip(points, low, high)[:: max(1, len(points) // 20000)]
    low[2], high[2] = min(low[2], 0.0), max(high[2], 0.5)
    center = (low + high) / 2
    azimuth = _filmed_from(take, center) + _TURN
    tangent = tan(_FIELD_OF_VIEW / 2) * np.array([width, height]) / min(width, height) * _MARGIN
    offsets = np.concatenate([points, points * [1, 1, 0]]) - center
    distance = _SMALLEST_DISTANCE
    for sway in np.linspace(-_SWAY, _SWAY, 5):
        seen = offsets @ _looking(-_towards(azimuth + sway)).T
        distance = max(distance, float((np.abs(seen[:, :2]) / tangent - seen[:, 2:]).max()))
    return View(center, distance, azimuth, float(np.linalg.norm(high[:2] - low[:2])) / 2 + 2.5)


def _filmed_from(take: Take, center: np.ndarray) -> float:
    """Azimuth of the footage's first camera seen from `center`, radians."""
    first = take.world_to_camera[0]
    away = -first[:3, :3].T @ first[:3, 3] - center
    return float(np.arctan2(away[1], away[0]))


def _towards(azimuth: float) -> np.ndarray:
    """(3,) unit vector from the center to the camera."""
    return np.array([cos(_ELEVATION) * cos(azimuth), cos(_ELEVATION) * sin(azimuth), sin(_ELEVATION)])


def _looking(forward: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of world to camera axes (x right, y down, z forward) for a level camera."""
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])
