# SPDX-License-Identifier: GPL-3.0-or-later
"""From a decoder's frame to an upright RGB picture of square pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from av.error import BlockingIOError as NotReady
from av.error import EOFError as EndOfStream
from av.filter import Graph
from av.video.frame import VideoFrame

#: Pixel aspect ratios outside of this are taken for nonsense in the file.
_PLAUSIBLE = (0.1, 10.0)


@dataclass(frozen=True)
class Upright:
    """How the frames of one video become pictures; made from the first frame and kept for all.

    coded: (width, height) to scale the decoded frame to, square pixels. matrix: (2, 2) signs that take a coded pixel
    (x, y) to (x, y) @ matrix on the screen, up to a shift: the quarter turn and mirroring of the display matrix.
    """

    coded: tuple[int, int]
    matrix: tuple[tuple[int, int], tuple[int, int]]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the pictures."""
        return self.coded if self.matrix[0][0] else (self.coded[1], self.coded[0])

    def picture(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB; 10-bit and HDR values are reduced to 8 bits without tone mapping."""
        width, height = self.coded
        scaled = frame.reformat(width=width, height=height, format="rgb24", interpolation="BILINEAR")
        image = scaled.to_ndarray()
        (a, b), (c, d) = self.matrix
        if b or c:
            image = cv2.transpose(image)
            a, d = c, b
        if a < 0 or d < 0:
            image = cv2.flip(image, -1 if a < 0 and d < 0 else (1 if a < 0 else 0))
        return np.ascontiguousarray(image)


def upright(frame: VideoFrame, pixel_aspect: Fraction | None) -> Upright:
    """How to show the frames of a video, judged by its first one.

    pixel_aspect: width of a pixel over its height, None or 0 when the file does not say. The larger side is scaled
    up, so no picture detail is lost.
    """
    width, height = frame.width, frame.height
    aspect = float(pixel_aspect or 1)
    if _PLAUSIBLE[0] <= aspect <= _PLAUSIBLE[1]:
        width, height = (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))
    return Upright((width, height), _turn(frame))


def _turn(frame: VideoFrame) -> tuple[tuple[int, int], tuple[int, int]]:
    """The display matrix, rounded to a quarter turn with or without mirroring (ISO 14496-12, section 6.2.2)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return (1, 0), (0, 1)
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].astype(np.int64)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (-1 if a < 0 else 1, 0), (0, -1 if d < 0 else 1)
    return (0, -1 if b < 0 else 1), (-1 if c < 0 else 1, 0)


def deinterlaced(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Make one picture of the two fields of interlaced frames (bwdif); leave progressive frames alone.

    The filter is built when the first interlaced frame comes, and anew when size or pixel format change. It looks one
    frame ahead, so a frame comes out when the next one is known.
    """
    graph: Graph | None = None
    layout: tuple[int, int, str] | None = None
    for frame in frames:
        if graph is not None and layout != (frame.width, frame.height, frame.format.name):
            yield from _rest(graph)
            graph = None
        if graph is None:
            if not frame.interlaced_frame or frame.time_base is None:
                yield frame
                continue
            graph, layout = _deinterlacing_graph(frame), (frame.width, frame.height, frame.format.name)
        graph.vpush(frame)
        yield from _ready(graph)
    if graph is not None:
        yield from _rest(graph)


def _deinterlacing_graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _rest(graph: Graph) -> Iterator[VideoFrame]:
    graph.vpush(None)
    yield from _ready(graph)


def _ready(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (NotReady, EndOfStream):
            return
        yield frame
