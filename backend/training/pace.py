# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast to learn, and the moving average of what was learned."""

from __future__ import annotations

import math

import torch
from torch import nn


def rate_at(step: int, steps: int, peak: float, last: float, warmup: int) -> float:
    """The learning rate of a step: up to `peak` within `warmup` steps, down to `last` of that along a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * min(1.0, (step + 1) / max(1, warmup)) * (last + (1 - last) * cosine)


def memory_at(step: int, average: int) -> float:
    """What the moving average keeps of itself at a step: young, it forgets as fast as it has seen steps."""
    return min(1 - 1 / average, (1 + step) / (10 + step))


@torch.no_grad()
def blend(average: nn.Module, model: nn.Module, memory: float) -> None:
    """Move the average, in place, towards the model: weights and statistics alike."""
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - memory)
        else:
            kept.copy_(new)
