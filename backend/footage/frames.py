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
    """

    path: Path
    width: int
    height: int
    fps: float
    frame_count: int | None
    duration: float | None
    kind: Literal["video", "images"]
    codec: str

    @property
    def expected_frames(self) -> int | None:
        """Frames to expect, for progress: the stated number, else one estimated from the duration."""
        if self.frame_count is not None or self.duration is None:
            return self.frame_count
        return round(self.duration * self.fps)


@dataclass(frozen=True)
class Frame:
    """One picture of the footage.

    index: counted from the first frame of the footage. time: seconds from the first frame of the footage, strictly
    increasing from frame to frame. image: (H, W, 3) uint8 RGB, upright, square pixels.
    """

    index: int
    time: float
    image: np.ndarray
