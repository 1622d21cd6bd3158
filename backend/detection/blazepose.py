# SPDX-License-Identifier: GPL-3.0-or-later
"""MediaPipe's two networks, BlazePose (arXiv 2006.10204), driven one by one: the person finder and the landmarks.

The finder was made for 224 x 224 pixels and gives, for each person in them, a square around them, turned as they are.
It is nothing but convolutions, so it may be given more: then it looks at every place of a large picture at once, for a
fraction of what as many small ones would take, and mistakes less for a person. The landmark network sees such a square
as 256 x 256 pixels, upright, and gives 33 points, how sure it is that somebody is there, and the square in which it
would rather have looked. Anchors, boxes, squares and the refinement of points by heatmaps are those of MediaPipe's own
graphs (pose_detection, pose_landmark_by_roi), so the results are, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from .looks import Look
from .tflite import load

FINDER_SIDE, LANDMARK_SIDE, POINTS = 224, 256, 33
_LAYERS = ((8, 2), (16, 2), (32, 6))  # stride of a layer of the finder, anchors in each of its cells
_CELL = 32  # sides of the finder's pictures are multiples of it
_ROOM = 1.25  # side of a square over twice the distance from the hips to the end of the person
_WINDOW = 3  # cells around a point in which its heatmap is averaged
_SURE = 0.5  # of the heatmap, somewhere in the window, for the point to be refined


@dataclass(frozen=True)
class Found:
    """People that a network has found, N of them.

    squares: (N, 4) centre x, y and side in pixels of the picture, and radians by which the person is turned clockwise.
    scores: (N,) 0..1. points: (N, 33, 4) x, y in pixels, visibility, presence; the finder gives none, (N, 0, 4).
    """

    squares: np.ndarray
    scores: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


class BlazePose:
    """Both networks, given as files. workers: pictures that are worked on at once."""

    def __init__(self, finder: bytes, landmarks: bytes, workers: int) -> None:
        self._finder = load(finder, ("Identity", "Identity_1"), FINDER_SIDE)
        self._landmarks = load(landmarks, ("Identity", "Identity_1", "Identity_3"), LANDMARK_SIDE)
        # One thread a picture: the layers are too small to be shared between threads with profit.
        self._pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))

    def find(self, image: np.ndarray, looks: Sequence[Look], least: float) -> list[Found]:
        """The people in each of the looks at (H, W, 3) uint8 RGB `image` whose score reaches `least`.

        Found are people of 0.35 to 1 times 224 pixels, as large as the look makes them by its scale.
        """
        return list(self._pool.map(lambda look: self._find(image, look, least), looks))

    def points(self, image: np.ndarray, squares: np.ndarray, mirror: np.ndarray | None = None) -> Found:
        """The person in each of the (N, 4) squares; scores: whether somebody is there.

        The squares that come back are where to look for the same person next. mirror: (33,) rows of the points' other
        sides to look in a mirror instead; sides and places are given as they are in the picture.
        """
        levels = _Levels(image)
        found = list(self._pool.map(lambda square: self._points(levels, square, mirror), squares))
        if not found:
            return Found(np.zeros((0, 4)), np.zeros(0), np.zeros((0, POINTS, 4)))
        return Found(*(np.stack(each) for each in zip(*found, strict=True)))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _find(self, image: np.ndarray, look: Look, least: float) -> Found:
        part = image[look.y0 : look.y1, look.x0 : look.x1]
        size = [max(1, round(side * look.scale)) for side in (look.x1 - look.x0, look.y1 - look.y0)]
        way = cv2.INTER_AREA if look.scale < 1 else cv2.INTER_LINEAR
        padded = [max(FINDER_SIDE, -(-side // _CELL) * _CELL) for side in size]
        left, top = (padded[0] - size[0]) // 2, (padded[1] - size[1]) // 2
        letter = np.zeros((padded[1], padded[0], 3), np.uint8)
        letter[top : top + size[1], left : left + size[0]] = cv2.resize(part, (size[0], size[1]), interpolation=way)
        boxes, logits = _run(self._finder, letter.astype(np.float32) / 127.5 - 1)
        scores = _sigmoid(logits[:, 0])
        rows = np.flatnonzero(scores >= least)
        values = boxes[rows].reshape(-1, 6, 2)  # middle and size of a box, and four points
        values[:, [0, 2, 3, 4, 5]] += _anchors(*padded)[rows][:, None]
        sides = np.concatenate([values[:, 0] - values[:, 1] / 2, values[:, 0] + values[:, 1] / 2], 1)
        scores, values = _merged(sides, scores[rows], values)
        hips, end = ((values[:, row] - [left, top]) / look.scale + [look.x0, look.y0] for row in (2, 3))
        return Found(squares_of(hips, end), scores, np.zeros((len(scores), 0, 4)))

    def _points(self, levels: _Levels, square: np.ndarray, mirror: np.ndarray | None) -> tuple[np.ndarray, ...]:
        picture, to_picture = levels.upright(square)
        if mirror is not None:
            picture = picture[:, ::-1]
        values, score, heat = _run(self._landmarks, picture.astype(np.float32) / 255)
        points = values.reshape(-1, 5).astype(np.float64)
        points[:, :2] = _refined(points[:, :2] / LANDMARK_SIDE, heat) * LANDMARK_SIDE
        if mirror is not None:
            points[:, 0] = LANDMARK_SIDE - points[:, 0]
        places = points[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        certain = _sigmoid(points[:POINTS, 3:])
        people = np.concatenate([places[:POINTS], certain], 1)
        following = squares_of(places[None, POINTS], places[None, POINTS + 1])[0]
        return following, score[0], people[mirror] if mirror is not None else people


def squares_of(hips: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(N, 4) squares around people whose hips' middle and whose end, beyond head or feet, are at (N, 2) pixels."""
    away = end - hips
    turn = np.arctan2(away[:, 0], -away[:, 1])
    return np.concatenate([hips, 2 * _ROOM * np.hypot(*away.T)[:, None], turn[:, None]], 1)


