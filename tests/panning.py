# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a made room by a camera that turns (or goes), with its exact turns, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

#: Width of the panorama that stands for the room, pixels: all around.
_AROUND = 4096


def panorama(seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: walls with large and small spots, all around and from top to bottom."""
    rng = np.random.default_rng(seed)
    picture = np.full((_AROUND // 2, _AROUND, 3), 110, np.float32)
    for size, strength in ((16, 25), (64, 40), (256, 45)):
        noise = rng.normal(0, strength, (_AROUND // 2 // (2048 // size), _AROUND // (2048 // size), 3))
        noise[:, -1] = noise[:, 0]
        picture += cv2.resize(noise.astype(np.float32), (_AROUND, _AROUND // 2), interpolation=cv2.INTER_LINEAR)
    for _ in range(700):
        x, y = rng.integers(0, _AROUND - 80), rng.integers(300, _AROUND // 2 - 380)
        wide, high = rng.integers(12, 80, 2)
        picture[y : y + high, x : x + wide] = rng.uniform(20, 235, 3)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1.0), 0, 255).astype(np.uint8)


def turned(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """(F, 3, 3) first camera axes to camera axes, for degrees to the right, upwards and clockwise (F,) each."""
    angles = np.stack([yaw, pitch, roll], axis=-1)
    matrices = Rotation.from_euler("YXZ", angles * [1, 1, 1], degrees=True).as_matrix().swapaxes(-1, -2)
    return matrices @ matrices[0].T


def pictures(
    room: np.ndarray, turns: np.ndarray, focal: float, size: tuple[int, int], noise: float = 2.0, walker: bool = True
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures (H, W, 3) uint8 of the room and boxes (1, 4) of a spotted person who walks through them.

    turns: (F, 3, 3). focal: pixels. size: width, height. noise: of the sensor, grey levels.
    """
    rng = np.random.default_rng(1)
    width, height = size
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    sight = np.stack([x, y, np.full_like(x, focal)], axis=-1)
    clothes = cv2.resize(rng.uniform(0, 255, (24, 10, 3)).astype(np.float32), (height // 5, height // 2))
    for row, turn in enumerate(turns):
        a = (sight @ turn).astype(np.float32)
        longitude = np.arctan2(a[..., 0], a[..., 2]) / (2 * np.pi) + 0.5
        latitude = np.arctan2(a[..., 1], np.hypot(a[..., 0], a[..., 2])) / np.pi + 0.5
        where = (longitude * _AROUND - 0.5).astype(np.float32), (latitude * _AROUND / 2 - 0.5).astype(np.float32)
        picture = cv2.remap(room, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).astype(np.float32)
        box = np.full((1, 4), np.nan)
        if walker:
            left = int((width - height // 5) * (0.5 + 0.4 * np.sin(0.07 * row)))
            top = height // 4
            picture[top : top + height // 2, left : left + height // 5] = clothes
            box[0] = left, top, left + height // 5, top + height // 2
        picture += rng.normal(0, noise, picture.shape)
        yield np.clip(picture, 0, 255).astype(np.uint8), box


def angle_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between rotations (..., 3, 3)."""
    difference = np.asarray(first) @ np.swapaxes(second, -1, -2)
    return np.degrees(Rotation.from_matrix(difference.reshape(-1, 3, 3)).magnitude())
