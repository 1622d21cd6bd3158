# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps to candidates: peaks between the cells, and how well the fields join them (Cao et al., CVPR 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..base import Candidates, person_scales
from .fields import Layout, to_pixels

SAMPLES = 10


@dataclass(frozen=True)
class DecodeOptions:
    """peak: how likely a peak of a heatmap has to be. most: joints of a kind. hit: least field along a limb for a
    sample to count; hits: share of samples that have to. foreground: of the loss that the maps were learned with, see
    `likely`."""

    peak: float = 0.1
    most: int = 30
    hit: float = 0.05
    hits: float = 0.8
    foreground: float = 0.0


@dataclass(frozen=True)
class Limbs:
    """Pairs of peaks that a limb could join. pairs: (N, 2) rows. score: (N,), at most 1; accepted: (N,) bool."""

    pairs: np.ndarray
    score: np.ndarray
    accepted: np.ndarray


def decode(maps: np.ndarray, layout: Layout, options: DecodeOptions | None = None) -> Candidates:
    """Candidates, in pixels of the picture that the network saw, of (maps, H, W) float32.

    Links are what the fields say of each pair of a limb's joints: above one half, in the order of their scores, where
    the pair is accepted, below where not. Scales are of what the surest links join; what nothing joins has their
    median.
    """
    options = options or DecodeOptions()
    count = len(layout.names)
    cells, values, kinds = find_peaks(maps[:count], options)
    parts = [
        score_limbs(maps[count + 2 * row : count + 2 * row + 2], cells, kinds, limb, options)
        for row, limb in enumerate(layout.limbs)
    ]
    links = [np.zeros((0, 3))]
    for part in parts:
        affinity = 0.5 * np.clip(part.score, 0, 1) + np.where(part.accepted, 0.5, 0)
        links.append(np.concatenate([part.pairs, affinity[:, None]], 1))
    positions = to_pixels(cells)
    return Candidates(
        positions=positions.astype(np.float32),
        confidence=np.clip(values, 0, 1).astype(np.float32),
        kinds=kinds,
        instances=np.full(len(kinds), -1, np.int64),
        scales=_scales(positions, values, parts).astype(np.float32),
        links=np.concatenate(links).astype(np.float32),
    )


def likely(heat: np.ndarray, foreground: float) -> np.ndarray:
    """How likely a joint is where a heatmap has the value `heat`: 0 to 1.

    Where a joint is in a share p of the cases, squared error that weighs 1 + `foreground` times the target is least at
    (1 + foreground) p / (1 + foreground p), which is 0.55 for one case in ten and a foreground of 10. This undoes it.
    It says which peaks are worth a candidate, not how sure one is: blurred peaks of sure joints are low as well.
    """
    heat = np.clip(heat, 0, 1)
    return heat / (1 + foreground * (1 - heat))


def find_peaks(heat: np.ndarray, options: DecodeOptions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """((N, 2) x, y in cells, (N,) value, (N,) kind) of the highest peaks of each of (K, H, W) heatmaps.

    A peak is at least as high as its eight neighbours. Between cells its place and height are those of the parabola
    through the logarithms of three neighbours, along x and along y: exact for the Gaussians that are learned.
    """
    height, width = heat.shape[1:]
    ring = np.ones((3, 3), np.uint8)
    # Later cells of a plateau are not peaks.
    later = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0]], np.uint8)
    found = []
    for kind, one in enumerate(heat):
        top = (one >= cv2.dilate(one, ring)) & (one > cv2.dilate(one, later, anchor=(1, 1)))
        top &= likely(one, options.foreground) > options.peak
        y, x = np.nonzero(top)
        order = np.argsort(-one[y, x], kind="stable")[: options.most]
        found.append(np.stack([np.full(len(order), kind), y[order], x[order]], 1))
    kind, y, x = np.concatenate(found).astype(np.int64).T if found else np.zeros((3, 0), np.int64)
    logs = np.log(np.maximum(heat, 1e-4))
    middle = logs[kind, y, x]
    place, value = np.stack([x, y], 1).astype(np.float64), middle.astype(np.float64)
    for axis, (at, size) in enumerate(((x, width), (y, height))):
        step = (0, 1) if axis == 0 else (1, 0)
        inside = (at > 0) & (at < size - 1)
        back, forth = (
            np.where(inside, logs[kind, (y + s * step[0]) % height, (x + s * step[1]) % width], middle) for s in (-1, 1)
        )
        bend = back - 2 * middle + forth
        slope = (forth - back) / 2
        off = np.where(bend < -1e-6, np.clip(-slope / np.minimum(bend, -1e-6), -0.5, 0.5), 0)
        place[:, axis] += off
        value += slope * off + bend * off**2 / 2
    return place, np.exp(value), kind


def score_limbs(
    field: np.ndarray, cells: np.ndarray, kinds: np.ndarray, limb: tuple[int, int], options: DecodeOptions
) -> Limbs:
    """What a (2, H, W) field says of every pair of peaks that a limb, rows (from, to), could join.

    The score is the mean of the field along the pair at `SAMPLES` points, less what limbs longer than half the map's
    height are too long: min(H / (2 length) - 1, 0). Accepted needs a positive score and enough hits.
    """
    first, second = np.flatnonzero(kinds == limb[0]), np.flatnonzero(kinds == limb[1])
    pairs = np.stack(np.meshgrid(first, second, indexing="ij"), -1).reshape(-1, 2)
    ends = cells[pairs]
    along = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(along, axis=-1)
    unit = along / np.maximum(length, 1e-6)[:, None]
    share = np.linspace(0, 1, SAMPLES)[None, :, None]
    points = ends[:, :1] + share * along[:, None]
    height, width = field.shape[1:]
    x = np.clip(np.round(points[..., 0]).astype(np.int64), 0, width - 1)
    y = np.clip(np.round(points[..., 1]).astype(np.int64), 0, height - 1)
    value = field[0][y, x] * unit[:, :1] + field[1][y, x] * unit[:, 1:]
    score = value.mean(1) + np.minimum(0.5 * height / np.maximum(length, 1e-6) - 1, 0)
    accepted = (score > 0) & ((value > options.hit).mean(1) >= options.hits)
    return Limbs(pairs, score, accepted)


def _scales(positions: np.ndarray, values: np.ndarray, parts: list[Limbs]) -> np.ndarray:
    """(N,) pixels, square root of the area of whom each candidate seems to belong to: of what is joined by links that
    are the best of both their ends."""
    count, rows = len(positions), [np.zeros((0, 2), np.int64)]
    if not count:
        return np.zeros(0)
    for part in parts:
        score = np.where(part.accepted, part.score, -np.inf)
        best = np.full((2, count), -np.inf)
        for end in (0, 1):
            np.maximum.at(best[end], part.pairs[:, end], score)
        mutual = part.accepted & (score >= best[0][part.pairs[:, 0]]) & (score >= best[1][part.pairs[:, 1]])
        rows.append(part.pairs[mutual])
    joined = np.concatenate(rows)
    graph = coo_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(count, count))
    people, labels = connected_components(graph, directed=False)
    found = np.full((people, count, 3), np.nan)
    found[..., 2] = 0
    found[labels, np.arange(count), :2] = positions
    found[labels, np.arange(count), 2] = values
    scales = person_scales(found)
    several = np.bincount(labels, minlength=people) > 1
    typical = np.median(scales[several]) if several.any() else 100.0
    return np.where(several, scales, typical)[labels]
