# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal convolutional lifter of VideoPose3D (Pavllo et al., CVPR 2019, arXiv 1811.11742, section 3).

Two forms of one network share every weight: `TemporalModel` (dilated convolutions, a whole sequence at once) and
`StridedTemporalModel` (strided, for training windows of exactly one receptive field). Names of tensors are those of
the published checkpoints.
"""

from __future__ import annotations

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
    direct: the keypoints of the output's own frame also reach the output by one linear map, so that the convolutions
    need not carry them there (not in the paper; what is seen sideways is then right from the first steps on).
    error_outputs: joints, the first of the output, whose expected error the network tells too (`with_errors`).
    """

    joints_in: int
    features: int
    joints_out: int
    widths: tuple[int, ...] = (3, 3, 3)
    causal: bool = False
    channels: int = 1024
    dropout: float = 0.25
    dense: bool = False
    direct: bool = False
    error_outputs: int = 0

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
        self.architecture = a = architecture
        self.expand_conv = nn.Conv1d(a.joints_in * a.features, a.channels, a.widths[0], bias=False)
        self.expand_bn = nn.BatchNorm1d(a.channels, momentum=0.1)
        convs: list[nn.Module] = []
        for kernel in self._kernels():
            convs.append(nn.Conv1d(a.channels, a.channels, kernel, bias=False))
            convs.append(nn.Conv1d(a.channels, a.channels, 1, bias=False))
        self.layers_conv = nn.ModuleList(convs)
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(a.channels, momentum=0.1) for _ in convs)
        self.shrink = nn.Conv1d(a.channels, a.joints_out * 3, 1)
        if a.direct:
            self.direct = nn.Linear(a.joints_in * a.features, a.joints_out * 3, bias=False)
            nn.init.zeros_(self.direct.weight)
        if a.error_outputs:
            self.error = nn.Conv1d(a.channels, a.error_outputs, 1)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(a.dropout)

    def _kernels(self) -> list[int]:
        return list(self.architecture.widths[1:])

    def _taps(self, x: Tensor, level: int) -> Tensor:
        """(B, T, C) to (B, T', kernel * C): the frames that each output frame of a level looks at, side by side."""
        raise NotImplementedError

    def _residual(self, x: Tensor, level: int) -> Tensor:
        """(B, T, C) to (B, T', C): the frame of the level's input that is added to each of its output frames."""
        raise NotImplementedError

    def set_bn_momentum(self, momentum: float) -> None:
        """Set the momentum of every batch normalisation (VideoPose3D decays it from 0.1 to 0.001)."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum

    def _block(self, taps: Tensor, conv: nn.Module, norm: nn.Module) -> Tensor:
        # Frames stay in the rows: a convolution is then one matrix product, several times faster on a CPU than
        # a dilated Conv1d of few frames. The Conv1d objects hold the weights under the published names.
        weight = conv.weight  # type: ignore[union-attr]
        x = taps @ weight.permute(2, 1, 0).flatten(0, 1)  # type: ignore[operator]
        return self.drop(self.relu(norm(x.flatten(0, 1)).view_as(x)))

    def features(self, x: Tensor) -> Tensor:
        """(B, T, joints_in, features) to (B, T', channels): what `positions` makes the output of. Raises ValueError."""
        a = self.architecture
        if x.ndim != 4 or x.shape[2:] != (a.joints_in, a.features):
            raise ValueError(f"the lifter takes (B, T, {a.joints_in}, {a.features}), not {tuple(x.shape)}")
        if x.shape[1] < a.receptive_field:
            raise ValueError(f"the lifter needs at least {a.receptive_field} frames, not {x.shape[1]}")
        x = self._block(self._taps(x.flatten(2), 0), self.expand_conv, self.expand_bn)
        for level in range(1, len(a.widths)):
            first, second = 2 * (level - 1), 2 * (level - 1) + 1
            residual = self._residual(x, level)
            x = self._block(self._taps(x, level), self.layers_conv[first], self.layers_bn[first])
            x = residual + self._block(x, self.layers_conv[second], self.layers_bn[second])
        return x

    def _own(self, x: Tensor) -> Tensor:
        """(B, T, ...) to (B, T', ...): of the input the frames that are lifted."""
        raise NotImplementedError

    @property
    def head(self) -> tuple[str, ...]:
        """Names of the tensors of the last layer, with which `positions` is linear in features and input."""
        return ("shrink.weight", "shrink.bias", *(("direct.weight",) if self.architecture.direct else ()))

    def positions(self, features: Tensor, own: Tensor) -> Tensor:
        """Features (B, T', channels) and the lifted frames' input (B, T', joints_in, D) to (B, T', joints_out, 3)."""
        out = nn.functional.linear(features, self.shrink.weight[:, :, 0], self.shrink.bias)
        if self.architecture.direct:
            out = out + self.direct(own.flatten(2))
        return out.unflatten(2, (self.architecture.joints_out, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, joints_in, features) to (B, T', joints_out, 3) metres, root-relative, camera axes.

        Raises ValueError if the input has other joints or features, or fewer frames than the receptive field.
        """
        return self.positions(self.features(x), self._own(x))

    def with_errors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, and (B, T', error_outputs): the logarithm of each joint's expected error in metres.

        Learning to tell the error does not change what the network learns about positions.
        Raises ValueError also if the network has no such outputs.
        """
        if not self.architecture.error_outputs:
            raise ValueError("this lifter does not tell its expected errors")
        features = self.features(x)
        told = nn.functional.linear(features.detach(), self.error.weight[:, :, 0], self.error.bias)
        return self.positions(features, self._own(x)), told


class TemporalModel(_TemporalBase):
    """The dilated form: T input frames give T - receptive_field + 1 output frames."""

    def _dilation(self, level: int) -> int:
        return prod(self.architecture.widths[:level])

    def _kernels(self) -> list[int]:
        a = self.architecture
        if not a.dense:
            return list(a.widths[1:])
        return [(width - 1) * self._dilation(level) + 1 for level, width in enumerate(a.widths[1:], start=1)]

    def tap_step(self, level: int) -> int:
        """Frames between the taps of a level's convolution."""
        return 1 if self.architecture.dense else self._dilation(level)

    def _taps(self, x: Tensor, level: int) -> Tensor:
        a = self.architecture
        kernel = self._kernels()[level - 1] if a.dense and level > 0 else a.widths[level]
        step = self.tap_step(level)
        frames = x.shape[1] - (kernel - 1) * step
        return torch.cat([x[:, tap * step : tap * step + frames] for tap in range(kernel)], dim=2)

    def _own(self, x: Tensor) -> Tensor:
        before, after = self.architecture.padding
        return x[:, before : x.shape[1] - after]

    def _residual(self, x: Tensor, level: int) -> Tensor:
        width, dilation = self.architecture.widths[level], self._dilation(level)
        pad = (width - 1) * dilation // 2
        shift = width // 2 * dilation if self.architecture.causal else 0
        return x[:, pad + shift : x.shape[1] - pad + shift]


class StridedTemporalModel(_TemporalBase):
    """The strided form for training: windows of exactly one receptive field give one output frame, far cheaper."""

    def _taps(self, x: Tensor, level: int) -> Tensor:
        width = self.architecture.widths[level]
        frames = x.shape[1] // width
        return x[:, : frames * width].reshape(x.shape[0], frames, -1)

    def _own(self, x: Tensor) -> Tensor:
        field = self.architecture.receptive_field
        return x[:, self.architecture.padding[0] :: field][:, : x.shape[1] // field]

    def _residual(self, x: Tensor, level: int) -> Tensor:
        width = self.architecture.widths[level]
        return x[:, width - 1 if self.architecture.causal else width // 2 :: width][:, : x.shape[1] // width]
