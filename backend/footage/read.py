# SPDX-License-Identifier: GPL-3.0-or-later
"""The two doors of the footage stage: `probe` and `read_frames`."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from pathlib import Path

from ..errors import UserError
from .frames import FootageInfo, Frame
from .images import DEFAULT_FPS, find_sequence, probe_images, read_images
from .video import probe_video, read_video

#: Room for times that were rounded to a container's time base, seconds.
_TOLERANCE = 1e-6


def probe(path: str | Path, *, fps: float | None = None) -> FootageInfo:
    """Facts about footage; decodes no more than one frame.

    path: a video file, a folder of images, or one image of a numbered sequence.
    fps: frame rate of an image sequence, Hz (24 when None); a video's own rate always wins.
    Raises UserError if there is nothing there that can be read.
    """
    path = Path(path)
    sequence = _sequence(path, fps)
    if sequence is None:
        return probe_video(path)
    return probe_images(path, sequence, fps or DEFAULT_FPS)


def read_frames(
    path: str | Path,
    start: float | None = None,
    end: float | None = None,
    *,
    fps: float | None = None,
    warnings: list[str] | None = None,
) -> Generator[Frame, None, None]:
    """Stream the frames with start <= time < end; only the frame being given is in memory.

    path, fps: as in `probe`. start, end: seconds from the first frame of the footage; None reads from the first and
    to the last frame. In a long video reading begins at the key frame before `start`; indices and times still count
    from the first frame. A file that is cut off or damaged gives the frames that can be decoded; one sentence
    for each such defect is appended to `warnings` by the time the stream ends.
    Missing, repeated or backward timestamps are repaired (see `clock.steady_times`).
    Raises UserError, at once for what the arguments or the path show, else while reading: nothing decodable, `start`
    at or after `end`, no frame between them, images of different sizes.
    """
    path = Path(path)
    for name, value in (("start", start), ("end", end)):
        if value is not None and not math.isfinite(value):
            raise UserError(f"the {name} must be a number of seconds, not {value}")
    if start is not None and end is not None and start >= end:
        raise UserError(f"the start ({start:g} s) must lie before the end ({end:g} s)")
    sequence = _sequence(path, fps)
    notes = [] if warnings is None else warnings
    first = max(start or 0.0, 0.0)
    last = math.inf if end is None else end
    if sequence is None:
        frames = read_video(path, first - _TOLERANCE, last - _TOLERANCE, notes)
    else:
        frames = read_images(sequence, fps or DEFAULT_FPS, first - _TOLERANCE, last - _TOLERANCE, notes)
    return _never_nothing(frames, path, start, end)


def _sequence(path: Path, fps: float | None) -> list[Path] | None:
    """The images that `path` stands for, or None for a video. Raises UserError if there is nothing to read."""
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise UserError(f"the frame rate must be positive, not {fps:g}")
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if path.is_file() and path.stat().st_size == 0:
        raise UserError(f"{path} is empty")
    return find_sequence(path)


def _never_nothing(
    frames: Iterator[Frame], path: Path, start: float | None, end: float | None
) -> Generator[Frame, None, None]:
    """Pass `frames` on; raise UserError if there were none."""
    empty = True
    for frame in frames:
        empty = False
        yield frame
    if empty:
        wanted = [f"from {start:g} s" if start is not None else "", f"before {end:g} s" if end is not None else ""]
        raise UserError(f"{path} has no frame {' and '.join(text for text in wanted if text)}")
