# SPDX-License-Identifier: GPL-3.0-or-later
"""The take file, version 1: what a capture leaves behind and everything later starts from.

Conventions: metres, seconds; world right-handed, Z up, floor at z = 0; camera axes are OpenCV's (x right, y down, z
forward); pixels have their origin at the top-left corner of the top-left pixel. Missing is NaN with confidence 0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "video-mocap take"
VERSION = 1
CONTACT_NAMES = ("left_heel", "left_toe", "right_heel", "right_toe")
#: Arrays of texts; every other one that a reader asks for holds numbers.
_TEXTS = {"format", "metadata", "joint_names", "keypoint_names"}
#: Dimensions of the arrays whose lengths say how long the others have to be.
_DIMENSIONS = {"fps": 0, "metadata": 0, "times": 1, "person_ids": 1, "joint_names": 1, "joint_parents": 1}
_DIMENSIONS |= {"keypoint_names": 1}


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
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise FileFormatError(f"the take's fps must be positive, not {self.fps}")
        if np.min(self.image_size) < 1:
            raise FileFormatError("the take's image_size must be positive")
        self._validate_camera()
        self._validate_joints()

    def _validate_camera(self) -> None:
        if not np.isfinite(self.intrinsics).all() or not np.isfinite(self.world_to_camera).all():
            raise FileFormatError("the take's camera must be finite")
        if self.intrinsics[0, 0] <= 0 or self.intrinsics[1, 1] <= 0:
            raise FileFormatError("the take's intrinsics must have positive focal lengths")
        rotation = self.world_to_camera[:, :3, :3]
        if np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max() > 1e-3:
            raise FileFormatError("the take's world_to_camera must be made of rotations and translations")

    def _validate_joints(self) -> None:
        for what, names in (("joint", self.joint_names), ("keypoint", self.keypoint_names)):
            if len(set(names)) < len(names):
                raise FileFormatError(f"two of the take's {what}s have the same name")
        for row in range(len(self.joint_parents)):
            seen: set[int] = set()
            while row != -1:
                if row in seen or not 0 <= row < len(self.joint_parents):
                    raise FileFormatError("the take's joint_parents are no tree: every chain must end at -1")
                seen.add(row)
                row = self.joint_parents[row]
        for confidence, positions, what in (
            (self.joints_confidence, self.joints, "joint"),
            (self.keypoints[..., 2], self.keypoints[..., :2], "keypoint"),
        ):
            # NaN is neither.
            if not ((confidence >= 0) & (confidence <= 1)).all():
                raise FileFormatError(f"the take's {what} confidences must lie between 0 and 1")
            if not np.isfinite(positions[confidence > 0]).all():
                raise FileFormatError(f"a {what} of the take with a confidence above 0 has no finite position")


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


def load_arrays(path: str | Path, kind: str) -> dict[str, np.ndarray]:
    """Every array of an `.npz`, without unpickling anything. kind: what the file should be, for the messages.

    Raises FileFormatError with one sentence, or FileNotFoundError.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        data = np.load(path, allow_pickle=False)
        if not isinstance(data, np.ndarray):
            with data:
                return {key: data[key] for key in data.files}
    except PermissionError as error:
        raise FileFormatError(f"{path} may not be read: {error.strerror}") from None
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds for damaged files
        raise FileFormatError(f"{path} is not {kind} or is damaged ({error})") from None
    raise FileFormatError(f"{path} is not {kind}")


def read_arrays(path: str | Path, kind: str, version: int, required: set[str]) -> dict[str, np.ndarray]:
    """Read a versioned `.npz` of ours without unpickling anything.

    kind, version: what its `format` and `version` must say. required: keys that must be there.
    Raises FileFormatError with one sentence, or FileNotFoundError.
    """
    arrays = load_arrays(path, f"a {kind} file")
    if str(arrays.get("format")) != kind:
        raise FileFormatError(f"{path} is not a {kind} file")
    found = arrays.get("version")
    if found is None or found.shape != () or found.dtype.kind not in "iu" or int(found) != version:
        raise FileFormatError(f"{path} is version {found} of a {kind} file; this program reads version {version}")
    missing = sorted(required - arrays.keys())
    if missing:
        raise FileFormatError(f"{path} lacks {', '.join(missing)}")
    for key in sorted(required):
        shape, dtype_kind = arrays[key].shape, arrays[key].dtype.kind
        if len(shape) != _DIMENSIONS.get(key, len(shape)):
            raise FileFormatError(f"{path}: {key} has shape {shape}, but {_DIMENSIONS[key]} dimensions are needed")
        if arrays[key].size and dtype_kind not in ("US" if key in _TEXTS else "iuf"):  # an empty array has no kind
            raise FileFormatError(f"{path}: {key} must hold {'text' if key in _TEXTS else 'numbers'}")
    return arrays
