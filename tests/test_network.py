# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifter's network against the numbers that its specification gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from video_mocap.backend.lifting.inference import FoldedModel
from video_mocap.backend.lifting.network import Architecture, StridedTemporalModel, TemporalModel

SMALL = {"joints_in": 17, "features": 2, "joints_out": 17, "channels": 64}


def fill(model: nn.Module) -> nn.Module:
    """Weights that do not depend on a framework's random numbers: cosines by the rank of the tensor's name."""
    state = model.state_dict()
    for k, key in enumerate(sorted(state)):
        tensor = state[key]
        c = np.cos(0.37 * np.arange(tensor.numel()) + 0.11 * k)
        if key.endswith(("running_mean", "num_batches_tracked")):
            c = np.zeros_like(c)
        elif key.endswith("running_var"):
            c = np.ones_like(c)
        elif tensor.ndim >= 2:
            c = c / np.sqrt(tensor.numel() / tensor.shape[0])
        else:
            c = 1 + 0.1 * c if key.endswith("weight") else 0.1 * c
        state[key] = torch.from_numpy(c.reshape(tensor.shape)).to(tensor.dtype if tensor.ndim == 0 else torch.float64)
    model.double().load_state_dict(state)
    return model.eval()


def sines(frames: int) -> torch.Tensor:
    return torch.sin(0.1 * torch.arange(frames * 34, dtype=torch.float64)).reshape(1, frames, 17, 2)


@pytest.mark.parametrize(
    ("widths", "causal", "frames", "first", "last", "total", "absolute"),
    [
        ((3, 3, 3), False, 31, (-0.312824625, 0.141150377, 0.205384065), 0.134977688, 1.364372465, 58.989994876),
        ((3, 3, 3), True, 31, (-0.162702515, 0.216569175, 0.073027768), -0.265683378, 1.397428751, 57.751173879),
        ((3,) * 5, False, 243, (-0.111634369, 0.177136048, 0.316211606), 0.230118890, 0.132361684, 7.890064063),
    ],
)
@torch.no_grad()
def test_golden_outputs(widths, causal, frames, first, last, total, absolute):
    architecture = Architecture(widths=widths, causal=causal, **SMALL)
    out = fill(TemporalModel(architecture))(sines(frames))
    assert out.shape == (1, frames - architecture.receptive_field + 1, 17, 3)
    flat = out.flatten().numpy()
    np.testing.assert_allclose(flat[:3], first, atol=2e-9)
    np.testing.assert_allclose([flat[-1], flat.sum(), np.abs(flat).sum()], [last, total, absolute], atol=2e-8)


@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_strided_form_equals_dilated_form(causal):
    architecture = Architecture(widths=(3, 3, 3), causal=causal, **SMALL)
    x = sines(27)
    dilated, strided = fill(TemporalModel(architecture))(x), fill(StridedTemporalModel(architecture))(x)
    assert dilated.shape == strided.shape == (1, 1, 17, 3)
    torch.testing.assert_close(strided, dilated, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"causal": True},
        {"widths": (3, 5, 1)},
        {"dense": True},
        {"dense": True, "causal": True},
        {"direct": True, "error_outputs": 5},
        {"direct": True, "error_outputs": 5, "causal": True},
    ],
)
@pytest.mark.parametrize("channels", [16, 128])
@torch.no_grad()
def test_folded_form_equals_dilated_form(changes, channels):
    """Narrow and wide layers are convolved in different ways; 173 frames are no whole number of tiles."""
    architecture = Architecture(**{**SMALL, "widths": (3, 3, 3), "channels": channels, **changes})
    model = TemporalModel(architecture).double()
    torch.manual_seed(0)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(0.5 + torch.rand_like(tensor) if tensor.ndim == 1 else 0.05 * torch.randn_like(tensor))
    x = sines(173)
    expected = model.eval()(x)[0].flatten(1)
    if architecture.error_outputs:
        expected = torch.cat([expected, model.with_errors(x)[1][0]], dim=1)
    torch.testing.assert_close(FoldedModel(model)(x[0]), expected, rtol=1e-9, atol=1e-9)
    single = FoldedModel(model.float())(x[0].float()).double()
    torch.testing.assert_close(single, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize(("causal", "first", "last"), [(False, -13, 13), (True, -26, 0)])
def test_frames_that_an_output_sees(causal, first, last):
    """After padding, output t depends on raw frames t + first ... t + last and no others."""
    architecture = Architecture(widths=(3, 3, 3), causal=causal, **SMALL)
    model = fill(TemporalModel(architecture))
    left, right = architecture.padding
    raw = sines(57).requires_grad_()
    padded = torch.cat([raw[:, :1].expand(-1, left, -1, -1), raw, raw[:, -1:].expand(-1, right, -1, -1)], dim=1)
    out = model(padded)
    assert out.shape[1] == 57
    out[0, 30].abs().sum().backward()
    assert raw.grad is not None
    seen = np.flatnonzero(raw.grad[0].abs().sum((1, 2)).numpy()) - 30
    assert (seen.min(), seen.max()) == (first, last)
    assert len(seen) == 27


def test_causal_padding_of_243_frames():
    assert Architecture(17, 2, 17, (3,) * 5, causal=True).padding == (242, 0)
    assert Architecture(17, 2, 17, (3,) * 5).padding == (121, 121)


@pytest.mark.parametrize(
    ("widths", "changes", "field", "parameters", "tensors"),
    [
        ((3,), {}, 3, 158_771, 8),
        ((3, 3), {}, 9, 4_357_171, 20),
        ((3, 3, 3), {}, 27, 8_555_571, 32),
        ((3,) * 4, {}, 81, 12_753_971, 44),
        ((3,) * 5, {}, 243, 16_952_371, 56),
        ((3, 3, 7), {}, 63, 12_749_875, 32),
        ((3, 5, 5), {}, 75, 12_749_875, 32),
        ((1, 1, 1), {}, 1, 4_291_635, 32),
        ((3,) * 5, {"joints_out": 1}, 243, 16_903_171, 56),
        ((3,) * 5, {"features": 3}, 243, 17_004_595, 56),
        ((3, 3, 3), {"joints_in": 15, "joints_out": 15}, 27, 8_537_133, 32),
    ],
)
def test_parameter_counts(widths, changes, field, parameters, tensors):
    architecture = Architecture(**{**SMALL, "channels": 1024, "widths": widths, **changes})
    with torch.device("meta"):
        model = TemporalModel(architecture)
    assert architecture.receptive_field == field
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert len(model.state_dict()) == tensors


def test_too_few_frames_and_wrong_joints_are_said():
    model = TemporalModel(Architecture(widths=(3, 3, 3), **SMALL))
    with pytest.raises(ValueError, match="at least 27 frames, not 26"):
        model(torch.zeros(1, 26, 17, 2))
    with pytest.raises(ValueError, match="17, 2"):
        model(torch.zeros(1, 27, 16, 2))
