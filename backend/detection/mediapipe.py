# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's BlazePose as a detector: several people, at any size in the picture.

New people are searched in the whole picture and in overlapping tiles (`search`), by the person finder alone. Whoever is
found is looked at twice, the second time in the square that the first look corrected; they are there if both looks are
sure enough and agree. From then on they are followed: each frame's look says where to look in the next one, as in
MediaPipe's own tracking. Every look is made once more in a mirror: the errors of the two are partly independent, and
they confuse left and right in different frames. What comes back several times is left to the grouping stage to merge.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from ...rigging.joints import KEYPOINTS
from .base import Candidates, candidates_from_instances
from .blazepose import BlazePose
from .closeups import CloseUps, alike, consistent, different, look_at, replaced, unique
from .looks import Look
from .mediapipe_bundle import read_networks, weights_hash
from .search import PERSON, Search, SearchBudget

#: Presence, and confidence of the better half of the keypoints, from which somebody who is followed is still there.
FOLLOWED = (0.3, 0.5)
#: The same for somebody new, and how similar all looks at them have to be. The best judge of the three: of people in
#: made crowds 95 in 100 reach 0.7, of what is nobody 5 in 100.
NEW, AGREEMENT = (0.9, 0.7), 0.7
SUSPECTED = 0.3  # score of the person finder from which a closer look is worth it
MOST_SUSPECTED = 4  # times as many people as there is room for
KEEP_LOOKING = 0.75  # seconds to look where somebody was last seen
#: Distance over the side and ratio of the sides up to which a look was in a good enough square.
WELL_PLACED = (0.1, 1.2)


@dataclass(frozen=True)
class Budget:
    """How much a quality looks. mirrored: at each person twice, once in a mirror. search: for new people."""

    mirrored: bool
    search: SearchBudget


BUDGETS = {
    "draft": Budget(False, SearchBudget(smallest=160, every=0.5, longest=4.0)),
    "standard": Budget(True, SearchBudget(smallest=80, every=0.5, longest=3.0)),
    "thorough": Budget(True, SearchBudget(smallest=50, every=0.25, longest=1.5, share=22)),
}


