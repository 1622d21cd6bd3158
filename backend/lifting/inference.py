# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal network for lifting, not learning: the same numbers in fewer passes over memory.

Batch normalisation is a fixed scale and shift after training, so it goes into the weights of the convolution before it;
a dilated convolution over rows of frames is one matrix product per tap, added up in place.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .network import TemporalModel


class FoldedModel:
    """The weights of a `TemporalModel` in evaluation mode, arranged for speed.

    Gives what the model gives, but for rounding (some 1e-6 m).
    """

    def __init__(self, model: TemporalModel) -> None:
        self.architecture = a = model.architecture
        with torch.no_grad():
            convs = [model.expand_conv, *model.layers_conv]
            norms = [model.expand_bn, *model.layers_bn]
            self._layers = [_fold(conv, norm) for conv, norm in zip(convs, norms, strict=True)]
            heads = [model.shrink, model.error] if a.error_outputs else [model.shrink]
            self._last = torch.cat([head.weight[:, :, 0] for head in heads]).T.contiguous()
            self._shift = torch.cat([head.bias for head in heads if head.bias is not None])
            self._direct = model.direct.weight.T.contiguous() if a.direct else None
        self._steps = [model.tap_step(level) for level in range(len(a.widths))]

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """(T, joints_in, features) to (T - receptive_field + 1, 3 joints_out + error_outputs), rows of numbers."""
        a = self.architecture
        own = x[a.padding[0] : len(x) - a.padding[1]].flatten(1)
        x = _convolved(x.flatten(1), *self._layers[0], self._steps[0]).relu_()
        for level in range(1, len(a.widths)):
            wide, narrow = self._layers[2 * level - 1], self._layers[2 * level]
            y = _convolved(x, *wide, self._steps[level]).relu_()
            lost = len(x) - len(y)
            first = lost if a.causal else lost // 2
            z = _convolved(y, *narrow, 1).relu_()
            x = z.add_(x[first : first + len(z)])
        out = torch.addmm(self._shift, x, self._last)
        if self._direct is not None:
            out[:, : 3 * a.joints_out] += own @ self._direct
        return out


def _fold(conv: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """(taps, C_in, C_out) and (C_out,): a convolution with the normalisation behind it in it."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # type: ignore[operator]
    weight = conv.weight * scale[:, None, None]  # type: ignore[operator]
    return weight.permute(2, 1, 0).contiguous(), norm.bias - norm.running_mean * scale  # type: ignore[operator]


def _convolved(x: Tensor, taps: Tensor, shift: Tensor, step: int) -> Tensor:
    """(T, C_in) to (T - (taps - 1) step, C_out)."""
    frames = len(x) - (len(taps) - 1) * step
    out = torch.addmm(shift, x[:frames], taps[0])
    for number, tap in enumerate(taps[1:], start=1):
        out.addmm_(x[number * step : number * step + frames], tap)
    return out
