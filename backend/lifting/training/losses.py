# SPDX-License-Identifier: GPL-3.0-or-later
"""What training minimises: VideoPose3D's mean distance per joint, and what else the settings weigh in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ....rigging.joints import TAKE
from .samples import Batch
from .settings import LossSettings

_JOINTS = len(TAKE)
#: Metres below which errors are all the same.
_NO_ERROR = 1e-3
_PARENTS = [parent for parent, _ in TAKE.bones]
_CHILDREN = [child for _, child in TAKE.bones]


def split(output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The network's (B, T, 28, 3) as joints relative to the pelvis, up, and root (shapes of `Batch`)."""
    joints = output[:, :, :_JOINTS]
    return joints - joints[:, :, :1], output[:, :, _JOINTS], output[:, :, _JOINTS + 1]


def position_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean distance per joint, metres, of root-relative poses (Pavllo et al. 2019, equation of section 3)."""
    return (predicted - truth).norm(dim=-1).mean()


def total_loss(output: Tensor, log_errors: Tensor, batch: Batch, weights: LossSettings) -> Tensor:
    """The sum that is minimised.

    output: (B, T, 28, 3). log_errors: (B, T, 26). The errors' part is the distance of logarithms, which no outlier can
    blow up as a likelihood can; by the network's make it teaches nothing but the telling.
    """
    joints, up, root = split(output)
    distance = (joints - batch.joints).norm(dim=-1)
    loss = distance.mean()
    loss = loss + weights.up * (up - batch.up).norm(dim=-1).mean()
    loss = loss + weights.root * (root - batch.root).abs().sum(-1).mean()
    if weights.direction > 0:
        directions, true_directions = (normalize(bones(each), dim=-1, eps=1e-4) for each in (joints, batch.joints))
        loss = loss + weights.direction * (directions - true_directions).norm(dim=-1).mean()
    if weights.velocity > 0:
        loss = loss + weights.velocity * (joints - batch.joints).diff(dim=1).norm(dim=-1).mean()
    wanted = torch.log(distance.detach()[:, :, 1:] + _NO_ERROR)
    return loss + 0.01 * (log_errors[:, :, 1:] - wanted).abs().mean()


def bones(joints: Tensor) -> Tensor:
    """(B, T, 26, 3) to (B, T, 25, 3): from each joint's parent to the joint."""
    return joints[:, :, _CHILDREN] - joints[:, :, _PARENTS]
