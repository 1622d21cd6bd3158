# SPDX-License-Identifier: GPL-3.0-or-later
"""Training a lifter: samples are what they say, runs go on as if never stopped, weights come out and lift."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from video_mocap.backend import cli
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.keypoints import Keypoints, read_keypoints, write_keypoints
from video_mocap.backend.lifting.checkpoint import build_model, load_checkpoint
from video_mocap.backend.lifting.network import StridedTemporalModel, TemporalModel
from video_mocap.backend.lifting.normalise import person
from video_mocap.backend.lifting.resampling import fill_missing, resample_track
from video_mocap.backend.lifting.table import open_weights
from video_mocap.backend.lifting.training.bridging import bridged
from video_mocap.backend.lifting.training.export import calibrate, export
from video_mocap.backend.lifting.training.footage import Footage, bone_error, projection_error
from video_mocap.backend.lifting.training.losses import split, total_loss
from video_mocap.backend.lifting.training.motion import CANONICAL_SIZE, load_motion, proportions
from video_mocap.backend.lifting.training.networks import architecture_of
from video_mocap.backend.lifting.training.samples import Batch, Scene, film, make_batch
from video_mocap.backend.lifting.training.settings import (
    NOISES,
    DataSettings,
    LossSettings,
    NetworkSettings,
    ScheduleSettings,
    Settings,
    plain,
    read_settings,
    settings_from,
)
from video_mocap.backend.lifting.training.simple_noise import add_simple_noise
from video_mocap.backend.lifting.training.train import Run, _Drawn, train
from video_mocap.backend.lifting.training.validation import score
from video_mocap.backend.progress import Progress
from video_mocap.rigging.joints import COCO17, TAKE

sys.path.insert(0, str(Path(__file__).parent))
from made_library import STANDING, generator, motion, write_library

SMALL = Settings(
    network=NetworkSettings(widths=(3, 3), channels=32, dropout=0.1),
    schedule=ScheduleSettings(steps=6, batch=8, warmup=2, average=5),
)


def test_a_library_is_read_as_it_was_written(tmp_path: Path) -> None:
    read = load_motion(write_library(tmp_path) / "train")
    assert read.names == tuple(STANDING)
    torch.testing.assert_close(read.positions, motion().positions, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("without", "says"), [(("nobody",), "there is no nobody.npz"), (("someone",), "there is no motion")]
)
def test_a_library_says_what_is_not_there(tmp_path: Path, without: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        load_motion(write_library(tmp_path) / "train", without)


def test_another_body_keeps_directions_sides_and_has_the_canonical_size() -> None:
    pose = motion().positions[None, 0]
    matrix = proportions(pose, tuple(STANDING), generator(), 0.2)
    moved = (matrix @ pose)[0]
    names = list(STANDING)

    def bone(points: torch.Tensor, child: str, parent: str) -> torch.Tensor:
        return points[names.index(child)] - points[names.index(parent)]

    for child, parent in (("left_knee", "left_hip"), ("right_wrist", "right_elbow"), ("left_toe", "left_ankle")):
        old, new = bone(pose[0], child, parent), bone(moved, child, parent)
        torch.testing.assert_close(new / new.norm(), old / old.norm(), atol=1e-5, rtol=0)
    left, right = (bone(moved, f"{side}_knee", f"{side}_hip").norm() for side in ("left", "right"))
    assert left == pytest.approx(right, rel=1e-5)
    chain = (("left_knee", "left_hip"), ("left_ankle", "left_knee"), ("spine", "pelvis"), ("thorax", "spine"))
    assert sum(float(bone(moved, *each).norm()) for each in chain) == pytest.approx(CANONICAL_SIZE, rel=1e-5)
    thigh = bone(moved, "left_knee", "left_hip").norm() / bone(pose[0], "left_knee", "left_hip").norm()
    arm = bone(moved, "left_elbow", "left_shoulder").norm() / bone(pose[0], "left_elbow", "left_shoulder").norm()
    assert abs(float(thigh / arm) - 1) > 0.01


def test_exact_keypoints_are_the_projection_of_the_joints() -> None:
    data = DataSettings(noise="none")
    scene = film(motion(), 16, 20, generator(), data)
    for name in set(COCO17.names).intersection(TAKE.names):
        joint = scene.joints[:, :, TAKE.index(name)]
        seen = scene.keypoints[:, :, COCO17.index(name)]
        torch.testing.assert_close(seen[..., :2], joint[..., :2] / joint[..., 2:], atol=1e-4, rtol=0)


def test_in_a_mirror_left_stays_the_persons_left() -> None:
    scene = film(motion(), 64, 3, generator(), DataSettings(noise="none", down=0.0))
    up = scene.rotation[:, None, :, 2]
    across = scene.joints[:, :, TAKE.index("left_hip")] - scene.joints[:, :, TAKE.index("right_hip")]
    ahead = scene.joints[:, :, TAKE.index("left_toe")] - scene.joints[:, :, TAKE.index("left_ankle")]
    # Facing ahead, up is to the left of nothing: ahead x left is up for everybody who is no mirror image.
    assert (torch.linalg.cross(ahead, across) * up).sum(-1).min() > 0


def test_the_root_of_a_sample_is_where_the_pelvis_is() -> None:
    """With the person's size in the picture, place and depth give back the true pelvis, as the root stage will."""
    data = DataSettings(noise="none", focal=0.0)
    field = architecture_of(SMALL)
    batch = make_batch(motion(), 16, 2, field.padding, generator(), data)
    scene = film(motion(), 16, 15 + 8 + 2 + 15, generator(), data, slice(19, 21))
    whole = film(motion(), 16, 40, generator(), data)
    followed = person(whole.keypoints, torch.eye(3).repeat(16, 1, 1), data.fps)
    size = followed.size[:, 19:21]
    z = torch.exp(batch.root[..., 2]) / size
    pelvis = torch.cat([batch.root[..., :2] * (z * size)[..., None], z[..., None]], -1)
    back = (followed.rotation[:, 19:21].transpose(-1, -2) @ pelvis[..., None])[..., 0]
    torch.testing.assert_close(back, scene.joints[:, :, 0], atol=1e-3, rtol=1e-3)


