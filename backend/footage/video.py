# SPDX-License-Identifier: GPL-3.0-or-later
"""Video files: facts, and frames with true times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import UserError
from .clock import steady_times
from .decode import Damage, decode, open_video
from .frames import FootageInfo, Frame
from .lens import focal_in_metadata
from .picture import deinterlaced, upright
from .seek import Entry, find_entry

#: Assumed when a file says nothing about its rate, Hz.
_FALLBACK_FPS = 25.0


def probe_video(path: Path) -> FootageInfo:
    """Facts about a video; decodes its first frame. Raises UserError if it has none."""
    with open_video(path) as (container, stream):
        frame = next(decode(container, stream, Damage()), None)
        if frame is None:
            raise UserError(f"no frame of {path} can be decoded")
        width, height = upright(frame, stream.sample_aspect_ratio).size
        return FootageInfo(
            path=path,
            width=width,
            height=height,
            fps=nominal_fps(stream),
            frame_count=stream.frames or None,
            duration=_duration(container, stream),
            kind="video",
            codec=stream.codec_context.name,
            focal_35mm=focal_in_metadata(stream.metadata, container.metadata),
        )


def nominal_fps(stream: VideoStream) -> float:
    """Frame rate in Hz: the rate that the file names where it agrees with the average, else the average."""
    average = float(stream.average_rate or 0)
    named = float(stream.guessed_rate or 0)
    if average <= 0:
        return named if 0 < named <= 1000 else _FALLBACK_FPS
    return named if 0.9 < named / average < 1.1 else average


def read_video(path: Path, start: float, end: float, warnings: list[str]) -> Iterator[Frame]:
    """Stream the frames with start <= time < end (seconds from the first frame); see `read.read_frames`."""
    entry = find_entry(path, start) if start > 0 else None
    with open_video(path) as (container, stream):
        damage = Damage(packets=entry.packets, frames=entry.index) if entry else Damage()
        frames = _from_entry(container, stream, entry, damage)
        head = next(frames, None)
        if head is None:
            raise UserError(f"no frame of {path} can be decoded")
        shape = upright(head, stream.sample_aspect_ratio)
        step = 1 / nominal_fps(stream)
        stamped = _stamped(deinterlaced(chain([head], frames)), stream, entry, step)
        time = 0.0
        for index, (time, frame) in enumerate(steady_times(stamped, step), start=entry.index if entry else 0):
            if time >= end:
                return
            if time >= start:
                yield Frame(index, time, shape.picture(frame))
        warnings.extend(damage.sentences(path, stream.frames))
        if time < start:
            raise UserError(f"{path} ends at {time:.2f} s, before the start at {start:.2f} s")


def _from_entry(
    container: InputContainer, stream: VideoStream, entry: Entry | None, damage: Damage
) -> Iterator[VideoFrame]:
    """Decoded frames from `entry` on, or from the front."""
    if entry is None:
        yield from decode(container, stream, damage)
        return
    container.seek(entry.pts, stream=stream)
    for frame in decode(container, stream, damage):
        if frame.pts is None or frame.pts >= entry.pts:
            yield frame


def _stamped(
    frames: Iterator[VideoFrame], stream: VideoStream, entry: Entry | None, step: float
) -> Iterator[tuple[float | None, VideoFrame]]:
    """Each frame with its timestamp in seconds from the first frame, None where the file has none."""
    zero: float | None = None
    if entry is not None and stream.time_base is not None:
        zero = float(entry.first_pts * stream.time_base)
    for row, frame in enumerate(frames):
        if frame.pts is None or frame.time_base is None:
            yield None, frame
            continue
        stamp = float(frame.pts * frame.time_base)
        if zero is None:
            zero = stamp - row * step
        yield stamp - zero, frame


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    duration = container.duration / av.time_base if container.duration else math.nan
    return duration if duration > 0 else None
