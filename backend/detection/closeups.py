# SPDX-License-Identifier: GPL-3.0-or-later
"""Squares around people, and what a close look at each of them gives.

A square is (x, y, side, turn): centre and side in pixels, and radians by which the person is turned clockwise. A look
also says in which square it would rather have been: where to look in the next frame, or once more in this one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...rigging.joints import KEYPOINTS
from ..grouping.affinity import oks, sigmas_of
from .base import person_boxes, person_scales, sureness
from .blazepose import BlazePose
from .landmarks import MIRROR, to_keypoints

_SIGMAS = sigmas_of(KEYPOINTS.names)

#: Squares of one person: distance over the smaller side, and the ratio of the sides.
SAME_PLACE, SAME_SIZE = 0.2, 1.6
#: Keypoint similarity above which two people are one.
SAME_PERSON = 0.5
#: Share of a person's box in a worthier one's from which they are a part of that one.
PART_OF = 0.9


@dataclass(frozen=True)
class CloseUps:
    """What looks at N people gave.

    squares: (N, 4) where they would rather have been. presence: (N,) whether somebody is there. views: each
    (N, K, 3) keypoints; one, or straight and in a mirror.
    """

    squares: np.ndarray
    presence: np.ndarray
    views: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.squares)

    def __getitem__(self, rows: np.ndarray) -> CloseUps:
        """Those rows, or where a mask holds."""
        return CloseUps(self.squares[rows], self.presence[rows], tuple(view[rows] for view in self.views))

    @property
    def people(self) -> np.ndarray:
        """(N, K, 3) as seen straight."""
        return self.views[0]

    def there(self, presence: float, confidence: float) -> np.ndarray:
        """(N,) bool: is somebody there? Presence, and confidence of the better half of the keypoints, at least."""
        return (self.presence >= presence) & (self.sureness() >= confidence)

    def sureness(self) -> np.ndarray:
        """(N,) confidence of the better half of the keypoints, mean of the views."""
        return np.mean([sureness(view) for view in self.views], 0)

    def worth(self) -> np.ndarray:
        """(N,) confidence times size: who to look at first."""
        return self.sureness() * np.nan_to_num(person_scales(self.people))


def look_at(
    networks: BlazePose, image: np.ndarray, squares: np.ndarray, mirrored: bool, before: np.ndarray | None = None
) -> CloseUps:
    """The people in (N, 4) squares of an (H, W, 3) picture. mirrored: look twice, once in a mirror.

    before: (N, K, 3) whom to expect there. Of views that see two people, one in front of the other, the one that is
    less like them counts for nothing: the other one takes its place.
    """
    height, width = image.shape[:2]
    found = [networks.points(image, squares, mirror) for mirror in (None, MIRROR)[: 1 + mirrored]]
    views = [to_keypoints(each.points, width, height) for each in found]
    around = [each.squares for each in found]
    if before is not None and mirrored:
        better = np.argmax([_either_side(view, before) for view in views], 0)
        for row in np.flatnonzero(_either_side(*views) < SAME_PERSON):
            good, bad = better[row], 1 - better[row]
            views[bad][row], around[bad][row] = views[good][row], around[good][row]
    return CloseUps(_between(around), np.mean([each.scores for each in found], 0), tuple(views))


def replaced(looked: CloseUps, rows: np.ndarray, by: CloseUps) -> CloseUps:
    """The same, with other looks in those rows."""
    squares, presence = looked.squares.copy(), looked.presence.copy()
    views = tuple(view.copy() for view in looked.views)
    squares[rows], presence[rows] = by.squares, by.presence
    for view, other in zip(views, by.views, strict=True):
        view[rows] = other
    return CloseUps(squares, presence, views)


def alike(a: np.ndarray, b: np.ndarray, place: float = SAME_PLACE, size: float = SAME_SIZE) -> np.ndarray:
    """(...) bool: are squares (..., 4) and (..., 4) nearer than `place` of the smaller side, and of a size?"""
    smaller, larger = np.minimum(a[..., 2], b[..., 2]), np.maximum(a[..., 2], b[..., 2])
    near = np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1]) <= place * smaller
    return near & (larger <= size * smaller)


def different(
    squares: np.ndarray,
    worth: np.ndarray,
    known: np.ndarray,
    most: int,
    place: float = SAME_PLACE,
    size: float = SAME_SIZE,
) -> np.ndarray:
    """Rows of at most `most` of the (N, 4) squares, the worthiest first, unlike (M, 4) known ones and each other.

    place, size: as of `alike`."""
    chosen: list[int] = []
    for row in np.argsort(-worth, kind="stable"):
        others = np.concatenate([known, squares[chosen]])
        if len(chosen) < most and not alike(squares[row], others, place, size).any():
            chosen.append(int(row))
    return np.array(chosen, np.int64)


def unique(people: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Rows of the (N, K, 3) people who are nobody worthier, nor a part of them, the worthiest first."""
    boxes = person_boxes(people)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    area = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(-1), 1e-9)
    part = np.maximum(high - low, 0).prod(-1) > PART_OF * area[:, None]
    same = (oks(people, people, _SIGMAS) > SAME_PERSON) | part
    chosen: list[int] = []
    for row in np.argsort(-worth, kind="stable"):
        if not same[row, chosen].any():
            chosen.append(int(row))
    return np.array(chosen, np.int64)


def consistent(first: CloseUps, second: CloseUps) -> np.ndarray:
    """(N,) keypoint similarity of two looks at the same people, and of the views of the second; the smaller one.

    Left and right may be exchanged: who is seen from the side or from behind is somebody all the same.
    """
    return np.min([_either_side(second.people, view) for view in (first.people, *second.views[1:])], axis=0)


def _either_side(people: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) keypoint similarity of (N, K, 3) people and others, left and right as they are or exchanged."""
    sided = [np.diagonal(oks(people, each, _SIGMAS)) for each in (others, others[:, KEYPOINTS.mirror])]
    return np.max(sided, axis=0)


def _between(squares: list[np.ndarray]) -> np.ndarray:
    """(N, 4) squares between several (N, 4)."""
    mean = np.mean(squares, 0)
    turns = np.array([each[:, 3] for each in squares])
    mean[:, 3] = np.arctan2(np.sin(turns).mean(0), np.cos(turns).mean(0))
    return mean
