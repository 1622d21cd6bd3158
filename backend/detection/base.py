# SPDX-License-Identifier: GPL-3.0-or-later
"""What every detector gives and takes, and the table of detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import UserError

#: Area of a person as a fraction of the area of the box around their keypoints (COCO's mean).
BOX_FILL = 0.53


@dataclass(frozen=True)
class Candidates:
    """Keypoint candidates of one frame, N of them, in no particular order.

    positions: (N, 2) float32 pixels, origin at the top-left corner of the top-left pixel; may lie outside the picture.
    confidence: (N,) float32, 0..1. kinds: (N,) int, rows of the detector's `names`.
    instances: (N,) int, which detection a candidate came from; -1 where the detector works bottom-up and cannot say.
    scales: (N,) float32 pixels, square root of the area of the person a candidate belongs to.
    links: (L, 3) float32 or None: rows a, b of two candidates and how much speaks for their belonging to one person,
    0..1, by a part affinity field or another source that looked at the picture between them. Of types that some link
    joins, a pair that is not listed counts as 0; of other types nothing is known.
    Raises ValueError if the arrays do not fit together.
    """

    positions: np.ndarray
    confidence: np.ndarray
    kinds: np.ndarray
    instances: np.ndarray
    scales: np.ndarray
    links: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.positions)
        shapes = [np.shape(a) for a in (self.confidence, self.kinds, self.instances, self.scales)]
        if np.shape(self.positions) != (count, 2) or any(shape != (count,) for shape in shapes):
            raise ValueError(f"candidates of different number: positions {np.shape(self.positions)}, {shapes}")
        if self.links is not None and (
            np.shape(self.links)[1:] != (3,) or ((self.links[:, :2] < 0) | (self.links[:, :2] >= count)).any()
        ):
            raise ValueError(f"links must be rows a, b, affinity of candidates 0..{count - 1}")

    def __len__(self) -> int:
        return len(self.positions)


class Detector(Protocol):
    """A detector of keypoints.

    One that gives candidates of what may be nobody says so by `least_confidence`: what the better half of a person's
    keypoints must have on average.

    names: (K,) what the kinds of its candidates mean, names as in `rigging.joints`.
    source: JSON-able: name, version, licence, weights sha256.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def source(self) -> dict[str, object]: ...

    def detect(self, image: np.ndarray, time_s: float) -> Candidates:
        """Candidates of `image`, (H, W, 3) uint8 RGB, shown at `time_s` seconds.

        Frames of one clip come in order; a detector may look first where people were in the frame before.
        """
        ...

    def close(self) -> None:
        """Release what the detector holds."""
        ...


@runtime_checkable
class BatchDetector(Protocol):
    """A `Detector` that also looks at several pictures at once, each for itself.

    batch: how many it takes best; may change from call to call.
    """

    @property
    def batch(self) -> int: ...

    def detect_many(self, images: Sequence[np.ndarray], times_s: Sequence[float]) -> list[Candidates]:
        """Candidates of each of `images`, as `Detector.detect` gives them for one."""
        ...


def candidates_from_instances(people: np.ndarray) -> Candidates:
    """Candidates of M detections, each a whole person.

    people: (M, K, 3) x, y in pixels and confidence; missing is NaN, NaN, 0. Kinds are the rows of K, instances 0..M-1.
    """
    count, kinds = people.shape[:2]
    seen = (people[..., 2] > 0) & np.isfinite(people[..., :2]).all(-1)
    instance, kind = np.nonzero(seen)
    scale = person_scales(people) if count else np.zeros(0)
    return Candidates(
        positions=people[instance, kind, :2].astype(np.float32).reshape(-1, 2),
        confidence=people[instance, kind, 2].astype(np.float32),
        kinds=kind.astype(np.int64) if kinds else np.zeros(0, np.int64),
        instances=instance.astype(np.int64),
        scales=scale[instance].astype(np.float32),
    )