def test_samples_depend_on_the_generator_alone() -> None:
    first, again, other = (make_batch(motion(), 4, 1, (4, 4), generator(seed), SMALL.data) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.root, again.root)
    assert not torch.equal(first.inputs, other.inputs)


def test_without_confidence_points_are_there_or_not() -> None:
    batch = make_batch(motion(), 32, 1, (4, 4), generator(), replace(SMALL.data, confidence=False))
    assert set(batch.inputs[..., 2].unique().tolist()) <= {0.0, 1.0}


def test_simple_noise_jitters_by_a_hundredth_of_the_person_and_loses_some_points() -> None:
    image = torch.rand(200, 9, 17, 2, generator=generator())
    size = torch.linspace(0.5, 2, 200)[:, None].expand(200, 9)
    noisy = add_simple_noise(image, size, generator())
    found = noisy[..., 2] > 0
    assert set(noisy[..., 2].unique().tolist()) == {0.0, 1.0}
    assert float(found.double().mean()) == pytest.approx(0.95, abs=0.01)
    assert float(noisy[~found].abs().max()) == 0
    error = (noisy[..., :2] - image)[found] / size[..., None].expand(200, 9, 17)[found][:, None]
    assert float(error.std()) == pytest.approx(0.01, rel=0.02)
    assert abs(float(error.mean())) < 1e-4
    # Every frame and every joint for itself.
    lost = noisy[..., 2] == 0
    assert float((lost[:, 1:] & lost[:, :-1]).double().mean()) == pytest.approx(0.05**2, abs=0.001)
    batch = make_batch(motion(), 8, 1, (4, 4), generator(), replace(SMALL.data, noise="simple", bridge=False))
    assert set(batch.inputs[..., 2].unique().tolist()) == {0.0, 1.0}


def test_whatever_the_noise_the_same_people_are_lifted() -> None:
    """What is seen with each noise is compared: it must be seen of the same motion, by the same cameras."""

    def lift(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(inputs), 24, 28, 3), torch.zeros(len(inputs), 24, 26)

    # Of a network that says the pelvis for every joint, the error is the size of the pose.
    sizes = [score(lift, motion(), SMALL, noise).take for noise in NOISES]
    assert sizes == pytest.approx([sizes[0]] * 3, rel=1e-5)


