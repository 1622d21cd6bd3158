# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacked hourglass (Newell, Yang and Deng, ECCV 2016), with the tensor names of its published PyTorch weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

STEMS = ("port", "paper")
_DEPTH = 4


@dataclass(frozen=True)
class HourglassArchitecture:
    """outputs: maps. stacks: hourglasses one after the other. blocks: residual blocks a level. channels: 256 in the
    paper. stem: "port" as in the published PyTorch weights, "paper" as in the paper (second block 128 to 128)."""

    outputs: int
    stacks: int = 2
    blocks: int = 1
    channels: int = 256
    stem: str = "port"


class Residual(nn.Module):
    """Bottleneck with normalisation before each convolution; where the channels change a bare 1 x 1 goes past it."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        half = after // 2
        self.bn1, self.conv1 = nn.BatchNorm2d(before), nn.Conv2d(before, half, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(half), nn.Conv2d(half, half, 3, padding=1)
        self.bn3, self.conv3 = nn.BatchNorm2d(half), nn.Conv2d(half, after, 1)
        self.downsample = nn.Sequential(nn.Conv2d(before, after, 1)) if before != after else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.bn1(x)))
        y = self.conv2(functional.relu(self.bn2(y)))
        y = self.conv3(functional.relu(self.bn3(y)))
        return y + (x if self.downsample is None else self.downsample(x))


def _residuals(count: int, before: int, after: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(before if row == 0 else after, after) for row in range(count)))


class _Hourglass(nn.Module):
    """hg.{level}: level 0 is the innermost. Each has 0 past the lower levels, 1 before, 2 after them; 3 the bottom."""

    def __init__(self, blocks: int, channels: int) -> None:
        super().__init__()
        self.hg = nn.ModuleList(
            nn.ModuleList(_residuals(blocks, channels, channels) for _ in range(4 if level == 0 else 3))
            for level in range(_DEPTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self._level(_DEPTH - 1, x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        parts = self.hg[level]
        assert isinstance(parts, nn.ModuleList)
        low = parts[1](functional.max_pool2d(x, 2))
        low = parts[3](low) if level == 0 else self._level(level - 1, low)
        return parts[0](x) + functional.interpolate(parts[2](low), scale_factor=2, mode="nearest")


class StackedHourglass(nn.Module):
    """(B, 3, H, W) pictures, H and W multiples of 64, to one (B, outputs, H/4, W/4) a stack, the last the best."""

    multiple = 64

    def __init__(self, architecture: HourglassArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        a, c = architecture, architecture.channels
        self.conv1, self.bn1 = nn.Conv2d(3, c // 4, 7, stride=2, padding=3), nn.BatchNorm2d(c // 4)
        middle = c if a.stem == "port" else c // 2
        self.layer1, self.layer2 = _residuals(1, c // 4, c // 2), _residuals(1, c // 2, middle)
        self.layer3 = _residuals(1, middle, c)
        self.hg = nn.ModuleList(_Hourglass(a.blocks, c) for _ in range(a.stacks))
        self.res = nn.ModuleList(_residuals(a.blocks, c, c) for _ in range(a.stacks))
        self.fc = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, c, 1), nn.BatchNorm2d(c), nn.ReLU()) for _ in range(a.stacks)
        )
        self.score = nn.ModuleList(nn.Conv2d(c, a.outputs, 1) for _ in range(a.stacks))
        self.fc_ = nn.ModuleList(nn.Conv2d(c, c, 1) for _ in range(a.stacks - 1))
        self.score_ = nn.ModuleList(nn.Conv2d(a.outputs, c, 1) for _ in range(a.stacks - 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.layer1(functional.relu(self.bn1(self.conv1(x))))
        x = self.layer3(self.layer2(functional.max_pool2d(x, 2)))
        scores = []
        for stack in range(self.architecture.stacks):
            y = self.fc[stack](self.res[stack](self.hg[stack](x)))
            scores.append(self.score[stack](y))
            if stack + 1 < self.architecture.stacks:
                x = x + self.fc_[stack](y) + self.score_[stack](scores[-1])
        return scores