def sureness(people: np.ndarray) -> np.ndarray:
    """(M,) mean confidence of the better half of the keypoints of (M, K, 3) people."""
    half = max(1, people.shape[1] // 2)
    return np.sort(people[..., 2], -1)[:, -half:].mean(-1)


def person_boxes(people: np.ndarray, least: float = 0.1) -> np.ndarray:
    """(..., 4) box x0, y0, x1, y1 in pixels around the keypoints of (..., K, 3) people; NaN where none is seen.

    least: confidence from which a point counts; people without such a point are boxed by all they have.
    """
    confidence = people[..., 2]
    good = confidence >= np.minimum(least, confidence.max(-1, keepdims=True, initial=0))
    good = (good & (confidence > 0))[..., None]
    low = np.where(good, people[..., :2], np.inf).min(-2)
    high = np.where(good, people[..., :2], -np.inf).max(-2)
    box = np.concatenate([low, high], -1)
    return np.where(np.isfinite(box), box, np.nan)


def person_scales(people: np.ndarray) -> np.ndarray:
    """(...) square root of the area in pixels of (..., K, 3) people: OKS's s. NaN where no keypoint is seen.

    The area is `BOX_FILL` of the box of the keypoints, whose short side is taken as at least 0.4 of its long side: the
    keypoints of a person who stands upright lie on a line, the person does not.
    """
    box = person_boxes(people)
    sides = np.maximum(box[..., 2:] - box[..., :2], 1.0)
    long = sides.max(-1)
    return np.sqrt(BOX_FILL * long * np.maximum(sides.min(-1), 0.4 * long))


@dataclass(frozen=True)
class DetectorEntry:
    """A row of the table of detectors.

    module: the module of this package, imported only on use, that has `create(max_persons, quality) -> Detector`
    (quality: one of `pipeline.QUALITIES`, how much it looks) and `describe() -> dict`, the `source` of its detectors
    without making one.
    needs: distributions to install, in words. licence: of the weights. weights: their name in the catalogue, empty
    where the detector brings them. With a name, the two functions are `create(max_persons, quality, weights, device)`
    (device: "auto", "cpu" or "cuda") and `describe(weights)`.
    """

    module: str
    needs: str
    licence: str
    weights: str = ""


#: The detector whose weights are one's own: paths of weights mean it, too.
BOTTOM_UP = "bottomup"
_WEIGHTS = ".safetensors"

_DETECTRON2 = "detectron2 ('python3 build.py setup --with detectron2')"

#: A new detector is one file of this package and one line here.
DETECTORS: dict[str, DetectorEntry] = {
    "mediapipe": DetectorEntry("mediapipe", "mediapipe 0.10.21, which carries its weights", "Apache-2.0"),
    "detectron2": DetectorEntry("detectron2", _DETECTRON2, "CC BY-SA 3.0", "keypoint-rcnn-r50"),
    "detectron2-r101": DetectorEntry("detectron2", _DETECTRON2, "CC BY-SA 3.0", "keypoint-rcnn-r101"),
    "detectron2-x101": DetectorEntry("detectron2", _DETECTRON2, "CC BY-SA 3.0", "keypoint-rcnn-x101"),
    BOTTOM_UP: DetectorEntry("bottomup.detector", "weights of one's own", "as its weights say", BOTTOM_UP),
}


def create_detector(name: str, max_persons: int, quality: str = "standard", device: str = "auto") -> Detector:
    """The detector called `name`, or with the weights at the path `name`, for at most `max_persons` people.

    device: "auto", "cpu" or "cuda", for detectors that can use a GPU.
    Raises UserError if there is none of that name or what it needs is not installed.
    """
    name, weights = _weights_of(name)
    create: Callable[..., Detector] = _part_of(name, "create")
    return create(max_persons, quality, weights, device) if weights else create(max_persons, quality)


def describe_detector(name: str) -> dict[str, object]:
    """The `source` that the detector called `name` would have. Raises UserError as `create_detector`."""
    name, weights = _weights_of(name)
    describe: Callable[..., dict[str, object]] = _part_of(name, "describe")
    return describe(weights) if weights else describe()


def _weights_of(name: str) -> tuple[str, str]:
    """(the detector, its weights) that a name or the path of weights means."""
    if name.endswith(_WEIGHTS):
        return BOTTOM_UP, name
    return name, DETECTORS[name].weights if name in DETECTORS else ""


def _part_of(name: str, function: str) -> Any:
    entry = DETECTORS.get(name)
    if entry is None:
        raise UserError(f"there is no detector {name!r}; choose one of: {', '.join(DETECTORS)}")
    try:
        return getattr(import_module(f".{entry.module}", __package__), function)
    except ImportError as error:
        raise UserError(f"the detector {name} needs {entry.needs}, which is not installed ({error})") from None


def rows_of(names: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """(len(wanted),) int: the row of each wanted name in `names`, -1 where it has none."""
    rows = {name: row for row, name in reversed(list(enumerate(names)))}
    return np.array([rows.get(name, -1) for name in wanted], dtype=np.int64)