class MediaPipeDetector:
    """See `Detector`. max_persons: how many people to look for. quality: a key of `BUDGETS`. workers: looks that run at
    once."""

    def __init__(self, max_persons: int, quality: str = "standard", workers: int | None = None) -> None:
        networks = read_networks()
        self._networks = BlazePose(*networks, workers or min(4, _cores()))
        self._mirrored = BUDGETS[quality].mirrored
        self._search = Search(BUDGETS[quality].search)
        self._max_persons = max_persons
        self._squares = np.zeros((0, 4))  # where to look for who is followed, in the next frame
        self._people = np.zeros((0, len(KEYPOINTS), 3))  # as they were seen there last
        self._moving = np.zeros((0, 2))  # pixels from frame to frame
        self._seen = np.zeros(0)  # seconds
        self._source = _described(networks)

    @property
    def names(self) -> tuple[str, ...]:
        return KEYPOINTS.names

    @property
    def source(self) -> dict[str, object]:
        return self._source

    def detect(self, image: np.ndarray, time_s: float) -> Candidates:
        """See `Detector.detect`. Confidence is visibility times presence, lowered outside the picture."""
        followed = self._follow(image)
        there = _each_once(followed, self._expected())
        looks = [look for square in self._squares[~there] if (look := _around(square, image)) is not None]
        if there.sum() < self._max_persons:
            looks += self._search.due(image, time_s, not len(self._squares))
        new = self._new(image, looks, followed[there])
        self._remember(followed, there, new, time_s)
        return candidates_from_instances(
            np.concatenate([each for found in (followed[there], new) for each in found.views])
        )

    def close(self) -> None:
        self._networks.close()

    def _follow(self, image: np.ndarray) -> CloseUps:
        """Those who were there in the frame before, where they should be now."""
        squares, people = self._expected(), self._people.copy()
        people[..., :2] += self._moving[:, None]
        looked = look_at(self._networks, image, squares, self._mirrored, people)
        rows = np.flatnonzero(looked.there(*FOLLOWED) & ~alike(looked.squares, squares, *WELL_PLACED))
        if not len(rows):
            return looked
        again = look_at(self._networks, image, looked.squares[rows], self._mirrored, people[rows])
        return replaced(looked, rows, again)

    def _expected(self) -> np.ndarray:
        """(N, 4) squares where those who are followed should be now."""
        return self._squares + np.pad(self._moving, ((0, 0), (0, 2)))

    def _new(self, image: np.ndarray, looks: list[Look], known: CloseUps) -> CloseUps:
        """Those in the looks who are not known."""
        room = self._max_persons - len(known)
        found = self._networks.find(image, looks, SUSPECTED) if room > 0 else []
        squares = np.concatenate([np.zeros((0, 4)), *(each.squares for each in found)])
        scores = np.concatenate([np.zeros(0), *(each.scores for each in found)])
        squares = squares[different(squares, scores, known.squares, MOST_SUSPECTED * room)]
        first = look_at(self._networks, image, squares, False)
        first = first[first.there(*FOLLOWED)]
        second = look_at(self._networks, image, first.squares, self._mirrored)
        second = second[second.there(*NEW) & (consistent(first, second) >= AGREEMENT)]
        people = np.concatenate([known.people, second.people])
        rows = unique(people, np.concatenate([np.full(len(known), np.inf), second.worth()])) - len(known)
        return second[rows[rows >= 0][:room]]

    def _remember(self, followed: CloseUps, there: np.ndarray, new: CloseUps, time_s: float) -> None:
        """Where to look in the next frame: at who is there, and for a while where somebody was."""
        here = np.where(there[:, None], followed.squares, self._squares)
        people = np.where(there[:, None, None], followed.people, self._people)
        moving = np.where(there[:, None], followed.squares[:, :2] - self._squares[:, :2], 0.0)
        seen = np.where(there, time_s, self._seen)
        kept = time_s - seen < KEEP_LOOKING
        self._squares = np.concatenate([here[kept], new.squares])
        self._people = np.concatenate([people[kept], new.people])
        self._moving = np.concatenate([moving[kept], np.zeros((len(new), 2))])
        self._seen = np.concatenate([seen[kept], np.full(len(new), time_s)])


def _each_once(followed: CloseUps, expected: np.ndarray) -> np.ndarray:
    """(N,) bool: who is there, and is neither somebody worthier nor in the place of somebody else.

    expected: (N, 4) squares where they should be. Who is hidden behind somebody is soon mistaken for them, without
    resembling them: of a person half of whom is hidden every look gives something else. Then their squares are one,
    and whoever was expected there stays.
    """
    there = followed.there(*FOLLOWED)
    rows = np.flatnonzero(there)
    rows = rows[unique(followed.people[rows], followed.worth()[rows])]
    squares = followed.squares[rows]
    astray = np.hypot(*(squares - expected[rows])[:, :2].T) / squares[:, 2]
    rows = rows[different(squares, -astray, squares[:0], len(rows), *WELL_PLACED)]
    there[:] = False
    there[rows] = True
    return there


def _around(square: np.ndarray, image: np.ndarray) -> Look | None:
    """The neighbourhood of somebody who is lost; None outside the picture."""
    low = np.maximum(np.floor(square[:2] - square[2]), 0).astype(int)
    high = np.minimum(np.ceil(square[:2] + square[2]), image.shape[1::-1]).astype(int)
    if (high - low < 8).any():
        return None
    return Look(int(low[0]), int(low[1]), int(high[0]), int(high[1]), PERSON / square[2])


def create(max_persons: int, quality: str = "standard") -> MediaPipeDetector:
    """The detector for at most `max_persons` people. Raises UserError if the networks are not there."""
    return MediaPipeDetector(max_persons, quality)


def describe() -> dict[str, object]:
    """The `source` of the detectors made here. Raises UserError if the networks are not there."""
    return _described(read_networks())


def _described(networks: tuple[bytes, bytes]) -> dict[str, object]:
    return {
        "name": "mediapipe",
        "version": _version(),
        "licence": "Apache-2.0",
        "weights_sha256": weights_hash(networks),
    }


def _version() -> str:
    import mediapipe

    return str(getattr(mediapipe, "__version__", "unknown"))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
