# SPDX-License-Identifier: GPL-3.0-or-later
"""detectron2's Keypoint R-CNN as a detector, used bottom-up: its boxes propose, the grouping stage makes the people.

Proposals are taken from a low score on, also where they overlap much; every keypoint of every proposal is a candidate,
its proposal its instance. So somebody half hidden, whose box alone would be dropped, adds what can be seen of them, and
one person under several boxes is merged.

One keypoint a heatmap: the second peak is mostly the other side's limb or a neighbour's joint, which comes as the first
peak of another heatmap anyway, and grouping chooses among candidates by where they fit, not yet by how sure they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

import numpy as np
import torch

from ...rigging.joints import COCO17
from ..catalogue.entries import Entry, find_entry
from ..catalogue.store import is_here, place_of, read_receipt
from ..errors import UserError
from ..grouping.affinity import sigmas_of
from ..lifting.device import pick_device
from .base import BOX_FILL, Candidates
from .detectron2_heatmaps import keypoints_of
from .detectron2_installation import Problem, absence, problem
from .detectron2_network import KeypointRCNN, Proposals, build, fill, read_weights, settings

#: The library's names of the networks in the catalogue, and bytes of a GPU that a picture takes in the standard size,
#: roughly (not measured; too much is noticed and halved).
NETWORKS = {
    "keypoint-rcnn-r50": ("R_50", 0.8e9),
    "keypoint-rcnn-r101": ("R_101", 1.0e9),
    "keypoint-rcnn-x101": ("X_101_32x8d", 1.6e9),
}
#: Sides in pixels that pictures are looked at in; "standard" is what the networks were tested with. Nobody has measured
#: what larger ones bring, so "thorough" is the same.
SIZES = {"draft": (480, 800), "standard": (800, 1333), "thorough": (800, 1333)}
MOST_PICTURES = 16
#: Candidates of less say nothing.
LEAST_CANDIDATE = 0.01


class KeypointRCNNDetector:
    """See `Detector` and `BatchDetector`. batch: pictures at once, at first; source: see `describe`."""

    #: Mean confidence of the better half of a person's keypoints; below it nobody is there. Proposals begin much lower.
    least_confidence = 0.2

    def __init__(self, network: KeypointRCNN, batch: int, source: dict[str, object]) -> None:
        self._network: KeypointRCNN | None = network
        self._batch = batch
        self._source = source
        self._sigmas = sigmas_of(COCO17.names)

    @property
    def names(self) -> tuple[str, ...]:
        return COCO17.names

    @property
    def source(self) -> dict[str, object]:
        return self._source

    @property
    def batch(self) -> int:
        return self._batch

    def detect(self, image: np.ndarray, time_s: float) -> Candidates:
        """See `Detector.detect`. Confidence: see `detectron2_heatmaps`."""
        return self.detect_many([image], [time_s])[0]

    def detect_many(self, images: Sequence[np.ndarray], times_s: Sequence[float]) -> list[Candidates]:
        """See `BatchDetector.detect_many`. Raises UserError if the GPU's memory is too small for one picture."""
        try:
            return [self._candidates(found) for found in self._look(images)]
        except torch.OutOfMemoryError:
            if len(images) == 1:
                raise UserError(
                    "the GPU has too little free memory for a single picture; use the device cpu or the quality draft"
                ) from None
        torch.cuda.empty_cache()
        self._batch = half = len(images) // 2
        return self.detect_many(images[:half], times_s[:half]) + self.detect_many(images[half:], times_s[half:])

    def close(self) -> None:
        self._network = None

    def _look(self, images: Sequence[np.ndarray]) -> list[Proposals]:
        if self._network is None:
            raise ValueError("the detector is closed")
        return self._network.look(images)

    def _candidates(self, found: Proposals) -> Candidates:
        people = keypoints_of(found.boxes, found.scores, found.logits, self._sigmas)
        instance, kind = np.nonzero(people[..., 2] >= LEAST_CANDIDATE)
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).float().cpu().numpy()
        return Candidates(
            positions=people[instance, kind, :2],
            confidence=people[instance, kind, 2],
            kinds=kind.astype(np.int64),
            instances=instance.astype(np.int64),
            scales=np.sqrt(BOX_FILL * sides.prod(-1))[instance].astype(np.float32),
        )


def create(max_persons: int, quality: str, weights: str, device: str) -> KeypointRCNNDetector:
    """A detector with the weights called so in the catalogue.

    Raises UserError if the library or the weights are not here or do not work, or if there is no such device.
    """
    entry = _entry(weights)
    _refuse(problem())
    chosen = pick_device(device)
    depth, memory = NETWORKS[weights]
    short, long = SIZES[quality]
    # Somebody is found several times: see MOST_OVERLAP.
    found = settings(depth, min(100, 4 * max_persons + 4))
    model = build(found)
    fill(model, read_weights(place_of(entry)), place_of(entry))
    on_gpu = chosen.type == "cuda"
    network = KeypointRCNN(model, chosen, found.INPUT.FORMAT == "BGR", short, long, half=on_gpu)
    pixels = short * long / (SIZES["standard"][0] * SIZES["standard"][1])
    batch = batch_size(torch.cuda.mem_get_info(chosen)[0], memory * pixels) if on_gpu else 1
    return KeypointRCNNDetector(network, batch, describe(weights))


def describe(weights: str) -> dict[str, object]:
    """The `source` of the detectors made with these weights. Raises UserError if they or the library are not here."""
    entry = _entry(weights)
    receipt = read_receipt(entry)
    try:
        version = metadata.version("detectron2")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return {
        "name": f"detectron2 {weights}",
        "version": version,
        "licence": entry.licence,
        "weights_sha256": receipt.sha256 if receipt else "",
    }


def batch_size(free: float, picture: float) -> int:
    """Pictures at once on a GPU with `free` bytes where one takes `picture`: half of what fits, 1 to `MOST_PICTURES`.

    More than 16 do not make a GPU faster, and as many frames have to be decoded before the first result.
    """
    return int(np.clip(free / 2 / picture, 1, MOST_PICTURES))


def _refuse(wrong: Problem | None) -> None:
    if wrong is not None:
        raise UserError(f"the detector detectron2 cannot be used: {wrong.text}; {wrong.todo}")


def _entry(weights: str) -> Entry:
    """Of weights that are here. Raises UserError if they are not, or, first, if the library is not."""
    _refuse(absence())
    entry = find_entry(weights)
    if entry is None or weights not in NETWORKS:
        raise UserError(f"there are no weights called {weights} for detectron2")
    if not is_here(entry):
        raise UserError(
            f"the weights {entry.name} of the detector detectron2 are not here yet ({entry.megabytes} MB, "
            f"{entry.licence}); 'video-mocap models get {entry.name}' fetches them"
        )
    return entry