def _run(network: object, picture: np.ndarray) -> list[np.ndarray]:
    values = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    with torch.inference_mode():
        return [each[0].numpy() for each in network(values)]  # type: ignore[operator]


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values.astype(np.float64), -100, 100)))


def _anchors(width: int, height: int) -> np.ndarray:
    """(A, 2) where the finder's boxes begin, pixels of its picture."""
    rows = []
    for stride, number in _LAYERS:
        x, y = ((np.arange(side // stride) + 0.5) * stride for side in (width, height))
        places = np.stack(np.broadcast_arrays(x[None], y[:, None]), -1)
        rows.append(np.repeat(places.reshape(-1, 2), number, 0))
    return np.concatenate(rows)


def _merged(boxes: np.ndarray, scores: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and values of what remains when boxes that overlap are averaged by their scores, the surest first."""
    kept_scores, kept = [], []
    left = np.argsort(-scores, kind="stable")
    while len(left):
        first = boxes[left[0]]
        low, high = np.maximum(boxes[left, :2], first[:2]), np.minimum(boxes[left, 2:], first[2:])
        common = np.maximum(high - low, 0).prod(1)
        areas = (boxes[left, 2:] - boxes[left, :2]).prod(1)
        same = common > 0.3 * (areas + areas[0] - common)
        same[0] = True
        weight = scores[left[same]]
        kept.append((weight[:, None, None] * values[left[same]]).sum(0) / weight.sum())
        kept_scores.append(weight[0])
        left = left[~same]
    return np.array(kept_scores), np.array(kept).reshape(-1, *values.shape[1:])


def _refined(points: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(39, 2) points as fractions of the picture, moved to the middle of what their (39, h, w) heatmaps hold nearby."""
    count, height, width = heat.shape
    column, row = (points * [width, height]).astype(int).T
    inside = (points >= 0).all(1) & (column < width) & (row < height)
    steps = np.arange(-_WINDOW, _WINDOW + 1)
    rows, columns = row[:, None] + steps, column[:, None] + steps
    legal = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    picked = heat[
        np.arange(count)[:, None, None],
        np.clip(rows, 0, height - 1)[:, :, None],
        np.clip(columns, 0, width - 1)[:, None],
    ]
    weight = np.where(legal, _sigmoid(picked), 0.0)
    total = np.maximum(weight.sum((1, 2)), 1e-9)
    middle = [(weight.sum(1) * columns).sum(1) / (total * width), (weight.sum(2) * rows).sum(1) / (total * height)]
    return np.where((inside & (weight.max((1, 2)) >= _SURE))[:, None], np.stack(middle, 1), points)


class _Levels:
    """A picture and its halves, so that large squares are not seen through a few of their pixels only."""

    def __init__(self, image: np.ndarray) -> None:
        self._images = [image]

    def upright(self, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(256, 256, 3) what the square shows, and (2, 3) the way of its pixels' coordinates back to the picture."""
        x, y, side, turn = square
        scale = max(side, 1e-3) / LANDMARK_SIDE
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        back = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
        back[:, 2] = [x, y] - back[:, :2] @ np.full(2, LANDMARK_SIDE / 2)
        level = int(np.clip(np.floor(np.log2(max(scale, 1e-3) / 1.5) + 1), 0, 5))
        image, share = self._at(level)
        warp = (back * share[:, None]).astype(np.float64)
        warp[:, 2] += warp[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV's coordinates are of the pixels' middles
        way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (LANDMARK_SIDE, LANDMARK_SIDE)
        return cv2.warpAffine(image, warp, size, flags=way, borderMode=cv2.BORDER_REPLICATE), back

    def _at(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        while len(self._images) <= level:
            image = self._images[-1]
            size = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
            self._images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        image, first = self._images[level], self._images[0]
        return image, np.array([image.shape[1] / first.shape[1], image.shape[0] / first.shape[0]])
