# SPDX-License-Identifier: GPL-3.0-or-later
"""The lens: focal lengths in the units in which people know them, and distortion.

Keypoints are undistorted once, before they are lifted; everything after that is a pinhole camera.
"""

from __future__ import annotations

from math import hypot

import cv2
import numpy as np

from .background.movement import BackgroundMotion, mapped
from .camera import rays
from .errors import UserError
from .keypoints import Keypoints

#: Millimetres: the longer side and the diagonal of 35 mm film.
FILM, _FILM_DIAGONAL = 36.0, 43.27
#: Corners of the picture that are straightened and bent again come back as near, in longer sides, or the picture folds.
_RETURNS = 0.001


def focal_in_pixels(image_size: tuple[int, int], millimetres: float, sensor: float) -> float:
    """Focal length in pixels. sensor: its longer side, millimetres, all of which the picture shows."""
    return millimetres / sensor * max(image_size)


def focal_of_film(image_size: tuple[int, int], millimetres: float) -> float:
    """Focal length in pixels for one "in 35 mm film", which is meant for the diagonal of the picture."""
    return millimetres / _FILM_DIAGONAL * hypot(*image_size)


def undistorted(pixels: np.ndarray, intrinsics: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) as a lens without distortion would show them; NaN stays NaN.

    distortion: (5,) OpenCV's k1 k2 p1 p2 k3 (Brown, 1966), of this lens (3, 3).
    """
    flat = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
    out = np.full((len(flat), 2), np.nan)
    known = np.isfinite(flat).all((1, 2))
    if known.any():
        steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-9)
        found = cv2.undistortPointsIter(flat[known], intrinsics, distortion, np.eye(3), intrinsics, steps)
        out[known] = found.reshape(-1, 2)
    return out.reshape(np.shape(pixels))


def parse_distortion(text: str) -> tuple[float, ...]:
    """ "k1,k2,p1,p2" or "k1,k2,p1,p2,k3" to five numbers, OpenCV's coefficients. Raises UserError."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (4, 5) or not np.isfinite(numbers).all():
        raise UserError(f"the distortion is k1,k2,p1,p2 or k1,k2,p1,p2,k3 as OpenCV has it, not {text}")
    return (*numbers, 0.0) if len(numbers) == 4 else numbers


def without_distortion(keypoints: Keypoints, intrinsics: np.ndarray, distortion: np.ndarray) -> Keypoints:
    """Keypoints, and the background's movement, as a lens (3, 3) without its distortion (5,) would have seen them.

    Raises UserError if no lens can be like that.
    """
    corners = np.array([[x, y] for x in (0, keypoints.image_size[0]) for y in (0, keypoints.image_size[1])], float)
    sight = rays(undistorted(corners, intrinsics, distortion), intrinsics)
    back = cv2.projectPoints(sight, np.zeros(3), np.zeros(3), intrinsics, distortion)[0][:, 0]
    if not (np.linalg.norm(back - corners, axis=-1) < _RETURNS * max(keypoints.image_size)).all():
        raise UserError(
            "with this distortion and focal length the picture folds over itself; the coefficients are OpenCV's "
            "k1,k2,p1,p2,k3 for coordinates divided by the focal length"
        )
    points = keypoints.keypoints.copy()
    points[..., :2] = undistorted(points[..., :2], intrinsics, distortion)
    background = keypoints.background
    if background is not None:
        background = _straightened(background, intrinsics, distortion)
    fields = {**vars(keypoints), "keypoints": points, "background": background}
    return Keypoints(**fields)


def _straightened(motion: BackgroundMotion, intrinsics: np.ndarray, distortion: np.ndarray) -> BackgroundMotion:
    points, there = (undistorted(each, intrinsics, distortion) for each in motion.samples())
    known = np.isfinite(there).all((1, 2)) & (motion.quality > 0)
    matrices = motion.homographies.copy()
    for row in np.flatnonzero(known & (motion.references != np.arange(len(motion)))):
        matrix = cv2.findHomography(points[row], there[row])[0]
        if matrix is not None and np.isfinite(mapped(points[row], matrix)).all():
            matrices[row] = matrix
    support = np.concatenate([points.min(1), points.max(1)], axis=-1)
    return BackgroundMotion(matrices, motion.references, support, motion.quality)
