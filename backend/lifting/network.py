# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal convolutional lifter of VideoPose3D (Pavllo et al., CVPR 2019, arXiv 1811.11742, section 3).

Two forms of one network share every weight: `TemporalModel` (dilated convolutions, a whole sequence at once) and
`StridedTemporalModel` (strided, for training windows of exactly one receptive field). Names of tensors are those of
the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Architecture:
    """What a checkpoint needs to be built.

    joints_in, features: keypoints of the input and numbers per keypoint (2: x, y; 3: with confidence).
    joints_out: joints of the output. widths: kernel width per level; their product is the receptive field in frames.
    causal: look at past frames only. channels, dropout: as in the paper 1024 and 0.25.
    dense: the paper's ablation with wide undilated kernels.
    """

    joints_in: int
    features: int
    joints_out: int
    widths: tuple[int, ...] = (3, 3, 3)
    causal: bool = False
    channels: int = 1024
    dropout: float = 0.25
    dense: bool = False

    def __post_init__(self) -> None:
        if not self.widths or any(width % 2 == 0 or width < 1 for width in self.widths):
            raise ValueError(f"filter widths must be odd, not {self.widths}")

    @property
    def receptive_field(self) -> int:
        """Frames that one output frame sees."""
        return prod(self.widths)

    @property
    def padding(self) -> tuple[int, int]:
        """Frames to add at the left and right of a sequence so that the output has one frame per input frame."""
        context = self.receptive_field - 1
        return (context, 0) if self.causal else (context // 2, context // 2)


class _TemporalBase(nn.Module):
    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        channels = architecture.channels
        self.expand_conv = self._first(architecture)
        self.expand_bn = nn.BatchNorm1d(channels, momentum=0.1)
        convs: list[nn.Module] = []
        norms: list[nn.Module] = []
        dilation = architecture.widths[0]
        for width in architecture.widths[1:]:
            convs.append(self._level(channels, width, dilation))
            convs.append(nn.Conv1d(channels, channels, 1, bias=False))
            norms.extend(nn.BatchNorm1d(channels, momentum=0.1) for _ in range(2))
            dilation *= width
        self.layers_conv = nn.ModuleList(convs)
        self.layers_bn = nn.ModuleList(norms)
        self.shrink = nn.Conv1d(channels, architecture.joints_out * 3, 1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(architecture.dropout)

    def _first(self, architecture: Architecture) -> nn.Conv1d:
        raise NotImplementedError

    def _level(self, channels: int, width: int, dilation: int) -> nn.Conv1d:
        raise NotImplementedError

    def _residual(self, x: Tensor, level: int) -> Tensor:
        raise NotImplementedError

    def set_bn_momentum(self, momentum: float) -> None:
        """Set the momentum of every batch normalisation (VideoPose3D decays it from 0.1 to 0.001)."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, joints_in, features) to (B, T', joints_out, 3) metres, root-relative, camera axes.

        Raises ValueError if the input has other joints or features, or fewer frames than the receptive field.
        """
        a = self.architecture
        if x.ndim != 4 or x.shape[2:] != (a.joints_in, a.features):
            raise ValueError(f"the lifter takes (B, T, {a.joints_in}, {a.features}), not {tuple(x.shape)}")
        if x.shape[1] < a.receptive_field:
            raise ValueError(f"the lifter needs at least {a.receptive_field} frames, not {x.shape[1]}")
        x = x.flatten(2).transpose(1, 2)
        x = self.drop(self.relu(self.expand_bn(self.expand_conv(x))))
        for level in range(len(a.widths) - 1):
            residual = self._residual(x, level)
            x = self.drop(self.relu(self.layers_bn[2 * level](self.layers_conv[2 * level](x))))
            x = self.drop(self.relu(self.layers_bn[2 * level + 1](self.layers_conv[2 * level + 1](x))))
            x = residual + x
        x = self.shrink(x).transpose(1, 2)
        return x.reshape(x.shape[0], x.shape[1], a.joints_out, 3)


def _paddings(widths: Sequence[int]) -> list[tuple[int, int]]:
    """(pad, dilation) of every level after the first: pad = (width - 1) * dilation / 2."""
    out, dilation = [], widths[0]
    for width in widths[1:]:
        out.append(((width - 1) * dilation // 2, dilation))
        dilation *= width
    return out


class TemporalModel(_TemporalBase):
    """The dilated form: T input frames give T - receptive_field + 1 output frames."""

    def _first(self, architecture: Architecture) -> nn.Conv1d:
        inputs = architecture.joints_in * architecture.features
        return nn.Conv1d(inputs, architecture.channels, architecture.widths[0], bias=False)

    def _level(self, channels: int, width: int, dilation: int) -> nn.Conv1d:
        if self.architecture.dense:
            return nn.Conv1d(channels, channels, (width - 1) * dilation + 1, bias=False)
        return nn.Conv1d(channels, channels, width, dilation=dilation, bias=False)

    def _residual(self, x: Tensor, level: int) -> Tensor:
        pad, dilation = _paddings(self.architecture.widths)[level]
        shift = self.architecture.widths[level + 1] // 2 * dilation if self.architecture.causal else 0
        return x[:, :, pad + shift : x.shape[2] - pad + shift]


class StridedTemporalModel(_TemporalBase):
    """The strided form for training: windows of exactly one receptive field give one output frame, far cheaper."""

    def _first(self, architecture: Architecture) -> nn.Conv1d:
        inputs, width = architecture.joints_in * architecture.features, architecture.widths[0]
        return nn.Conv1d(inputs, architecture.channels, width, stride=width, bias=False)

    def _level(self, channels: int, width: int, dilation: int) -> nn.Conv1d:
        del dilation
        return nn.Conv1d(channels, channels, width, stride=width, bias=False)

    def _residual(self, x: Tensor, level: int) -> Tensor:
        width = self.architecture.widths[level + 1]
        offset = width // 2 + (width // 2 if self.architecture.causal else 0)
        return x[:, :, offset::width]
