# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading lifters: inferred architectures, published layouts, explained mismatches, hostile and damaged files."""

from __future__ import annotations

import json
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from video_mocap.backend.errors import UserError
from video_mocap.backend.lifting.checkpoint import build_model, load_checkpoint, save_checkpoint
from video_mocap.backend.lifting.network import Architecture, TemporalModel
from video_mocap.backend.lifting.sidecar import Sidecar, read_sidecar
from video_mocap.rigging.joints import COCO17, H36M17

sys.path.insert(0, str(Path(__file__).parent))

from lifters import mmpose, videopose3d


def model_of(widths=(3, 3, 3), joints_in=17, features=2, joints_out=17, **more) -> TemporalModel:
    torch.manual_seed(len(widths))
    return TemporalModel(Architecture(joints_in, features, joints_out, tuple(widths), channels=16, **more))


def sidecar_of(model: TemporalModel) -> Sidecar:
    a = model.architecture
    return Sidecar(
        name="test",
        version="1",
        joints_in=tuple(f"in_{i}" for i in range(a.joints_in)),
        joints_out=tuple(f"out_{i}" for i in range(a.joints_out)),
        normalisation="screen",
        features=a.features,
        causal=a.causal,
        fps=50.0,
        licence="CC0-1.0",
        trained_on="nothing",
    )


@pytest.mark.parametrize(
    "model",
    [
        model_of([3, 3, 3]),
        model_of([3] * 5, joints_out=1),
        model_of([3, 5, 5], joints_in=15, joints_out=15),
        model_of([3] * 4, joints_in=16, joints_out=17),
        model_of([3] * 5, features=3, causal=True),
        model_of([3, 3, 3], dense=True),
        model_of([3]),
        model_of([1, 1, 1]),
    ],
    ids=lambda model: str(model.architecture.widths),
)
@torch.no_grad()
def test_round_trip(model, tmp_path):
    path = tmp_path / "x.safetensors"
    written = save_checkpoint(path, model, sidecar_of(model))
    checkpoint = load_checkpoint(path)
    assert checkpoint.architecture == model.architecture
    assert checkpoint.sidecar == written
    assert checkpoint.sidecar.sha256 == checkpoint.sha256 != ""
    a = model.architecture
    x = torch.randn(1, a.receptive_field + 4, a.joints_in, a.features)
    assert torch.equal(build_model(checkpoint)(x), model.eval()(x))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json", "x.safetensors"]


@pytest.mark.parametrize("legacy", [False, True])
def test_published_checkpoint_with_numpy_generators(legacy, tmp_path):
    model = model_of([3] * 5)
    checkpoint = load_checkpoint(videopose3d(tmp_path / "p.bin", model, legacy))
    assert checkpoint.architecture == model.architecture.__class__(17, 2, 17, (3,) * 5, channels=16)
    assert checkpoint.sidecar.joints_in == COCO17.names
    assert checkpoint.sidecar.joints_out == H36M17.names
    assert checkpoint.sidecar.licence == "CC BY-NC 4.0 (assumed)"
    assert any("coco-17 is assumed" in warning for warning in checkpoint.warnings)
    told = load_checkpoint(tmp_path / "p.bin", joint_set="h36m-17")
    assert told.sidecar.joints_in == H36M17.names
    assert not any("coco-17" in warning for warning in told.warnings)


def test_listed_checkpoints_are_known_by_their_names(tmp_path):
    for name, joints in (("pretrained_h36m_cpn.bin", H36M17), ("pretrained_h36m_detectron_coco.bin", COCO17)):
        checkpoint = load_checkpoint(videopose3d(tmp_path / name, model_of([3] * 5)))
        assert checkpoint.sidecar.joints_in == joints.names
        assert checkpoint.sidecar.licence == "CC BY-NC 4.0"
        assert checkpoint.warnings == ()


