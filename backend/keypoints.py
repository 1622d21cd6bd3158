# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracked people in 2D: what `detect` writes and `lift` reads (`.keypoints.npz`, version 1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..rigging.take import FileFormatError, read_arrays
from .background.movement import BackgroundMotion, motion_arrays, motion_from_arrays
from .errors import UserError
from .files import save_arrays

FORMAT = "video-mocap keypoints"
VERSION = 1
#: Keys that a file must have.
REQUIRED = {"fps", "times", "image_size", "keypoint_names", "person_ids", "keypoints"}


@dataclass
class Keypoints:
    """P people over F frames with K keypoints.

    fps: nominal rate, Hz. times: (F,) seconds from the first frame of the footage, increasing.
    image_size: (width, height) pixels. keypoint_names: (K,) names as in `rigging.joints`.
    person_ids: (P,) int. keypoints: (P, F, K, 3): x, y in pixels (origin at the top-left corner of the top-left
    pixel) and confidence 0..1; a missing point is NaN, NaN, 0. intrinsics: (3, 3) pixels, or None when unknown.
    source: where they come from, JSON-able: name, version, licence and weights of the detector; footage, its name;
    warnings, one sentence each; whatever else whoever made them wants to say.
    background: how the background moved in the picture of all F frames, or None when nobody looked.
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
    background: BackgroundMotion | None = None

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
        if self.background is not None and len(self.background) != frames:
            raise FileFormatError(
                f"the background's movement is of {len(self.background)} frames, the keypoints are of {frames}"
            )


def write_keypoints(path: str | Path, keypoints: Keypoints) -> None:
    """Write a keypoints file, whole or not at all. Raises UserError if it cannot be written."""
    save_arrays(path, keypoints_arrays(keypoints))


def read_keypoints(path: str | Path) -> Keypoints:
    """Read a keypoints file. Raises UserError, in one sentence, if that is not possible."""
    try:
        return keypoints_from_arrays(read_arrays(path, FORMAT, VERSION, REQUIRED), Path(path).name)
    except FileNotFoundError as error:
        raise UserError(str(error)) from None
    except (TypeError, ValueError) as error:
        message = str(error)
        raise UserError(message if str(path) in message else f"{path}: {message}") from None


def keypoints_arrays(keypoints: Keypoints) -> dict[str, np.ndarray]:
    """The arrays of a version 1 file."""
    arrays = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "fps": np.array(float(keypoints.fps)),
        "times": np.asarray(keypoints.times, np.float64),
        "image_size": np.asarray(keypoints.image_size, np.int64),
        "keypoint_names": np.array(keypoints.keypoint_names),
        "person_ids": np.asarray(keypoints.person_ids, np.int64),
        "keypoints": np.asarray(keypoints.keypoints, np.float32),
        "metadata": np.array(json.dumps(keypoints.source, sort_keys=True)),
    }
    if keypoints.intrinsics is not None:
        arrays["intrinsics"] = np.asarray(keypoints.intrinsics, np.float64)
    if keypoints.background is not None:
        arrays |= motion_arrays(keypoints.background)
    return arrays


def keypoints_from_arrays(arrays: dict[str, np.ndarray], name: str) -> Keypoints:
    """The keypoints in a file's arrays, of which those `REQUIRED` are there. name: of the file, for provenance.

    Raises FileFormatError, TypeError or ValueError if they are not what they should be.
    """
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
        source=_source(arrays.get("metadata"), name),
        background=motion_from_arrays(arrays),
    )


def _source(metadata: np.ndarray | None, name: str) -> dict[str, object]:
    """What a file says about where its keypoints come from; other programs' files need not say anything."""
    if metadata is None:
        return {"name": "imported", "file": name}
    try:
        source = json.loads(str(metadata))
    except ValueError as error:
        raise FileFormatError(f"metadata is not JSON: {error}") from None
    if not isinstance(source, dict):
        raise FileFormatError("metadata must be a JSON object")
    warnings = source.get("warnings", [])
    if not isinstance(warnings, list) or not all(isinstance(warning, str) for warning in warnings):
        raise FileFormatError("the warnings in metadata must be a list of sentences")
    if not isinstance(source.get("footage"), str | None):
        raise FileFormatError("the footage in metadata must be a name")
    return source or {"name": "imported", "file": name}
