# SPDX-License-Identifier: GPL-3.0-or-later
"""The take file, version 1: what a capture leaves behind and everything later starts from.

Conventions: metres, seconds; world right-handed, Z up, floor at z = 0; camera axes are OpenCV's (x right, y down, z
forward); pixels have their origin at the top-left corner of the top-left pixel. Missing is NaN with confidence 0.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "video-mocap take"
VERSION = 1
CONTACT_NAMES = ("left_heel", "left_toe", "right_heel", "right_toe")


class FileFormatError(ValueError):
    """A file is not what its reader expects; the message is one sentence for the user."""


@dataclass
class Take:
    """The motion of P people over F frames with J joints and K keypoints.

    fps: nominal frame rate of the footage, Hz. times: (F,) seconds from the first frame of the footage.
    image_size: (2,) width, height in pixels. intrinsics: (3, 3) pixels. world_to_camera: (1 or F, 4, 4).
    joint_names: (J,); joint_parents: (J,), -1 for a root. person_ids: (P,) int.
    joints: (P, F, J, 3) metres, world; joints_confidence: (P, F, J) 0..1.
    keypoint_names: (K,); keypoints: (P, F, K, 3) x, y in pixels, confidence.
    contacts: (P, F, 4) probability that `CONTACT_NAMES` stand on something.
    metadata: JSON-able: footage, options, every stage's name, version and weights hash, warnings.
    """

    fps: float
    times: np.ndarray
    image_size: np.ndarray
    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    person_ids: np.ndarray
    joints: np.ndarray
    joints_confidence: np.ndarray
    keypoint_names: tuple[str, ...]
    keypoints: np.ndarray
    contacts: np.ndarray
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise FileFormatError, in one sentence, if the arrays do not fit together."""
        people, frames, joints, keypoints = (
            len(self.person_ids),
            len(self.times),
            len(self.joint_names),
            len(self.keypoint_names),
        )
        shapes = {
            "joint_parents": (np.shape(self.joint_parents), (joints,)),
            "image_size": (np.shape(self.image_size), (2,)),
            "intrinsics": (np.shape(self.intrinsics), (3, 3)),
            "joints": (np.shape(self.joints), (people, frames, joints, 3)),
            "joints_confidence": (np.shape(self.joints_confidence), (people, frames, joints)),
            "keypoints": (np.shape(self.keypoints), (people, frames, keypoints, 3)),
            "contacts": (np.shape(self.contacts), (people, frames, 4)),
        }
        for key, (found, expected) in shapes.items():
            if tuple(found) != expected:
                raise FileFormatError(f"the take's {key} has shape {tuple(found)}, but {expected} is needed")
        if np.shape(self.world_to_camera) not in ((1, 4, 4), (frames, 4, 4)):
            raise FileFormatError(
                f"the take's world_to_camera has shape {np.shape(self.world_to_camera)}, "
                f"but (1, 4, 4) or ({frames}, 4, 4) is needed"
            )
        if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
            raise FileFormatError("the take's times must be finite and increasing")
        if not np.isfinite(self.intrinsics).all() or not np.isfinite(self.world_to_camera).all():
            raise FileFormatError("the take's camera must be finite")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise FileFormatError(f"the take's fps must be positive, not {self.fps}")


def take_arrays(take: Take) -> dict[str, np.ndarray]:
    """The arrays of a version 1 file, ready for `numpy.savez_compressed`."""
    return {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "fps": np.array(float(take.fps)),
        "times": np.asarray(take.times, np.float64),
        "image_size": np.asarray(take.image_size, np.int64),
        "intrinsics": np.asarray(take.intrinsics, np.float64),
        "world_to_camera": np.asarray(take.world_to_camera, np.float64),
        "joint_names": np.array(take.joint_names),
        "joint_parents": np.asarray(take.joint_parents, np.int64),
        "person_ids": np.asarray(take.person_ids, np.int64),
        "joints": np.asarray(take.joints, np.float32),
        "joints_confidence": np.asarray(take.joints_confidence, np.float32),
        "keypoint_names": np.array(take.keypoint_names),
        "keypoints": np.asarray(take.keypoints, np.float32),
        "contacts": np.asarray(take.contacts, np.float32),
        "metadata": np.array(json.dumps(take.metadata, sort_keys=True)),
    }


def read_take(path: str | Path) -> Take:
    """Read a take file.

    Raises FileFormatError with one sentence if the file is no take, of another version or has arrays that do not fit;
    FileNotFoundError if there is none.
    """
    arrays = read_arrays(path, FORMAT, VERSION, set(Take.__dataclass_fields__))
    try:
        metadata = json.loads(str(arrays["metadata"]))
    except ValueError as error:
        raise FileFormatError(f"{path} has metadata that is not JSON: {error}") from None
    try:
        return Take(
            fps=float(arrays["fps"]),
            times=arrays["times"].astype(np.float64),
            image_size=arrays["image_size"],
            intrinsics=arrays["intrinsics"],
            world_to_camera=arrays["world_to_camera"],
            joint_names=tuple(str(name) for name in arrays["joint_names"]),
            joint_parents=tuple(int(parent) for parent in arrays["joint_parents"]),
            person_ids=arrays["person_ids"],
            joints=arrays["joints"],
            joints_confidence=arrays["joints_confidence"],
            keypoint_names=tuple(str(name) for name in arrays["keypoint_names"]),
            keypoints=arrays["keypoints"],
            contacts=arrays["contacts"],
            metadata=metadata,
        )
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: {error}") from None


def read_arrays(path: str | Path, kind: str, version: int, required: set[str]) -> dict[str, np.ndarray]:
    """Read a versioned `.npz` of ours without unpickling anything.

    kind, version: what its `format` and `version` must say. required: keys that must be there.
    Raises FileFormatError with one sentence, or FileNotFoundError.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with np.load(path, allow_pickle=False) as data:
            if isinstance(data, np.ndarray):
                raise FileFormatError(f"{path} is not a {kind} file")
            arrays = {key: data[key] for key in data.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} is not a {kind} file or is damaged ({error})") from None
    if str(arrays.get("format")) != kind:
        raise FileFormatError(f"{path} is not a {kind} file")
    found = arrays.get("version")
    if found is None or found.ndim != 0 or int(found) != version:
        raise FileFormatError(f"{path} is version {found} of a {kind} file; this program reads version {version}")
    missing = sorted(required - arrays.keys())
    if missing:
        raise FileFormatError(f"{path} lacks {', '.join(missing)}")
    return arrays
