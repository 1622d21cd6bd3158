# SPDX-License-Identifier: GPL-3.0-or-later
"""Heatmaps of Keypoint R-CNN (arXiv 1703.06870, section 5) to keypoints with a confidence.

Each proposal has one map of logits per keypoint, spread over its box. In training a softmax over a map's cells is
compared with the one cell that holds the keypoint; a cell's middle stands for it (c = d + 0.5, as in
`detectron2.structures.Keypoints`), so box and keypoints share coordinates that are continuous from the top-left corner
of the top-left pixel: this project's own.

The softmax's peak, which detectron2 gives as a keypoint's third number, says how narrow the peak is in cells, not
whether it is right. The confidence here is the product of three things in 0..1:

- the proposal's score: that there is a person;
- `presence` of the highest logit: that the joint is in the picture at all. Where it is not, the softmax still adds up
  to one somewhere;
- the expected keypoint similarity (COCO's OKS) of the place that is given, under the softmax as the distribution of the
  true one: a blunt or double peak has a low one, and it does not depend on the size of the box in pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .base import BOX_FILL

#: Assumptions, not measured on the trained weights: the softmax leaves the level of the logits open. Detectron's own
#: drawings showed a keypoint from a logit of 2 on; that counts as even chances here. The width is a guess.
PRESENCE_MIDDLE, PRESENCE_WIDTH = 2.0, 2.0


def keypoints_of(boxes: Tensor, scores: Tensor, logits: Tensor, sigmas: np.ndarray) -> np.ndarray:
    """(N, K, 3) float32: x, y in the boxes' pixels and confidence of the keypoints of N proposals.

    boxes: (N, 4) x0, y0, x1, y1 pixels. scores: (N,). logits: (N, K, S, S) from the top-left corner. sigmas: (K,).
    """
    if not len(boxes):
        return np.zeros((0, logits.shape[1], 3), np.float32)
    logits = logits.float()
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0)
    place, highest = peaks(logits)
    cell = size / logits.shape[-1]
    xy = boxes[:, None, :2] + place * cell[:, None]
    scale = (BOX_FILL * size.prod(-1)).sqrt()
    tolerance = torch.as_tensor(sigmas, dtype=torch.float32, device=logits.device) * scale[:, None]
    confidence = scores[:, None] * presence(highest) * _expected_oks(logits, place, cell, tolerance)
    return torch.cat([xy, confidence[..., None]], -1).float().cpu().numpy()


def presence(logit: Tensor) -> Tensor:
    """How likely a joint whose highest logit this is is in the picture, 0..1. See `PRESENCE_MIDDLE`."""
    return torch.sigmoid((logit - PRESENCE_MIDDLE) / PRESENCE_WIDTH)


def peaks(logits: Tensor) -> tuple[Tensor, Tensor]:
    """((N, K, 2) x, y in cells from the top-left corner of the map, (N, K) the logit there) of (N, K, S, S) maps.

    The highest cell, moved along each axis to the top of the parabola through it and its neighbours: exact where the
    softmax is a normal distribution, and within a tenth of a cell after the network's last layer, which doubles the map
    by linear interpolation. The library's bicubic interpolation leans towards the middles of cells.
    """
    side = logits.shape[-1]
    level, best = logits.flatten(2).max(-1)
    x, y = best % side, best // side
    to_x, rise_x = _top(logits.flatten(2), y, x, side, level)
    to_y, rise_y = _top(logits.transpose(2, 3).flatten(2), x, y, side, level)
    return torch.stack([x + 0.5 + to_x, y + 0.5 + to_y], -1), level + rise_x + rise_y


def _top(lines: Tensor, line: Tensor, cell: Tensor, side: int, level: Tensor) -> tuple[Tensor, Tensor]:
    """(how far from a cell's middle the top of the parabola through it and its neighbours in the line is, in cells; how
    much higher it is). lines: (N, K, S · S), one after the other. level: of the cell. At a map's edge both are 0."""
    before = lines.gather(-1, (line * side + (cell - 1).clamp(min=0))[..., None])[..., 0]
    after = lines.gather(-1, (line * side + (cell + 1).clamp(max=side - 1))[..., None])[..., 0]
    bend = (2 * level - before - after).clamp(min=1e-6)
    move = ((after - before) / (2 * bend)).clamp(-0.5, 0.5)
    move = torch.where((cell > 0) & (cell < side - 1), move, torch.zeros_like(move))
    return move, move * (after - before) / 4


def _expected_oks(logits: Tensor, place: Tensor, cell: Tensor, tolerance: Tensor) -> Tensor:
    """(N, K): mean of exp(-d² / (2 (2 σ s)²)) over the softmax of each map, d the distance from `place` in pixels.

    place: (N, K, 2) in cells. cell: (N, 2) width and height in pixels. tolerance: (N, K) σ s in pixels.
    """
    side = logits.shape[-1]
    chance = functional.softmax(logits.flatten(2), -1).unflatten(2, (side, side))
    middles = torch.arange(side, device=logits.device) + 0.5
    away = (middles - place[..., None]) * cell[:, None, :, None]
    kernel = torch.exp(-(away**2) / (8 * tolerance[..., None, None] ** 2))
    return torch.einsum("nkab,nka,nkb->nk", chance, kernel[:, :, 1], kernel[:, :, 0])
