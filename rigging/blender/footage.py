# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The footage as a movie clip, the frame rate at which Blender plays it, and how it keeps in step with the motion."""

from __future__ import annotations

import math
import re
from pathlib import Path

import bpy

from ..take import Take
from ..timing import same_rate

#: Rates beyond these times the take's are no frame rate but a guess gone wrong (1000 or 90000 of some containers).
_SLOWEST, _FASTEST = 0.5, 4.0
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
_NUMBER = re.compile(r"(\d+)")


def load_footage(path: Path, fps: float) -> bpy.types.MovieClip:
    """The footage as a movie clip whose first frame is frame 1 of the scene.

    path: a video, the first of a sequence of numbered images, or a folder of them. fps: the take's nominal rate.
    Raises ValueError, in one sentence, if Blender cannot show it or plays it at a rate that is none; nothing is left of
    it then.
    """
    path = _first_image(path) if path.is_dir() else path
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


def _first_image(folder: Path) -> Path:
    """The image of a folder with which its sequence begins."""
    images = [file for file in folder.iterdir() if file.suffix.lower() in _IMAGES and not file.name.startswith(".")]
    if not images:
        raise ValueError(f"Blender cannot show {folder}: it holds no images")
    return min(images, key=lambda file: [int(part) if part.isdigit() else part for part in _NUMBER.split(file.name)])


def play_rate(clip: bpy.types.MovieClip, fps: float) -> float:
    """The rate in Hz at which a scene must run to be in step with `clip`. fps: the take's nominal rate.

    Scene frame n shows a video as it is (n - 1) / rate seconds after its first frame, whatever the frames' number:
    video of a variable rate, too, is shown by time. The rate is the one that the file names; ours is the average where
    the two differ much.
    """
    # The property is single precision: 29.970030 for 30000/1001.
    return fps if clip.source != "MOVIE" or abs(clip.fps - fps) < 1e-5 * fps else float(clip.fps)


def picture_at(frame: int, start_frame: int, ratio: float) -> int:
    """Which picture of the footage, from 0, is nearest in time to a scene frame.

    start_frame: where picture 0 is. ratio: pictures per scene frame.
    """
    return math.floor((frame - start_frame) * ratio + 0.5)


def is_in_step(clip: bpy.types.MovieClip, fps: float, take_fps: float, start_frame: int) -> bool:
    """Whether a clip as it is shows its first picture at `start_frame` and plays at true speed at `fps` Hz."""
    offset = clip.frame_start - clip.frame_offset
    return not _driver(clip) and offset == start_frame and same_rate(play_rate(clip, take_fps), fps)


def keep_in_step(clip: bpy.types.MovieClip, fps: float, take_fps: float, start_frame: int) -> bool:
    """Make a clip of ours show at every scene frame the picture that is nearest in time; True if that needs a driver.

    fps: the scene's rate. Blender shows one picture a scene frame, so at another rate than the footage's the clip's
    frame offset is driven by the scene's frame (a simple expression: no Python runs, nothing to allow). Camera
    backgrounds and clip editors both go by that offset. The expression holds `fps`, not the scene's rate: when that is
    changed later, footage and keys stay together until both are retimed.

    Blender caches pictures by scene frame and looks at frame 1 whenever it loads the clip anew: the offset must be that
    of frame 1 then. So where this returns True, evaluate the scene once and call `drive` after that.
    """
    clip.driver_remove("frame_offset")
    ratio = play_rate(clip, take_fps) / fps
    clip.frame_start = start_frame
    clip.frame_offset = 0
    if same_rate(ratio, 1.0):
        return False
    clip.frame_offset = picture_at(1, start_frame, ratio) - (1 - start_frame)
    return True


def drive(clip: bpy.types.MovieClip, fps: float, take_fps: float) -> None:
    """Drive the frame offset of a clip, see `keep_in_step`."""
    ratio = play_rate(clip, take_fps) / fps
    passed = f"(floor(frame) - {clip.frame_start})"
    clip.driver_add("frame_offset").driver.expression = f"floor({passed} * {ratio:.9f} + 0.5) - {passed}"


def _driver(clip: bpy.types.MovieClip) -> bool:
    animation = clip.animation_data
    return animation is not None and (len(animation.drivers) > 0 or animation.action is not None)


def show_footage(camera: bpy.types.Object, clip: bpy.types.MovieClip) -> None:
    """Put a clip behind the scene in the camera's view."""
    background = camera.data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.use_camera_clip = False
    background.clip = clip
    background.frame_method = "STRETCH"
    background.display_depth = "BACK"
    background.alpha = 1.0
    camera.data.show_background_images = True


def fit_footage(camera: bpy.types.Object, take: Take, scene: bpy.types.Scene) -> None:
    """Lay the footage behind a camera's view so that it covers the frame's width, as the camera sees it (its fit is
    HORIZONTAL): a scene of another shape than the footage shows more or less of the height, never another picture.
    """
    render, k = scene.render, take.intrinsics
    frame = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    picture = float(take.image_size[0] / take.image_size[1] * k[1, 1] / k[0, 0])
    method = "FIT" if picture > frame else "CROP"
    if abs(picture / frame - 1) < 0.005:
        # The same rectangle, whatever shape the footage says its pixels have.
        method = "STRETCH"
    for background in camera.data.background_images:
        background.frame_method = method
