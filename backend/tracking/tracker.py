# SPDX-License-Identifier: GPL-3.0-or-later
"""People of single frames to tracks, in two passes: tracklets from frame to frame, then tracklets to people.

Frame by frame the people are assigned to the tracklets by the Hungarian algorithm, on the similarity of their keypoints
to where the tracklet's motion predicts them. A tracklet ends where nobody is seen for a moment, or where somebody else
could as well be meant. When all frames are known, `links` joins tracklets to people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...rigging.joints import mirror_rows
from ..detection.base import person_boxes, person_scales
from ..detection.looks import overlap
from ..grouping.affinity import oks, sigmas_of
from .appearance import changes_clothes
from .links import Link, chains, possible_links, worn
from .pieces import Piece, cut, give_scraps
from .tracklets import Tracklet, displacements

#: Factor on the similarity of those who are lost for longer than a moment.
_LOST = 0.9


@dataclass(frozen=True)
class TrackingOptions:
    """least_similarity: below it a person does not continue a tracklet. margin: of similarity that the best assignment
    must have over an exchange, else tracklets end. bridge: seconds for which a tracklet waits for its person; memory:
    for which it then makes others doubtful who come near. join: probability from which tracklets are one person.
    longest: seconds after which nobody is found again. suggest: probability from which two tracks that were not joined
    are suggested to the user.
    least_frames, least_time: tracks seen in fewer frames, or for less than so many seconds in all, are ghosts; in
    footage so short that nobody could be seen that long, those seen in less than half of its frames.
    least_confidence: mean confidence below which a track is a ghost. least_torso: median over frames of the mean
    confidence of shoulders and hips below which it is one; reflections and furniture look like limbs, hardly ever like
    a whole trunk. The most prominent track is exempt from that: better a doubtful person than none."""

    least_similarity: float = 0.15
    margin: float = 0.1
    bridge: float = 0.15
    memory: float = 1.5
    join: float = 0.5
    longest: float = 10.0
    suggest: float = 0.1
    least_frames: int = 5
    least_time: float = 0.4
    least_confidence: float = 0.3
    least_torso: float = 0.6


@dataclass(frozen=True)
class Suggestion:
    """Two tracks that might be one person: their ids, and how likely it is, 0..1."""

    first: int
    second: int
    probability: float


@dataclass(frozen=True)
class Tracks:
    """What tracking gives: times (F,) seconds; person_ids (P,) 1, 2, ... the most prominent first; keypoints
    (P, F, K, 3) pixels and confidence, NaN, NaN, 0 where missing; dropped, how many ghosts were left out; suggestions,
    the likeliest first."""

    times: np.ndarray
    person_ids: np.ndarray
    keypoints: np.ndarray
    dropped: int
    suggestions: tuple[Suggestion, ...] = ()


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
        self._times: list[float] = []
        self._waiting = _Waiting(len(self._sigmas))
        self.tracklets: list[Tracklet] = []
        self.current = np.zeros((0, len(self._sigmas), 3))  # (M, K, 3) people of the latest frame

    def update(self, people: np.ndarray, time: float, colours: np.ndarray | None = None) -> None:
        """Take the (M, K, 3) people of the next frame, at `time` seconds.

        colours: (M, 2, BINS) of `appearance.colours_of`. Raises ValueError if time does not increase.
        """
        if self._times and time <= self._times[-1]:
            raise ValueError(f"frames must come in order of time, not {time} s after {self._times[-1]} s")
        self._times.append(time)
        frame, waiting = len(self._times) - 1, self._waiting
        waiting.drop(waiting.times < time - self._options.memory)
        score = self._similarity(waiting.predicted(time), people)
        usual = (time - self._times[0]) / max(frame, 1)
        rows, columns = self._same(score, waiting.times >= time - max(self._options.bridge, 1.5 * usual))
        new = np.setdiff1d(np.arange(len(people)), columns)
        doubts = _doubts(score, rows, columns)
        waiting.extend(rows, people[columns], time)
        begun = [Tracklet() for _ in new]
        going_on = [waiting.tracklets[row] for row in rows]
        for tracklet, column in zip(going_on + begun, [*columns, *new], strict=True):
            tracklet.extend(frame, time, people[column], doubts[column], None if colours is None else colours[column])
        # Who was lost and is where somebody new is has most likely come back as them.
        back = (score[:, new] >= 2 * self._options.least_similarity).any(-1) & (waiting.times < time)
        waiting.drop(back)
        waiting.begin(begun, people[new], time)
        self.tracklets += begun
        self.current = people

    def finish(self) -> Tracks:
        """The tracks of all frames, without ghosts, at most `max_persons` of them."""
        options = self._options
        pieces = cut(self.tracklets)
        sure = [row for row, piece in enumerate(pieces) if not piece.scrap]
        links = possible_links([pieces[row] for row in sure], options.longest, options.suggest)
        people = [
            [sure[row] for row in rows]
            for rows in chains(links, len(sure), options.join, worn([pieces[row] for row in sure]))
        ]
        found = [_Track(rows, [pieces[row] for row in rows]) for rows in give_scraps(people, pieces)]
        kept = [track for track in found if self._is_somebody(track)]
        kept.sort(key=_Track.prominence, reverse=True)
        kept = kept[:1] + [track for track in kept[1:] if self._torso_confidence(track) >= options.least_torso]
        dropped = len(found) - len(kept)
        kept = kept[: self._max_persons]
        keypoints = np.full((len(kept), len(self._times), len(self._sigmas), 3), np.nan, np.float32)
        keypoints[..., 2] = 0
        for row, track in enumerate(kept):
            keypoints[row, track.frames] = track.people
        links = [Link(sure[link.first], sure[link.second], link.probability) for link in links]
        return Tracks(np.array(self._times), np.arange(1, len(kept) + 1), keypoints, dropped, _suggestions(kept, links))

    def _same(self, score: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the tracklets that go on, and of the people whom they go on with; score: (T, M), fresh: (T,) bool."""
        # Those who are lost take part: else who comes back would be taken for somebody who is near.
        rows, columns = linear_sum_assignment(-score * np.where(fresh, 1.0, _LOST)[:, None])
        own, least = score[rows, columns], self._options.least_similarity
        margins = _margins(score, rows, columns, least)
        sure = (own >= least) & (margins >= self._options.margin) & fresh[rows]
        return rows[sure], columns[sure]

    def _similarity(self, predicted: np.ndarray, people: np.ndarray) -> np.ndarray:
        """(T, M), 0..1: mean of keypoint similarity, sides ignored, and overlap of the boxes."""
        straight = oks(predicted, people, self._sigmas)
        crossed = oks(predicted, people[:, self._mirror], self._sigmas)
        boxes = np.nan_to_num(overlap(person_boxes(predicted), person_boxes(people)))
        return (np.maximum(straight, crossed) + boxes) / 2

    def _is_somebody(self, track: _Track) -> bool:
        return (
            len(track.frames) >= self._least_frames() and track.people[..., 2].mean() >= self._options.least_confidence
        )

    def _torso_confidence(self, track: _Track) -> float:
        return float(np.median(track.people[:, self._torso, 2].mean(-1))) if self._torso else 1.0

    def _least_frames(self) -> int:
        """Frames in which a person must be seen."""
        frames, options = len(self._times), self._options
        if frames < 2:
            return frames
        step = (self._times[-1] - self._times[0]) / (frames - 1)
        return min(max(options.least_frames, round(options.least_time / step)), (frames + 1) // 2)


class _Waiting:
    """The tracklets that may go on: people (T, K, 3) as last seen, velocity (T, 2) pixels a second, times (T,)."""

    def __init__(self, keypoints: int) -> None:
        self.tracklets: list[Tracklet] = []
        self.people = np.zeros((0, keypoints, 3))
        self.velocity = np.zeros((0, 2))
        self.times = np.zeros(0)

    def drop(self, gone: np.ndarray) -> None:
        """gone: (T,) bool."""
        rows = np.flatnonzero(~gone)
        self.tracklets = [self.tracklets[row] for row in rows]
        self.people, self.velocity, self.times = self.people[rows], self.velocity[rows], self.times[rows]

    def predicted(self, time: float) -> np.ndarray:
        """(T, K, 3) keypoints moved on by the velocity, which nobody keeps for long."""
        people = self.people.copy()
        coast = 0.5 * (1 - np.exp(-(time - self.times) / 0.5))
        people[..., :2] += (self.velocity * coast[:, None])[:, None]
        return people

    def extend(self, rows: np.ndarray, people: np.ndarray, time: float) -> None:
        """The velocity is a running mean over about 0.15 s."""
        if len(rows):
            step = (time - self.times[rows])[:, None]
            velocity = displacements(self.people[rows], people) / step
            self.velocity[rows] += (1 - np.exp(-step / 0.15)) * (velocity - self.velocity[rows])
            self.people[rows], self.times[rows] = people, time

    def begin(self, tracklets: list[Tracklet], people: np.ndarray, time: float) -> None:
        self.tracklets = self.tracklets + tracklets
        self.people = np.concatenate([self.people, people])
        self.velocity = np.concatenate([self.velocity, np.zeros((len(people), 2))])
        self.times = np.concatenate([self.times, np.full(len(people), time)])


class _Track:
    """One person: rows of their pieces, frames (N,), people (N, K, 3) and the (2, BINS) colours of it all."""

    def __init__(self, rows: list[int], pieces: list[Piece]) -> None:
        self.rows = rows
        self.colours = worn(pieces).sum(0)
        tracklets = [piece.tracklet for piece in pieces]
        self.frames = np.concatenate([tracklet.frames for tracklet in tracklets])
        self.people = np.concatenate([tracklet.people for tracklet in tracklets])

    def prominence(self) -> float:
        """Frames times confidence times size: how likely the person is whom the footage is about."""
        return float((self.people[..., 2].mean(-1) * np.nan_to_num(person_scales(self.people))).sum())


def _doubts(score: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(M,) how similar each person is to where another tracklet than theirs expects somebody."""
    others = score.copy()
    others[rows, columns] = 0
    return others.max(0, initial=0.0)


def _margins(score: np.ndarray, rows: np.ndarray, columns: np.ndarray, least: float) -> np.ndarray:
    """(N,) how much similarity the cheapest exchange of each assigned pair would cost: with another tracklet and its
    person, with a tracklet that has none, with a person who has none."""
    own = np.where(score[rows, columns] >= least, score[rows, columns], 0.0)
    has, of = np.zeros(score.shape[0]), np.zeros(score.shape[1])
    has[rows], of[columns] = own, own
    theirs = np.zeros((len(rows), score.shape[0]))  # what a pair's tracklet would have of another's person
    theirs[:, rows] = np.where(own > 0, score[np.ix_(rows, columns)], 0.0)
    loss = own[:, None] + has[None] - score[:, columns].T - theirs
    loss[np.arange(len(rows)), rows] = np.inf
    free = np.where(of[None] == 0, own[:, None] - score[rows], np.inf)
    return np.minimum(loss.min(-1, initial=np.inf), free.min(-1, initial=np.inf))


def _suggestions(kept: list[_Track], links: Sequence[Link]) -> tuple[Suggestion, ...]:
    """Pairs of tracks that are never seen together, wear the same as far as it was seen, and have a piece each that a
    link joins."""
    owner = {row: person for person, track in enumerate(kept) for row in track.rows}
    best: dict[tuple[int, int], float] = {}
    for link in links:
        first, second = sorted((owner.get(link.first, -1), owner.get(link.second, -1)))
        if 0 <= first < second and _may_be_one(kept[first], kept[second]):
            best[first, second] = max(best.get((first, second), 0.0), link.probability)
    found = [Suggestion(first + 1, second + 1, probability) for (first, second), probability in best.items()]
    return tuple(sorted(found, key=lambda each: (-each.probability, each.first, each.second)))


def _may_be_one(track: _Track, other: _Track) -> bool:
    together = np.intersect1d(track.frames, other.frames).size > 0
    return not together and not changes_clothes(track.colours, other.colours)
