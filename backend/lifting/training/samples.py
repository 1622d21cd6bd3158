# SPDX-License-Identifier: GPL-3.0-or-later
"""Training samples: motion, a virtual camera, a detector's noise, the lifter's own normalisation.

Everything is drawn on the device that the motion is on, by a generator of that device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ....rigging.joints import COCO17, TAKE
from ..normalise import person
from .bridging import bridged
from .camera import sample_cameras
from .detector_noise import add_noise, occluded
from .motion import MotionSet, proportions, windows
from .settings import DataSettings
from .simple_noise import add_simple_noise
from .variety import brought_down, with_other_arms

#: Frames beside the receptive field, so that the normaliser sees what it sees in a longer clip.
_MARGIN = 15
#: Metres: a limb's half thickness, a standing person's height as far as keypoints see it, the nearest depth.
_LIMB, _HEIGHT, _NEAR = 0.07, 1.65, 0.3


@dataclass(frozen=True)
class Batch:
    """What the network is given and should give; axes are those of the camera that follows the person.

    inputs: (B, frames + context, 17, 3). joints: (B, frames, 26, 3) metres, root-relative. up: (B, frames, 3) world's.
    root: (B, frames, 3) the pelvis: x / z and y / z in units of the person's size in the picture, and the logarithm of
    z times that size (a tangent), metres; together with the size it is the pelvis's place before the camera.
    """

    inputs: Tensor
    joints: Tensor
    up: Tensor
    root: Tensor


@dataclass(frozen=True)
class Scene:
    """People filmed by virtual cameras.

    keypoints: (B, T, 17, 3) COCO-17 as a detector gives them: tangents x / z, y / z in the true camera, confidence.
    joints: (B, T, 26, 3) metres, camera axes; T may be fewer middle frames. rotation: (B, 3, 3) world to camera.
    """

    keypoints: Tensor
    joints: Tensor
    rotation: Tensor


def film(
    motion: MotionSet,
    size: int,
    frames: int,
    generator: torch.Generator,
    data: DataSettings,
    inner: slice | None = None,
) -> Scene:
    """Draw `size` windows of `frames` frames of other people, each before a camera of its own.

    motion: metres, Z up. data: how the people, their motion and what is seen of them vary. inner: the frames whose 3D
    joints are wanted; None for all.
    """
    device = motion.device

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    clips, centre = motion.draw(size, generator)
    tempo = torch.exp(data.tempo * torch.randn(size, generator=generator, device=device))
    positions = windows(motion, clips, centre, motion.fps[clips] / data.fps * tempo, frames)
    if data.arms > 0:
        positions = with_other_arms(positions, motion.names, data.arms, generator)
    if data.down > 0:
        positions = brought_down(positions, data.down, generator)

    # Another body, seen in a mirror half of the time, is one matrix per person over the joints.
    matrix = proportions(positions[:, 0], motion.names, generator, data.shape)
    flip = rand(size) < 0.5
    coco = _sided(matrix, motion.rows(COCO17.names), COCO17.mirror, flip)
    take = _sided(matrix, motion.rows(TAKE.names), TAKE.mirror, flip)
    sign = torch.ones(size, 1, 1, 3, device=device)
    sign[:, 0, 0, 1] = torch.where(flip, -1.0, 1.0)
    positions = positions * sign

    cameras = sample_cameras(_moved(take[:, :1], positions)[:, :, 0], generator)
    seen = cameras.to_camera(_moved(coco, positions))
    depth = seen[..., 2].clamp_min(_NEAR)
    image = seen[..., :2] / depth[..., None]
    if data.noise == "none":
        keypoints = torch.cat([image, torch.ones_like(image[..., :1])], dim=-1)
    elif data.noise == "simple":
        keypoints = add_simple_noise(image, _HEIGHT / depth[:, :, 11:13].mean(2), generator)
    else:
        pelvis = depth[:, :, 11:13].mean(2)
        hidden = occluded(image, depth, _LIMB / pelvis)
        outside = (image.abs() > cameras.half_size[:, None, None]).any(-1)
        keypoints = add_noise(image, _HEIGHT / pelvis, hidden, outside, data.fps, generator)
    if not data.confidence:
        keypoints = torch.cat([keypoints[..., :2], (keypoints[..., 2:] > 0).float()], dim=-1)
    return Scene(keypoints, cameras.to_camera(_moved(take, positions[:, inner or slice(None)])), cameras.rotation)


def make_batch(
    motion: MotionSet,
    size: int,
    frames: int,
    context: tuple[int, int],
    generator: torch.Generator,
    data: DataSettings,
    causal: bool = False,
) -> Batch:
    """Draw `size` windows with `frames` output frames each for a network that sees `context` frames before and after.

    motion: metres, Z up. causal: the following camera knows past frames only, as the network.
    """
    before, after = context
    first = _MARGIN + before
    total = first + frames + after + _MARGIN
    inner = slice(first, first + frames)
    scene = film(motion, size, total, generator, data, inner)
    guess = torch.exp(data.focal * torch.randn(size, generator=generator, device=motion.device))
    intrinsics = torch.diag_embed(torch.stack([guess, guess, torch.ones_like(guess)], dim=-1))
    # A network that knows past frames only cannot know where a missing point will come back.
    bridge = data.bridge and data.confidence and not causal
    keypoints = bridged(scene.keypoints, data.fps) if bridge else scene.keypoints
    followed = person(keypoints, intrinsics, data.fps, causal)

    turn = followed.rotation[:, inner]
    joints = scene.joints @ turn.transpose(-1, -2)
    up = (turn @ scene.rotation[:, None, :, 2:])[..., 0]
    # Through a lens that is guessed too long, the same picture is that of a pelvis so much further away.
    stretch = torch.stack([torch.ones_like(guess), torch.ones_like(guess), guess], dim=-1)
    pelvis = (turn @ (scene.joints[:, :, 0] * stretch[:, None])[..., None])[..., 0]
    depth, spread = pelvis[..., 2].clamp_min(_NEAR), followed.size[:, inner]
    root = torch.cat([pelvis[..., :2] / (depth * spread)[..., None], torch.log(depth * spread)[..., None]], dim=-1)
    return Batch(followed.inputs[:, _MARGIN : total - _MARGIN], joints - joints[:, :, :1], up, root)


def _sided(matrix: Tensor, rows: list[int], mirror: np.ndarray, flip: Tensor) -> Tensor:
    """(B, K, J): the wanted rows of the people's matrices, of the other side for those seen in a mirror."""
    straight = torch.tensor(rows, device=matrix.device)
    crossed = straight[torch.as_tensor(mirror, device=matrix.device)]
    chosen = torch.where(flip[:, None], crossed, straight)
    return matrix.gather(1, chosen[..., None].expand(-1, -1, matrix.shape[2]))


def _moved(matrix: Tensor, positions: Tensor) -> Tensor:
    """(B, K, J) times (B, T, J, 3): (B, T, K, 3)."""
    batch, frames, joints, _ = positions.shape
    flat = positions.transpose(1, 2).reshape(batch, joints, frames * 3)
    return torch.bmm(matrix, flat).reshape(batch, len(matrix[0]), frames, 3).transpose(1, 2)