def test_notes_beside_a_checkpoint_say_what_its_weights_cannot(tmp_path):
    path = videopose3d(tmp_path / "mine.bin", model_of())
    notes = {"joints_in": "h36m-17", "causal": True, "fps": 25, "licence": "CC0-1.0", "trained_on": "my own"}
    path.with_suffix(".json").write_text(json.dumps(notes))
    checkpoint = load_checkpoint(path)
    assert checkpoint.architecture.causal
    assert (checkpoint.sidecar.joints_in, checkpoint.sidecar.fps) == (H36M17.names, 25)
    assert (checkpoint.sidecar.licence, checkpoint.warnings) == ("CC0-1.0", ())
    path.with_suffix(".json").write_text('{"causal": true}')
    checkpoint = load_checkpoint(path)
    assert checkpoint.architecture.causal
    assert len(checkpoint.warnings) == 2


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({"joints_in": "mpii-16"}, "must be coco-17 or h36m-17"),
        ({"fps": 0}, "fps must lie between"),
        ({"fps": True}, "fps must be a float"),
        ({"causal": "yes"}, "causal must be a bool"),
        ({"joints": "h36m-17"}, "lacks name"),
    ],
)
def test_notes_that_cannot_be(notes, message, tmp_path):
    path = videopose3d(tmp_path / "mine.bin", model_of())
    path.with_suffix(".json").write_text(json.dumps(notes))
    with pytest.raises(UserError, match=message):
        load_checkpoint(path)


def test_other_wrappings(tmp_path):
    model = model_of()
    prefixed = {f"module.{key}": value for key, value in model.state_dict().items()}
    for name, content in {
        "a.pth": {"state_dict": prefixed},
        "b.pt": prefixed,
        "c.pth.tar": {"model": prefixed},
    }.items():
        torch.save(content, tmp_path / name)
        assert torch.equal(load_checkpoint(tmp_path / name).state["shrink.bias"], model.state_dict()["shrink.bias"])


@pytest.mark.parametrize("head", ["head", "keypoint_head"])
def test_mmpose_layout(head, tmp_path):
    model = model_of([3] * 4)
    mmpose(tmp_path / "m.pth", model, head, **{"traj_head.conv.weight": torch.zeros(3, 16, 1)})
    checkpoint = load_checkpoint(tmp_path / "m.pth")
    assert checkpoint.architecture == model.architecture
    assert all(torch.equal(checkpoint.state[key], value) for key, value in model.state_dict().items())
    assert checkpoint.sidecar.joints_in == H36M17.names


def test_the_known_bug_is_explained(tmp_path):
    """A 243-frame checkpoint in a 27-frame network: 24 unexpected keys in PyTorch's words, one sentence in ours."""
    large, small = model_of([3] * 5), model_of([3] * 3)
    with pytest.raises(RuntimeError) as plain:
        small.load_state_dict(large.state_dict())
    assert str(plain.value).count('"layers_') == 24
    assert "Missing" not in str(plain.value)
    path = videopose3d(tmp_path / "p.bin", large)
    with pytest.raises(UserError) as explained:
        load_checkpoint(path, widths=(3, 3, 3))
    assert str(explained.value).endswith(
        "checkpoint is a 243-frame network (filter widths 3,3,3,3,3); you asked for 3,3,3 (27 frames)"
    )
    assert load_checkpoint(path, widths=(3,) * 5).architecture.widths == (3,) * 5


def test_ambiguous_kernels_are_dense_unless_the_caller_says_otherwise(tmp_path):
    model = model_of([3, 7])
    save_checkpoint(tmp_path / "x.safetensors", model, sidecar_of(model))
    assert load_checkpoint(tmp_path / "x.safetensors").architecture.dense
    told = load_checkpoint(tmp_path / "x.safetensors", widths=(3, 7)).architecture
    assert (told.widths, told.dense) == ((3, 7), False)


class Bomb:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self):
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain pickle"])
def test_malicious_pickle_does_not_run(form, tmp_path):
    bomb, path = Bomb(tmp_path / "ran"), tmp_path / "evil.bin"
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(bomb, protocol=2))
    else:
        videopose3d(path, model_of(), legacy=form == "legacy", extra=bomb)
    with pytest.raises(UserError, match=r"was not loaded because it asks to run posix\.mkdir|nt\.mkdir"):
        load_checkpoint(path)
    assert not bomb.victim.exists()


