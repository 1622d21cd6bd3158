# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of the footage as frames of a scene, whatever the scene's rate. No bpy."""

from __future__ import annotations

import numpy as np

from .skeleton import Motion
from .solve import resample

#: Rates are the same if they differ by less than this factor: properties are single precision.
SAME_RATE = 1e-5


def same_rate(first: float, second: float) -> bool:
    """Whether two frame rates in Hz are the same but for rounding."""
    return abs(first - second) <= SAME_RATE * max(abs(first), abs(second))


def scene_frames(times: np.ndarray, fps: float, start_frame: int = 1) -> np.ndarray:
    """Scene frames of times in seconds: the first frame of the footage is `start_frame`; frames may be fractional.

    Frames within a fiftieth of whole ones are rounded: rates like 29.97 are themselves rounded.
    """
    frames = start_frame + np.asarray(times, np.float64) * fps
    whole = np.round(frames)
    return whole if np.abs(frames - whole).max(initial=0.0) < 0.02 else frames


def on_whole_frames(motion: Motion, fps: float, start_frame: int = 1) -> Motion:
    """The motion at every whole scene frame from its first to its last; the same motion if it is so already.

    An animator edits keys on whole frames. Footage of another or of a variable rate has its frames between them: the
    motion is interpolated there, at its true speed. A whole frame counts as observed if the frame of the footage next
    to it is.
    """
    frames = scene_frames(motion.times, fps, start_frame)
    if (frames == np.round(frames)).all():
        return motion
    whole = np.arange(round(frames[0]), round(frames[-1]) + 1)
    return resample(motion, (whole - start_frame) / fps)
