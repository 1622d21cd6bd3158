# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage: a video file or an image sequence becomes a stream of upright RGB frames with their true times.

Rotation flags and pixel aspect ratio are applied while reading, so every later stage sees square pixels and people
standing as they were filmed; `FootageInfo` gives the size of those frames.
"""

from __future__ import annotations

from .frames import FootageInfo, Frame
from .prefetch import prefetch
from .read import probe, read_frames

__all__ = ["FootageInfo", "Frame", "prefetch", "probe", "read_frames"]
