# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing on an RGB picture with OpenCV: skeletons, keypoints, the floor."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .palette import BACKGROUND_BOTTOM, BACKGROUND_TOP, GRID, OUTLINE, Color, Limbs, confidence_color, mix
from .view import Camera

#: OpenCV takes positions in fractions of a pixel as integers shifted by this many bits.
_SHIFT = 4
#: How thick a bone is drawn, metres, and what is drawn thinner.
_THICKNESS = 0.036
_SLENDER = frozenset({"nose", "left_ear", "right_ear", "left_heel", "right_heel", "left_hand", "right_hand"})


def draw_skeleton(
    image: np.ndarray,
    camera: Camera,
    joints: np.ndarray,
    confidence: np.ndarray,
    names: Sequence[str],
    parents: Sequence[int],
    colors: Limbs,
) -> None:
    """Draw one person in place, far bones first; a bone with a missing end is left out, a doubtful one is darker.

    joints: (J, 3) metres, world, NaN where missing. confidence: (J,) 0..1. names, parents: (J,).
    """
    pixels, depth = camera.project(joints)
    focal = float(camera.intrinsics[0, 0])
    bones = [
        (float(depth[parent] + depth[child]) / 2, parent, child)
        for child, parent in enumerate(parents)
        if parent >= 0 and np.isfinite(pixels[[parent, child]]).all()
    ]
    nearest = {row: min(away for away, *ends in bones if row in ends) for _, *ends in bones for row in ends}
    # (depth, is a bone, end, other end, color, thickness): a joint covers the ends of the bones that meet there.
    shapes: list[tuple[float, bool, int, int, Color, float]] = []
    for away, parent, child in bones:
        doubt = 1 - float(np.clip(min(confidence[parent], confidence[child]), 0, 1))
        color = mix(colors.of(names[child]), OUTLINE, 0.55 * doubt)
        slender = 0.55 if names[child] in _SLENDER else 1.0
        thickness = float(np.clip(focal * _THICKNESS / away * slender, 2.0, 14.0))
        shapes.append((away, True, parent, child, color, thickness))
        joint = mix(color, (255, 255, 255), 0.3)
        shapes.append((nearest[child], False, child, child, joint, thickness))
    for _, is_bone, end, other, color, thickness in sorted(shapes, reverse=True):
        if is_bone:
            line(image, pixels[end], pixels[other], OUTLINE, thickness + 2)
            line(image, pixels[end], pixels[other], color, thickness)
        else:
            disc(image, pixels[end], OUTLINE, 0.68 * thickness + 1)
            disc(image, pixels[end], color, 0.68 * thickness)


def draw_keypoints(image: np.ndarray, keypoints: np.ndarray, radius: float) -> None:
    """Draw (K, 3) keypoints (x, y in pixels, confidence) in place as dots, red to green by confidence."""
    for x, y, confidence in keypoints:
        if confidence > 0 and np.isfinite((x, y)).all():
            disc(image, np.array([x, y]), OUTLINE, radius + 1.2)
            disc(image, np.array([x, y]), confidence_color(float(confidence)), radius)


def backdrop(width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8: the empty room, a dark gradient."""
    rows = np.linspace(0, 1, height)[:, None, None]
    column = np.array(BACKGROUND_TOP) * (1 - rows) + np.array(BACKGROUND_BOTTOM) * rows
    return np.repeat(column.round().astype(np.uint8), width, axis=1)


def draw_floor(image: np.ndarray, camera: Camera, center: np.ndarray, reach: float) -> None:
    """Draw the grid at z = 0 in place, fading out `reach` metres from `center` (x, y, metres, world)."""
    spacing = next((step for step in (0.5, 1.0, 2.0, 5.0) if reach / step <= 12), reach / 12)
    low, high = np.floor((center[:2] - reach) / spacing), np.ceil((center[:2] + reach) / spacing)
    xs, ys = (np.arange(low[axis], high[axis] + 1) * spacing for axis in (0, 1))
    corners = np.stack([*np.meshgrid(xs, ys, indexing="ij"), np.zeros((len(xs), len(ys)))], axis=-1)
    pixels, _ = camera.project(corners)
    fade = 1 - np.hypot(*(np.moveaxis(corners[..., :2] - center[:2], -1, 0))) / reach
    for rows, columns in ((1, 0), (0, 1)):
        starts = (slice(None, len(xs) - rows), slice(None, len(ys) - columns))
        ends = (slice(rows, None), slice(columns, None))
        strength = (fade[starts] + fade[ends]) / 2
        for a, b, visible in zip(
            pixels[starts].reshape(-1, 2), pixels[ends].reshape(-1, 2), strength.ravel(), strict=True
        ):
            if visible > 0:
                line(image, a, b, mix(BACKGROUND_BOTTOM, GRID, 0.75 * float(visible)), 1)


def draw_shadow(image: np.ndarray, camera: Camera, joints: np.ndarray, parents: Sequence[int]) -> None:
    """Darken the floor in place where (J, 3) joints stand above it, so that one sees where people stand."""
    pixels, depth = camera.project(joints * [1, 1, 0])
    bones = [(a, b) for b, a in enumerate(parents) if a >= 0 and np.isfinite(pixels[[a, b]]).all()]
    if not bones:
        return
    blur = max(image.shape[0] / 240, 1.0)
    thick = float(camera.intrinsics[0, 0]) * 2 * _THICKNESS / float(np.nanmean(depth))
    ends = pixels[np.unique(bones)]
    reach = thick + 3 * blur
    left, top = np.clip(ends.min(0) - reach, 0, image.shape[1::-1]).astype(int)
    right, bottom = np.clip(ends.max(0) + reach, 0, image.shape[1::-1]).astype(int)
    floor = image[top:bottom, left:right]
    if not floor.size:
        return
    mask = np.zeros(floor.shape[:2], np.uint8)
    for a, b in bones:
        line(mask, pixels[a] - (left, top), pixels[b] - (left, top), (255, 255, 255), thick)
    shade = 1 - 0.55 / 255 * cv2.GaussianBlur(mask, (0, 0), blur)[..., None]
    floor[:] = (floor * shade).astype(np.uint8)


def line(image: np.ndarray, a: np.ndarray, b: np.ndarray, color: Color, thickness: float) -> None:
    """An anti-aliased line between two points in pixels (origin: corner of the corner pixel); NaN draws nothing."""
    ends = _fixed(image, np.stack([a, b]))
    if ends is not None:
        cv2.line(image, ends[0], ends[1], color, max(1, round(thickness)), cv2.LINE_AA, _SHIFT)


def disc(image: np.ndarray, at: np.ndarray, color: Color, radius: float) -> None:
    """An anti-aliased disc about a point in pixels; NaN draws nothing."""
    center = _fixed(image, at[None])
    if center is not None:
        cv2.circle(image, center[0], max(1, round(radius * 2**_SHIFT)), color, -1, cv2.LINE_AA, _SHIFT)


def _fixed(image: np.ndarray, points: np.ndarray) -> list[tuple[int, int]] | None:
    """Points as OpenCV's shifted integers (whose origin is a pixel's center), None if far outside or missing."""
    limit = 8 * max(image.shape[:2])
    if not np.isfinite(points).all() or np.abs(points).max() > limit:
        return None
    return [(int(x), int(y)) for x, y in np.round((points - 0.5) * 2**_SHIFT)]
