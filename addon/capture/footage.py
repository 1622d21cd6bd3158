# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What the panel calls footage (a file, a movie clip or a strip) as files on disk, and where they lie in the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...rigging.blender.rate import scene_rate
from ..engine.errors import EngineError
from ..engine.footage import Footage


@dataclass(frozen=True)
class FootageChoice:
    """Footage to capture.

    files: one video, or the images of a sequence in their order. path: what stands for them in a .blend (the video,
    the folder that was chosen, or the first image). name: for people. start, end: seconds from the footage's first
    frame, None for its own beginning and end. fps: its rate in Hz where that is known without opening it, else None.
    size: width and height in pixels, else None. clip: name of the movie clip, "" for none. start_frame: scene frame at
    which the footage's first frame is shown, and scene_fps: at how many scene frames per second of the footage the
    user sees it play. has_solution: the clip's camera is solved.
    """

    files: tuple[Path, ...]
    path: Path
    name: str
    start: float | None = None
    end: float | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None
    clip: str = ""
    start_frame: int = 1
    scene_fps: float = 24.0
    has_solution: bool = False

    def frame_at(self, seconds: float) -> float:
        """The scene frame, with its fraction, at which the user sees a moment of the footage."""
        return self.start_frame + seconds * self.scene_fps


def resolve(scene: bpy.types.Scene, settings: Any = None) -> FootageChoice:
    """The footage that a scene's panel names. settings: `scene.video_mocap` where it is not the scene's own.

    Decodes nothing; lists a folder for a sequence. Raises ValueError, in one sentence that says what to do.
    """
    settings = settings or scene.video_mocap
    if settings.footage_source == "CLIP":
        return _from_clip(settings.clip)
    if settings.footage_source == "STRIP":
        from .strip import from_strip

        return from_strip(scene, settings.strip, _range(settings))
    return _from_file(scene, settings.footage_path)


def _range(settings: Any) -> tuple[float, float]:
    """The seconds that the panel asks for: everything without a range, and without an end to the end."""
    if not settings.use_range:
        return 0.0, float("inf")
    return settings.start, settings.end if settings.end > 0 else float("inf")


def _from_file(scene: bpy.types.Scene, text: str) -> FootageChoice:
    if not text.strip():
        raise ValueError("Choose the footage first: a video, a folder of images or one image of a sequence")
    path = Path(bpy.path.abspath(text.strip()))
    files = files_of(path)
    return FootageChoice(files, path, path.stem or path.name, scene_fps=scene_rate(scene))


def files_of(path: Path) -> tuple[Path, ...]:
    """A video as it is; a folder's images, or an image with its numbered siblings, in order."""
    check_there(path)
    try:
        return Footage.of(path).files
    except EngineError as error:
        raise ValueError(error.message) from None


def check_there(path: Path) -> None:
    """Raises ValueError, in one sentence, for a file that does not exist or may not be seen."""
    try:
        found = path.exists()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    if not found:
        raise ValueError(f"{path} does not exist; choose the footage again, or put it back there")


def _from_clip(clip: bpy.types.MovieClip | None) -> FootageChoice:
    if clip is None:
        raise ValueError("Choose a movie clip first, or open one")
    if not clip.filepath:
        raise ValueError(f'The movie clip "{clip.name}" has no file; choose another one')
    path = Path(bpy.path.abspath(clip.filepath, library=clip.library))
    check_there(path)
    width, height = (int(side) for side in clip.size)
    if clip.frame_duration < 1 or not width:
        raise ValueError(f'Blender cannot read the movie clip "{clip.name}"; convert it to H.264 first')
    sequence = clip.source == "SEQUENCE"
    files = images_from(path) if sequence else (path,)
    # A clip plays one picture a scene frame, so its rate is the scene's as far as the user can see.
    fps = None if sequence else float(clip.fps)
    return FootageChoice(
        files=files,
        path=path,
        name=Path(clip.name).stem or clip.name,
        fps=fps,
        size=(width, height),
        clip=clip.name,
        start_frame=clip.frame_start - clip.frame_offset,
        scene_fps=fps or IMAGES_FPS,
        has_solution=clip.tracking.reconstruction.is_valid,
    )


#: What the engine takes an image sequence for, Hz.
IMAGES_FPS = 24.0


def images_from(first: Path) -> tuple[Path, ...]:
    """A sequence from one of its images on, as Blender plays it: the images before it are not part of it."""
    files = files_of(first)
    return files[files.index(first) :] if first in files else files
