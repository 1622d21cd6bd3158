# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panel's choices as options of a capture (CaptureOptions over the wire), and back."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...rigging.camera_path import camera_arrays
from .. import PACKAGE
from ..files import free_take_path, write_whole
from ..properties import SceneSettings
from .camera import sample_camera
from .footage import FootageChoice, resolve

#: A property's value that is the pipeline's own default.
_PLAIN = ("detector", "quality", "smoothing", "device", "lifter")


def user_folder(name: str = "") -> Path:
    """A folder of the extension's own below Blender's user folders; not made here."""
    return Path(bpy.utils.extension_path_user(PACKAGE, path=name))


def problem(settings: SceneSettings) -> str | None:
    """Why the choices (other than the footage) make no capture, in one sentence; None if they do."""
    if settings.use_range and 0 < settings.end <= settings.start:
        return "The range ends before it starts: set End after Start, or to 0 for the end of the footage"
    if settings.lens == "CAMERA" and settings.camera is None and not settings.camera_path:
        return "Choose the camera that took the footage, or another Lens"
    return None


def options(settings: SceneSettings) -> dict[str, Any]:
    """What the choices come to, without the footage and without a known camera.

    start, end: seconds; focal_length: pixels; fov: degrees; height: metres.
    """
    found: dict[str, Any] = {name: getattr(settings, name) for name in _PLAIN}
    found["smoothing"] = round(settings.smoothing, 6)
    if settings.use_range and settings.start > 0:
        found["start"] = settings.start
    if settings.use_range and settings.end > 0:
        found["end"] = settings.end
    if settings.limit_people:
        found["max_persons"] = settings.max_persons
    if settings.lens == "FOCAL":
        found["focal_length"] = settings.focal_length
    if settings.lens == "FOV":
        found["fov"] = math.degrees(settings.fov)
    if settings.height > 0:
        found["height"] = settings.height
    return found


def apply_options(settings: SceneSettings, chosen: Mapping[str, Any]) -> None:
    """Set the choices to `chosen` (checked by `settings_file.read_settings`); what it leaves out gets its default."""
    for name in _PLAIN:
        settings.property_unset(name)
        if name in chosen:
            setattr(settings, name, chosen[name])
    settings.use_range = "start" in chosen or "end" in chosen
    settings.start = chosen.get("start", 0.0)
    settings.end = chosen.get("end", 0.0)
    settings.limit_people = "max_persons" in chosen
    settings.max_persons = chosen.get("max_persons", 1)
    settings.height = chosen.get("height", 0.0)
    settings.lens = next(
        (lens for key, lens in (("focal_length", "FOCAL"), ("fov", "FOV"), ("camera", "CAMERA")) if key in chosen),
        "AUTO",
    )
    if "focal_length" in chosen:
        settings.focal_length = chosen["focal_length"]
    if "fov" in chosen:
        settings.fov = math.radians(chosen["fov"])
    if "camera" in chosen:
        settings.camera = None
        settings.camera_path = chosen["camera"]


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


def takes_folder() -> Path:
    """Where takes of this .blend are kept: beside it, or in the extension's own folder while it was never saved."""
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "video_mocap"
    return user_folder("takes")


def new_take_path(name: str, promised: set[Path]) -> Path:
    """Where a new take called `name` goes: never where a file is or where another capture will put its own."""
    return free_take_path(takes_folder(), name, lambda path: path.exists() or path in promised)


def stored_path(path: Path) -> str:
    """A path as a .blend should hold it: relative to the .blend where it lies beside or below it."""
    if bpy.data.filepath and path.is_relative_to(Path(bpy.data.filepath).parent):
        return "//" + path.relative_to(Path(bpy.data.filepath).parent).as_posix()
    return str(path)


def absolute(path: str) -> Path:
    """The file that a path of the .blend names."""
    return Path(bpy.path.abspath(path))