def test_losses_are_zero_at_the_truth_and_count_what_they_name() -> None:
    batch = make_batch(motion(), 4, 3, (4, 4), generator(), replace(SMALL.data, noise="none"))
    truth = torch.cat([batch.joints, batch.up[:, :, None], batch.root[:, :, None]], dim=2)
    weights = LossSettings(direction=1.0, velocity=1.0)
    told = torch.full((4, 3, 26), math.log(1e-3))
    assert float(total_loss(truth, told, batch, weights)) == pytest.approx(0, abs=1e-5)
    moved = truth + torch.tensor([0.3, 0, 0])
    assert float(total_loss(moved, told, batch, LossSettings(up=0, root=0))) == pytest.approx(0, abs=1e-5)
    shaken = truth.clone()
    shaken[:, 1, 5] += 0.26
    still = float(total_loss(shaken, told, batch, LossSettings(up=0, root=0)))
    assert float(total_loss(shaken, told, batch, LossSettings(up=0, root=0, velocity=1))) > 1.5 * still


def test_an_error_that_was_told_much_too_small_does_not_blow_up() -> None:
    batch = make_batch(motion(), 4, 1, (4, 4), generator(), SMALL.data)
    output = torch.zeros(4, 1, 28, 3)
    assert float(total_loss(output, torch.full((4, 1, 26), -50.0), batch, SMALL.loss)) < 5


