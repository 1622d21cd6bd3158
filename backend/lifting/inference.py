# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal network for lifting, not learning: the same numbers in fewer passes over memory.

Batch normalisation is a fixed scale and shift after training, so it goes into the weights of the convolution before it.
Nearly all the work is products with matrices. A dilated convolution of three taps gives six frames, a dilation apart,
from eight of them instead of eighteen (Winograd's F(6, 3); Lavin and Gray, CVPR 2016, section 4.1); one of other widths
is one product per tap, added up in place.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .network import TemporalModel


class FoldedModel:
    """The weights of a `TemporalModel` in evaluation mode, arranged for speed.

    Gives what the model gives, but for rounding (some 1e-5 m in single precision).
    """

    def __init__(self, model: TemporalModel) -> None:
        self.architecture = a = model.architecture
        with torch.no_grad():
            convs = [model.expand_conv, *model.layers_conv]
            norms = [model.expand_bn, *model.layers_bn]
            folded = [_fold(conv, norm) for conv, norm in zip(convs, norms, strict=True)]
            self._layers = [_Convolution(*each) for each in folded]
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
        x = self._layers[0](x.flatten(1), self._steps[0])
        for level in range(1, len(a.widths)):
            wide, narrow = self._layers[2 * level - 1], self._layers[2 * level]
            y = wide(x, self._steps[level])
            lost = len(x) - len(y)
            first = lost if a.causal else lost // 2
            x = narrow(y, 1).add_(x[first : first + len(y)])
        out = torch.addmm(self._shift, x, self._last)
        if self._direct is not None:
            out[:, : 3 * a.joints_out] += own @ self._direct
        return out


def _fold(conv: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """(taps, C_in, C_out) and (C_out,): a convolution with the normalisation behind it in it."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # type: ignore[operator]
    weight = conv.weight * scale[:, None, None]  # type: ignore[operator]
    return weight.permute(2, 1, 0).contiguous(), norm.bias - norm.running_mean * scale  # type: ignore[operator]


class _Convolution:
    """A convolution of (T, C_in) rows, (T - (taps - 1) step, C_out), and what is positive of it."""

    def __init__(self, taps: Tensor, shift: Tensor) -> None:
        self._taps, self._shift = taps, shift
        # A narrow input has too little work for the savings to show.
        self._fast = _winograd_weights(taps) if len(taps) == 3 and taps.shape[1] >= _NARROW else None

    def __call__(self, x: Tensor, step: int) -> Tensor:
        frames = len(x) - (len(self._taps) - 1) * step
        if self._fast is not None and frames >= _TILE * step:
            return _winograd(x, self._fast, self._shift, step, frames)
        if x.shape[1] < _NARROW:
            beside = [x[number * step : number * step + frames] for number in range(len(self._taps))]
            return torch.addmm(self._shift, torch.cat(beside, dim=1), self._taps.flatten(0, 1)).relu_()
        out = torch.addmm(self._shift, x[:frames], self._taps[0])
        for number, tap in enumerate(self._taps[1:], start=1):
            out.addmm_(x[number * step : number * step + frames], tap)
        return out.relu_()


#: Channels below which all taps are one product.
_NARROW = 128
#: Frames that a tile gives, and the points at which its polynomials are evaluated, beside 0 and infinity: these and
#: their negatives.
_TILE, _POINTS = 6, (1.0, 2.0, 0.5)
#: Lavin and Gray's G for F(6, 3), from three taps to eight weights.
_WEIGHTS = (
    (1, 0, 0),
    (-2 / 9, -2 / 9, -2 / 9),
    (-2 / 9, 2 / 9, -2 / 9),
    (1 / 90, 1 / 45, 2 / 45),
    (1 / 90, -1 / 45, 2 / 45),
    (32 / 45, 16 / 45, 8 / 45),
    (32 / 45, -16 / 45, 8 / 45),
    (0, 0, 1),
)
#: Rows 1 to 6 of their transposed B in pairs: what of frames 2, 4, 6 is in both, of 1, 3, 5 with either sign.
_EVEN = ((1.0, -17 / 4, 1.0), (1 / 4, -5 / 4, 1.0), (4.0, -5.0, 1.0))
_ODD = ((1.0, -17 / 4, 1.0), (1 / 2, -5 / 2, 2.0), (2.0, -5 / 2, 1 / 2))


def _winograd_weights(taps: Tensor) -> Tensor:
    """(3, C_in, C_out) to the eight matrices (8, C_in, C_out)."""
    turn = torch.tensor(_WEIGHTS, dtype=torch.float64, device=taps.device)
    return torch.einsum("st,tio->sio", turn, taps.double()).to(taps.dtype).contiguous()


def _winograd(x: Tensor, weights: Tensor, shift: Tensor, step: int, frames: int) -> Tensor:
    """(T, C_in) to (frames, C_out), what is positive of the convolution."""
    # Six frames a step apart make a tile; tiles side by side fill blocks of 6 * step frames.
    blocks = -(-frames // (_TILE * step))
    short = (blocks + 1) * _TILE * step - len(x)
    if short > 0:
        x = torch.nn.functional.pad(x, (0, 0, 0, short))
    rows = x[: (blocks + 1) * _TILE * step].view(blocks + 1, _TILE, step, -1)
    p = [*rows[:-1].unbind(1), *rows[1:, :2].unbind(1)]
    spread = x.new_empty(8, blocks, step, x.shape[1])
    for pair, (even, odd) in enumerate(zip(_EVEN, _ODD, strict=True)):
        both = torch.mul(p[2], even[0]).add_(p[4], alpha=even[1]).add_(p[6], alpha=even[2])
        either = torch.mul(p[1], odd[0]).add_(p[3], alpha=odd[1]).add_(p[5], alpha=odd[2])
        torch.add(both, either, out=spread[1 + 2 * pair])
        torch.sub(both, either, out=spread[2 + 2 * pair])
    torch.sub(p[4], p[2], out=spread[0]).mul_(21 / 4).add_(p[0]).sub_(p[6])
    torch.sub(p[3], p[5], out=spread[7]).mul_(21 / 4).add_(p[7]).sub_(p[1])

    m = torch.bmm(spread.view(8, blocks * step, -1), weights).view(8, blocks, step, -1)
    m[1].add_(shift)  # whose column in A is 1 everywhere
    sums = [m[1] + m[2], m[3] + m[4], m[5] + m[6]]
    differences = [m[1].sub_(m[2]), m[3].sub_(m[4]), m[5].sub_(m[6])]
    out = m.new_empty(blocks, _TILE, step, m.shape[-1])
    for place in range(_TILE):
        one, two, three = differences if place % 2 else sums
        torch.add(one, two, alpha=_POINTS[1] ** place, out=out[:, place])
        out[:, place].add_(three, alpha=_POINTS[2] ** place)
    out[:, 0].add_(m[0])
    out[:, 5].add_(m[7])
    return out.view(-1, out.shape[-1])[:frames].relu_()
