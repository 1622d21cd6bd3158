# SPDX-License-Identifier: GPL-3.0-or-later
"""The single-frame lifter: fully connected layers on one frame's keypoints (Martinez et al., ICCV 2017, figure 1).

It knows nothing of the frames before and after: small, at once, and shaky where the detector is. What goes in and what
comes out, the camera that follows the person and the training are the temporal lifter's; z-scores of one studio's
pixels, as in the paper, would bind it to that studio's cameras. Names of tensors are those of the PyTorch port.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError
from .checkpoint import Checkpoint, check_counts, check_tensors, read_weights
from .temporal import TemporalLifter

#: A tensor that tells this network from others.
FIRST = "w1.weight"


@dataclass(frozen=True)
class LinearArchitecture:
    """What the weights need to be built.

    joints_in, features, joints_out: as `network.Architecture`. channels, blocks, dropout: as in the paper 1024, 2, 0.5.
    error_outputs: joints, the first of the output, whose expected error the network tells too (`with_errors`).
    causal: as the camera that follows the person; the network itself sees one frame.
    """

    joints_in: int
    features: int
    joints_out: int
    channels: int = 1024
    blocks: int = 2
    dropout: float = 0.5
    error_outputs: int = 0
    causal: bool = False

    @property
    def receptive_field(self) -> int:
        """Frames that one output frame sees."""
        return 1

    @property
    def padding(self) -> tuple[int, int]:
        """Frames to add at the left and right of a sequence."""
        return (0, 0)


class _Block(nn.Module):
    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.w1 = nn.Linear(channels, channels)
        self.batch_norm1 = nn.BatchNorm1d(channels)
        self.w2 = nn.Linear(channels, channels)
        self.batch_norm2 = nn.BatchNorm1d(channels)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(torch.relu(self.batch_norm1(self.w1(x))))
        return x + self.drop(torch.relu(self.batch_norm2(self.w2(y))))


class LinearModel(nn.Module):
    """(B, T, joints_in, features) to (B, T, joints_out, 3) metres, root-relative; every frame for itself."""

    def __init__(self, architecture: LinearArchitecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        self.w1 = nn.Linear(a.joints_in * a.features, a.channels)
        self.batch_norm1 = nn.BatchNorm1d(a.channels)
        self.linear_stages = nn.ModuleList(_Block(a.channels, a.dropout) for _ in range(a.blocks))
        self.w2 = nn.Linear(a.channels, a.joints_out * 3)
        if a.error_outputs:
            self.error = nn.Linear(a.channels, a.error_outputs)
        self.drop = nn.Dropout(a.dropout)
        for module in self.modules():
            # The paper's; but poses of metres at the start would have to be unlearned first.
            if isinstance(module, nn.Linear) and module.out_features == a.channels:
                nn.init.kaiming_normal_(module.weight)

    def set_bn_momentum(self, momentum: float) -> None:
        """Set the momentum of every batch normalisation."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum

    @property
    def head(self) -> tuple[str, ...]:
        """Names of the tensors of the last layer, with which `positions` is linear in features."""
        return ("w2.weight", "w2.bias")

    def positions(self, features: Tensor, own: Tensor) -> Tensor:
        """Features (B, T, channels) to (B, T, joints_out, 3); the input is not needed, as it is in `TemporalModel`."""
        del own
        return self.w2(features).unflatten(-1, (-1, 3))

    def features(self, x: Tensor) -> Tensor:
        """(B, T, joints_in, features) to (B, T, channels): what `positions` makes the output of. Raises ValueError."""
        a = self.architecture
        if x.ndim != 4 or x.shape[2:] != (a.joints_in, a.features):
            raise ValueError(f"the lifter takes (B, T, {a.joints_in}, {a.features}), not {tuple(x.shape)}")
        y = self.drop(torch.relu(self.batch_norm1(self.w1(x.flatten(2).flatten(0, 1)))))
        for stage in self.linear_stages:
            y = stage(y)
        return y.unflatten(0, x.shape[:2])

    def forward(self, x: Tensor) -> Tensor:
        """As the class says. Raises ValueError if the input has other joints or features."""
        return self.positions(self.features(x), x)

    def with_errors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, and (B, T, error_outputs): the logarithm of each joint's expected error in metres.

        Raises ValueError also if the network has no such outputs.
        """
        if not self.architecture.error_outputs:
            raise ValueError("this lifter does not tell its expected errors")
        y = self.features(x)
        return self.positions(y, x), self.error(y.detach())


class _Rows:
    """The network as `TemporalLifter` runs it: frames to rows of numbers."""

    def __init__(self, model: LinearModel) -> None:
        self.architecture, self._model = model.architecture, model

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """(T, joints_in, features) to (T, 3 joints_out + error_outputs)."""
        if not self.architecture.error_outputs:
            return self._model(x[None])[0].flatten(1)
        joints, told = self._model.with_errors(x[None])
        return torch.cat([joints[0].flatten(1), told[0]], dim=1)


class LinearLifter(TemporalLifter):
    """Lifts every frame for itself with the weights of a checkpoint; see `TemporalLifter`."""

    def _arranged(self, model: LinearModel) -> _Rows:
        return _Rows(model)

    @classmethod
    def from_file(cls, path: str | Path, device: str = "auto", flip: bool = False) -> LinearLifter:
        """Open a checkpoint. Raises UserError, in one sentence, if that is not possible."""
        lifter = cls(load_linear(Path(path)), device, flip)
        lifter.info = replace(lifter.info, name="linear")
        return lifter


def load_linear(path: Path) -> Checkpoint:
    """Read the weights of a single-frame lifter; they need a sidecar.

    Raises UserError, in one sentence, if the file is missing, damaged, without a sidecar or of another network.
    """
    state, sidecar, sha256 = read_weights(path)
    if sidecar is None:
        raise UserError(f"{path} needs a sidecar, {path.with_suffix('.json').name}, that says which joints it takes")
    try:
        architecture = replace(_architecture(state, sidecar.features), causal=sidecar.causal)
        check_tensors(LinearModel, architecture, state)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    check_counts(path, architecture, sidecar)
    return Checkpoint(architecture, state, sidecar, sha256, network=LinearModel)


def _architecture(state: Mapping[str, Tensor], features: int) -> LinearArchitecture:
    first, last = state.get(FIRST), state.get("w2.weight")
    if first is None or last is None or first.ndim != 2 or last.ndim != 2:
        raise UserError("is not a single-frame linear lifter")
    blocks = sum(bool(re.fullmatch(r"linear_stages\.\d+\.w1\.weight", key)) for key in state)
    if first.shape[1] % features or last.shape[0] % 3:
        raise UserError(f"takes {first.shape[1]} numbers and gives {last.shape[0]}, which are no joints")
    errors = state.get("error.weight")
    return LinearArchitecture(
        joints_in=first.shape[1] // features,
        features=features,
        joints_out=last.shape[0] // 3,
        channels=first.shape[0],
        blocks=blocks,
        error_outputs=0 if errors is None else len(errors),
    )
