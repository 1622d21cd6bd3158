# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual cameras: as people really film, from phones held low to cameras on the ceiling, level or not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class VirtualCameras:
    """One still camera per window, OpenCV axes.

    rotation: (B, 3, 3) world to camera. position: (B, 3) metres, world. focal: (B,) half-widths of the longer side.
    half_size: (B, 2) half width and height of the picture as tangents of the angle of view.
    """

    rotation: Tensor
    position: Tensor
    focal: Tensor
    half_size: Tensor

    def to_camera(self, points: Tensor) -> Tensor:
        """(B, T, J, 3) world to camera axes, metres."""
        return (points - self.position[:, None, None]) @ self.rotation.transpose(1, 2)[:, None]


def sample_cameras(root: Tensor, generator: torch.Generator) -> VirtualCameras:
    """Cameras that see the paths of `root`, (B, T, 3) metres, world Z up; generator: on the device of `root`."""
    batch, device = len(root), root.device

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, generator=generator, device=device)

    def normal(scale: float) -> Tensor:
        return scale * torch.randn(batch, generator=generator, device=device)

    middle = root.mean(1)
    reach = (root - middle[:, None]).norm(dim=-1).amax(1)
    distance = torch.exp(uniform(math.log(2.0), math.log(12.0))).maximum(1.5 + reach)
    unusual = uniform(0, 1) < 0.25
    height = torch.where(unusual, uniform(0.1, 4.0), (1.4 + normal(0.6)).clamp(0.2, 3.0))
    azimuth = uniform(-math.pi, math.pi)
    position = torch.stack(
        [middle[:, 0] + distance * torch.cos(azimuth), middle[:, 1] + distance * torch.sin(azimuth), height], dim=-1
    )
    portrait = uniform(0, 1) < 0.4
    focal = torch.exp(uniform(math.log(0.8), math.log(2.2)))  # of the longer side's width
    long_half, short_half = 0.5 / focal, 0.5 / focal * 9 / 16
    half_size = torch.stack(
        [torch.where(portrait, short_half, long_half), torch.where(portrait, long_half, short_half)], dim=-1
    )
    aim = middle - position
    yaw = torch.atan2(aim[:, 1], aim[:, 0]) + uniform(-0.6, 0.6) * torch.atan(half_size[:, 0])
    pitch = torch.atan2(aim[:, 2], aim[:, :2].norm(dim=-1)) + uniform(-0.5, 0.5) * torch.atan(half_size[:, 1])
    roll = torch.where(uniform(0, 1) < 0.3, uniform(-0.6, 0.6), normal(0.06))
    forward = torch.stack(
        [torch.cos(yaw) * torch.cos(pitch), torch.sin(yaw) * torch.cos(pitch), torch.sin(pitch)], dim=-1
    )
    right = torch.stack([torch.sin(yaw), -torch.cos(yaw), torch.zeros_like(yaw)], dim=-1)
    down = torch.linalg.cross(forward, right)
    c, s = torch.cos(roll)[:, None], torch.sin(roll)[:, None]
    rotation = torch.stack([c * right + s * down, c * down - s * right, forward], dim=1)
    return VirtualCameras(rotation, position, focal, half_size)
