# SPDX-License-Identifier: GPL-3.0-or-later
"""Training samples: motion, a virtual camera, a detector's noise, the lifter's own normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....rigging.joints import COCO17, TAKE
from ..normalise import person
from .camera import sample_cameras
from .detector_noise import add_noise, occluded
from .motion import MotionSet, reproportion, windows

#: Frames beside the receptive field, so that the normaliser sees what it sees in a longer clip.
_MARGIN = 15


@dataclass(frozen=True)
class Batch:
    """inputs: (B, frames + context, 17, 3). joints: (B, frames, 26, 3) metres, root-relative, network's camera axes.
    up: (B, frames, 3) world's up in the same axes."""

    inputs: Tensor
    joints: Tensor
    up: Tensor


def make_batch(
    motion: MotionSet, size: int, frames: int, context: int, fps: float, generator: torch.Generator, noise: bool = True
) -> Batch:
    """Draw `size` windows with `frames` output frames each for a network that sees `context` further frames.

    motion: metres, Z up. fps: rate of the lifter, Hz. noise: False gives exact keypoints with confidence 1.
    """
    total = frames + context + 2 * _MARGIN

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    seconds = motion.length / motion.fps
    clips = torch.multinomial(seconds, size, replacement=True, generator=generator)
    centre = rand(size) * (motion.length[clips] - 1)
    tempo = torch.exp(0.15 * torch.randn(size, generator=generator)) if noise else torch.ones(size)
    positions = windows(motion, clips, centre, motion.fps[clips] / fps * tempo, total)
    positions = reproportion(positions, motion.names, generator, 0.07 if noise else 0.0)

    coco, take = motion.rows(COCO17.names), motion.rows(TAKE.names)
    flip = rand(size) < 0.5
    mirrored = positions * torch.tensor([1.0, -1.0, 1.0])
    positions = torch.where(flip[:, None, None, None], mirrored, positions)
    coco_rows = torch.where(flip[:, None], torch.tensor(coco)[COCO17.mirror], torch.tensor(coco))
    take_rows = torch.where(flip[:, None], torch.tensor(take)[TAKE.mirror], torch.tensor(take))

    def pick(rows: Tensor) -> Tensor:
        return positions.gather(2, rows[:, None, :, None].expand(-1, total, -1, 3))

    cameras = sample_cameras(pick(take_rows[:, :1])[:, :, 0], generator)
    seen = cameras.to_camera(pick(coco_rows))
    depth = seen[..., 2].clamp_min(0.3)
    image = seen[..., :2] / depth[..., None]
    if noise:
        pelvis = depth[:, :, 11:13].mean(2)
        hidden = occluded(image, depth, 0.07 / pelvis)
        outside = (image.abs() > cameras.half_size[:, None, None]).any(-1)
        keypoints = add_noise(image, 1.65 / pelvis, hidden, outside, fps, generator)
        guess = torch.exp(0.15 * torch.randn(size, generator=generator))
    else:
        keypoints = torch.cat([image, torch.ones_like(image[..., :1])], dim=-1)
        guess = torch.ones(size)
    intrinsics = torch.diag_embed(torch.stack([guess, guess, torch.ones(size)], dim=-1))
    inputs, rotation = person(keypoints, intrinsics, fps)

    inner = slice(_MARGIN + context // 2, _MARGIN + context // 2 + frames)
    joints = cameras.to_camera(pick(take_rows)[:, inner])
    joints = joints - joints[:, :, :1]
    turn = rotation[:, inner]
    joints = joints @ turn.transpose(-1, -2)
    up = (turn @ cameras.rotation[:, None, :, 2:])[..., 0]
    return Batch(inputs[:, _MARGIN:-_MARGIN], joints, up)
