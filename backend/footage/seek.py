# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to begin decoding a long video so that its frames still count from the first one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from .decode import Damage, decode, open_video


@dataclass(frozen=True)
class Entry:
    """A key frame to begin at.

    pts, first_pts: its timestamp and that of the first frame of the footage, in the stream's time base.
    index: frames shown before it. packets: packets stored before it.
    """

    pts: int
    first_pts: int
    index: int
    packets: int


def find_entry(path: Path, start: float) -> Entry | None:
    """The last key frame at or before `start` (seconds from the first frame).

    Reads packets up to `start` without decoding them, which counts the frames exactly at the speed of the disk. None
    when decoding must begin at the front: no later key frame, or timestamps that cannot be relied upon.
    """
    with open_video(path) as (container, stream):
        try:
            entry = _scan(container, stream, start)
            return entry if entry is not None and entry.index and _lands(container, stream, entry) else None
        except (FFmpegError, OSError):
            return None


def _scan(container: InputContainer, stream: VideoStream, start: float) -> Entry | None:
    if stream.time_base is None:
        return None
    entry: Entry | None = None
    first: int | None = None
    shown = 0
    newest = -math.inf
    for stored, packet in enumerate(container.demux(stream)):
        if packet.pts is None or packet.dts is None or packet.dts <= newest:
            return entry if not packet.size else None
        newest = packet.dts
        if packet.is_discard:
            continue
        if first is None:
            if not packet.is_keyframe:
                return None
            first = packet.pts
        if packet.pts < first:
            return None
        if (packet.dts - first) * stream.time_base > start:
            break
        if packet.is_keyframe and (packet.pts - first) * stream.time_base <= start:
            entry = Entry(packet.pts, first, shown, stored)
        elif entry is not None and packet.pts < entry.pts:
            # Stored after the key frame but shown before it (open group of pictures).
            entry = Entry(entry.pts, first, entry.index + 1, entry.packets)
        shown += 1
    return entry


def _lands(container: InputContainer, stream: VideoStream, entry: Entry) -> bool:
    """Whether seeking to `entry` gives its frame, and one packet there is one frame (not one field)."""
    container.seek(entry.pts, stream=stream)
    for frame in decode(container, stream, Damage()):
        if frame.pts is None or frame.pts > entry.pts or frame.interlaced_frame:
            return False
        if frame.pts == entry.pts:
            return True
    return False
