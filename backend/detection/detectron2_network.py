# SPDX-License-Identifier: GPL-3.0-or-later
"""detectron2's Keypoint R-CNN: made, filled with published weights, and run on several pictures at once.

Everything that touches the library is here. Used are the network's parts one after the other rather than
`DefaultPredictor`, which takes one picture and then searches the keypoints of each proposal in a loop. detectron2 is
imported only when a network is made: that takes seconds.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UserError

#: The library's name of a network's settings, below its folder of settings.
SETTINGS = "COCO-Keypoints/keypoint_rcnn_{}_FPN_3x.yaml"
#: A proposal of less is left out. Low, since what is no person is left to the grouping stage.
LEAST_SCORE = 0.05
#: Of two proposals whose boxes overlap by more (intersection over union) the better one stays. The library's 0.5 loses
#: one of two people who embrace; one person found several times is merged by grouping.
MOST_OVERLAP = 0.7

#: All that the published weights hold: arrays in dictionaries. Nothing else is made, so that a file runs no code.
_ARRAYS = {
    (module, name)
    for core in ("numpy.core", "numpy._core")
    for module, name in (
        (f"{core}.multiarray", "_reconstruct"),
        (f"{core}.multiarray", "scalar"),
        (f"{core}.numeric", "_frombuffer"),
    )
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("collections", "OrderedDict"), ("_codecs", "encode")}


@dataclass(frozen=True)
class Proposals:
    """What the network says of one picture. boxes: (N, 4) x0, y0, x1, y1 in the picture's pixels, origin at the
    top-left corner of the top-left pixel. scores: (N,) 0..1. logits: (N, K, S, S) spread over the boxes."""

    boxes: Tensor
    scores: Tensor
    logits: Tensor


class KeypointRCNN:
    """A network on a device. short, long: the sides of a picture in pixels are made so long before it is looked at,
    whichever is less. half: in 16-bit numbers, for GPUs; places are computed in 32."""

    def __init__(self, model: Any, device: torch.device, bgr: bool, short: int, long: int, half: bool) -> None:
        self._model = model.to(device).eval().requires_grad_(False)
        self._model.roi_heads.keypoint_on = False  # the library's own search of keypoints, one proposal at a time
        self._device, self._bgr, self._half = device, bgr, half
        self._short, self._long = short, long

    @torch.inference_mode()
    def look(self, images: Sequence[np.ndarray]) -> list[Proposals]:
        """Proposals of each (H, W, 3) uint8 RGB picture, the surest first.

        Should 16-bit numbers not reach for these weights, it goes on in 32.
        """
        with torch.autocast(self._device.type, torch.float16, enabled=self._half):
            model, heads = self._model, self._model.roi_heads
            pictures = model.preprocess_image([{"image": self._prepared(image)} for image in images])
            # Boxes are rounded to the type of the features: in 16 bits by up to half a pixel.
            features = {name: value.float() for name, value in model.backbone(pictures.tensor).items()}
            regions, _ = model.proposal_generator(pictures, features, None)
            found, _ = heads(pictures, features, regions, None)
            pooled = heads.keypoint_pooler(
                [features[name] for name in heads.keypoint_in_features], [each.pred_boxes for each in found]
            )
            logits = heads.keypoint_head.layers(pooled).float()
        if self._half and not all(bool(torch.isfinite(values).all()) for values in (*features.values(), logits)):
            self._half = False
            return self.look(images)
        several = zip(found, pictures.image_sizes, images, logits.split([len(each) for each in found]), strict=True)
        return [
            Proposals(_in_picture(each.pred_boxes.tensor.float(), size, image), each.scores.float(), maps)
            for each, size, image, maps in several
        ]

    def _prepared(self, image: np.ndarray) -> Tensor:
        """(3, h, w) float32, channels as the network was trained, in its size."""
        tensor = torch.from_numpy(image.copy()).to(self._device).permute(2, 0, 1).float()
        size = network_size(image.shape[0], image.shape[1], self._short, self._long)
        tensor = tensor.flip(0) if self._bgr else tensor
        return functional.interpolate(tensor[None], size, mode="bilinear", align_corners=False, antialias=True)[0]


def network_size(height: int, width: int, short: int, long: int) -> tuple[int, int]:
    """(h, w) with the short side `short`, or the long side `long` where that would be smaller."""
    scale = min(short / min(height, width), long / max(height, width))
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def _in_picture(boxes: Tensor, size: tuple[int, int], image: np.ndarray) -> Tensor:
    """Boxes in the network's copy of a picture, (h, w) `size`, to the picture."""
    along = boxes.new_tensor([image.shape[1] / size[1], image.shape[0] / size[0]])
    return boxes * along.repeat(2)


def settings(depth: str, most: int) -> Any:
    """The library's settings of the network called "R_50", "R_101" or "X_101_32x8d", for `most` proposals a picture.

    Read from the library's folder rather than through its `model_zoo`, which needs an old setuptools.
    """
    config = import_module("detectron2.config")
    found = config.get_cfg()
    folder = Path(str(import_module("detectron2").__file__)).parent / "model_zoo" / "configs"
    found.merge_from_file(str(folder / SETTINGS.format(depth)))
    found.MODEL.WEIGHTS = ""
    found.MODEL.DEVICE = "cpu"
    found.MODEL.ROI_HEADS.SCORE_THRESH_TEST = LEAST_SCORE
    found.MODEL.ROI_HEADS.NMS_THRESH_TEST = MOST_OVERLAP
    found.TEST.DETECTIONS_PER_IMAGE = most
    return found


def build(found: Any) -> Any:
    """The network of `settings`, not trained."""
    # The library asks torch something that newer ones advise against: nothing that a user can change.
    logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)
    return import_module("detectron2.modeling").build_model(found)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Named tensors of a published `.pkl`. Raises UserError if it is damaged or holds anything but arrays."""
    try:
        with path.open("rb") as file:
            loaded = _ArraysOnly(file, encoding="latin1").load()
        return {name: torch.tensor(np.asarray(value)) for name, value in loaded["model"].items()}
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged pickle can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} does not hold weights of detectron2 ({reason}): delete it and get it again") from None


def fill(model: Any, state: dict[str, Tensor], path: Path) -> None:
    """Give the network its weights. Raises UserError if they are another network's."""
    own = model.state_dict()
    # Constants that come from the settings; older files hold some of them.
    constant = ("pixel_mean", "pixel_std", "cell_anchors")
    wanted = {name for name in own if not name.endswith(constant) and ".cell_anchors" not in name}
    given = {name for name in state if not name.endswith(constant) and ".cell_anchors" not in name}
    shapes = [name for name in wanted & given if own[name].shape != state[name].shape]
    strange = sorted(wanted ^ given) or sorted(shapes)
    if strange:
        raise UserError(f"{path} holds the weights of another network ({strange[0]} does not fit)")
    model.load_state_dict({name: state[name] for name in wanted}, strict=False)


class _ArraysOnly(pickle.Unpickler):
    """Makes nothing but NumPy arrays and what they are made of."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ARRAYS:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return super().find_class(module_name, global_name)
