# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lifter sees where a detector saw nothing, as training shows it: `fill_missing` and `resample_track`."""

from __future__ import annotations

import torch
from torch import Tensor

from ..resampling import BRIDGED, MEMORY


def bridged(keypoints: Tensor, fps: float) -> Tensor:
    """Give missing points the straight line between their neighbours in time, held at the ends, with fading confidence.

    keypoints: (B, T, K, 3), confidence 0 marks a missing point. fps: Hz. Points that are never seen, and those further
    than `BRIDGED` seconds from an observation, stay missing.
    """
    frames = keypoints.shape[1]
    seen = keypoints[..., 2] > 0
    at = torch.arange(frames, device=keypoints.device)[None, :, None].expand(seen.shape)
    before = torch.where(seen, at, -1).cummax(1).values
    after = torch.where(seen, at, frames).flip(1).cummin(1).values.flip(1)
    # At the ends the one neighbour there is stands for both; a point that is never seen has no confidence in any row.
    before, after = torch.where(before < 0, after, before), torch.where(after == frames, before, after)
    before, after = before.clamp(0, frames - 1), after.clamp(0, frames - 1)
    part = ((at - before) / (after - before).clamp_min(1)).clamp(0, 1)[..., None].to(keypoints.dtype)
    first, last = (keypoints.gather(1, rows[..., None].expand(keypoints.shape)) for rows in (before, after))
    line = torch.lerp(first, last, part)
    # Between two frames nothing is missing.
    away = (torch.minimum((at - before).abs(), (after - at).abs()) - 1).clamp_min(0) / fps
    fade = torch.exp(-away / MEMORY) * (away <= BRIDGED)
    return torch.cat([line[..., :2], line[..., 2:] * fade[..., None]], dim=-1)