def test_telling_errors_teaches_the_rest_nothing() -> None:
    """The gradient of what positions hang on is the same whatever is told of their errors."""
    model = StridedTemporalModel(architecture_of(SMALL))
    batch = make_batch(motion(), 4, 1, architecture_of(SMALL).padding, generator(), SMALL.data)
    gradients = []
    for shift in (0.0, 3.0):
        model.zero_grad()
        torch.manual_seed(0)
        output, told = model.with_errors(batch.inputs)
        total_loss(output, told + shift, batch, SMALL.loss).backward()
        weight = model.expand_conv.weight.grad
        assert weight is not None
        gradients.append(weight.clone())
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("causal", [False, True])
def test_both_forms_of_the_network_agree_with_direct_map_and_errors(causal: bool) -> None:
    architecture = replace(architecture_of(SMALL), causal=causal)
    strided, dilated = StridedTemporalModel(architecture).eval(), TemporalModel(architecture).eval()
    torch.nn.init.normal_(strided.direct.weight)
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(2, architecture.receptive_field, 17, 3)
    with torch.no_grad():
        for one, other in zip(strided.with_errors(x), dilated.with_errors(x), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_causal_network_does_not_see_the_future() -> None:
    architecture = replace(architecture_of(SMALL), causal=True)
    model = TemporalModel(architecture).eval()
    torch.nn.init.normal_(model.direct.weight)
    now = torch.rand(1, 40, 17, 3) + 0.1
    later = now.clone()
    later[:, 25:] += 0.3
    with torch.no_grad():
        one, other = (model(person(each, torch.eye(3)[None], 30.0, causal=True).inputs) for each in (now, later))
    known = 25 - architecture.receptive_field + 1
    torch.testing.assert_close(one[:, :known], other[:, :known])
    assert not torch.allclose(one[:, known:], other[:, known:])


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    whole = Run(tmp_path / "whole", SMALL, motion())
    losses = list(whole.go_on())
    begun = Run(tmp_path / "stopped", SMALL, motion())
    first = list(begun.go_on(lambda: begun.step >= 3))
    resumed = Run(tmp_path / "stopped", SMALL, motion())
    assert resumed.step == 3
    assert first + list(resumed.go_on()) == pytest.approx(losses, rel=1e-6)
    for one, other in zip(whole.average.state_dict().values(), resumed.average.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_run_that_learns_twice_from_a_window_goes_on_as_if_it_had_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("video_mocap.backend.lifting.training.train._APART", 2)
    settings = replace(SMALL, schedule=replace(SMALL.schedule, steps=12, reuse=2))
    whole = Run(tmp_path / "whole", settings, motion())
    losses = list(whole.go_on())
    begun = Run(tmp_path / "stopped", settings, motion())
    first = list(begun.go_on(lambda: begun.step >= 7))  # the next step learns again from a window of before
    resumed = Run(tmp_path / "stopped", settings, motion())
    assert resumed.step == 7
    assert first + list(resumed.go_on()) == pytest.approx(losses, rel=1e-6)
    for one, other in zip(whole.average.state_dict().values(), resumed.average.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("reuse", [1, 2, 3])
def test_each_window_is_learned_from_as_often_as_asked_for(reuse: int) -> None:
    numbers, draws, windows = range(600), Counter[int](), {}

    def draw(number: int) -> Batch:
        draws[number] += 1
        return windows.setdefault(number, Batch(*(torch.tensor([number]) for _ in range(4))))

    drawn = _Drawn(draw, None, ScheduleSettings(reuse=reuse))
    used = [int(drawn.batch(step).inputs) for step in numbers]
    assert set(draws) == set(range(600 // reuse))
    assert set(draws.values()) == {1}
    # At the beginning nothing is old enough to be learned from again, and at the end some were not yet.
    edge = 40 * (reuse - 1)
    assert {used.count(number) for number in range(edge, 600 // reuse - edge)} == {reuse}
    for number in range(edge, 600 // reuse - edge):
        steps = [step for step in numbers if used[step] == number]
        assert all(later - earlier > 40 for earlier, later in pairwise(steps))
    with ThreadPoolExecutor(2) as pool:
        ahead = _Drawn(draw, pool, ScheduleSettings(reuse=reuse))
        assert [int(ahead.batch(step).inputs) for step in numbers] == used


def test_a_training_that_is_cancelled_is_saved(tmp_path: Path) -> None:
    run = Run(tmp_path, SMALL, motion())
    with pytest.raises(Cancelled):
        train(run, motion(), 10, print, Progress(cancelled=lambda: run.step >= 2))
    assert Run(tmp_path, SMALL, motion()).step == run.step == 2


def test_a_run_of_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    list(Run(tmp_path, SMALL, motion()).go_on(lambda: True))
    with pytest.raises(UserError, match="of a run with other settings"):
        Run(tmp_path, replace(SMALL, name="other"), motion())
    (tmp_path / "last.pt").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="is not the state of a training run"):
        Run(tmp_path, SMALL, motion())


def test_a_network_learns(tmp_path: Path) -> None:
    settings = replace(
        SMALL,
        data=DataSettings(noise="none"),
        network=replace(SMALL.network, dropout=0.0),
        schedule=ScheduleSettings(steps=60, batch=64, rate=3e-3, warmup=5, average=5),
    )
    losses = list(Run(tmp_path, settings, motion()).go_on())
    assert np.mean(losses[-5:]) < 0.4 * np.mean(losses[:3])


def test_a_single_frame_lifter_is_trained_the_same_way_and_lifts(tmp_path: Path) -> None:
    library = load_motion(write_library(tmp_path / "library") / "val")
    network = NetworkSettings(kind="linear", channels=32)
    settings = replace(SMALL, name="linear", network=network, schedule=replace(SMALL.schedule, frames=3))
    list(Run(tmp_path / "run", settings, motion()).go_on())
    export(tmp_path / "run", tmp_path / "x.safetensors", "1", library)
    lifter = open_weights(tmp_path / "x.safetensors", "cpu", True)
    assert (lifter.info.name, lifter.info.gives) == ("linear", TAKE.names)
    path, _ = write_footage(tmp_path / "x.keypoints.npz")
    points = read_keypoints(path)
    assert points.intrinsics is not None
    lifted = lifter.lift(points.keypoints[0], COCO17.names, points.times, points.intrinsics, points.image_size)
    assert np.isfinite(lifted.joints).all()


def test_a_confidence_is_the_share_that_is_near() -> None:
    rng = np.random.default_rng(0)
    expected = np.exp(rng.uniform(np.log(0.01), np.log(0.5), 40_000))
    errors = rng.exponential(expected)
    knots, values = calibrate(np.log(expected), errors)
    assert list(values) == sorted(values, reverse=True)
    for middle in (0.03, 0.1, 0.3):
        truth = 1 - np.exp(-0.1 / middle)
        assert np.interp(np.log(middle), knots, values) == pytest.approx(truth, abs=0.03)


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "lifter.toml"
    path.write_text(
        'name = "mine"\n[network]\nwidths = [3, 3, 3]\ncausal = true\n[data]\nfps = 60\nwithout = ["cmu"]\n'
    )
    read = read_settings(path)
    assert (read.name, read.network.widths, read.network.causal) == ("mine", (3, 3, 3), True)
    assert (read.data.fps, read.data.without, read.schedule) == (60.0, ("cmu",), ScheduleSettings())
    assert settings_from(plain(read)) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[network]\nwidths = [3, 4]", "network.widths must be odd numbers"),
        ("[network]\nwidth = [3]", "there is no setting network.width"),
        ("[data]\nnoise = 'loud'", "data.noise must be one of measured, none"),
        ("[data]\narms = 1.5", r"data.arms is a share of the people, at most 1, not 1\.5"),
        ("[data]\ndown = -0.1", "down must not be negative"),
        ("[data]\nfps = '30'", "data.fps must be a number"),
        ("[schedule]\nsteps = 0", "steps must be more than 0"),
        ("[schedule]\nsteps = 1.5", "schedule.steps must be a whole number"),
        ("[loss]\nvelocity = 1", "loss.velocity needs schedule.frames"),
        ("loss = 1", "loss must be a table"),
        ("[loss", "is not TOML"),
    ],
)
def test_settings_say_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(UserError, match=says):
        read_settings(tmp_path / "x.toml")


CONFIG = """
[network]
widths = [3, 3]
channels = 32
[schedule]
steps = 3
batch = 8
"""


def test_the_command_trains_goes_on_and_exports_weights_that_lift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = write_library(tmp_path / "library")
    (tmp_path / "x.toml").write_text(CONFIG)
    run, weights = tmp_path / "run", tmp_path / "mine.safetensors"
    begin = ["train", "lifter", str(run), "--motion", str(library), "--config", str(tmp_path / "x.toml"), "--json"]
    assert cli.main(begin) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["steps"], said["of"]) == (3, 3)
    assert said["scores"]["measured"]["mpjpe"] > 0
    assert cli.main(["train", "export", str(run), "--motion", str(library), "-o", str(weights)]) == 0
    checkpoint = load_checkpoint(weights)
    assert checkpoint.sidecar.licence == "CC BY 4.0"
    assert len(checkpoint.sidecar.confidence_knots) == 16
    model = build_model(checkpoint).float()
    output, told = model.with_errors(torch.rand(1, 9, 17, 3))
    assert split(output)[0].shape == (1, 1, 26, 3)
    assert told.shape == (1, 1, 26)
    again = tmp_path / "again"
    assert cli.main([*begin[:2], str(again), *begin[3:], "--initial", str(weights)]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["lifter", "run", "--motion", "nowhere"], 1, "there is no motion"),
        (["export", "run", "--motion", "library"], 2, "export needs -o"),
        (["export", "run", "--motion", "library", "-o", "x.safetensors"], 1, "there is no training run in run"),
        (["export", "run", "--motion", "nowhere", "-o", "x.safetensors"], 1, "is no motion library"),
        (["lifter", "run", "--motion", "library", "--config", "no.toml"], 1, "cannot read no.toml"),
        (["lifter", "no/run", "--motion", "library"], 1, "the folder no does not exist"),
    ],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    says: str,
) -> None:
    write_library(tmp_path / "library")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *arguments]) == status
    assert says in capsys.readouterr().err
    shutil.rmtree(tmp_path / "library")
    assert list(tmp_path.iterdir()) == []


