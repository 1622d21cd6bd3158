# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of pictures, varied, with the maps that a network should give."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from .....rigging.joints import mirror_rows
from ..fields import Layout, target_maps, to_cells
from ..finder import FILL, fitting, resized
from ..network import STRIDE, to_input
from .pictures import Picture
from .settings import DataSettings


@dataclass(frozen=True)
class Batch:
    """pictures: (B, 3, S, S) as networks take them. maps: (B, maps, S/4, S/4). counts: (B, 1, S/4, S/4), 0 where
    somebody is who has no labels, else 1."""

    pictures: Tensor
    maps: Tensor
    counts: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same there."""
        return Batch(self.pictures.to(device), self.maps.to(device), self.counts.to(device))


def make_batch(chosen: list[Picture], layout: Layout, settings: DataSettings, random: np.random.Generator) -> Batch:
    """The pictures, each varied anew."""
    samples = [make_sample(picture, layout, settings, random) for picture in chosen]
    pictures, maps, counts = (np.stack(parts) for parts in zip(*samples, strict=True))
    return Batch(to_input(pictures), torch.from_numpy(maps), torch.from_numpy(counts))


def make_sample(
    picture: Picture, layout: Layout, settings: DataSettings, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """((S, S, 3) uint8 RGB, (maps, S/4, S/4), (1, S/4, S/4)) of one picture, varied."""
    image, size = picture.read(), settings.size
    whole = np.array([image.shape[1], image.shape[0]])
    scale = fitting(image.shape[1], image.shape[0], size) * np.exp(random.uniform(-settings.zoom, settings.zoom))
    turn = np.deg2rad(settings.turn * np.clip(random.normal(), -2, 2))
    shift = size * random.uniform(-settings.shift, settings.shift, 2)
    mirrored = random.random() < settings.mirror
    # Scaled first, as the detector does it; turning alone does not shrink.
    image = resized(image, scale)
    own = np.array([image.shape[1], image.shape[0]]) / whole
    c, s = np.cos(turn), np.sin(turn)
    way = np.diag([-1.0 if mirrored else 1.0, 1.0]) @ np.array([[c, -s], [s, c]])
    middle = whole / 2
    if random.random() < settings.person:
        points = picture.people[random.integers(len(picture.people))]
        middle = points[points[:, 2] > 0, :2].mean(0)
    move = size / 2 + shift - way @ (own * middle)
    if not turn:
        move = np.floor(move)  # whole pixels, as a picture has them that is only padded
    centred = move + way @ [0.5, 0.5] - 0.5  # OpenCV counts from the middle of the first pixel
    drawn = cv2.warpAffine(
        image, np.c_[way, centred], (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        borderValue=FILL,
    )  # fmt: skip
    people = picture.people.copy()
    people[..., :2] = (people[..., :2] * own) @ way.T + move
    if mirrored:
        people = people[:, mirror_rows(layout.names)]
    cells = people.copy()
    cells[..., :2] = to_cells(people[..., :2])
    side = size // STRIDE
    maps = target_maps(cells, (side, side), layout, settings.sigma, settings.limb)
    return coloured(drawn, settings, random), maps, _counted(picture.ignored, own, way, move, side)


def _counted(boxes: np.ndarray, own: np.ndarray, way: np.ndarray, move: np.ndarray, side: int) -> np.ndarray:
    counts = np.ones((1, side, side), np.float32)
    for x, y, width, height in boxes:
        corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
        cells = to_cells((corners * own) @ way.T + move)
        cv2.fillConvexPoly(counts[0], np.round(cells).astype(np.int32), (0.0,))
    return counts


def coloured(image: np.ndarray, settings: DataSettings, random: np.random.Generator) -> np.ndarray:
    """The picture in another light, sometimes blurred."""
    light, contrast, *shares = np.exp(settings.colour * np.clip(random.normal(size=5), -2, 2))
    blurred = random.random() < settings.blur
    radius = random.uniform(0.3, 1.5)
    if settings.colour > 0:
        mean = float(image.mean())
        image = ((image - mean) * contrast + mean * light) * np.array(shares)
        image = np.clip(np.round(image), 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(image, (0, 0), radius) if blurred else image
