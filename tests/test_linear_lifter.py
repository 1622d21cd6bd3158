# SPDX-License-Identifier: GPL-3.0-or-later
"""The single-frame lifter: the network against the numbers that its specification gives, its files, and as a lifter."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from video_mocap.backend.errors import UserError
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.checkpoint import build_model, load_checkpoint, save_checkpoint
from video_mocap.backend.lifting.linear import LinearArchitecture, LinearModel, load_linear
from video_mocap.backend.lifting.sidecar import Sidecar, read_sidecar
from video_mocap.backend.lifting.table import open_weights
from video_mocap.backend.models import DEFAULT_WEIGHTS
from video_mocap.backend.pipeline import CaptureOptions, lift
from video_mocap.rigging.joints import COCO17, TAKE
from video_mocap.rigging.take import read_take

TRUTH = Path(__file__).resolve().parents[1] / "sample" / "sample_truth.take.npz"


def filled(model: LinearModel) -> LinearModel:
    """Weights by the specification's rule (section 5.2)."""
    state = model.state_dict()
    for number, key in enumerate(sorted(state)):
        value = state[key]
        wave = torch.cos(0.37 * torch.arange(value.numel(), dtype=torch.float64) + 0.11 * number).view(value.shape)
        if key.endswith("num_batches_tracked"):
            continue
        if key.endswith("running_mean") or key.endswith("running_var"):
            state[key] = torch.full_like(wave, float(key.endswith("running_var")))
        elif value.ndim >= 2:
            state[key] = wave / math.sqrt(value.numel() / value.shape[0])
        else:
            state[key] = 1 + 0.1 * wave if key.endswith("weight") else 0.1 * wave
    model = model.double()
    model.load_state_dict(state)
    return model.eval()


@pytest.mark.parametrize(
    ("channels", "rows", "first", "last", "total", "absolute"),
    [
        (64, 2, (-0.048594766, 0.435471172, 0.074162798), -0.300765613, 0.474544340, 30.305069360),
        (1024, 1, (-0.170030399, -2.860315131, 1.841430992), -2.311115839, -1.247506526, 90.665567183),
    ],
)
@torch.no_grad()
def test_golden_outputs(channels, rows, first, last, total, absolute) -> None:
    model = filled(LinearModel(LinearArchitecture(16, 2, 16, channels)))
    x = torch.sin(0.1 * torch.arange(rows * 32, dtype=torch.float64)).view(rows, 1, 16, 2)
    y = model(x).flatten()
    np.testing.assert_allclose(y[:3], first, atol=2e-9)
    np.testing.assert_allclose([y[-1], y.sum(), y.abs().sum()], [last, total, absolute], atol=5e-8)


@pytest.mark.parametrize(
    ("blocks", "count"), [(0, 85_040), (1, 2_188_336), (2, 4_291_632), (3, 6_394_928), (4, 8_498_224)]
)
def test_parameter_counts(blocks: int, count: int) -> None:
    with torch.device("meta"):
        model = LinearModel(LinearArchitecture(16, 2, 16, blocks=blocks))
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def own_model(error_outputs: int = 0) -> LinearModel:
    """With the inputs and outputs of our own weights; has learned nothing."""
    torch.manual_seed(3)
    joints = len(read_sidecar(DEFAULT_WEIGHTS.with_suffix(".json")).joints_out)
    return LinearModel(LinearArchitecture(17, 3, joints, 32, error_outputs=error_outputs))


def own_sidecar(**more) -> Sidecar:
    described = replace(read_sidecar(DEFAULT_WEIGHTS.with_suffix(".json")), name="linear-test", version="1", **more)
    return replace(described, confidence_knots=(), confidence_values=())


@torch.no_grad()
def test_frames_do_not_see_each_other() -> None:
    model = own_model(error_outputs=26).eval()
    x = torch.randn(2, 5, 17, 3)
    y, told = model.with_errors(x)
    torch.testing.assert_close(y, model(x))
    assert told.shape == (2, 5, 26)
    torch.testing.assert_close(model(x[:, 3:4]), y[:, 3:4])
    with pytest.raises(ValueError, match="does not tell"):
        own_model().with_errors(x)
    with pytest.raises(ValueError, match="takes"):
        model(x[..., :2])