def write_footage(path: Path, lens: float = 1000.0) -> tuple[Path, Scene]:
    """One person of `motion`, filmed: exact keypoints of 60 frames at 30 a second."""
    scene = film(motion(), 1, 60, generator(3), DataSettings(noise="none", arms=0.0, down=0.0))
    points = scene.keypoints[0].numpy().astype(np.float64)
    points[..., :2] = points[..., :2] * lens + 500
    intrinsics = np.array([[lens, 0, 500], [0, lens, 500], [0, 0, 1.0]])
    times = np.arange(60) / 30
    write_keypoints(path, Keypoints(30.0, times, (1000, 1000), COCO17.names, np.array([1]), points[None], intrinsics))
    return path, scene


def test_the_truth_explains_footage_and_nothing_else_does() -> None:
    settings = replace(SMALL.data, noise="none", focal=0.0)
    batch = make_batch(motion(), 8, 1, (4, 4), generator(), settings)
    own = batch.inputs[:, 4:5]
    size = torch.full((8, 1), 0.2)
    # The same person at the depth that this size means.
    joints = batch.joints
    spread = torch.exp(batch.root[..., 2])[:, :, None]
    body = joints[:, :, [TAKE.index(name) for name in COCO17.names if name in TAKE]]
    seen = (body[..., :2] + spread[..., None] * batch.root[:, :, None, :2]) / (body[..., 2] * size[..., None] + spread)[
        ..., None
    ]
    inputs = own.clone()
    inputs[:, :, [COCO17.index(name) for name in COCO17.names if name in TAKE], :2] = seen
    assert float(projection_error(joints, batch.root, inputs, size)) < 1e-4
    assert 0.05 < float(projection_error(joints * 1.3, batch.root, inputs, size)) < 0.2
    assert 0.1 < float(projection_error(joints, batch.root + torch.tensor([0.5, 0, 0]), inputs, size)) < 0.2
    assert float(bone_error(joints, joints)) == 0
    assert float(bone_error(joints * 1.1, joints)) > 0.01


