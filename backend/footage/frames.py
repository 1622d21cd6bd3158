# SPDX-License-Identifier: GPL-3.0-or-later
"""What the footage stage gives: facts about the footage, and its frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class FootageInfo:
    """What is known of footage before it is read.

    path: the file or folder. width, height: pixels of the frames as delivered (upright, square pixels).
    fps: nominal frame rate, Hz; the frames of footage with a variable rate carry their own times.
    frame_count: as the file states it, None when it does not. duration: seconds, None when unknown.
    kind: "video" or "images". codec: short name of the codec, or of the image format.
    focal_35mm: focal length in 35 mm film, millimetres, as the file states it, None when it does not.
    """

    path: Path
    width: int
    height: int
    fps: float
    frame_count: int | None
    duration: float | None
    kind: Literal["video", "images"]
    codec: str
    focal_35mm: float | None = None

    def expected_frames(self, start: float | None = None, end: float | None = None) -> int | None:
        """Frames to expect in a range of seconds, for progress: the stated number, else one from the duration."""
        count = self.frame_count
        if count is None and self.duration is not None:
            count = round(self.duration * self.fps)
        if start is None and end is None:
            return count
        last = count if end is None else round(end * self.fps) if count is None else min(count, round(end * self.fps))
        return None if last is None else max(1, last - round((start or 0.0) * self.fps))


@dataclass(frozen=True)
class Frame:
    """One picture of the footage.

    index: counted from the first frame of the footage. time: seconds from the first frame of the footage, strictly
    increasing from frame to frame. image: (H, W, 3) uint8 RGB, upright, square pixels.
    """

    index: int
    time: float
    image: np.ndarray
