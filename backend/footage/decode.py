# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a video file and decoding it past its damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.error import EOFError as EndOfStream
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import UserError

#: Demuxers that find "video" in any text, or follow what a text names.
_NO_FOOTAGE = frozenset({"tty", "concat", "hls", "lavfi"})
#: How often a decoder that reports errors is asked for the frames it still holds, more than it has threads.
_FLUSHES = 64


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened file and its first real video stream (cover art does not count). Raises UserError."""
    try:
        # The protocol is fixed so that no file can make the decoder open another one or the network.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except PermissionError:
        raise UserError(f"{path} may not be read: permission denied") from None
    except (FFmpegError, OSError, ValueError):
        raise UserError(
            f"{path} is not a video that can be read: it may be cut off, damaged or something else"
        ) from None
    with container:
        streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
        if not streams or container.format.name in _NO_FOOTAGE:
            raise UserError(f"{path} has no video stream")
        stream = streams[0]
        if stream.codec_context is None:
            raise UserError(f"{path} is coded in a way that this program cannot decode")
        stream.thread_type = "AUTO"
        yield container, stream


@dataclass
class Damage:
    """What was met while decoding.

    packets: frames found in the file. frames: frames decoded. partial: of those, decoded with errors.
    lost: how often decoding failed. broke: the file could not be read to its end.
    """

    packets: int = 0
    frames: int = 0
    lost: int = 0
    partial: int = 0
    broke: bool = False

    def sentences(self, path: Path, stated: int) -> Iterator[str]:
        """One sentence per defect; `stated` is the number of frames that the file promises, 0 when it does not."""
        if self.broke or self.packets < stated:
            of = f" of {stated}" if stated else ""
            yield f"{path} is cut off: {self.frames}{of} frames could be read"
        elif self.lost:
            yield f"{path} is damaged: {self.lost} frames could not be decoded"
        if self.partial:
            yield f"{path} is damaged: {self.partial} frames were decoded only in part"


def decode(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[VideoFrame]:
    """Every frame that can be decoded, in presentation order, from where the container stands; fills `damage`."""
    for packet in _packets(container, stream, damage):
        yield from _decoded(stream, packet, damage)
    # After an error the decoder may still hold good frames of other threads: ask until it says that it is empty.
    for _ in range(_FLUSHES):
        try:
            yield from _decoded(stream, None, damage)
        except EndOfStream:
            return


def _packets(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[Packet]:
    """The stored frames, up to where the file breaks off.

    A broken last packet is left out: the error it causes in a decoder with several threads costs the good frames
    before it.
    """
    suspect: Packet | None = None
    try:
        for packet in container.demux(stream):
            # An empty packet repeats a frame (AVI) or ends the file; handed on, it would end the decoder.
            if not packet.size:
                continue
            if suspect is not None:
                yield suspect
                suspect = None
            damage.packets += 1
            if packet.is_corrupt:
                suspect = packet
            else:
                yield packet
    except (FFmpegError, OSError):
        damage.broke = True
    damage.lost += suspect is not None


def _decoded(stream: VideoStream, packet: Packet | None, damage: Damage) -> Iterator[VideoFrame]:
    """What the decoder gives for `packet`, or with None what it still holds; nothing for a damaged packet.

    Raises EndOfStream once the decoder is empty and was told so.
    """
    try:
        frames = stream.decode(packet)
    except EndOfStream:
        raise
    except (FFmpegError, OSError):
        damage.lost += packet is not None
        return
    for frame in frames:
        if frame.time_base is None and stream.time_base is not None:
            frame.time_base = stream.time_base  # PyAV leaves it out when it empties the decoder
        damage.frames += 1
        damage.partial += frame.is_corrupt
        yield frame
