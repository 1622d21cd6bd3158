# SPDX-License-Identifier: GPL-3.0-or-later
"""How keypoints in pixels become the input of a lifter, and in which camera its output stands.

`screen` is VideoPose3D's: the whole picture, in half-widths. `person` is ours: a virtual camera turned towards the
person and zoomed to their size, so that place in the picture, distance and focal length no longer have to be learned
(the crop correction of Mehta et al., 3DV 2017, section 4.2, for a whole track).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: COCO-17 rows of shoulders and hips: they say where the person is, limbs hardly do.
_TORSO = (5, 6, 11, 12)
#: Seconds over which the virtual camera follows the person; faster motion stays visible to the network.
_FOLLOW_SECONDS = 1.0 / 3.0


def screen(keypoints: Tensor, width: float, height: float) -> Tensor:
    """VideoPose3D's normalisation: (..., 2 or 3) pixels to half-widths, x in [-1, 1], y in [-h/w, h/w].

    A third number (confidence) passes through.
    """
    centre = torch.tensor([width, height], dtype=keypoints.dtype, device=keypoints.device) / 2
    scaled = (keypoints[..., :2] - centre) * (2 / width)
    return torch.cat([scaled, keypoints[..., 2:]], dim=-1)


@dataclass(frozen=True)
class Following:
    """Keypoints as seen by a camera that follows the person.

    inputs: (B, T, 17, 3), the network's: x, y in units of `size`, confidence; missing points all 0.
    rotation: (B, T, 3, 3), turns real camera axes into those of the following camera: X_real = R^T X_network.
    size: (B, T) the person's spread in the picture, as a tangent.
    """

    inputs: Tensor
    rotation: Tensor
    size: Tensor


def person(keypoints: Tensor, intrinsics: Tensor, fps: float, causal: bool = False) -> Following:
    """Turn a camera towards the person and zoom to their size.

    keypoints: (B, T, 17, 3) COCO-17, x y in pixels and confidence; confidence 0 marks a missing point.
    intrinsics: (B, 3, 3) pixels. fps: rate of the T frames, Hz. causal: the camera knows past frames only.
    """
    confidence = keypoints[..., 2].clamp_min(0)
    present = confidence > 0
    focal = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], dim=-1)[:, None, None]
    rays = (keypoints[..., :2] - intrinsics[:, None, None, :2, 2]) / focal
    rays = torch.where(present[..., None], rays, 0.0)

    weight = confidence * 0.1
    weight[..., list(_TORSO)] = confidence[..., list(_TORSO)]
    centre = _weighted_smooth(_weighted_mean(rays, weight), weight.sum(-1), fps, causal)
    rotation = look_rotation(centre)
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], dim=-1) @ rotation.transpose(-1, -2)
    turned = turned[..., :2] / turned[..., 2:].clamp_min(1e-3)

    # Size is measured after turning: at the edge of a wide picture a person is stretched.
    total = confidence.sum(-1)
    spread = (turned.square().sum(-1) * confidence).sum(-1) / total.clamp_min(1e-6)
    size = _weighted_smooth(0.5 * torch.log(spread.clamp_min(1e-8))[..., None], total, fps, causal).exp()
    scaled = turned / size[:, :, None]
    scaled = torch.where(present[..., None], scaled, 0.0)
    return Following(torch.cat([scaled, confidence[..., None]], dim=-1), rotation, size[..., 0])


def look_rotation(ray: Tensor) -> Tensor:
    """(..., 2) ray (x / z, y / z) to the smallest rotation (..., 3, 3) that turns it onto the optical axis."""
    direction = torch.cat([ray, torch.ones_like(ray[..., :1])], dim=-1)
    x, y, z = (direction / direction.norm(dim=-1, keepdim=True)).unbind(-1)
    k = 1 / (1 + z)
    rows = [1 - k * x * x, -k * x * y, -x, -k * x * y, 1 - k * y * y, -y, x, y, z]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def _weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight[..., None]).sum(-2) / weight.sum(-1, keepdim=True).clamp_min(1e-6)


def _weighted_smooth(values: Tensor, weight: Tensor, fps: float, causal: bool) -> Tensor:
    """Gaussian smoothing in time of (B, T, D) with weights (B, T): frames without a person take their neighbours'."""
    sigma = _FOLLOW_SECONDS * fps
    radius = max(1, round(3 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)[None, None]
    # A trace of weight far away keeps long gaps defined: their value is then that of the nearest frames.
    tails = kernel + 1e-9 / (1 + steps.abs())
    if causal:
        tails = torch.where(steps > 0, 0.0, tails)
    numbers = torch.cat([values * weight[..., None], weight[..., None]], dim=-1).transpose(1, 2)
    batch, channels, frames = numbers.shape
    padded = torch.nn.functional.pad(numbers, (radius, radius), mode="replicate")
    smooth = torch.nn.functional.conv1d(padded.reshape(batch * channels, 1, -1), tails)
    smooth = smooth.reshape(batch, channels, frames).transpose(1, 2)
    return smooth[..., :-1] / smooth[..., -1:].clamp_min(1e-20)
