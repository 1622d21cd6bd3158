# SPDX-License-Identifier: GPL-3.0-or-later
"""People of single frames to tracks: who is who from frame to frame.

Frame by frame the people are assigned to the tracks by the Hungarian algorithm, on the similarity of their keypoints to
where the track's motion predicts them. Tracks nobody was assigned to wait; a person who comes back near where they
should be by then continues their track, and the frames between stay a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...rigging.joints import mirror_rows
from ..detection.base import person_boxes, person_scales
from ..detection.looks import overlap
from ..grouping.affinity import oks, sigmas_of


@dataclass(frozen=True)
class TrackingOptions:
    """least_similarity: below it a person does not continue a track. relink: seconds for which a lost track waits.
    reach: how far from its prediction a lost track is found again, in persons' scales, at once; it grows by as much
    every second. least_frames, least_time: tracks seen in fewer frames, or for less than so many seconds in all, are
    ghosts; in footage so short that nobody could be seen that long, those seen in less than half of its frames.
    least_confidence: mean confidence below which a track is a ghost. least_torso: median over frames of the mean
    confidence of shoulders and hips below which it is one; reflections and furniture look like limbs, hardly ever like
    a whole trunk. The most prominent track is exempt from that: better a doubtful person than none."""

    least_similarity: float = 0.15
    relink: float = 2.0
    reach: float = 0.8
    least_frames: int = 5
    least_time: float = 0.4
    least_confidence: float = 0.3
    least_torso: float = 0.6


@dataclass
class _Track:
    """frames, people: where the track was seen, and its (K, 3) keypoints there. velocity: (2,) pixels a second."""

    frames: list[int]
    people: list[np.ndarray]
    time: float
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def predicted(self, time: float) -> np.ndarray:
        """(K, 3) keypoints moved on by the track's velocity, for half a second at most."""
        person = self.people[-1].copy()
        person[:, :2] += self.velocity * min(time - self.time, 0.5)
        return person

    def extend(self, frame: int, person: np.ndarray, time: float) -> None:
        """Continue the track; the velocity is a running mean over about 0.15 s."""
        both = (person[:, 2] > 0) & (self.people[-1][:, 2] > 0)
        step = time - self.time
        if both.any() and step > 0:
            velocity = np.median(person[both, :2] - self.people[-1][both, :2], axis=0) / step
            share = 1 - np.exp(-step / 0.15)
            self.velocity = self.velocity + share * (velocity - self.velocity)
        self.frames.append(frame)
        self.people.append(person)
        self.time = time


@dataclass(frozen=True)
class Tracks:
    """What tracking gives: times (F,) seconds; person_ids (P,) 1, 2, ... the most prominent first; keypoints
    (P, F, K, 3) pixels and confidence, NaN, NaN, 0 where missing; dropped, how many ghosts were left out."""

    times: np.ndarray
    person_ids: np.ndarray
    keypoints: np.ndarray
    dropped: int


