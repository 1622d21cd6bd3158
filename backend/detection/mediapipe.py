# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's BlazePose (arXiv 2006.10204) as a detector: several people, at any size in the picture.

Its person finder sees 224 x 224 pixels, so small people are searched in overlapping tiles, and people found in the
frame before are looked at twice up close, once in a mirror (see `looks`). What comes back several times is left to the
grouping stage to merge. Measured on four views with truth, two looks against one: error 5-15 % lower, jitter 25-30 %.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from queue import SimpleQueue

import numpy as np

from ...rigging.joints import KEYPOINTS, mirror_rows
from .base import Candidates, candidates_from_instances, person_boxes, person_scales
from .looks import Look, around, cut, distinct, overlap, tiles, to_picture, whole
from .mediapipe_bundle import Landmarker, build_bundle, quiet_stderr, read_networks, weights_hash

_SIDED = (
    "ear",
    "mouth",
    "shoulder",
    "elbow",
    "wrist",
    "pinky",
    "index",
    "thumb",
    "hip",
    "knee",
    "ankle",
    "heel",
    "toe",
)
_EYES = tuple(f"{side}_{eye}" for side in ("left", "right") for eye in ("eye_inner", "eye", "eye_outer"))

#: MediaPipe's 33 points in its own order, under this project's names where the point is the same.
POINTS = ("nose", *_EYES, *(f"{side}_{part}" for part in _SIDED for side in ("left", "right")))

_MIRROR = mirror_rows(POINTS)
_HANDS = {"left_hand": ("left_index", "left_pinky"), "right_hand": ("right_index", "right_pinky")}
_SOURCES = np.array([[POINTS.index(s) for s in _HANDS.get(name, (name, name))] for name in KEYPOINTS.names])

THRESHOLD = 0.3  # of finding a person, and of their being there still once their landmarks are known
LEAST_CONFIDENCE = 0.5  # of the better half of a person's keypoints; below it nobody is there
#: Close looks at a person: side of the look over the longer side of the person's box, and whether in a mirror.
CLOSE_LOOKS = {
    "draft": ((1.5, False),),
    "standard": ((1.5, False), (1.5, True)),
}
LARGEST_LOOK = 1024  # pixels; the networks see 224 and 256
SEARCH_EVERY = 0.5  # seconds between searches of the whole picture while people are known
FINE_SEARCH_EVERY = 2.0  # the same for small tiles
LOST_FINE_SEARCH_EVERY = 0.25  # seconds between searches in tiles while nobody is known
KEEP_LOOKING = 0.5  # seconds to look where somebody was last seen
SMALLEST_TILE = 96  # pixels; a person is worth looking for from about a third of this


