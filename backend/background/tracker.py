# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the background through the footage, one frame after the other.

Every frame is compared with a key frame, not with the frame before: errors do not add up while the key frame is in
view, and a camera that comes back finds its first key frame again. A new one is made where too little of the old one
is left in the picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from .matching import KeyFrame, Match, find_corners, inside, match, match_afar
from .movement import BackgroundMotion, mapped

#: Longer side of the pictures that are compared, pixels.
_SIDE = 480
#: A key frame is good for as long as this share of its corners is in the picture; an earlier one is gone back to from
#: the second share on.
_IN_VIEW, _BACK_IN_VIEW = 0.6, 0.75
#: Corners found again, of those that should be seen, below which another key frame is looked for.
_FADED = 0.5
#: Boxes of people are wider than their joints, by this part of their longer side.
_MARGIN = 0.15
#: Key frames that are kept (130 kB each), and how many are tried where the background was lost.
_KEPT, _TRIED = 200, 4
#: Frames after which what was lost is taken for another place.
_LOST = 10


class BackgroundTracker:
    """Compares frames as they come; `finish` says what was found."""

    def __init__(self) -> None:
        self._keys: list[KeyFrame] = []
        self._key: KeyFrame | None = None
        self._to_small = np.eye(3)
        self._row = 0
        self._last_good = 0
        self._lost = 0
        self._to_key = np.eye(3)
        self._step = np.eye(3)
        self._homographies: list[np.ndarray] = []
        self._references: list[int] = []
        self._support: list[np.ndarray] = []
        self._quality: list[float] = []

    def update(self, image: np.ndarray, people: np.ndarray) -> None:
        """The next frame. image: (H, W, 3) uint8 RGB. people: (M, 4) boxes of their joints, pixels; NaN for nobody."""
        small = _grey(image)
        # OpenCV's pixels have their origin in the middle of the first one, ours at its corner.
        (width, height), (across, down) = image.shape[1::-1], small.shape[::-1]
        self._to_small = np.array([[across / width, 0, -0.5], [0, down / height, -0.5], [0, 0, 1]])
        boxes = mapped(_widened(people).reshape(-1, 2, 2), self._to_small).reshape(-1, 4)
        if self._key is None:
            self._begin(small, boxes, np.eye(3))
            self._note(np.eye(3), self._row, np.array([0, 0, *small.shape[::-1]]), 1.0)
        else:
            self._compare(self._key, small, boxes)
        self._row += 1

    def finish(self) -> BackgroundMotion:
        """What was found in all frames."""
        to_small, to_large = self._to_small, np.linalg.inv(self._to_small)
        outer = to_large @ np.array(self._homographies).reshape(-1, 3, 3) @ to_small
        support = mapped(np.array(self._support, float).reshape(-1, 2, 2), to_large).reshape(-1, 4)
        return BackgroundMotion(
            outer / np.cbrt(np.linalg.det(outer))[:, None, None],
            np.array(self._references, np.int64),
            support,
            np.clip(np.array(self._quality), 0.0, 1.0),
        )

    def _compare(self, key: KeyFrame, image: np.ndarray, people: np.ndarray) -> None:
        found = match(key, image, people, np.linalg.inv(self._to_key @ self._step))
        if found is None:
            found = match(key, image, people, np.linalg.inv(self._to_key))
        if found is None:
            other = self._search(image, people)
            if other is None:
                self._lose(image, people)
                return
            key, found = other
        self._lost, self._last_good = 0, self._row
        self._step = np.linalg.inv(self._to_key) @ found.to_key if key is self._key else np.eye(3)
        if found.share < _FADED or _in_view(key, np.linalg.inv(found.to_key), image.shape) < _IN_VIEW:
            back = self._earlier(key, found, image, people)
            if back is None:
                self._renew(key, found, image, people)
                return
            key, found = back
        self._key, self._to_key = key, found.to_key
        self._note(found.to_key, key.row, found.support, found.agreeing)

    def _renew(self, key: KeyFrame, found: Match, image: np.ndarray, people: np.ndarray) -> None:
        """This frame becomes a key frame."""
        to_key = np.eye(3) if found.resting else found.to_key
        self._note(to_key, key.row, found.support, found.agreeing)
        self._begin(image, people, key.to_first @ to_key)

    def _begin(self, image: np.ndarray, people: np.ndarray, to_first: np.ndarray) -> None:
        self._key = KeyFrame(self._row, image, find_corners(image, people), people, to_first / to_first[2, 2])
        self._keys = [*self._keys, self._key][-_KEPT:]
        self._to_key = np.eye(3)

    def _earlier(
        self, key: KeyFrame, found: Match, image: np.ndarray, people: np.ndarray
    ) -> tuple[KeyFrame, Match] | None:
        """An earlier key frame that most of the picture shows again."""
        best: tuple[float, KeyFrame, np.ndarray] | None = None
        to_first = key.to_first @ found.to_key
        for other in self._keys:
            if other is key:
                continue
            guess = np.linalg.solve(to_first, other.to_first)
            seen = _in_view(other, guess, image.shape)
            if seen > (best[0] if best else _BACK_IN_VIEW):
                best = (seen, other, guess)
        if best is None:
            return None
        again = match(best[1], image, people, best[2])
        return (best[1], again) if again is not None and again.share >= max(found.share, _FADED) else None

    def _search(self, image: np.ndarray, people: np.ndarray) -> tuple[KeyFrame, Match] | None:
        """A key frame that this picture shows, wherever the camera turned to in between."""
        if self._lost % 3:  # this is slow, and a blur is over soon
            return None
        for other in self._keys[: -_TRIED - 1 : -1]:
            found = match_afar(other, image, people)
            if found is not None:
                return other, found
        return None

    def _lose(self, image: np.ndarray, people: np.ndarray) -> None:
        self._lost += 1
        self._step = np.eye(3)
        self._note(np.eye(3), self._last_good, np.array([0, 0, *image.shape[::-1]]), 0.0)
        if self._lost >= _LOST or (self._key is not None and len(self._key.corners) < 12):
            before = self._keys[-1].to_first if self._keys else np.eye(3)
            self._begin(image, people, before)
            self._lost, self._last_good = 0, self._row

    def _note(self, to_key: np.ndarray, row: int, support: np.ndarray, quality: float) -> None:
        self._homographies.append(to_key)
        self._references.append(row)
        self._support.append(support)
        self._quality.append(quality)


def _in_view(key: KeyFrame, to_picture: np.ndarray, shape: tuple[int, ...]) -> float:
    """Share of a key frame's corners that a picture of (H, W) shows, people or not."""
    return float(inside(mapped(key.corners.astype(float), to_picture), shape).mean()) if len(key.corners) else 0.0


def _grey(image: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = _SIDE / max(width, height)
    if scale >= 1.0:
        return grey
    return cv2.resize(grey, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)


def _widened(boxes: np.ndarray) -> np.ndarray:
    """Boxes (M, 4) of joints to boxes of people, those that are known."""
    boxes = boxes[np.isfinite(boxes).all(-1)]
    margin = _MARGIN * (boxes[:, 2:] - boxes[:, :2]).max(-1, initial=0)[:, None]
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=-1)
