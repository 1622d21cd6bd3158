# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracklets: one person from frame to frame; and their ends, by which they are joined."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..detection.base import person_boxes, person_scales

#: Seconds at either end of a tracklet by which its motion, size and pose there are known.
_END = 0.4


@dataclass
class Tracklet:
    """frames: rows of the frames in which the person was seen. times: of these, seconds. people: (K, 3) keypoints in
    each. doubts: in each, how similar the person was to where somebody else was expected, 0..1. colours: in each, the
    histograms (2, BINS); empty where nobody looked."""

    frames: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    people: list[np.ndarray] = field(default_factory=list)
    doubts: list[float] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)

    def extend(self, frame: int, time: float, person: np.ndarray, doubt: float, colours: np.ndarray | None) -> None:
        """Add a later frame."""
        self.frames.append(frame)
        self.times.append(time)
        self.people.append(person.astype(np.float32))
        self.doubts.append(doubt)
        if colours is not None:
            self.colours.append(colours.astype(np.float16))

    def part(self, first: int, last: int) -> Tracklet:
        """The entries from `first` to `last`, inclusive."""
        rows = slice(first, last + 1)
        return Tracklet(self.frames[rows], self.times[rows], self.people[rows], self.doubts[rows], self.colours[rows])

    def wears(self) -> np.ndarray | None:
        """(2, BINS) the sum of the colours; None where nobody looked."""
        return np.sum(self.colours, axis=0, dtype=np.float64) if self.colours else None

    def end(self, first: bool) -> TrackletEnd:
        """How the tracklet begins (first) or ends."""
        times = np.array(self.times)
        rows = np.flatnonzero(times - times[0] <= _END if first else times[-1] - times <= _END)
        return end_of(np.stack([self.people[row] for row in rows]).astype(float), times[rows], first)


@dataclass(frozen=True)
class TrackletEnd:
    """time: seconds. pose: (K, 3) keypoints at that time. velocity: (2,) pixels a second, shrunk where few frames tell
    it. scale: pixels, see `person_scales`."""

    time: float
    pose: np.ndarray
    velocity: np.ndarray
    scale: float


def end_of(people: np.ndarray, times: np.ndarray, first: bool) -> TrackletEnd:
    """The first or last of some frames; people (F, K, 3), times (F,)."""
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(displacements(people[:-1], people[1:]), 0)])
    centred = times - times.mean()
    # As if the person had also been seen standing still for a moment: two noisy frames are no speed.
    velocity = centred @ path / (centred @ centred + 0.02)
    row = 0 if first else -1
    return TrackletEnd(float(times[row]), people[row], velocity, float(np.median(person_scales(people))))


def displacements(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(..., 2) pixels: how far (..., K, 3) people moved, the median over their common keypoints; without any, their
    boxes' centres."""
    common = (np.minimum(before[..., 2], after[..., 2]) > 0)[..., None]
    ordered = np.sort(np.where(common, after[..., :2] - before[..., :2], np.inf), axis=-2)
    count = common.sum(-2)
    upper, lower = (
        np.take_along_axis(ordered, np.broadcast_to(np.maximum(row, 0), (*count.shape[:-1], 2))[..., None, :], -2)
        for row in (count // 2, (count - 1) // 2)
    )
    middle = (upper + lower)[..., 0, :] / 2
    if (count > 0).all():
        return middle
    boxes, other_boxes = person_boxes(before), person_boxes(after)
    centres = (other_boxes[..., :2] + other_boxes[..., 2:] - boxes[..., :2] - boxes[..., 2:]) / 2
    return np.where(count > 0, middle, centres)
