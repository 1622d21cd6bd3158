# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps that a network learns: a heatmap per joint, a part affinity field per limb (Cao et al., CVPR 2017).

Maps are in cells of `network.STRIDE` pixels; the middle of cell (row i, column j) is at x = j, y = i in cells, which is
((j + 0.5) STRIDE, (i + 0.5) STRIDE) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....rigging.joints import COCO17, mirror_rows
from .network import STRIDE

#: COCO's own list of limbs, by name, then those of the feet and hands that COCO does not have.
_LIMBS = (
    ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"), ("right_knee", "right_hip"),
    ("left_hip", "right_hip"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"), ("left_eye", "right_eye"), ("nose", "left_eye"),
    ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"), ("left_ear", "left_shoulder"),
    ("right_ear", "right_shoulder"), ("left_ankle", "left_heel"), ("right_ankle", "right_heel"),
    ("left_ankle", "left_toe"), ("right_ankle", "right_toe"), ("left_wrist", "left_hand"),
    ("right_wrist", "right_hand"),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """What the maps mean: K heatmaps of `names` first, then x and y of the field of each of the L limbs.

    names: (K,) joints, as in `rigging.joints`. limbs: (L,) rows (from, to) of names; fields point from the first on.
    Raises ValueError if a limb joins what is not there, or has no counterpart on the body's other side.
    """

    names: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if any(not 0 <= row < len(self.names) for limb in self.limbs for row in limb):
            raise ValueError("a limb joins joints that are not there")
        try:
            self._mirror()
        except KeyError:
            raise ValueError("there are joints of one side without those of the other") from None

    @property
    def maps(self) -> int:
        """How many maps there are."""
        return len(self.names) + 2 * len(self.limbs)

    def mirrored(self, maps: np.ndarray) -> np.ndarray:
        """(maps, H, W) of a picture from those of its mirror image."""
        joints, limbs, turn = self._mirror()
        flipped = maps[..., ::-1]
        fields = flipped[len(self.names) :].reshape(len(self.limbs), 2, *maps.shape[1:])[limbs]
        fields = fields * (turn[:, None] * (-1.0, 1.0))[..., None, None]
        return np.concatenate([flipped[joints], fields.reshape(-1, *maps.shape[1:])]).astype(maps.dtype)

    def _mirror(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the mirrored joints (K,) and limbs (L,), and -1 where a limb is met from its other end (L,)."""
        joints = mirror_rows(self.names)
        rows = {limb: row for row, limb in enumerate(self.limbs)}
        limbs, turn = [], []
        for a, b in self.limbs:
            there, back = (int(joints[a]), int(joints[b])), (int(joints[b]), int(joints[a]))
            limbs.append(rows[there] if there in rows else rows[back])
            turn.append(1.0 if there in rows else -1.0)
        return joints, np.array(limbs, np.int64), np.array(turn)


def limbs_of(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """(L,) rows of the limbs between the joints that are there."""
    rows = {name: row for row, name in enumerate(names)}
    return tuple((rows[a], rows[b]) for a, b in _LIMBS if a in rows and b in rows)


COCO_LAYOUT = Layout(COCO17.names, limbs_of(COCO17.names))


def to_cells(pixels: np.ndarray) -> np.ndarray:
    """Pixels (origin at the corner of the picture) to cells (origin at the middle of the first one)."""
    return pixels / STRIDE - 0.5


def to_pixels(cells: np.ndarray) -> np.ndarray:
    """The reverse of `to_cells`."""
    return (cells + 0.5) * STRIDE


def target_maps(
    people: np.ndarray, shape: tuple[int, int], layout: Layout, sigma: float = 1.5, limb: float = 1.0
) -> np.ndarray:
    """(maps, H, W) float32 that a network should give.

    people: (P, K, 3) x, y in cells and a flag, 0 where not labelled. sigma: of the heatmaps' Gaussians, cells; where
    people overlap the larger value counts. limb: half the width of a limb, cells; where limbs of a kind overlap, the
    mean of their unit vectors.
    """
    height, width = shape
    maps = np.zeros((layout.maps, height, width), np.float32)
    count = np.zeros((len(layout.limbs), height, width), np.float32)
    for person in people:
        for row in np.flatnonzero(person[:, 2] > 0):
            box = _window(person[row : row + 1, :2], 3 * sigma + 1, shape)
            y, x = np.mgrid[box]
            blob = np.exp(-((x - person[row, 0]) ** 2 + (y - person[row, 1]) ** 2) / (2 * sigma**2))
            maps[row][box] = np.maximum(maps[row][box], blob)
        for row, ends in enumerate(layout.limbs):
            if (person[ends, 2] > 0).all():
                _draw_limb(maps, count, len(layout.names) + 2 * row, row, person[ends, :2], limb, shape)
    fields = maps[len(layout.names) :].reshape(-1, 2, height, width)
    fields /= np.maximum(count, 1)[:, None]
    return maps


def _draw_limb(
    maps: np.ndarray, count: np.ndarray, first: int, row: int, ends: np.ndarray, limb: float, shape: tuple[int, int]
) -> None:
    along = ends[1] - ends[0]
    length = float(np.linalg.norm(along))
    if length < 1e-3:
        return
    along = along / length
    box = _window(ends, limb + 1, shape)
    y, x = np.mgrid[box]
    x, y = x - ends[0, 0], y - ends[0, 1]
    lengthwise, across = x * along[0] + y * along[1], np.abs(y * along[0] - x * along[1])
    # Short limbs lie between cells: half a cell at both ends keeps them from vanishing.
    inside = (lengthwise >= -0.5) & (lengthwise <= length + 0.5) & (across <= limb)
    maps[first][box] += along[0] * inside
    maps[first + 1][box] += along[1] * inside
    count[row][box] += inside


def _window(points: np.ndarray, margin: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    low = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + margin) + 1, shape[::-1]).astype(int)
    low = np.minimum(low, np.maximum(high, 0))
    return slice(low[1], max(low[1], high[1])), slice(low[0], max(low[0], high[0]))
