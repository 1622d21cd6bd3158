# SPDX-License-Identifier: GPL-3.0-or-later
"""Which joints a person's own body hides from the camera, by simple shapes: limbs as capsules, the trunk an ellipse."""

from __future__ import annotations

import torch
from torch import Tensor

from ....rigging.joints import COCO17

_SEGMENTS = (
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
)
_TORSO = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")


def occluded(image: Tensor, depth: Tensor, radius: Tensor) -> Tensor:
    """(B, T, 17) bool: joints behind the person's own trunk or another limb.

    image: (B, T, 17, 2) tangents; depth: (B, T, 17) metres; radius: (B, T) a limb's radius as a tangent.
    """
    index = COCO17.index
    hidden = torch.zeros(depth.shape, dtype=torch.bool, device=depth.device)
    for a, b in _SEGMENTS:
        start, end = image[:, :, index(a), None], image[:, :, index(b), None]
        along = end - start
        t = ((image - start) * along).sum(-1) / along.square().sum(-1).clamp_min(1e-9)
        t = t.clamp(0, 1)
        near = (image - start - t[..., None] * along).norm(dim=-1) < radius[..., None]
        front = depth[:, :, index(a), None] * (1 - t) + depth[:, :, index(b), None] * t
        hit = near & (depth > front + 0.08)
        hit[:, :, [index(a), index(b)]] = False
        hidden |= hit
    rows = [index(name) for name in _TORSO]
    centre = image[:, :, rows].mean(2, keepdim=True)
    axis = image[:, :, rows[:2]].mean(2) - image[:, :, rows[2:]].mean(2)
    length = axis.norm(dim=-1).clamp_min(1e-6)
    unit = (axis / length[..., None])[:, :, None]
    offset = image - centre
    up = (offset * unit).sum(-1) / (0.55 * length[..., None])
    side = (offset[..., 0] * unit[..., 1] - offset[..., 1] * unit[..., 0]) / (2.2 * radius[..., None])
    inside = (up.square() + side.square() < 1) & (depth > depth[:, :, rows].mean(2)[..., None] + 0.1)
    inside[:, :, rows] = False
    inside[:, :, :5] = False
    return hidden | inside | _behind_own(image, depth, radius)


def _behind_own(image: Tensor, depth: Tensor, radius: Tensor) -> Tensor:
    """(B, T, 17) bool: faces behind the head, the far ear, the far shoulder and hip of a person seen from the side."""
    hidden = torch.zeros(depth.shape, dtype=torch.bool, device=depth.device)
    hidden[:, :, :3] = depth[:, :, :3] > depth[:, :, 3:5].mean(2, keepdim=True)
    for a, b in ((3, 4), (5, 6), (11, 12)):
        near = (image[:, :, a] - image[:, :, b]).norm(dim=-1) < 1.5 * radius
        apart = depth[:, :, a] - depth[:, :, b]
        least = 0.06 if a == 3 else 0.12
        hidden[:, :, a] |= near & (apart > least)
        hidden[:, :, b] |= near & (apart < -least)
    return hidden
