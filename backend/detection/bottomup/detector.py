# SPDX-License-Identifier: GPL-3.0-or-later
"""The bottom-up network as a detector. Its weights are one's own: none come with the project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...catalogue.store import models_folder
from ...errors import UserError
from ...lifting.device import pick_device
from ..base import BOTTOM_UP, Candidates
from .decode import DecodeOptions
from .finder import LEAST_CONFIDENCE, Finder
from .weights import Card, open_network, read_card

#: Pictures that a GPU looks at together.
_BATCH = 8


class BottomUpDetector:
    """See `Detector` and `BatchDetector`. path: of the weights. quality: "draft" looks once, "standard" also in a
    mirror. device: "auto", "cpu" or "cuda"."""

    least_confidence = LEAST_CONFIDENCE

    def __init__(self, path: Path, max_persons: int, quality: str = "standard", device: str = "auto") -> None:
        self._card, place = read_card(path), pick_device(device)
        network = open_network(path, self._card, place)
        # Candidates that belong to nobody come on top of those of the people.
        options = DecodeOptions(most=max(20, 3 * max_persons), foreground=self._card.foreground)
        self._finder = Finder(network, self._card.layout, self._card.size, quality != "draft", options)
        self.batch = _BATCH if place.type == "cuda" else 1

    @property
    def names(self) -> tuple[str, ...]:
        return self._card.names

    @property
    def source(self) -> dict[str, object]:
        return _described(self._card)

    def detect(self, image: np.ndarray, time_s: float) -> Candidates:
        """See `Detector.detect`. Confidence is the height of the heatmap's peak."""
        return self.detect_many([image], [time_s])[0]

    def detect_many(self, images: Sequence[np.ndarray], times_s: Sequence[float]) -> list[Candidates]:
        """See `BatchDetector.detect_many`; every picture is looked at by itself, whatever its time."""
        del times_s
        if len({image.shape for image in images}) == 1:
            return self._finder.find(images)
        return [self._finder.find([image])[0] for image in images]

    def close(self) -> None:
        """Nothing is held."""


def create(max_persons: int, quality: str, weights: str, device: str) -> BottomUpDetector:
    """The detector for about `max_persons` people.

    weights: a path, or `base.BOTTOM_UP` for what lies in the folder of fetched weights.
    Raises UserError if there are no weights or they are no good.
    """
    return BottomUpDetector(_path_of(weights), max_persons, quality, device)


def describe(weights: str) -> dict[str, object]:
    """The `source` of the detectors made here. Raises UserError if there are no weights."""
    return _described(read_card(_path_of(weights)))


def _path_of(weights: str) -> Path:
    if weights != BOTTOM_UP:
        return Path(weights)
    path = models_folder() / f"{BOTTOM_UP}.safetensors"
    if not path.is_file():
        raise UserError(
            "the detector bottomup has no weights, since none come with the project: train them with "
            f"'video-mocap train detector' and name their file, --detector X.safetensors, or put it at {path}"
        )
    return path


def _described(card: Card) -> dict[str, object]:
    return {
        "name": card.name,
        "version": card.version,
        "licence": card.licence,
        "weights_sha256": card.sha256,
    }