class MediaPipeDetector:
    """See `Detector`. max_persons: how many people to look for. quality: a key of `CLOSE_LOOKS`. workers: looks that
    run at once."""

    def __init__(self, max_persons: int, quality: str = "standard", workers: int | None = None) -> None:
        self._close_looks = CLOSE_LOOKS[quality]
        networks = read_networks()
        workers = workers or min(4, _cores())
        with quiet_stderr():
            bundle = build_bundle(networks)
            self._all = [Landmarker(bundle, max_persons, THRESHOLD) for _ in range(workers)]
        self._free: SimpleQueue[Landmarker] = SimpleQueue()
        for landmarker in self._all:
            self._free.put(landmarker)
        self._pool = ThreadPoolExecutor(workers)
        self._max_persons = max_persons
        self._greeted = False
        self._known = np.zeros((0, 4))
        self._seen = np.zeros(0)
        self._searched = self._searched_fine = -np.inf
        self._source = _described(networks)

    @property
    def names(self) -> tuple[str, ...]:
        return KEYPOINTS.names

    @property
    def source(self) -> dict[str, object]:
        return self._source

    def detect(self, image: np.ndarray, time_s: float) -> Candidates:
        """See `Detector.detect`. Confidence is MediaPipe's visibility times presence, lowered outside the picture."""
        height, width = image.shape[:2]
        boxes = self._known
        found = self._look(image, self._search_looks(width, height, time_s))
        if len(found):
            boxes = np.concatenate([boxes, person_boxes(np.concatenate(found))])
        worth = np.concatenate([np.full(len(self._known), np.inf), *(_worth(people) for people in found)])
        boxes = boxes[distinct(boxes, worth, self._max_persons)]
        people = self._close_up(image, boxes)
        self._remember(people, time_s)
        return candidates_from_instances(people)

    def close(self) -> None:
        self._pool.shutdown()
        for landmarker in self._all:
            landmarker.close()

    def _close_up(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """(M, K, 3) people: of each box the person in it, seen straight and in a mirror, where there is one."""
        height, width = image.shape[:2]
        pairs = [(box, around(box, width, height, *how)) for box in boxes for how in self._close_looks]
        pairs = [(box, look) for box, look in pairs if look is not None]
        chosen = [np.zeros((0, len(KEYPOINTS), 3))]
        for (box, _), people in zip(pairs, self._look(image, [look for _, look in pairs]), strict=True):
            if len(people):
                match = overlap(person_boxes(people), box[None])[:, 0]
                best = int(match.argmax())
                chosen.append(people[best : best + 1][match[best : best + 1] > 0.25])
        return np.concatenate(chosen)

    def _search_looks(self, width: int, height: int, time_s: float) -> list[Look]:
        """Looks for people who are not known yet: all at the start, later now and then."""
        known = len(self._known)
        if known >= self._max_persons:
            return []
        looks: list[Look] = []
        if not known or time_s - self._searched >= SEARCH_EVERY:
            self._searched = time_s
            looks += [whole(width, height, mirror) for mirror in (False, True)[: 1 if known else 2]]
        if time_s - self._searched_fine >= (FINE_SEARCH_EVERY if known else LOST_FINE_SEARCH_EVERY):
            self._searched_fine = time_s
            short = min(width, height)
            for side in (short, short // 2):
                if SMALLEST_TILE <= side < max(width, height):
                    looks += tiles(width, height, side)
        return looks

    def _look(self, image: np.ndarray, looks: Sequence[Look]) -> list[np.ndarray]:
        """(M, K, 3) people of each look, in pixels of the picture."""
        height, width = image.shape[:2]

        def one(look: Look) -> np.ndarray:
            landmarker = self._free.get()
            try:
                found = landmarker(cut(image, look, LARGEST_LOOK))
            finally:
                self._free.put(landmarker)
            people = to_keypoints(to_picture(found, look, _MIRROR), width, height)
            return people[np.sort(people[..., 2])[:, len(KEYPOINTS) // 2 :].mean(-1) >= LEAST_CONFIDENCE]

        with nullcontext() if self._greeted else quiet_stderr():  # the first person makes native code talk once more
            people = list(self._pool.map(one, looks))
        self._greeted |= any(len(found) for found in people)
        return people

    def _remember(self, people: np.ndarray, time_s: float) -> None:
        """Keep the boxes of people seen now, and for a while those of people who are not seen any more."""
        recent = time_s - self._seen < KEEP_LOOKING
        boxes = np.concatenate([person_boxes(people), self._known[recent]])
        seen = np.concatenate([np.full(len(people), time_s), self._seen[recent]])
        worth = np.concatenate([_worth(people), np.zeros(int(recent.sum()))])
        rows = distinct(boxes, worth, self._max_persons)
        self._known, self._seen = boxes[rows], seen[rows]


def to_keypoints(landmarks: np.ndarray, width: int, height: int) -> np.ndarray:
    """(M, 33, 4) x, y in pixels, visibility, presence to (M, 23, 3) `KEYPOINTS` with confidence 0..1.

    A hand is the mean of the knuckles of index finger and little finger, as sure as the less sure of them. MediaPipe
    places points outside the picture too; the farther outside, the less they are worth.
    """
    points = landmarks[:, _SOURCES]
    confidence = np.clip(points[..., 2] * points[..., 3], 0, 1).min(-1)
    people = np.concatenate([points[..., :2].mean(-2), confidence[..., None]], -1)
    outside = np.linalg.norm(people[..., :2] - np.clip(people[..., :2], 0, [width, height]), axis=-1)
    people[..., 2] *= np.exp(-outside / (0.1 * person_scales(people)[:, None]))
    return people


def _worth(people: np.ndarray) -> np.ndarray:
    """(M,) confidence times size: who to look at first."""
    return people[..., 2].mean(-1) * np.nan_to_num(person_scales(people))


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
