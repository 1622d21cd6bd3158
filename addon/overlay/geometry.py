# SPDX-License-Identifier: GPL-3.0-or-later
"""Dots and lines as triangles with soft edges, in region pixels. No bpy.

Blender's wide lines and points need other shaders on every version and graphics interface; coloured triangles are the
same everywhere. Every edge fades out over one pixel, which is the smoothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .colors import RIM, confidence_colors

#: What is joined by a line, by the keypoints' names.
LIMBS: tuple[tuple[str, str], ...] = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    ("left_eye", "right_eye"),
    *(
        (f"{side}_{start}", f"{side}_{end}")
        for side in ("left", "right")
        for start, end in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "hand"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
            ("heel", "toe"),
            ("ankle", "toe"),
            ("eye", "ear"),
        )
    ),
    ("nose", "left_eye"),
    ("nose", "right_eye"),
)
_FACE = frozenset({"nose", "left_eye", "right_eye", "left_ear", "right_ear"})
_CORNERS = 14
_FEATHER = 0.7
_RIM = np.array(RIM, np.float32)


def _fan() -> tuple[np.ndarray, np.ndarray]:
    """A disc: (C, 2) corners of the unit circle, and the triangles of a middle, an inner and an outer ring of them."""
    turn = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    here = np.arange(_CORNERS)
    following = (here + 1) % _CORNERS
    inner, inner_next, outer, outer_next = 1 + here, 1 + following, 1 + _CORNERS + here, 1 + _CORNERS + following
    triangles = ((0 * here, inner, inner_next), (inner, outer, outer_next), (inner, outer_next, inner_next))
    rows = np.concatenate([np.stack(corners, -1) for corners in triangles])
    return np.stack([np.cos(turn), np.sin(turn)], -1).astype(np.float32), rows


_CIRCLE, _FAN = _fan()
#: A line: four corners across at each end, three strips of two triangles.
_STRIP = np.array([[[s, s + 1, s + 5], [s, s + 5, s + 4]] for s in range(3)]).reshape(-1, 3)


@dataclass(frozen=True)
class Triangles:
    """positions: (V, 3) float32 region pixels, z 0. colors: (V, 4) float32. indices: (T, 3) int32."""

    positions: np.ndarray
    colors: np.ndarray
    indices: np.ndarray


def limb_rows(names: Sequence[str]) -> np.ndarray:
    """(L, 2) rows of the keypoints that lines join, for keypoints with these names."""
    rows = {name: row for row, name in enumerate(names)}
    found = [(rows[a], rows[b]) for a, b in LIMBS if a in rows and b in rows]
    return np.array(found, np.int64).reshape(-1, 2)


def dot_sizes(names: Sequence[str]) -> np.ndarray:
    """(K,) factors on the radius of dots: the face's are smaller."""
    return np.array([0.65 if name in _FACE else 1.0 for name in names])


def people_triangles(
    points: np.ndarray, confidence: np.ndarray, names: Sequence[str], least: float, unit: float
) -> Triangles:
    """Dots and lines of P people.

    points: (P, K, 2) region pixels, NaN where missing. confidence: (P, K) 0..1. least: what is below it is left out.
    unit: size of a pixel of the interface (its scale): dots and lines grow with it, and shrink for small people.
    """
    shown = np.isfinite(points).all(-1) & (confidence >= least) & (confidence > 0)
    if not shown.any():
        return merge([])
    size = unit * body_scales(points, shown, unit)
    colors = confidence_colors(confidence)
    limbs = limb_rows(names)
    owner, limb = np.nonzero(shown[:, limbs].all(-1))
    ends, tints = points[owner[:, None], limbs[limb]], colors[owner[:, None], limbs[limb]]
    half = 1.3 * size[owner]
    person, row = np.nonzero(shown)
    dots, radii = points[person, row], 3.6 * size[person] * dot_sizes(names)[row]
    return merge(
        [
            _lines(ends, np.broadcast_to(_RIM, tints.shape), half + 1),
            _discs(dots, np.broadcast_to(_RIM, (len(dots), 4)), radii + 1.1),
            _lines(ends, tints, half),
            _discs(dots, colors[person, row], radii),
        ]
    )


def body_scales(points: np.ndarray, shown: np.ndarray, unit: float) -> np.ndarray:
    """(P,) factors 0.5..1.2 on dots and lines, by how large people are in the region.

    points: (P, K, 2) region pixels; shown: (P, K); nobody's points count that are not shown.
    """
    masked = np.where(shown[..., None], points, np.nan)
    low, high = np.fmin.reduce(masked, 1), np.fmax.reduce(masked, 1)
    return np.clip(np.nan_to_num((high - low).max(-1)) / (300 * unit), 0.5, 1.2)


def merge(parts: Sequence[Triangles]) -> Triangles:
    """Several as one, drawn in their order."""
    if not parts:
        return Triangles(np.zeros((0, 3), np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 3), np.int32))
    starts = np.cumsum([0, *(len(part.positions) for part in parts[:-1])])
    return Triangles(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.colors for part in parts]),
        np.concatenate([part.indices + start for part, start in zip(parts, starts, strict=True)]).astype(np.int32),
    )


def rectangle(left: float, bottom: float, right: float, top: float, colors: np.ndarray) -> Triangles:
    """A filled rectangle. colors: (4, 4) of its corners, from bottom left counterclockwise."""
    corners = np.array([[left, bottom, 0], [right, bottom, 0], [right, top, 0], [left, top, 0]], np.float32)
    return Triangles(corners, np.asarray(colors, np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32))


def _discs(centers: np.ndarray, colors: np.ndarray, radii: np.ndarray) -> Triangles:
    """centers: (N, 2); colors: (N, 4); radii: (N,) pixels."""
    positions = np.zeros((len(centers), 1 + 2 * _CORNERS, 3), np.float32)
    positions[:, :, :2] = centers[:, None]
    positions[:, 1 : 1 + _CORNERS, :2] += _CIRCLE * np.maximum(radii - _FEATHER, 0.3)[:, None, None]
    positions[:, 1 + _CORNERS :, :2] += _CIRCLE * (radii + _FEATHER)[:, None, None]
    tints = np.repeat(colors[:, None], positions.shape[1], 1)
    tints[:, 1 + _CORNERS :, 3] = 0
    return _repeated(positions, tints, _FAN)


def _lines(ends: np.ndarray, colors: np.ndarray, half: np.ndarray) -> Triangles:
    """ends: (N, 2, 2); colors: (N, 2, 4) at the ends; half: (N,) half the widths in pixels."""
    along = ends[:, 1] - ends[:, 0]
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], -1) / length
    inner, outer = np.maximum(half - _FEATHER, 0.2), half + _FEATHER
    offsets = np.stack([-outer, -inner, inner, outer], -1)
    positions = np.zeros((len(ends), 2, 4, 3), np.float32)
    positions[..., :2] = ends[:, :, None] + (across[:, None] * offsets[..., None])[:, None]
    tints = np.repeat(colors[:, :, None], 4, 2)
    tints[:, :, [0, 3], 3] = 0
    return _repeated(positions.reshape(-1, 8, 3), tints.reshape(-1, 8, 4), _STRIP)


def _repeated(positions: np.ndarray, colors: np.ndarray, indices: np.ndarray) -> Triangles:
    """N copies of a shape: positions (N, V, 3), colors (N, V, 4), indices (T, 3) within one of them."""
    n, v = positions.shape[:2]
    every = (indices[None] + (np.arange(n) * v)[:, None, None]).reshape(-1, 3)
    return Triangles(positions.reshape(-1, 3), colors.reshape(-1, 4), every.astype(np.int32))
