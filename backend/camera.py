# SPDX-License-Identifier: GPL-3.0-or-later
"""The pinhole camera: projection, rays, and intrinsics when a clip does not say them.

Camera axes are OpenCV's (x right, y down, z forward), metres. Pixels have their origin at the top-left corner of the
top-left pixel, so the middle of the image is (width / 2, height / 2). `lens.py` knows of distortion.
"""

from __future__ import annotations

from math import radians, tan

import numpy as np

from .errors import UserError

#: Focal length assumed when nothing is known, in longer image sides: a field of view of 53 degrees.
DEFAULT_FOCAL = 1.0


def project(points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Points (..., 3) in camera axes, metres, to pixels (..., 2); NaN where a point is not in front of the camera.

    intrinsics: (3, 3) pixels.
    """
    homogeneous = points @ intrinsics.T
    depth = np.where(points[..., 2:] > 0, homogeneous[..., 2:], np.nan)
    return homogeneous[..., :2] / depth


def rays(pixels: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) to points (..., 3) of the same line of sight at depth 1 in camera axes, undoing `project`."""
    homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
    return np.linalg.solve(intrinsics, homogeneous[..., None])[..., 0]


def to_camera(points: np.ndarray, world_to_camera: np.ndarray) -> np.ndarray:
    """World points (F, J, 3), or (P, F, J, 3), to camera axes; world_to_camera: (4, 4), (1, 4, 4) or (F, 4, 4)."""
    matrices = np.reshape(world_to_camera, (-1, 4, 4))
    return points @ matrices[:, :3, :3].swapaxes(-1, -2) + matrices[:, None, :3, 3]


def guess_intrinsics(
    image_size: tuple[int, int], focal_length: float | None = None, fov_degrees: float | None = None
) -> tuple[np.ndarray, str]:
    """Intrinsics (3, 3) in pixels from what the user knows, and where the focal length comes from.

    image_size: width, height. focal_length: pixels. fov_degrees: horizontal field of view. The source is one of
    "focal length given", "field of view given" or "assumed" (`DEFAULT_FOCAL` times the longer side).
    The principal point is the middle of the image. Raises UserError if a value is not possible or both are given.
    """
    width, height = (float(side) for side in image_size)
    if focal_length is not None and fov_degrees is not None:
        raise UserError("give the focal length or the field of view, not both")
    if focal_length is not None:
        if not (np.isfinite(focal_length) and focal_length > 0):
            raise UserError(f"the focal length must be a positive number of pixels, not {focal_length}")
        focal, source = float(focal_length), "focal length given"
    elif fov_degrees is not None:
        if not 0 < fov_degrees < 180:
            raise UserError(f"the field of view must lie between 0 and 180 degrees, not {fov_degrees}")
        focal, source = width / 2 / tan(radians(fov_degrees) / 2), "field of view given"
    else:
        focal, source = DEFAULT_FOCAL * max(width, height), "assumed"
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]), source
