# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The footage as a movie clip, and the frame rate at which Blender plays it."""

from __future__ import annotations

from pathlib import Path

import bpy

#: Rates beyond these times the take's are no frame rate but a guess gone wrong (1000 or 90000 of some containers).
_SLOWEST, _FASTEST = 0.5, 4.0


def load_footage(path: Path, fps: float) -> bpy.types.MovieClip:
    """The footage as a movie clip whose first frame is frame 1 of the scene.

    path: a video, or the first of a sequence of numbered images. fps: the take's nominal rate. Raises ValueError, in
    one sentence, if Blender cannot show it or plays it at a rate that is none; nothing is left of it then.
    """
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError as error:
        raise ValueError(f"Blender cannot show {path}: {' '.join(str(error).split())}") from None
    # What Blender cannot decode becomes, without a word, a clip with no frame.
    if clip.frame_duration < 1:
        bpy.data.movieclips.remove(clip)
        raise ValueError(f"Blender cannot show {path}")
    if clip.source == "MOVIE" and not _SLOWEST * fps <= clip.fps <= _FASTEST * fps:
        rate = clip.fps
        bpy.data.movieclips.remove(clip)
        raise ValueError(f"Blender would play {path} at {rate:g} frames/s instead of {fps:g}")
    clip.frame_start = 1
    return clip


def play_rate(clip: bpy.types.MovieClip, fps: float) -> float:
    """The rate in Hz at which a scene must run to be in step with `clip`. fps: the take's nominal rate.

    Scene frame n shows a video as it is (n - 1) / rate seconds after its first frame, whatever the frames' number:
    video of a variable rate, too, is shown by time. The rate is the one that the file names; ours is the average where
    the two differ much.
    """
    # The property is single precision: 29.970030 for 30000/1001.
    return fps if clip.source != "MOVIE" or abs(clip.fps - fps) < 1e-5 * fps else float(clip.fps)


def show_footage(camera: bpy.types.Object, clip: bpy.types.MovieClip) -> None:
    """Put a clip behind the scene in the camera's view."""
    background = camera.data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.use_camera_clip = False
    background.clip = clip
    # Image and camera frame are the same rectangle by construction, whatever shape the footage says its pixels have.
    background.frame_method = "STRETCH"
    background.display_depth = "BACK"
    background.alpha = 1.0
    camera.data.show_background_images = True
