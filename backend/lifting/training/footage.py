# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage without 3D truth as training material: what a detector saw of people, and what a lifter must then explain.

The semi-supervised terms of VideoPose3D (Pavllo et al., CVPR 2019, section 4): projected back, the lifted person must
lie on the keypoints, and bones must be as long as those of the people whose truth is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....rigging.joints import COCO17, TAKE
from ...camera import guess_intrinsics
from ...errors import UserError
from ...keypoints import Keypoints
from ...stages.source import read_source
from ..confidence import select_keypoints
from ..normalise import person
from ..resampling import fill_missing, lifter_times, resample_track
from .losses import bones, split

_SHARED = [name for name in COCO17.names if name in TAKE]
_SEEN = [COCO17.index(name) for name in _SHARED]
_LIFTED = [TAKE.index(name) for name in _SHARED]
#: Metres beyond which the pull of a keypoint weakens (as the logarithm's slope), so that outliers are hardly followed.
_REACH = 0.15


@dataclass(frozen=True)
class Seen:
    """Windows of people without truth.

    inputs: (B, T, 17, 3) of the network. size: (B, T) the people's size in the picture, as tangents. confidence: (B, T,
    17) of what was seen; 0 where the inputs bridge a gap, which must pull at nothing.
    """

    inputs: Tensor
    size: Tensor
    confidence: Tensor


class Footage:
    """The people of some keypoints files, as the lifter sees them.

    field: frames of a window, the network's receptive field; own: which of them is lifted. fps: of the lifter, Hz.
    Raises UserError if a file is none, lacks joints, or nobody is seen in them.
    """

    def __init__(
        self, files: Sequence[Path], field: int, own: int, fps: float, causal: bool, device: torch.device
    ) -> None:
        self._field, self._own = field, own
        inputs, sizes, confidences, starts = [], [], [], []
        for path in files:
            keypoints = read_source(path).keypoints
            for row in range(len(keypoints.person_ids)):
                followed = _follow(keypoints, row, fps, causal)
                if len(followed.size) >= field:
                    known = (followed.inputs[..., 2] > 0).any(-1)
                    first = sum(len(each) for each in sizes)
                    starts.append(first + np.flatnonzero(known[own : len(known) - field + own + 1].numpy()))
                    inputs.append(followed.inputs)
                    sizes.append(followed.size)
                    confidences.append(followed.confidence)
        if not starts or not sum(len(each) for each in starts):
            raise UserError(f"nobody is seen for {field / fps:.1f} s at a time in {', '.join(str(f) for f in files)}")
        self._inputs, self._size = torch.cat(inputs).to(device), torch.cat(sizes).to(device)
        self._confidence = torch.cat(confidences).to(device)
        self._starts = torch.from_numpy(np.concatenate(starts)).to(device)

    def __len__(self) -> int:
        """Windows there are."""
        return len(self._starts)

    def draw(self, count: int, generator: torch.Generator) -> Seen:
        """So many windows at random; half of them in a mirror."""
        device = self._inputs.device
        chosen = self._starts[torch.randint(len(self._starts), (count,), generator=generator, device=device)]
        rows = chosen[:, None] + torch.arange(self._field, device=device)
        inputs, confidence = self._inputs[rows], self._confidence[rows]
        other = torch.as_tensor(COCO17.mirror, device=device)
        mirrored = inputs[:, :, other] * torch.tensor([-1.0, 1, 1], device=device)
        flip = torch.rand(count, generator=generator, device=device) < 0.5
        inputs = torch.where(flip[:, None, None, None], mirrored, inputs)
        confidence = torch.where(flip[:, None, None], confidence[:, :, other], confidence)
        return Seen(inputs, self._size[rows], confidence)

    def loss(self, output: Tensor, seen: Seen, truth: Tensor) -> Tensor:
        """What the network gave for `seen` against what was seen and how people are built, metres.

        output: (B, 1, 28, 3). truth: (B', T', 26, 3), metres, joints of people whose truth is known.
        """
        joints, _, root = split(output)
        own = slice(self._own, self._own + 1)
        points = torch.cat([seen.inputs[:, own, :, :2], seen.confidence[:, own, :, None]], dim=-1)
        return projection_error(joints, root, points, seen.size[:, own]) + bone_error(joints, truth)


def projection_error(joints: Tensor, root: Tensor, inputs: Tensor, size: Tensor) -> Tensor:
    """Mean distance, metres at the person's depth, of projected joints and keypoints, weighed by confidence.

    joints: (B, T, 26, 3) metres, relative to the pelvis, axes of the following camera. root: (B, T, 3) as of
    `samples.Batch`. inputs: (B, T, 17, 3). size: (B, T) tangents.
    """
    spread = torch.exp(root[..., 2].clamp(-4, 3))[:, :, None]  # metres to one unit of the picture
    body = joints[:, :, _LIFTED]
    depth = (body[..., 2] * size[..., None] + spread).clamp_min(0.2 * spread.detach())
    projected = (body[..., :2] + spread[..., None] * root[:, :, None, :2]) / depth[..., None]
    points = inputs[:, :, _SEEN]
    distance = (projected - points[..., :2]).norm(dim=-1) * spread.detach()
    distance = _REACH * torch.log1p(distance / _REACH)
    return (distance * points[..., 2]).sum() / points[..., 2].sum().clamp_min(1e-6)


def bone_error(joints: Tensor, truth: Tensor) -> Tensor:
    """Mean over bones of the difference of mean lengths, metres; (B, T, 26, 3) each (VideoPose3D's term)."""

    def lengths(points: Tensor) -> Tensor:
        return bones(points).norm(dim=-1).mean((0, 1))

    return (lengths(joints) - lengths(truth)).abs().mean()


def _follow(keypoints: Keypoints, row: int, fps: float, causal: bool) -> Seen:
    """One person's track at the lifter's rate, from the camera that follows them; (T, ...) without windows."""
    points, _ = select_keypoints(keypoints.keypoints[row], keypoints.keypoint_names, COCO17.names)
    filled = fill_missing(points, keypoints.times)
    grid = lifter_times(keypoints.times, fps)
    intrinsics = keypoints.intrinsics
    if intrinsics is None:
        intrinsics, _ = guess_intrinsics(keypoints.image_size, None, None)
    at_rate, seen = (
        torch.from_numpy(resample_track(filled, keypoints.times, grid, bridge=bridge)).float()
        for bridge in (not causal, False)
    )
    followed = person(at_rate[None], torch.from_numpy(np.asarray(intrinsics)).float()[None], fps, causal)
    return Seen(followed.inputs[0], followed.size[0], seen[..., 2])
