# SPDX-License-Identifier: GPL-3.0-or-later
"""A network put to work on pictures of any size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from ..base import Candidates
from .decode import DecodeOptions, decode
from .fields import Layout
from .network import Network, to_input

#: Peaks from a tenth up are candidates, some of them nobody's: what somebody's better keypoints have at least.
LEAST_CONFIDENCE = 0.2
#: What is round a picture that does not fill the network's: grey.
FILL = (128, 128, 128)


def fitting(width: int, height: int, size: int) -> float:
    """By what to scale a picture so that its longer side is `size` pixels."""
    return size / max(width, height)


class Finder:
    """Finds candidates in pictures, as large as the network has learned to see them.

    size: pixels of the longer side. mirrored: average with the mirror image, which takes twice as long.
    """

    def __init__(
        self, network: Network, layout: Layout, size: int, mirrored: bool = False, options: DecodeOptions | None = None
    ) -> None:
        self._network, self._layout, self._size, self._mirrored = network, layout, size, mirrored
        self._options = options or DecodeOptions()

    def find(self, images: Sequence[np.ndarray]) -> list[Candidates]:
        """Candidates of each of some (H, W, 3) uint8 RGB pictures of one size, in their pixels."""
        height, width = images[0].shape[:2]
        scale = fitting(width, height, self._size)
        given = [padded(resized(image, scale), self._network.multiple) for image in images]
        all_found = []
        for maps, (_, corner) in zip(self.maps(np.stack([picture for picture, _ in given])), given, strict=True):
            found = decode(maps, self._layout, self._options)
            found.positions[:] = (found.positions - corner) / scale
            found.scales[:] = found.scales / scale
            all_found.append(found)
        return all_found

    @torch.inference_mode()
    def maps(self, pictures: np.ndarray) -> np.ndarray:
        """(B, maps, H / 4, W / 4) float32 of (B, H, W, 3) uint8 RGB, whose sides the network can take."""
        views = np.concatenate([pictures, pictures[:, :, ::-1]]) if self._mirrored else pictures
        device = next(self._network.parameters()).device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            maps = self._network(to_input(views, device))[-1]
        seen = maps.float().cpu().numpy()
        if not self._mirrored:
            return seen
        count = len(pictures)
        return np.stack([(seen[row] + self._layout.mirrored(seen[count + row])) / 2 for row in range(count)])


def resized(image: np.ndarray, scale: float) -> np.ndarray:
    """The picture scaled; smaller ones are means of what they show."""
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def padded(image: np.ndarray, multiple: int) -> tuple[np.ndarray, np.ndarray]:
    """(the picture in the middle of grey whose sides are multiples, (2,) x, y of its corner there)."""
    height, width = image.shape[:2]
    right, below = -width % multiple, -height % multiple
    x, y = right // 2, below // 2
    image = cv2.copyMakeBorder(image, y, below - y, x, right - x, cv2.BORDER_CONSTANT, value=FILL)
    return image, np.array([x, y])
