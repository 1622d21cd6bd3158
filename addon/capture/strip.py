# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A movie or image strip of the video sequencer as footage: its files, and the part of them that the strip shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...rigging.blender.rate import scene_rate
from .footage import IMAGES_FPS, FootageChoice, check_there


@dataclass(frozen=True)
class _Time:
    """The strip in scene frames, whatever the version of Blender calls it.

    first: where the strip's content begins, visible or not. shown: first visible frame. length: visible frames.
    content: frames of the content as the strip plays it. skipped: pictures of the file cut off before the content.
    """

    first: float
    shown: int
    length: int
    content: float
    skipped: int


def from_strip(scene: bpy.types.Scene, name: str, wanted: tuple[float, float]) -> FootageChoice:
    """The strip called `name`. wanted: seconds of the footage that the panel's range asks for.

    Raises ValueError, in one sentence that says what to do.
    """
    strip = _find(scene, name)
    if len(getattr(strip, "retiming_keys", ())) > 0 or getattr(strip, "use_reverse_frames", False):
        raise ValueError(f'The strip "{name}" plays at a changed speed or backwards; use its file or an unchanged copy')
    found = _time(strip)
    if strip.type == "IMAGE":
        return _images(scene, strip, found, wanted)
    path = Path(bpy.path.abspath(strip.filepath, library=scene.library))
    check_there(path)
    fps = float(strip.fps)
    if not fps > 0:
        raise ValueError(f'Blender cannot read the movie of the strip "{name}"; choose a file that it can play')
    pace = _pictures_per_frame(strip, found, fps, scene_rate(scene))
    first = found.skipped + (found.shown - found.first) * pace
    start, end = _part(first / fps, (first + found.length * pace) / fps, wanted, name)
    return FootageChoice(
        files=(path,),
        path=path,
        name=Path(strip.name).stem,
        start=start,
        end=end,
        fps=fps,
        size=_size(strip),
        start_frame=_start_frame(found, first / fps, scene_rate(scene)),
        scene_fps=fps / pace,
    )


def _find(scene: bpy.types.Scene, name: str) -> Any:
    editor = scene.sequence_editor
    # Blender 4.4 renamed sequences to strips.
    strips = () if editor is None else (editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)
    if not name:
        raise ValueError("Choose a strip of this scene's video sequencer first")
    strip = next((found for found in strips if found.name == name), None)
    if strip is None:
        raise ValueError(f'This scene has no strip "{name}" any more; choose another one')
    if strip.type not in {"MOVIE", "IMAGE"}:
        raise ValueError(f'The strip "{name}" is no movie and no images; choose another one')
    return strip


def _time(strip: Any) -> _Time:
    if hasattr(strip, "left_handle"):  # since Blender 5.2; the other names go with 6.0
        return _Time(
            first=float(strip.content_start),
            shown=int(strip.left_handle),
            length=int(strip.right_handle) - int(strip.left_handle),
            content=float(strip.content_duration),
            skipped=int(strip.content_trim_start),
        )
    shown, end = int(strip.frame_final_start), int(strip.frame_final_end)
    first = shown - float(strip.frame_offset_start)
    content = end + float(strip.frame_offset_end) - first
    return _Time(first, shown, end - shown, content, int(strip.animation_offset_start))


def _pictures_per_frame(strip: Any, found: _Time, fps: float, scene_fps: float) -> float:
    """How many pictures of a movie one scene frame is: 1, or what the rates say, as Blender adds strips by default.

    Up to 4.2 a strip's duration counts pictures, which tells which it is; later it counts scene frames.
    """
    true = fps / scene_fps
    if bpy.app.version < (4, 3, 0) and abs(float(strip.frame_duration) - found.content) < 1:
        return 1.0
    return true


def _part(start: float, end: float, wanted: tuple[float, float], name: str) -> tuple[float | None, float]:
    """The seconds that both the strip and the panel's range ask for."""
    low, high = max(start, wanted[0]), min(end, wanted[1])
    if high <= low:
        shows = f'The strip "{name}" shows {start:.2f} to {end:.2f} s of its footage'
        raise ValueError(f"{shows}, nothing of the range; change Start and End")
    return (low if low > 1e-6 else None), high


def _start_frame(found: _Time, start: float, scene_fps: float) -> int:
    """Where the footage begins, so that the motion at true speed meets the strip at its first visible frame."""
    return round(found.shown - start * scene_fps)


def _size(strip: Any) -> tuple[int, int] | None:
    elements = strip.elements
    if not elements or not elements[0].orig_width:
        return None
    return int(elements[0].orig_width), int(elements[0].orig_height)


def _images(scene: bpy.types.Scene, strip: Any, found: _Time, wanted: tuple[float, float]) -> FootageChoice:
    """Exactly the images that the strip shows: they need not be all of their folder."""
    folder = Path(bpy.path.abspath(strip.directory, library=scene.library))
    first = found.skipped + round(found.shown - found.first)
    names = [element.filename for element in strip.elements]
    files = tuple(folder / name for name in names[max(0, first) : first + found.length])
    if not files:
        raise ValueError(f'The strip "{strip.name}" shows no image of its own; choose another one')
    check_there(files[0])
    check_there(files[-1])
    end = len(files) / IMAGES_FPS
    _part(0.0, end, wanted, strip.name)
    return FootageChoice(
        files=files,
        path=files[0],
        name=Path(strip.name).stem,
        size=_size(strip),
        start_frame=found.shown - min(0, first),
        scene_fps=IMAGES_FPS,
    )
