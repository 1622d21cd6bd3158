# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture starts from when it is not footage: the keypoints of a `.keypoints.npz` or of a `.take.npz`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...rigging import take as takes
from ...rigging.camera_path import CameraPath
from ...rigging.take import FileFormatError, Take, load_arrays, read_take
from .. import keypoints as files
from ..background.movement import BackgroundMotion
from ..background.turning import motion_of
from ..errors import UserError
from ..keypoints import Keypoints
from .lifting import ASSUMED, KNOWN_CAMERA, PERSPECTIVE
from .turning import TURNED

#: Focal lengths that a program found are found again; those that somebody said are kept.
_FOUND = (ASSUMED, PERSPECTIVE, TURNED)


@dataclass(frozen=True)
class Source:
    """Detected people, and what is known about them already.

    keypoints: with intrinsics where somebody said them; lens: who. persons: names of people by their ids as texts.
    camera: the known camera of an earlier take, or None. straightened: the lens's
    distortion, which is taken out of these keypoints already.
    """

    keypoints: Keypoints
    lens: str = "keypoints file"
    persons: dict[str, str] = field(default_factory=dict)
    camera: CameraPath | None = None
    straightened: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.persons:  # keypoints that were imported may have brought names
            object.__setattr__(self, "persons", names_of(self.keypoints.source.get("persons")))


def is_footage(path: str | Path) -> bool:
    """Whether detection has to look at it: anything but an `.npz`."""
    return Path(path).suffix.lower() != ".npz"


def read_source(path: str | Path) -> Source:
    """Read a keypoints file or a take. Raises UserError, in one sentence, if it is neither or damaged."""
    try:
        kind = str(load_arrays(path, f"a {files.FORMAT} or {takes.FORMAT} file").get("format"))
        if kind == takes.FORMAT:
            return source_of_take(read_take(path))
    except (FileFormatError, FileNotFoundError) as error:
        raise UserError(str(error)) from None
    if kind != files.FORMAT:
        raise UserError(f"{path} is neither a {files.FORMAT} file nor a {takes.FORMAT} file")
    return Source(files.read_keypoints(path))


def source_of_take(take: Take) -> Source:
    """The people of a take as they were detected, with their names, and its camera if that was known."""
    metadata = take.metadata
    lens = str(metadata.get("focal_length") or ASSUMED)
    stages = metadata.get("stages")
    detection: dict[str, Any] = dict(stages.get("detection") or {}) if isinstance(stages, dict) else {}
    detection = detection or {"name": "imported"}
    detection.pop("persons", None)  # the take's own names count, also where they were taken away
    if isinstance(metadata.get("footage"), str):
        detection["footage"] = metadata["footage"]
    keypoints = Keypoints(
        take.fps,
        take.times,
        (int(take.image_size[0]), int(take.image_size[1])),
        take.keypoint_names,
        take.person_ids,
        np.asarray(take.keypoints, np.float32),
        None if lens in _FOUND else take.intrinsics,
        detection,
        _background_of(take) if metadata.get("camera_motion") in ("still", "turning") else None,
    )
    camera = None
    if lens == KNOWN_CAMERA:
        camera = CameraPath(
            take.times,
            keypoints.image_size,
            take.intrinsics,
            np.broadcast_to(take.world_to_camera, (len(take.times), 4, 4)),
        )
    numbers = metadata.get("distortion")
    straightened = tuple(float(value) for value in numbers) if isinstance(numbers, list) else None
    return Source(keypoints, lens, names_of(metadata.get("persons")), camera, straightened)


def _background_of(take: Take) -> BackgroundMotion:
    """What the camera of a take, which turned or rested as was found out, made of the background: it is found again."""
    matrices = np.broadcast_to(take.world_to_camera, (len(take.times), 4, 4))
    turns = matrices[:, :3, :3] @ matrices[0, :3, :3].T
    return motion_of(turns, take.intrinsics, (int(take.image_size[0]), int(take.image_size[1])))


def names_of(persons: object) -> dict[str, str]:
    """The names in a take's metadata; whatever is no name is left out."""
    if not isinstance(persons, dict):
        return {}
    return {str(identity): name for identity, name in persons.items() if isinstance(name, str)}
