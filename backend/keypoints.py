# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracked people in 2D: what `detect` writes and `lift` reads (`.keypoints.npz`, version 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..rigging.take import FileFormatError, read_arrays
from .errors import UserError
from .files import save_arrays

FORMAT = "video-mocap keypoints"
VERSION = 1


@dataclass
class Keypoints:
    """P people over F frames with K keypoints.

    fps: nominal rate, Hz. times: (F,) seconds from the first frame of the footage, increasing.
    image_size: (width, height) pixels. keypoint_names: (K,) names as in `rigging.joints`.
    person_ids: (P,) int. keypoints: (P, F, K, 3): x, y in pixels (origin at the top-left corner of the top-left
    pixel) and confidence 0..1; a missing point is NaN, NaN, 0. intrinsics: (3, 3) pixels, or None when unknown.
    source: where they come from (detector name, version, licence), JSON-able.
    Raises FileFormatError on construction if the arrays do not fit together.
    """

    fps: float
    times: np.ndarray
    image_size: tuple[int, int]
    keypoint_names: tuple[str, ...]
    person_ids: np.ndarray
    keypoints: np.ndarray
    intrinsics: np.ndarray | None = None
    source: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        people, frames, count = len(self.person_ids), len(self.times), len(self.keypoint_names)
        if self.keypoints.shape != (people, frames, count, 3):
            raise FileFormatError(
                f"keypoints has shape {self.keypoints.shape}, but {(people, frames, count, 3)} is needed "
                "(people, frames, names, x y confidence)"
            )
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise FileFormatError(f"fps must be positive, not {self.fps}")
        if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
            raise FileFormatError("times must be finite and increasing")
        if len(set(self.keypoint_names)) < count:
            raise FileFormatError("two keypoints have the same name")
        if min(self.image_size) < 1:
            raise FileFormatError(f"image_size must be positive, not {self.image_size}")
        confidence = self.keypoints[..., 2]
        if not np.isfinite(confidence).all() or (confidence < 0).any() or (confidence > 1).any():
            raise FileFormatError("confidences must lie between 0 and 1")
        if not np.isfinite(self.keypoints[..., :2][confidence > 0]).all():
            raise FileFormatError("a keypoint with a confidence above 0 has no finite position")
        if self.intrinsics is not None and (
            self.intrinsics.shape != (3, 3) or not np.isfinite(self.intrinsics).all() or self.intrinsics[0, 0] <= 0
        ):
            raise FileFormatError("intrinsics must be a finite (3, 3) camera matrix with a positive focal length")


def write_keypoints(path: str | Path, keypoints: Keypoints) -> None:
    """Write a keypoints file, whole or not at all. Raises UserError if it cannot be written."""
    arrays = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "fps": np.array(float(keypoints.fps)),
        "times": np.asarray(keypoints.times, np.float64),
        "image_size": np.asarray(keypoints.image_size, np.int64),
        "keypoint_names": np.array(keypoints.keypoint_names),
        "person_ids": np.asarray(keypoints.person_ids, np.int64),
        "keypoints": np.asarray(keypoints.keypoints, np.float32),
    }
    if keypoints.intrinsics is not None:
        arrays["intrinsics"] = np.asarray(keypoints.intrinsics, np.float64)
    save_arrays(path, arrays)


def read_keypoints(path: str | Path) -> Keypoints:
    """Read a keypoints file. Raises UserError, in one sentence, if that is not possible."""
    required = {"fps", "times", "image_size", "keypoint_names", "person_ids", "keypoints"}
    try:
        arrays = read_arrays(path, FORMAT, VERSION, required)
        size = arrays["image_size"]
        if size.shape != (2,):
            raise FileFormatError(f"image_size has shape {size.shape}, but (2,) is needed")
        intrinsics = arrays.get("intrinsics")
        if intrinsics is not None and intrinsics.dtype.kind not in "iuf":
            raise FileFormatError("intrinsics must hold numbers")
        return Keypoints(
            fps=float(arrays["fps"]),
            times=arrays["times"].astype(np.float64),
            image_size=(int(size[0]), int(size[1])),
            keypoint_names=tuple(str(name) for name in arrays["keypoint_names"]),
            person_ids=arrays["person_ids"],
            keypoints=arrays["keypoints"].astype(np.float32),
            intrinsics=None if intrinsics is None else intrinsics.astype(np.float64),
            source={"name": "imported", "file": Path(path).name},
        )
    except FileNotFoundError as error:
        raise UserError(str(error)) from None
    except (TypeError, ValueError) as error:
        message = str(error)
        raise UserError(message if str(path) in message else f"{path}: {message}") from None