class Tracker:
    """Tracks people over frames that come one at a time.

    names: (K,) of the keypoints. max_persons: keep the most prominent ones only; None keeps all.
    """

    def __init__(
        self, names: Sequence[str], max_persons: int | None = None, options: TrackingOptions | None = None
    ) -> None:
        self._options = options or TrackingOptions()
        self._sigmas, self._mirror = sigmas_of(names), mirror_rows(names)
        self._torso = [row for row, name in enumerate(names) if name.endswith(("_shoulder", "_hip"))]
        self._max_persons = max_persons
        self._tracks: list[_Track] = []
        self._times: list[float] = []

    @property
    def current(self) -> np.ndarray:
        """(P, K, 3) people of the latest frame."""
        latest = len(self._times) - 1
        people = [track.people[-1] for track in self._tracks if track.frames[-1] == latest]
        return np.stack(people) if people else np.zeros((0, len(self._sigmas), 3))

    def update(self, people: np.ndarray, time: float) -> None:
        """Take the (M, K, 3) people of the next frame, at `time` seconds.

        Raises ValueError if time does not increase.
        """
        if self._times and time <= self._times[-1]:
            raise ValueError(f"frames must come in order of time, not {time} s after {self._times[-1]} s")
        frame = len(self._times)
        self._times.append(time)
        waiting = [track for track in self._tracks if time - track.time <= self._options.relink]
        recent = [track for track in waiting if track.frames[-1] == frame - 1]
        left = list(range(len(people)))
        for tracks, similarity in ((recent, self._similarity), (waiting, self._nearness)):
            open_tracks = [track for track in tracks if track.frames[-1] != frame]
            if not open_tracks or not left:
                continue
            predicted = np.stack([track.predicted(time) for track in open_tracks])
            score = similarity(predicted, people[left], np.array([time - track.time for track in open_tracks]))
            taken = []
            for row, column in zip(*linear_sum_assignment(-score), strict=True):
                if score[row, column] >= self._options.least_similarity:
                    open_tracks[row].extend(frame, people[left[column]], time)
                    taken.append(left[column])
            left = [person for person in left if person not in taken]
        self._tracks += [_Track([frame], [people[person]], time) for person in left]

    def finish(self) -> Tracks:
        """The tracks of all frames, without ghosts, at most `max_persons` of them."""
        options = self._options
        least = self._least_frames()
        kept = [
            track
            for track in self._tracks
            if len(track.frames) >= least
            and np.mean([p[:, 2].mean() for p in track.people]) >= options.least_confidence
        ]
        kept.sort(key=_prominence, reverse=True)
        kept = kept[:1] + [track for track in kept[1:] if self._torso_confidence(track) >= options.least_torso]
        dropped = len(self._tracks) - len(kept)
        kept = kept[: self._max_persons]
        keypoints = np.full((len(kept), len(self._times), len(self._sigmas), 3), np.nan, np.float32)
        keypoints[..., 2] = 0
        for row, track in enumerate(kept):
            keypoints[row, track.frames] = np.stack(track.people)
        return Tracks(np.array(self._times), np.arange(1, len(kept) + 1), keypoints, dropped)

    def _torso_confidence(self, track: _Track) -> float:
        if not self._torso:
            return 1.0
        return float(np.median([person[self._torso, 2].mean() for person in track.people]))

    def _least_frames(self) -> int:
        """Frames in which a person must be seen."""
        frames, options = len(self._times), self._options
        if frames < 2:
            return frames
        step = (self._times[-1] - self._times[0]) / (frames - 1)
        return min(max(options.least_frames, round(options.least_time / step)), (frames + 1) // 2)

    def _similarity(self, predicted: np.ndarray, people: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """(T, M), 0..1: mean of keypoint similarity, sides ignored, and overlap of the boxes."""
        del gaps
        straight = oks(predicted, people, self._sigmas)
        crossed = oks(predicted, people[:, self._mirror], self._sigmas)
        boxes = np.nan_to_num(overlap(person_boxes(predicted), person_boxes(people)))
        return (np.maximum(straight, crossed) + boxes) / 2

    def _nearness(self, predicted: np.ndarray, people: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """(T, M), 0..1: 1 at the predicted place and size, least_similarity at the edge of the reach."""
        boxes, others = person_boxes(predicted), person_boxes(people)
        centres, other_centres = (boxes[:, :2] + boxes[:, 2:]) / 2, (others[:, :2] + others[:, 2:]) / 2
        scale, other_scale = person_scales(predicted)[:, None], person_scales(people)[None]
        distance = np.linalg.norm(centres[:, None] - other_centres[None], axis=-1) / np.fmax(scale, other_scale)
        reach = self._options.reach * (1 + gaps[:, None])
        size = np.minimum(scale, other_scale) / np.maximum(scale, other_scale)
        near = self._options.least_similarity ** ((distance / reach) ** 2)
        return np.nan_to_num(np.where(size > 0.5, near, 0.0))


def _prominence(track: _Track) -> float:
    """Frames times confidence times size: how likely the person is whom the footage is about."""
    people = np.stack(track.people)
    return float((people[..., 2].mean(-1) * np.nan_to_num(person_scales(people))).sum())
