# SPDX-License-Identifier: GPL-3.0-or-later
"""Residual trunk (He et al., CVPR 2016) with a feature pyramid (Lin et al., CVPR 2017), at a quarter of the picture.

The trunk has the tensor names of torchvision's ResNet, whose weights therefore fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

#: Blocks a stage, and whether a block is a bottleneck that widens by 4.
DEPTHS = {
    18: ((2, 2, 2, 2), False), 34: ((3, 4, 6, 3), False), 50: ((3, 4, 6, 3), True), 101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}  # fmt: skip


@dataclass(frozen=True)
class ResidualArchitecture:
    """outputs: maps. depth: a key of `DEPTHS`. width: of the first stage, 64 in the paper. channels: of the pyramid."""

    outputs: int
    depth: int = 50
    width: int = 64
    channels: int = 128


class _Basic(nn.Module):
    growth = 1

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.downsample = _shortcut(before, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + (x if self.downsample is None else self.downsample(x)))


class _Bottleneck(nn.Module):
    growth = 4

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(before, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


def _shortcut(before: int, after: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and before == after:
        return None
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class ResidualTrunk(nn.Module):
    """(B, 3, H, W) pictures to the maps of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the picture.

    widths: (4,) channels of the stages.
    """

    def __init__(self, depth: int, width: int = 64) -> None:
        super().__init__()
        counts, deep = DEPTHS[depth]
        block = _Bottleneck if deep else _Basic
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.widths = tuple(width * 2**stage * block.growth for stage in range(4))
        before, stages = width, []
        for stage, count in enumerate(counts):
            own = width * 2**stage
            strides = [1 if stage == 0 else 2, *([1] * (count - 1))]
            stages.append(
                nn.Sequential(
                    *(block(before if row == 0 else own * block.growth, own, s) for row, s in enumerate(strides))
                )
            )
            before = own * block.growth
        self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps


class ResidualPyramid(nn.Module):
    """(B, 3, H, W) pictures, H and W multiples of 32, to a list of one (B, outputs, H/4, W/4)."""

    multiple = 32

    def __init__(self, architecture: ResidualArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.trunk = ResidualTrunk(architecture.depth, architecture.width)
        c = architecture.channels
        self.lateral = nn.ModuleList(nn.Conv2d(width, c, 1) for width in self.trunk.widths)
        self.head = nn.Sequential(
            nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(),
            nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(),
            nn.Conv2d(c, architecture.outputs, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [lateral(each) for lateral, each in zip(self.lateral, self.trunk(x), strict=True)]
        top = maps[3]
        for below in (maps[2], maps[1], maps[0]):
            top = below + functional.interpolate(top, scale_factor=2, mode="nearest")
        return [self.head(top)]
