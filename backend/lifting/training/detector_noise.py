# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector does to true keypoints: offsets, jitter correlated in time, occlusion, edges, swapped sides.

Magnitudes are fractions of the person's size in the picture. They are set from mediapipe's error against triangulated
truth (1.7 to 2.3 % of the box height in all, most of it slow); a later version fits them per joint.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....rigging.joints import COCO17, mirror_rows

_OFFSET = 0.016  # of a joint over the whole clip: where this detector thinks a hip is
_DRIFT = 0.012  # slow, with the pose
_JITTER = 0.005
_MEMORY_SECONDS = 0.4
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
    hidden = torch.zeros(depth.shape, dtype=torch.bool)
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
    return hidden | inside


def add_noise(
    image: Tensor, size: Tensor, hidden: Tensor, outside: Tensor, fps: float, generator: torch.Generator
) -> Tensor:
    """True keypoints to detected ones.

    image: (B, T, 17, 2) any unit; size: (B, T) the person's size in that unit (about the standing height).
    hidden, outside: (B, T, 17) bool, occluded and beyond the picture's edge. fps: rate of the T frames, Hz.
    Returns (B, T, 17, 3): x, y and a confidence; a joint that was not found is 0, 0, 0.
    """
    batch, frames, joints, _ = image.shape

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    skill = torch.exp(0.6 * randn(batch, 1, 1))  # easy and hard footage
    trouble = (hidden | outside).float()
    loud = torch.exp(0.5 * _smooth_noise(batch, frames, joints, 1, fps, generator)[..., 0] + 1.2 * trouble) * skill
    offset = _OFFSET * randn(batch, 1, joints, 2)
    drift = _DRIFT * _smooth_noise(batch, frames, joints, 2, fps, generator)
    jitter = _JITTER * randn(batch, frames, joints, 2)
    noisy = image + size[..., None, None] * (offset + (drift + jitter) * loud[..., None])

    confidence = 0.97 - 0.12 * (loud - 0.5).clamp_min(0) - 0.15 * trouble * rand(batch, 1, joints)
    confidence = (confidence + 0.06 * randn(batch, frames, joints)).clamp(0.05, 1)

    noisy, confidence = _swap_sides(noisy, confidence, generator)

    # Joints are lost in runs: a threshold on slow noise, harder where there is trouble.
    chance = _smooth_noise(batch, frames, joints, 1, fps, generator)[..., 0]
    patchy = (rand(batch, 1, 1) < 0.5).float()
    lost = chance > 2.6 - patchy * (0.4 + 1.6 * trouble) + (1 - patchy) * 3
    group = (rand(batch, 1, 1) < 0.08) & _beyond_cut(image)  # filmed from the waist up
    lost = lost | group | (rand(batch, frames, 1) < 0.004)
    confidence = torch.where(lost, 0.0, confidence)
    flat = rand(batch, 1, 1) < 0.15  # detectors whose confidence says nothing
    confidence = torch.where(flat & ~lost, 1.0, confidence)
    return torch.cat([torch.where(lost[..., None], 0.0, noisy), confidence[..., None]], dim=-1)


def _beyond_cut(image: Tensor) -> Tensor:
    """(B, T, 17): legs below a cut at the hips or knees."""
    rows = torch.tensor([name.endswith(("knee", "ankle")) for name in COCO17.names])
    return rows.expand(image.shape[:3])


def _smooth_noise(
    batch: int, frames: int, joints: int, channels: int, fps: float, generator: torch.Generator
) -> Tensor:
    """(B, T, J, C) unit-variance noise that forgets over `_MEMORY_SECONDS`: coarse samples, interpolated."""
    coarse = max(4, int(frames / (fps * _MEMORY_SECONDS)) + 3)
    knots = torch.randn(batch * joints * channels, 1, coarse, generator=generator)
    fine = torch.nn.functional.interpolate(knots, size=frames, mode="linear", align_corners=True)
    return 1.22 * fine.reshape(batch, joints, channels, frames).permute(0, 3, 1, 2)


def _swap_sides(points: Tensor, confidence: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Exchange left and right of arms, legs or everything for a run of frames, in a few windows."""
    batch, frames = confidence.shape[:2]
    mirror = torch.as_tensor(mirror_rows(COCO17.names))
    rows = torch.arange(17)
    arms, legs = (rows >= 5) & (rows < 11), rows >= 11
    kind = torch.randint(0, 3, (batch, 1), generator=generator)
    parts = torch.where(kind == 0, arms, torch.where(kind == 1, legs, torch.ones(17, dtype=torch.bool)))
    begin = torch.randint(0, frames, (batch, 1), generator=generator)
    length = torch.randint(2, 12, (batch, 1), generator=generator)
    chosen = torch.rand(batch, 1, generator=generator) < 0.12
    time = torch.arange(frames)[None]
    run = chosen & (time >= begin) & (time < begin + length)
    swap = run[..., None] & parts[:, None]
    points = torch.where(swap[..., None], points[:, :, mirror], points)
    return points, torch.where(swap, confidence[:, :, mirror], confidence)
