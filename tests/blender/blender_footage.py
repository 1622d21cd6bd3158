# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage for the tests, written by Blender itself, and a generator run to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np


def finish(pieces: Iterator[Any]) -> Any:
    """Run a generator to its end; its value."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def write_images(folder: Path, count: int, first: int = 1, size: tuple[int, int] = (64, 36)) -> Path:
    """PNG images picture0001.png and so on, each of its own grey."""
    folder.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new("picture", *size)
    image.file_format = "PNG"
    for number in range(count):
        image.pixels.foreach_set(np.full(4 * size[0] * size[1], (number + 1) / (count + 1), np.float32))
        image.filepath_raw = str(folder / f"picture{number + first:04d}.png")
        image.save()
    bpy.data.images.remove(image)
    return folder


def write_movie(folder: Path, count: int, fps: int, size: tuple[int, int] = (64, 36)) -> Path:
    """An H.264 video of grey pictures, encoded by Blender from the sequencer of a scene that is removed again."""
    images = write_images(folder / "images", count, size=size)
    scene = bpy.data.scenes.new("encode")
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("pictures", str(images / "picture0001.png"), 1, 1)
    for number in range(1, count):
        strip.elements.append(f"picture{number + 1:04d}.png")
    render = scene.render
    render.resolution_x, render.resolution_y, render.fps = size[0], size[1], fps
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    scene.frame_start, scene.frame_end = 1, count
    path = folder / "footage.mp4"
    render.filepath, render.use_file_extension = str(path), False
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    return path


def solved_clip(
    movie: Path,
    size: tuple[int, int],
    focal: float,
    bend: Callable[[np.ndarray], np.ndarray] | None = None,
    lens: dict[str, Any] | None = None,
) -> bpy.types.MovieClip:
    """A clip with 40 pictures' markers of points as a camera sees them that trucks and pans, solved by Blender.

    movie: of that size in pixels, at least 40 pictures. bend: from straight (N, 2) coordinates, divided by the focal
    length, y down, to bent ones. lens: what is set in the clip's Lens panel beside the focal length (pixels).
    """
    clip = bpy.data.movieclips.load(str(movie))
    clip.frame_start = 7
    tracking = clip.tracking
    tracking.camera.units, tracking.camera.focal_length_pixels = "PIXELS", focal
    for name, value in (lens or {}).items():
        setattr(tracking.camera, name, value)
    points = np.random.default_rng(0).uniform([-1.5, -1, -1], [1.5, 1, 3], (30, 3))
    for number, point in enumerate(points):
        track = tracking.tracks.new(name=f"track {number}", frame=1)
        for frame in range(1, 41):
            turn, eye = -0.008 * frame, np.array([-1 + 0.05 * frame, 0.01 * frame, -7])
            x, y, z = point - eye
            x, z = np.cos(turn) * x - np.sin(turn) * z, np.sin(turn) * x + np.cos(turn) * z
            seen = np.array([[x / z, y / z]])
            u, v = (seen if bend is None else bend(seen))[0]
            track.markers.insert_frame(frame, co=(focal * u / size[0] + 0.5, 0.5 - focal * v / size[1]))
    tracking.objects[0].keyframe_a, tracking.objects[0].keyframe_b = 1, 40
    with clip_editor(clip):
        bpy.ops.clip.solve_camera()
    return clip


@contextlib.contextmanager
def clip_editor(clip: bpy.types.MovieClip) -> Iterator[None]:
    """In it operators run as in a clip editor that shows the clip."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "CLIP_EDITOR"
    area.spaces.active.clip = clip
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        yield
