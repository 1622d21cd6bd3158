# SPDX-License-Identifier: GPL-3.0-or-later
"""The noise that lifters are usually trained with: every point jitters for itself in every frame, some are missing.

No detector errs like this (`detector_noise.py`). It is here to be compared with.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Standard deviation of the jitter along each axis, of the person's size; share of the points that are missing.
_JITTER, _MISSING = 0.01, 0.05


def add_simple_noise(image: Tensor, size: Tensor, generator: torch.Generator) -> Tensor:
    """True keypoints to noisy ones.

    image: (B, T, K, 2) any unit; size: (B, T) the person's size in that unit. generator: of the tensors' device.
    Returns (B, T, K, 3): x, y and confidence 1; a missing point is 0, 0, 0.
    """
    jitter = torch.randn(image.shape, generator=generator, device=image.device)
    found = torch.rand(image.shape[:3], generator=generator, device=image.device) >= _MISSING
    noisy = image + _JITTER * size[:, :, None, None] * jitter
    return torch.cat([noisy, torch.ones_like(noisy[..., :1])], dim=-1) * found[..., None]
