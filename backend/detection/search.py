# SPDX-License-Identifier: GPL-3.0-or-later
"""When and where a picture is searched for people who are not followed yet.

A person finder finds people who are as large as it expects. So the picture is searched in several scales, large ones in
tiles that overlap by a person. Finer scales show smaller people, and take longer: after the first frame
searches are spread over time, coarse scales more often. A tile in which nothing has changed since it was searched is
not searched again: the same pixels give the same people.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .looks import Look

PERSON = 224  # pixels: the largest person who is found in a scale
SMALLEST = 0.4  # the smallest who is found well in a scale, over that
STEP = 1.6  # between scales, at most
COMMON = 0.7  # of the largest person, by which tiles overlap; who is larger is found in the next coarser scale, too
LARGEST_TILE = 3 * PERSON  # pixels in its scale; larger ones take more memory than they save time
ALONE = 0.25  # of the time between searches, while nobody is followed
CELLS_OVER_PERSON = 12  # cells of a person, in which a tile is compared with what it was
CHANGED = 8.0  # grey levels by which a cell differs
CHANGED_CELLS = 4  # that differ, where something has changed


@dataclass(frozen=True)
class SearchBudget:
    """How much is searched.

    smallest: pixels of height down to which people are found, or the picture's shorter side over `share`, if that is
    more. every: seconds between searches of the whole picture in the coarsest scale, while somebody is followed; in a
    scale that takes four times as long, twice that. longest: but not longer than this.
    """

    smallest: float
    every: float
    longest: float
    share: float = 14.0


def search_scales(width: int, height: int, smallest: float) -> list[float]:
    """The scales in which a picture is searched; the coarsest first, in which the whole is as large as a person."""
    coarsest = PERSON / max(width, height)
    finest = max(coarsest, SMALLEST * PERSON / smallest)
    steps = int(np.ceil(np.log(finest / coarsest) / np.log(STEP) - 1e-6))
    return np.geomspace(coarsest, finest, steps + 1).tolist()


def tiles(width: int, height: int, scale: float) -> list[Look]:
    """Looks that cover a picture in that scale, none larger than `LARGEST_TILE`, overlapping by a person."""

    def parts(length: int) -> list[tuple[int, int]]:
        most, common = LARGEST_TILE / scale, COMMON * PERSON / scale
        if length <= most:
            return [(0, length)]
        count = int(np.ceil((length - common) / (most - common)))
        side = (length + (count - 1) * common) / count
        starts = np.linspace(0, length - side, count)
        return [(int(start), min(int(np.ceil(start + side)), length)) for start in starts]

    return [Look(x0, y0, x1, y1, scale) for y0, y1 in parts(height) for x0, x1 in parts(width)]


class Search:
    """The looks that are due in the frames of a clip."""

    def __init__(self, budget: SearchBudget) -> None:
        self._budget = budget
        self._size = (0, 0)
        self._looks: list[Look] = []
        self._every = self._searched = np.zeros(0)
        self._seen: dict[int, np.ndarray] = {}

    def due(self, image: np.ndarray, time_s: float, alone: bool) -> list[Look]:
        """Looks at (H, W, 3) `image`, shown at `time_s`. alone: is nobody followed?"""
        if image.shape[1::-1] != self._size:
            self._begin(*image.shape[1::-1])
        first = not np.isfinite(self._searched).any()
        rows = np.flatnonzero(time_s - self._searched >= self._every * (ALONE if alone else 1.0) - 1e-6)
        # After the first frame one after the other: not all are due in one frame again.
        self._searched[rows] = time_s - (self._every[rows] * np.linspace(0, 1, len(rows), False) if first else 0.0)
        return [self._looks[row] for row in rows if self._changed(image, int(row))]

    def _begin(self, width: int, height: int) -> None:
        self._size, self._seen, budget = (width, height), {}, self._budget
        scales = search_scales(width, height, max(budget.smallest, min(width, height) / budget.share))
        self._looks = [look for scale in scales for look in tiles(width, height, scale)]
        finer = np.array([look.scale for look in self._looks]) / scales[0]
        self._every = np.minimum(budget.every * finer, budget.longest)
        self._searched = np.full(len(self._looks), -np.inf)

    def _changed(self, image: np.ndarray, row: int) -> bool:
        """Does this look show something else than when it was searched last?"""
        look, before = self._looks[row], self._seen.get(row)
        part = image[look.y0 : look.y1, look.x0 : look.x1]
        cell = SMALLEST * PERSON / CELLS_OVER_PERSON / look.scale
        size = (max(1, round(part.shape[1] / cell)), max(1, round(part.shape[0] / cell)))
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).mean(-1, dtype=np.float32)
        if before is not None and (np.abs(small - before) > CHANGED).sum() < CHANGED_CELLS:
            return False
        self._seen[row] = small
        return True
