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


@dataclass(frozen=True)
class Scene:
    """People filmed by virtual cameras.

    keypoints: (B, T, 17, 3) COCO-17 as a detector gives them: tangents x / z, y / z in the true camera, confidence.
    joints: (B, T, 26, 3) metres, camera axes. rotation: (B, 3, 3) world to camera.
    """

    keypoints: Tensor
    joints: Tensor
    rotation: Tensor


def film(
    motion: MotionSet, size: int, frames: int, fps: float, generator: torch.Generator, noise: bool = True
) -> Scene:
    """Draw `size` windows of `frames` frames of other people, each before a camera of its own.

    motion: metres, Z up. fps: rate of the frames, Hz. noise: False gives exact keypoints with confidence 1 of the
    motion as it was captured.
    """

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    seconds = motion.length / motion.fps
    clips = torch.multinomial(seconds, size, replacement=True, generator=generator)
    centre = rand(size) * (motion.length[clips] - 1)
    tempo = torch.exp(0.15 * torch.randn(size, generator=generator)) if noise else torch.ones(size)
    positions = windows(motion, clips, centre, motion.fps[clips] / fps * tempo, frames)
    positions = reproportion(positions, motion.names, generator, 0.07 if noise else 0.0)

    coco, take = motion.rows(COCO17.names), motion.rows(TAKE.names)
    flip = rand(size) < 0.5
    mirrored = positions * torch.tensor([1.0, -1.0, 1.0])
    positions = torch.where(flip[:, None, None, None], mirrored, positions)
    coco_rows = torch.where(flip[:, None], torch.tensor(coco)[COCO17.mirror], torch.tensor(coco))
    take_rows = torch.where(flip[:, None], torch.tensor(take)[TAKE.mirror], torch.tensor(take))

    def pick(rows: Tensor) -> Tensor:
        return positions.gather(2, rows[:, None, :, None].expand(-1, frames, -1, 3))

    cameras = sample_cameras(pick(take_rows[:, :1])[:, :, 0], generator)
    seen = cameras.to_camera(pick(coco_rows))
    depth = seen[..., 2].clamp_min(0.3)
    image = seen[..., :2] / depth[..., None]
    if noise:
        pelvis = depth[:, :, 11:13].mean(2)
        hidden = occluded(image, depth, 0.07 / pelvis)
        outside = (image.abs() > cameras.half_size[:, None, None]).any(-1)
        keypoints = add_noise(image, 1.65 / pelvis, hidden, outside, fps, generator)
    else:
        keypoints = torch.cat([image, torch.ones_like(image[..., :1])], dim=-1)
    return Scene(keypoints, cameras.to_camera(pick(take_rows)), cameras.rotation)


def make_batch(
    motion: MotionSet, size: int, frames: int, context: int, fps: float, generator: torch.Generator, noise: bool = True
) -> Batch:
    """Draw `size` windows with `frames` output frames each for a network that sees `context` further frames.

    motion: metres, Z up. fps: rate of the lifter, Hz. noise: False gives exact keypoints and a known focal length.
    """
    scene = film(motion, size, frames + context + 2 * _MARGIN, fps, generator, noise)
    guess = torch.exp(0.15 * torch.randn(size, generator=generator)) if noise else torch.ones(size)
    intrinsics = torch.diag_embed(torch.stack([guess, guess, torch.ones(size)], dim=-1))
    inputs, rotation = person(scene.keypoints, intrinsics, fps)

    inner = slice(_MARGIN + context // 2, _MARGIN + context // 2 + frames)
    joints = scene.joints[:, inner]
    turn = rotation[:, inner]
    joints = (joints - joints[:, :, :1]) @ turn.transpose(-1, -2)
    up = (turn @ scene.rotation[:, None, :, 2:])[..., 0]
    return Batch(inputs[:, _MARGIN:-_MARGIN], joints, up)
