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
from . import texts
from .clip_lens import ClipLens, clip_lens

#: Properties that are an option under the same name.
_PLAIN = ("detector", "quality", "smoothing", "device", "lifter", "root", "camera_motion")
#: Fields of text, what checks them, and what the panel calls them; they are an option under the same name unless empty.
_TEXTS = (
    ("distortion", texts.distortion, "Distortion"),
    ("vertical", texts.vertical, "Vertical Lines"),
    ("floor", texts.floor_points, "Floor Points"),
    ("in_front", texts.in_front, "In Front"),
    ("stitch", texts.stitch, "Same People"),
)
#: Which lens an option means.
_LENS_OF = {"focal_length": "FOCAL", "focal_mm": "MILLIMETRES", "fov": "FOV", "camera": "CAMERA"}


def user_folder(name: str = "") -> Path:
    """A folder of the extension's own below Blender's user folders; not made here."""
    return Path(bpy.utils.extension_path_user(PACKAGE, path=name))


def problem(settings: SceneSettings) -> str | None:
    """Why the choices (other than the footage) make no capture, in one sentence; None if they do."""
    if settings.use_range and 0 < settings.end <= settings.start:
        return "The range ends before it starts: set End after Start, or to 0 for the end of the footage"
    if settings.lens == "CAMERA" and settings.camera is None and not settings.camera_path:
        return "Choose the camera that took the footage, or another Lens"
    if settings.lens == "CLIP" and (settings.footage_source != "CLIP" or settings.clip is None):
        return "The Lens is that of a movie clip: choose a Movie Clip as footage, or another Lens"
    for name, check, label in _TEXTS:
        wrong = texts.problem_of(getattr(settings, name), check, label) if is_used(settings, name) else None
        if wrong:
            return wrong
    if not is_used(settings, "floor") or not settings.floor.strip():
        return None
    if settings.floor_distance <= 0:
        return "Set the Distance between the two floor points, or clear them"
    if settings.height > 0:
        return "A person's Height and the Distance of floor points both say how large everything is: clear one of them"
    return None


def is_used(settings: SceneSettings, name: str) -> bool:
    """Whether a choice counts, with the lens that is chosen: a known camera knows its lens, level and floor."""
    if name == "distortion":
        return settings.lens not in ("CAMERA", "CLIP")
    return settings.lens != "CAMERA" or name not in ("camera_motion", "vertical", "floor")


def lens_of_clip(settings: SceneSettings) -> ClipLens | None:
    """The lens of the movie clip, where that is what counts. Raises ValueError, in one sentence."""
    return clip_lens(settings.clip) if settings.lens == "CLIP" and settings.clip is not None else None


def options(settings: SceneSettings) -> dict[str, Any]:
    """What the choices come to, without the footage and without a known camera.

    start, end: seconds; focal_length: pixels; fov: degrees; height: metres. Raises ValueError, in one sentence, for a
    movie clip whose lens cannot be used.
    """
    found: dict[str, Any] = {name: getattr(settings, name) for name in _PLAIN}
    found["smoothing"] = round(settings.smoothing, 6)
    if settings.use_range and settings.start > 0:
        found["start"] = settings.start
    if settings.use_range and settings.end > 0:
        found["end"] = settings.end
    if settings.limit_people:
        found["max_persons"] = settings.max_persons
    if settings.height > 0:
        found["height"] = settings.height
    if settings.adapt_to_person:
        found["adapt_to_person"] = True
    found |= {
        name: text for name, _, _ in _TEXTS if is_used(settings, name) and (text := getattr(settings, name).strip())
    }
    if "floor" in found:
        found["floor"] += f"={settings.floor_distance:.6g}"
    return found | _lens(settings)


def _lens(settings: SceneSettings) -> dict[str, Any]:
    """What is said of the lens, by its kind."""
    if settings.lens == "FOCAL":
        return {"focal_length": settings.focal_length}
    if settings.lens == "MILLIMETRES":
        return {"focal_mm": settings.focal_mm, "sensor": settings.sensor}
    if settings.lens == "FOV":
        return {"fov": math.degrees(settings.fov)}
    lens = lens_of_clip(settings)
    if lens is None:
        return {}
    bent = {} if lens.distortion is None else {"distortion": ",".join(f"{one:.7g}" for one in lens.distortion)}
    return {"focal_length": lens.focal_length} | bent


def apply_options(settings: SceneSettings, chosen: Mapping[str, Any]) -> None:
    """Set the choices to `chosen` (checked by `settings_file.read_settings`); what it leaves out gets its default."""
    for name in (*_PLAIN, "sensor", "adapt_to_person", *(name for name, _, _ in _TEXTS)):
        settings.property_unset(name)
        if name in chosen:
            setattr(settings, name, chosen[name])
    settings.use_range = "start" in chosen or "end" in chosen
    settings.start = chosen.get("start", 0.0)
    settings.end = chosen.get("end", 0.0)
    settings.limit_people = "max_persons" in chosen
    settings.max_persons = chosen.get("max_persons", 1)
    settings.height = chosen.get("height", 0.0)
    settings.floor_distance = 0.0
    if "floor" in chosen:
        settings.floor, settings.floor_distance = texts.split_floor(chosen["floor"])
    settings.lens = next((lens for key, lens in _LENS_OF.items() if key in chosen), "AUTO")
    for name in ("focal_length", "focal_mm"):
        if name in chosen:
            setattr(settings, name, chosen[name])
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