def test_footage_gives_windows_as_the_lifter_sees_them(tmp_path: Path) -> None:
    path, scene = write_footage(tmp_path / "x.keypoints.npz")
    footage = Footage([path, path], 9, 4, 30.0, False, torch.device("cpu"))
    assert len(footage) == 2 * (60 - 8)
    seen = footage.draw(64, generator())
    followed = person(scene.keypoints, torch.eye(3)[None], 30.0)
    windows = torch.stack([followed.inputs[0, first : first + 9] for first in range(52)])
    mirrored = windows[:, :, torch.as_tensor(COCO17.mirror)] * torch.tensor([-1.0, 1, 1])
    known = torch.cat([windows, mirrored]).flatten(1)
    assert (
        float(
            torch.cdist(seen.inputs.flatten(1), known, compute_mode="donot_use_mm_for_euclid_dist").min(1).values.max()
        )
        < 1e-3
    )
    with pytest.raises(UserError, match=r"nobody is seen for 2\.7 s at a time"):
        Footage([path], 81, 40, 30.0, False, torch.device("cpu"))


def test_what_footage_asks_for_can_be_met(tmp_path: Path) -> None:
    """Descending on the loss alone brings a wrong pose onto the keypoints, with bones of the right length."""
    path, _ = write_footage(tmp_path / "x.keypoints.npz")
    footage = Footage([path], 9, 4, 30.0, False, torch.device("cpu"))
    seen, truth = footage.draw(8, generator()), make_batch(motion(), 8, 1, (4, 4), generator(), SMALL.data).joints
    output = 0.3 * torch.randn(8, 1, 28, 3, generator=generator())
    output[:, :, 27] = 0
    output.requires_grad_()
    optimizer = torch.optim.Adam([output], lr=0.02)
    losses = []
    for _ in range(400):
        loss = footage.loss(output, seen, truth)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] > 0.2
    assert losses[-1] < 0.02


def test_a_run_with_footage_learns_from_it(tmp_path: Path) -> None:
    path, _ = write_footage(tmp_path / "x.keypoints.npz")
    footage = Footage([path], 9, 4, 30.0, False, torch.device("cpu"))
    with_it, without = Run(tmp_path / "a", SMALL, motion(), footage=footage), Run(tmp_path / "b", SMALL, motion())
    losses = [list(run.go_on()) for run in (with_it, without)]
    warmup = SMALL.schedule.warmup
    assert losses[0][:warmup] == losses[1][:warmup]
    assert losses[0][warmup] > losses[1][warmup] + 0.1


def test_the_command_adapts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = write_library(tmp_path / "library")
    (tmp_path / "x.toml").write_text(CONFIG)
    path, _ = write_footage(tmp_path / "x.keypoints.npz")
    base = ["train", "adapt", str(tmp_path / "run"), "--motion", str(library), "--config", str(tmp_path / "x.toml")]
    assert cli.main(base) == 2
    assert "adapt needs --footage" in capsys.readouterr().err
    assert cli.main([*base, "--footage", str(tmp_path / "no.npz")]) == 1
    assert "no.npz" in capsys.readouterr().err
    assert cli.main([*base, "--footage", str(path), "--footage", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 3


def test_training_bridges_what_is_missing_as_a_capture_does() -> None:
    fps, frames = 30.0, 150
    random = np.random.default_rng(3)
    track = np.concatenate([random.normal(size=(frames, 17, 2)).cumsum(0), random.uniform(0.2, 1, (frames, 17, 1))], 2)
    for first, count, keypoint in ((0, 20, 1), (130, 20, 2), (10, 120, 3), (40, 3, 4), (60, 1, 4), (90, 30, 5)):
        track[first : first + count, keypoint] = (np.nan, np.nan, 0)
    track[50:70] = (np.nan, np.nan, 0)
    times = np.arange(frames) / fps
    wanted = resample_track(fill_missing(track, times), times, times)
    made = bridged(torch.from_numpy(np.nan_to_num(track))[None], fps)[0].numpy()
    np.testing.assert_allclose(made[..., 2], wanted[..., 2], atol=1e-6)
    there = wanted[..., 2] > 0
    assert 0 < (~there).sum() < there.sum()
    np.testing.assert_allclose(made[there], wanted[there], atol=1e-6)


def test_a_point_that_is_never_seen_stays_missing_in_training() -> None:
    points = torch.ones(1, 30, 17, 3)
    points[:, :, 4, 2] = 0
    assert (bridged(points, 30.0)[:, :, 4, 2] == 0).all()
    assert (bridged(points, 30.0)[..., 2].sum(-1) == 16).all()
