# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a detector with a small input looks in a large picture.

A look is a part of the picture, possibly mirrored, that is handed to the network as a picture of its own. Small people
are only found in parts; and a person seen twice, once mirrored, is placed better than once: the errors of the looks are
partly independent, and they confuse left and right in different frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Look:
    """The part [x0, x1) x [y0, y1) of a picture, whole pixels; mirrored: seen in a mirror (left and right swapped)."""

    x0: int
    y0: int
    x1: int
    y1: int
    mirrored: bool = False


def whole(width: int, height: int, mirrored: bool = False) -> Look:
    """The whole picture."""
    return Look(0, 0, width, height, mirrored)


def around(box: np.ndarray, width: int, height: int, margin: float, mirrored: bool = False) -> Look | None:
    """A square around a box, `margin` times its longer side, cut at the picture's edge; None if nothing is left."""
    centre, half = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * margin / 2
    low = np.maximum(np.floor(centre - half), 0).astype(int)
    high = np.minimum(np.ceil(centre + half), [width, height]).astype(int)
    if (high - low < 8).any():
        return None
    return Look(int(low[0]), int(low[1]), int(high[0]), int(high[1]), mirrored)


def tiles(width: int, height: int, side: int) -> list[Look]:
    """Squares of `side` pixels that cover the picture, neighbours overlapping by half or a little more."""

    def starts(length: int) -> list[int]:
        if length <= side:
            return [0]
        count = int(np.ceil(2 * (length - side) / side)) + 1
        return [int(start) for start in np.linspace(0, length - side, count).round()]

    return [Look(x, y, min(x + side, width), min(y + side, height)) for y in starts(height) for x in starts(width)]


def cut(image: np.ndarray, look: Look, largest: int) -> np.ndarray:
    """The pixels of a look, contiguous, scaled down so that no side exceeds `largest`."""
    part = image[look.y0 : look.y1, look.x0 : look.x1]
    scale = largest / max(part.shape[:2])
    if scale < 1:
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(part[:, ::-1] if look.mirrored else part)


def to_picture(points: np.ndarray, look: Look, mirror: np.ndarray) -> np.ndarray:
    """(M, K, C) points, x and y first as fractions of the look's width and height, to pixels of the whole picture.

    mirror: (K,) row of each point's counterpart on the other side, by which the rows of a mirrored look are exchanged.
    """
    points = points.copy()
    if look.mirrored:
        points = points[:, mirror]
        points[..., 0] = 1 - points[..., 0]
    points[..., 0] = look.x0 + points[..., 0] * (look.x1 - look.x0)
    points[..., 1] = look.y0 + points[..., 1] * (look.y1 - look.y0)
    return points


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(A, B) intersection over union of boxes (A, 4) and (B, 4), x0 y0 x1 y1."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), -1)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), -1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.where(union > 0, common / np.maximum(union, 1e-9), 0.0)


def distinct(boxes: np.ndarray, worth: np.ndarray, most: int, same: float = 0.5, inside: float = 0.75) -> list[int]:
    """Rows of at most `most` of the (N, 4) boxes, the worthiest first, without those that a chosen one stands for.

    A box stands for another if their intersection over union reaches `same`, or it holds `inside` of the other's area:
    part of a person, cut off by a tile.
    """
    chosen: list[int] = []
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    share = np.prod(np.maximum(high - low, 0), -1) / np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], -1), 1e-9)[:, None]
    repeated = (overlap(boxes, boxes) >= same) | (share >= inside)
    for row in np.argsort(-worth, kind="stable"):
        if len(chosen) < most and not repeated[row, chosen].any():
            chosen.append(int(row))
    return chosen
