# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the preview's video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from ...rigging.take import Take
from ..errors import Cancelled, UserError
from ..files import whole_file
from ..footage import Frame, prefetch, read_frames
from ..progress import Progress, Step
from .compose import draw_frame, lay_out

_CLOCK = Fraction(1, 90000)
#: Encoders to try, the best first, with options of theirs; the last comes with every FFmpeg.
_ENCODERS = (
    ("libx264", {"crf": "20", "preset": "veryfast"}),
    ("libopenh264", {"b": "6000000"}),
    ("mpeg4", {"qscale": "4"}),
)


def write_preview(output: Path, footage: Path, take: Take, progress: Progress) -> None:
    """Write an mp4 of the footage with skeletons on it beside a 3D view of the take, at the take's own times.

    output: appears whole or not at all. footage: what the take was made from, video or images; the take may cover a
    part of it. Reports stage "preview" in frames. Frames stream, one at a time.
    Raises UserError if the footage cannot be read, is not the take's, or `output` cannot be written; Cancelled.
    """
    if not len(take.times):
        raise UserError("the take has no frames to show in a preview")
    layout = lay_out(take)
    half_step = 0.5 / take.fps
    frames = read_frames(
        footage,
        max(float(take.times[0]) - half_step, 0.0),
        float(take.times[-1]) + half_step,
        fps=take.fps,
    )
    with whole_file(output) as temporary, closing(prefetch(frames)) as decoded:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
                size = (layout.left_width + layout.right_width, layout.height)
                stream = _add_stream(container, size, take.fps)
                for row, frame in match_frames(decoded, take.times):
                    if progress.cancelled():
                        raise Cancelled
                    _check_shape(frame.image, take, footage)
                    picture = av.VideoFrame.from_ndarray(draw_frame(frame.image, take, row, layout), format="rgb24")
                    picture.pts = round(float(take.times[row] - take.times[0]) / _CLOCK)
                    picture.time_base = _CLOCK
                    container.mux(stream.encode(picture))
                    progress.report(Step("preview", row + 1, len(take.times)))
                container.mux(stream.encode())
        except FFmpegError as error:
            raise UserError(f"cannot write {output}: {error.strerror or error}") from None


def match_frames(frames: Iterator[Frame], times: np.ndarray) -> Iterator[tuple[int, Frame]]:
    """For each of `times` (F,), seconds and increasing, its row and the frame nearest in time."""
    current = next(frames, None)
    after = next(frames, None)
    for row, time in enumerate(times):
        if current is None:
            return
        while after is not None and abs(after.time - time) <= abs(current.time - time):
            current, after = after, next(frames, None)
        yield row, current


def _add_stream(container: OutputContainer, size: tuple[int, int], fps: float) -> VideoStream:
    """An H.264 stream where there is an encoder for it, else MPEG-4."""
    name, options = next((name, options) for name, options in _ENCODERS if name in av.codecs_available)
    stream = container.add_stream(name, rate=Fraction(fps).limit_denominator(1001), options=dict(options))
    if not isinstance(stream, VideoStream):
        raise TypeError(f"{name} is no video encoder")
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    if name != "mpeg4":  # whose clock cannot count that finely
        stream.codec_context.time_base = _CLOCK
    return stream


def _check_shape(image: np.ndarray, take: Take, footage: Path) -> None:
    """Raise UserError if the footage has another shape than the take's; a smaller or larger copy is fine."""
    width, height = (float(value) for value in take.image_size)
    if abs(image.shape[1] * height / (image.shape[0] * width) - 1) > 0.02:
        raise UserError(
            f"{footage} is {image.shape[1]} x {image.shape[0]} pixels, "
            f"but the take was made from {width:.0f} x {height:.0f}"
        )