@pytest.mark.parametrize("name", ["a.bin", "legacy.bin", "b.safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.9])
def test_half_downloaded(name, kept, tmp_path):
    path, model = tmp_path / name, model_of()
    if path.suffix == ".bin":
        videopose3d(path, model, legacy=name.startswith("legacy"))
    else:
        save_file(model.state_dict(), path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(UserError, match="partly downloaded"):
        load_checkpoint(path)


def test_altered_weights_do_not_match_their_sidecar(tmp_path):
    path, model = tmp_path / "x.safetensors", model_of()
    save_checkpoint(path, model, sidecar_of(model))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="not the file that its sidecar describes"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(10)}, "not a VideoPose3D network"),
        ({"epoch": 3}, "no network weights"),
        ([1, 2], "no network weights"),
        (model_of().state_dict() | {"extra.weight": torch.zeros(2)}, "unknown 1 tensors"),
        (model_of().state_dict() | {"expand_bn.bias": torch.zeros(2)}, r"expand_bn\.bias has shape \(2,\)"),
        (model_of().state_dict() | {"shrink.bias": torch.full((51,), torch.nan)}, "not finite"),
        ({k: v for k, v in model_of().state_dict().items() if "layers_conv.3" not in k}, "layers are missing"),
        ({k: v for k, v in model_of().state_dict().items() if "layers_bn.3" not in k}, "lacks 4 tensors|lacks 5"),
    ],
)
def test_other_networks_are_refused(content, message, tmp_path):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(UserError, match=message):
        load_checkpoint(tmp_path / "x.pth")


def test_unknown_joints_must_be_described(tmp_path):
    path, model = tmp_path / "x.pth", model_of(joints_in=16)
    torch.save(model.state_dict(), path)
    with pytest.raises(UserError, match=r"describe them in x\.json"):
        load_checkpoint(path)
    described = tmp_path / "y.safetensors"
    save_checkpoint(described, model, sidecar_of(model))
    (tmp_path / "x.json").write_text(
        json.dumps(json.loads(described.with_suffix(".json").read_text()) | {"sha256": "", "comment": "kept"})
    )
    assert load_checkpoint(path).sidecar.joints_in[0] == "in_0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": None}, "licence must be a str"),
        ({"features": 4}, "features must be 2"),
        ({"features": True}, "features must be a int"),
        ({"normalisation": "pixels"}, "normalisation must be one of screen, person"),
        ({"normalisation": "person"}, "made for coco-17 with confidence"),
        ({"joints_in": ["a", "a"]}, "distinct joint names"),
        ({"joints_out": "pelvis"}, "joints_out must be a list"),
        ({"fps": 0}, "fps must lie between"),
        ({"joints_out": ["a"]}, "but its sidecar names 17 with 2 and 1"),
    ],
)
def test_sidecar_is_checked(change, message, tmp_path):
    path, model = tmp_path / "x.safetensors", model_of()
    save_checkpoint(path, model, sidecar_of(model))
    text = path.with_suffix(".json")
    text.write_text(json.dumps(json.loads(text.read_text()) | change))
    with pytest.raises(UserError, match=message):
        load_checkpoint(path)


def test_sidecar_that_is_no_json_or_incomplete(tmp_path):
    path = tmp_path / "x.json"
    for text, message in {"{": "not JSON", "[]": "must be a JSON object", "{}": "lacks name, version"}.items():
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read_sidecar(path)


def test_nothing_is_left_when_saving_fails(tmp_path):
    model = model_of()
    with pytest.raises(UserError, match="cannot write"):
        save_checkpoint(tmp_path / "no" / "x.safetensors", model, sidecar_of(model))
    with pytest.raises(ValueError, match="does not describe"):
        save_checkpoint(tmp_path / "x.safetensors", model, replace(sidecar_of(model), joints_out=("a",)))
    assert list(tmp_path.iterdir()) == []


def test_missing_file():
    with pytest.raises(UserError, match="does not exist"):
        load_checkpoint("nowhere.bin")
