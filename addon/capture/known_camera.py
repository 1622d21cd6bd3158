# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The camera that the panel names as a file that the engine reads."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...rigging.camera_path import camera_arrays
from ..files import write_whole
from .camera import sample_camera
from .footage import FootageChoice, resolve
from .request import absolute


def known_camera(
    scene: bpy.types.Scene, choice: FootageChoice | None, beside: Path
) -> Generator[float, None, Path | None]:
    """The file of the camera that the panel names; a generator whose value is None if no camera is known.

    choice: the footage that it took, None to find that out. A camera of the scene is written next to `beside`, as
    NAME.camera.npz. Raises ValueError or OSError.
    """
    settings = scene.video_mocap
    if settings.lens != "CAMERA":
        return None
    if settings.camera is None:
        path = absolute(settings.camera_path)
        if not path.is_file():
            raise ValueError(f"{path} does not exist: choose the camera again")
        return path
    found = yield from sample_camera(scene, settings.camera, choice or resolve(scene))
    path = beside.with_name(beside.name.split(".")[0] + ".camera.npz")
    arrays: dict[str, Any] = camera_arrays(found)
    write_whole(path, lambda file: np.savez_compressed(file, **arrays))
    return path
