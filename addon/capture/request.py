# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panel's choices as options of a capture (CaptureOptions over the wire), and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy

from .. import PACKAGE
from ..files import free_take_path
from ..properties import SceneSettings

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