@pytest.mark.parametrize("error_outputs", [0, 26])
@torch.no_grad()
def test_round_trip_and_the_table_knows_it(error_outputs: int, tmp_path: Path) -> None:
    model = own_model(error_outputs)
    save_checkpoint(tmp_path / "l.safetensors", model, own_sidecar())
    checkpoint = load_linear(tmp_path / "l.safetensors")
    assert checkpoint.architecture == replace(model.architecture, dropout=0.5)
    x = torch.randn(1, 4, 17, 3)
    torch.testing.assert_close(build_model(checkpoint)(x), model.eval()(x))
    lifter = open_weights(tmp_path / "l.safetensors", "cpu", flip=True)
    assert (lifter.info.name, lifter.info.weights) == ("linear", "linear-test 1")
    assert lifter.info.gives == TAKE.names
    assert lifter.info.gives_up


def test_what_it_tells_of_its_errors_is_the_confidence(tmp_path: Path) -> None:
    model = own_model(error_outputs=26)
    with torch.no_grad():
        model.error.weight.zero_()
        model.error.bias.copy_(torch.linspace(-4, -1, 26))
    calibrated = replace(own_sidecar(), confidence_knots=(-4.0, -1.0), confidence_values=(1.0, 0.25))
    save_checkpoint(tmp_path / "l.safetensors", model, calibrated)
    lifter = open_weights(tmp_path / "l.safetensors", "cpu", flip=False)
    points = np.concatenate([np.random.default_rng(1).normal(300, 60, (9, 17, 2)), np.ones((9, 17, 1))], axis=-1)
    camera = np.array([[700.0, 0, 320], [0, 700, 240], [0, 0, 1]])
    lifted = lifter.lift(points, COCO17.names, np.arange(9) / 30, camera, (640, 480))
    assert lifted.confidence.max() <= 1
    assert (np.diff(lifted.confidence, axis=1) < 1e-9).all()
    assert lifted.confidence[0, -1] < 0.5 < lifted.confidence[0, 0]


def test_what_is_no_such_network_is_said(tmp_path: Path) -> None:
    path = tmp_path / "l.safetensors"
    model = own_model()
    save_file(model.state_dict(), path)
    with pytest.raises(UserError, match="needs a sidecar"):
        open_weights(path, "cpu", flip=False)
    save_checkpoint(path, model, own_sidecar())
    described = json.loads(path.with_suffix(".json").read_text())
    state = model.state_dict()
    for problem, message in (
        ({"w2.weight": state["w2.weight"][:-1]}, "which are no joints"),
        ({"linear_stages.0.w2.weight": torch.zeros(3, 3)}, "has shape"),
        ({"extra": torch.zeros(3)}, "has unknown 1 tensors of such a network"),
        ({"w1.bias": torch.full((32,), torch.nan)}, "not finite"),
    ):
        save_file(state | problem, path)
        path.with_suffix(".json").write_text(json.dumps(described | {"sha256": ""}))
        with pytest.raises(UserError, match=message):
            open_weights(path, "cpu", flip=False)
    with pytest.raises(UserError, match="not a single-frame linear lifter"):
        load_linear(DEFAULT_WEIGHTS)
    save_file(state, path)
    with pytest.raises(UserError, match="not a VideoPose3D network"):
        load_checkpoint(path)


def test_a_take_is_made_with_it(tmp_path: Path) -> None:
    """It need not be good, only whole: one that has learned nothing but to stand."""
    truth = read_take(TRUTH)
    model = own_model()
    names = own_sidecar().joints_out
    pose = truth.joints[0, 0] - truth.joints[0, 0, 0]
    with torch.no_grad():
        model.w2.weight *= 0.01
        for row, name in enumerate(names):
            # World axes to those of a level camera.
            place = pose[TAKE.index(name)] if name in TAKE else np.array([0.0, 0.0, 1.0])
            model.w2.bias[3 * row : 3 * row + 3] = torch.tensor([place[0], -place[2], place[1]])
    save_checkpoint(tmp_path / "l.safetensors", model.half(), own_sidecar())
    few = slice(0, 20)
    keypoints = Keypoints(
        truth.fps,
        truth.times[few],
        (int(truth.image_size[0]), int(truth.image_size[1])),
        COCO17.names,
        truth.person_ids,
        truth.keypoints[:, few, :17].astype(np.float64),
        truth.intrinsics,
    )
    take = lift(keypoints, CaptureOptions(lifter=str(tmp_path / "l.safetensors")))
    assert np.isfinite(take.joints).all()
    assert take.metadata["stages"]["lifting"]["name"] == "linear"
    assert take.metadata["stages"]["lifting"]["missing"] == []
