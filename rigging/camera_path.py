# SPDX-License-Identifier: GPL-3.0-or-later
"""A known camera: where it stands and looks at every moment of the footage (`.camera.npz`, version 1).

Whoever solved or animated the camera writes it; a capture that gets it puts the people into its world. Camera axes are
OpenCV's (x right, y down, z forward); the world is right-handed with Z up, metres, floor at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import quaternions
from .take import FileFormatError, read_arrays

FORMAT = "video-mocap camera"
VERSION = 1
_REQUIRED = {"times", "image_size", "intrinsics", "world_to_camera"}


@dataclass(frozen=True)
class CameraPath:
    """A camera at N moments; one moment is a camera that stands still.

    times: (N,) seconds from the first frame of the footage, increasing. image_size: width, height of the footage,
    pixels. intrinsics: (3, 3) pixels. world_to_camera: (N, 4, 4) rotations and translations in metres.
    distortion: (5,) OpenCV's k1 k2 p1 p2 k3, or None for a lens that has none.
    Raises FileFormatError on construction, in one sentence, if that is not so.
    """

    times: np.ndarray
    image_size: tuple[int, int]
    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    distortion: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.times)
        if not count:
            raise FileFormatError("the camera has no times")
        if np.shape(self.world_to_camera) != (count, 4, 4):
            found = np.shape(self.world_to_camera)
            raise FileFormatError(f"the camera's world_to_camera has shape {found}, but {(count, 4, 4)} is needed")
        if np.shape(self.intrinsics) != (3, 3):
            raise FileFormatError(f"the camera's intrinsics have shape {np.shape(self.intrinsics)}, not (3, 3)")
        if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
            raise FileFormatError("the camera's times must be finite and increasing")
        if len(self.image_size) != 2 or min(self.image_size) < 1:
            raise FileFormatError(f"the camera's image_size must be a width and a height, not {self.image_size}")
        if self.distortion is not None and (
            np.shape(self.distortion) != (5,) or not np.isfinite(self.distortion).all()
        ):
            raise FileFormatError("the camera's distortion must be five finite numbers: k1 k2 p1 p2 k3")
        self._check_matrices()

    def _check_matrices(self) -> None:
        intrinsics, matrices = self.intrinsics, self.world_to_camera
        if not (np.isfinite(intrinsics).all() and np.isfinite(matrices).all()):
            raise FileFormatError("the camera must be finite")
        if min(intrinsics[0, 0], intrinsics[1, 1]) <= 0 or np.abs(intrinsics[2] - [0, 0, 1]).max() > 1e-6:
            raise FileFormatError("the camera's intrinsics must be a camera matrix with positive focal lengths")
        rotation = matrices[:, :3, :3]
        straight = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max() < 1e-3
        if not straight or (np.linalg.det(rotation) < 0).any() or np.abs(matrices[:, 3] - [0, 0, 0, 1]).max() > 1e-6:
            raise FileFormatError(
                "the camera's world_to_camera must be made of rotations and translations; remove the camera's scale"
            )

    def at(self, times: np.ndarray) -> np.ndarray:
        """(F, 4, 4) world to camera at seconds (F,); held before the first and after the last known moment.

        Between moments the camera turns at constant speed and its centre moves in a straight line; at a known moment
        it is exactly what was given.
        """
        wanted = np.asarray(times, np.float64)
        right = np.clip(np.searchsorted(self.times, wanted), 0, len(self.times) - 1)
        left = np.maximum(right - 1, 0)
        span = np.where(right > left, self.times[right] - self.times[left], np.inf)
        fraction = np.clip((wanted - self.times[left]) / span, 0.0, 1.0)
        turns = quaternions.from_matrix(self.world_to_camera[:, :3, :3])
        rotation = quaternions.to_matrix(quaternions.slerp(turns[left], turns[right], fraction))
        centres = camera_centres(self.world_to_camera)
        centre = centres[left] + fraction[:, None] * (centres[right] - centres[left])
        out = np.tile(np.eye(4), (len(wanted), 1, 1))
        out[:, :3, :3] = rotation
        out[:, :3, 3] = -np.matmul(rotation, centre[..., None])[..., 0]
        for end, row in ((0.0, left), (1.0, right)):
            exact = np.flatnonzero(np.equal(fraction, end))
            out[exact] = self.world_to_camera[row[exact]]
        return out


def camera_centres(world_to_camera: np.ndarray) -> np.ndarray:
    """Where cameras (..., 4, 4) stand in the world: (..., 3)."""
    rotation, translation = world_to_camera[..., :3, :3], world_to_camera[..., :3, 3]
    return -np.matmul(np.swapaxes(rotation, -1, -2), translation[..., None])[..., 0]


def camera_arrays(path: CameraPath) -> dict[str, np.ndarray]:
    """The arrays of a version 1 file, ready for `numpy.savez_compressed`."""
    arrays = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "times": np.asarray(path.times, np.float64),
        "image_size": np.asarray(path.image_size, np.int64),
        "intrinsics": np.asarray(path.intrinsics, np.float64),
        "world_to_camera": np.asarray(path.world_to_camera, np.float64),
    }
    return arrays if path.distortion is None else arrays | {"distortion": np.asarray(path.distortion, np.float64)}


def read_camera(file: str | Path) -> CameraPath:
    """Read a camera file.

    Raises FileFormatError with one sentence if the file is no camera, of another version or has arrays that do not
    fit; FileNotFoundError if there is none.
    """
    arrays = read_arrays(file, FORMAT, VERSION, _REQUIRED)
    size = arrays["image_size"]
    if size.shape != (2,):
        raise FileFormatError(f"{file}: image_size has shape {size.shape}, but (2,) is needed")
    try:
        return CameraPath(
            times=arrays["times"].astype(np.float64),
            image_size=(int(size[0]), int(size[1])),
            intrinsics=arrays["intrinsics"].astype(np.float64),
            world_to_camera=arrays["world_to_camera"].astype(np.float64),
            distortion=arrays["distortion"].astype(np.float64) if "distortion" in arrays else None,
        )
    except (TypeError, ValueError, IndexError) as error:
        raise FileFormatError(f"{file}: {error}") from None
