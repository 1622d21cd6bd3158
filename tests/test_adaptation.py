# SPDX-License-Identifier: GPL-3.0-or-later
"""A lifter fitted to one person: kept only where joints held back say so, frame by frame never worse, and reported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from video_mocap.backend.camera import guess_intrinsics
from video_mocap.backend.errors import UserError
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.adaptation import adapt as adaptation
from video_mocap.backend.lifting.adaptation.blocks import draw_blocks
from video_mocap.backend.lifting.adaptation.guard import guarded
from video_mocap.backend.lifting.adaptation.person import adaptable, lifted_anew
from video_mocap.backend.lifting.lifter import Lifted
from video_mocap.backend.lifting.table import open_weights
from video_mocap.backend.lifting.temporal import TemporalLifter
from video_mocap.backend.models import DEFAULT_WEIGHTS, find_lifter
from video_mocap.backend.pipeline import CaptureOptions, lift
from video_mocap.backend.stages.lifting import Lens, LiftedPeople, lifted_arrays, lifted_from_arrays
from video_mocap.rigging.joints import COCO17, TAKE
from video_mocap.rigging.take import Take, read_take

sys.path.insert(0, str(Path(__file__).parent))
from lifters import random_model, videopose3d

TRUTH = Path(__file__).resolve().parents[1] / "sample" / "sample_truth.take.npz"
Seen = tuple[np.ndarray, tuple[str, ...], np.ndarray, np.ndarray, tuple[int, int]]


@pytest.fixture(scope="module")
def sample() -> Take:
    return read_take(TRUTH)


@pytest.fixture(scope="module")
def seen(sample: Take) -> Seen:
    """What a lifter is told of the sample's person."""
    size = (int(sample.image_size[0]), int(sample.image_size[1]))
    points = sample.keypoints[0].astype(np.float64)
    return points, sample.keypoint_names, sample.times, sample.intrinsics.astype(np.float64), size


@pytest.fixture(scope="module")
def lifter() -> TemporalLifter:
    return TemporalLifter.from_file(DEFAULT_WEIGHTS, "cpu")


def biased(lifter: TemporalLifter, names: tuple[str, ...], metres: tuple[float, float, float]) -> TemporalLifter:
    """The lifter with a fault: some joints come out so much beside where it would put them."""
    state = {name: value.clone().float() for name, value in lifter.checkpoint.state.items()}
    for name in names:
        row = 3 * lifter.checkpoint.sidecar.joints_out.index(name)
        state["shrink.bias"][row : row + 3] += torch.tensor(metres)
    return lifter.with_weights(state)


def distance(a: Lifted, b: Lifted, names: tuple[str, ...]) -> float:
    rows = [a.joint_names.index(name) for name in names]
    return float(np.nanmean(np.linalg.norm(a.joints[:, rows] - b.joints[:, rows], axis=-1)))


def told(lifted: Lifted) -> Mapping[str, object]:
    assert lifted.adaptation is not None
    return lifted.adaptation


def test_a_fault_of_the_lifter_is_put_right(lifter: TemporalLifter, seen: Seen) -> None:
    arm = ("left_elbow", "left_wrist")
    faulty = biased(lifter, arm, (0.15, 0.1, 0.0))
    whole, start = lifter.lift(*seen), faulty.lift(*seen)
    found = lifted_anew(faulty, start, *seen)
    assert told(found)["accepted"], told(found)
    assert distance(found, whole, arm) < 0.6 * distance(start, whole, arm)


def test_harmful_learning_is_refused(lifter: TemporalLifter, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it learns from is shuffled: joints shall lie where others were seen, at other times."""
    errors: Callable[..., torch.Tensor] = adaptation._Learner._errors

    def shuffled(self: adaptation._Learner, output: torch.Tensor, view: adaptation.View) -> torch.Tensor:
        if torch.is_grad_enabled():
            order = torch.randperm(len(view.tangents), generator=torch.Generator().manual_seed(1))
            view = replace(view, tangents=view.tangents[order].flip(1))
        return errors(self, output, view)

    monkeypatch.setattr(adaptation._Learner, "_errors", shuffled)
    start = lifter.lift(*seen)
    found = lifted_anew(lifter, start, *seen)
    assert told(found).keys() == {"accepted", "held_back_limbs", "held_back_error_mm", "why_not"}
    assert not told(found)["accepted"]
    np.testing.assert_array_equal(found.joints, start.joints)


def test_the_same_seed_gives_the_same_and_the_lifter_stays(lifter: TemporalLifter, seen: Seen) -> None:
    before = {name: value.clone() for name, value in lifter.checkpoint.state.items()}
    first, judged = adaptation.adapt(lifter, *seen, seed=3)
    second, again = adaptation.adapt(lifter, *seen, seed=3)
    assert judged == again
    changed = set()
    for name, value in first.checkpoint.state.items():
        torch.testing.assert_close(value, second.checkpoint.state[name], rtol=0, atol=0)
        changed |= {name} if not torch.equal(value, before[name].to(value.dtype)) else set()
        torch.testing.assert_close(lifter.checkpoint.state[name], before[name], rtol=0, atol=0)
    assert changed == {"shrink.weight", "shrink.bias", "direct.weight"}


def test_what_is_held_back_is_neither_seen_nor_learned_from(lifter: TemporalLifter, seen: Seen) -> None:
    points, names, times, *rest = seen
    held = draw_blocks(COCO17.names, times, adaptation.HELD_BACK, np.random.default_rng(0)) > 0
    columns = [names.index(name) for name in COCO17.names]
    elsewhere = points.copy()
    moved = np.zeros(points.shape[:2], dtype=bool)
    moved[:, columns] = held
    elsewhere[moved, :2] += 40
    assert moved.any()
    first, _ = adaptation.adapt(lifter, points, names, times, *rest)
    second, _ = adaptation.adapt(lifter, elsewhere, names, times, *rest)
    torch.testing.assert_close(
        first.checkpoint.state["shrink.weight"], second.checkpoint.state["shrink.weight"], rtol=0, atol=1e-6
    )


def test_frames_that_come_out_worse_stay_as_they_were(lifter: TemporalLifter, seen: Seen) -> None:
    start = lifter.lift(*seen)
    joints = start.joints.copy()
    joints[40:60, [start.joint_names.index("right_wrist"), start.joint_names.index("right_elbow")]] += 0.3
    spoiled = replace(start, joints=joints + 1e-5)
    mixed, kept = guarded(start, spoiled, seen[0], seen[1], seen[2], seen[3])
    assert kept[40:60].all()
    assert not kept[:30].any()
    assert not kept[70:].any()
    np.testing.assert_array_equal(mixed.joints[40:60], start.joints[40:60])
    np.testing.assert_array_equal(mixed.joints[:30], spoiled.joints[:30])


def test_somebody_who_is_seen_for_a_moment_is_lifted_as_ever(lifter: TemporalLifter, seen: Seen) -> None:
    moment = (seen[0][:30], seen[1], seen[2][:30], *seen[3:])
    start = lifter.lift(*moment)
    found = lifted_anew(lifter, start, *moment)
    assert "too short" in str(told(found)["why_not"])
    np.testing.assert_array_equal(found.joints, start.joints)


@pytest.mark.parametrize("name", ["linear-coco17-take26", "temporal-causal-coco17-take26", "published"])
def test_every_kind_of_network_can_adapt(name: str, seen: Seen, tmp_path: Path) -> None:
    """Also one that has learned nothing, takes no confidence and knows neither up nor root."""
    path = videopose3d(tmp_path / "it.bin", random_model()) if name == "published" else find_lifter(name)
    lifter = open_weights(path, "cpu", flip=False)
    start = lifter.lift(*seen)
    fitted, judgement = adaptation.adapt(adaptable(lifter), *seen)
    assert np.isfinite([judgement.before, judgement.after]).all()
    assert judgement.after < judgement.before
    adapted = fitted.lift(*seen)
    assert fitted.info == lifter.info
    assert np.isfinite(adapted.joints).all()
    assert not np.allclose(adapted.joints, start.joints)
    np.testing.assert_array_equal(lifter.lift(*seen).joints, start.joints)


def test_a_lifter_without_a_network_cannot_adapt(lifter: TemporalLifter) -> None:
    class Other:
        info = lifter.info

        def lift(self, *_: object) -> Lifted:
            raise AssertionError

    with pytest.raises(UserError, match="cannot adapt"):
        adaptable(Other())


def test_a_take_says_what_became_of_it(sample: Take) -> None:
    size = (int(sample.image_size[0]), int(sample.image_size[1]))
    points = sample.keypoints.astype(np.float32)
    keypoints = Keypoints(sample.fps, sample.times, size, sample.keypoint_names, np.array([4]), points)
    take = lift(keypoints, CaptureOptions(fov=60, adapt_to_person=True))
    report = take.metadata["stages"]["lifting"]["adapted"]["4"]
    assert isinstance(report["accepted"], bool)
    assert report["held_back_error_mm"].keys() == {"before", "after"}
    assert "adapted" not in lift(keypoints, CaptureOptions(fov=60)).metadata["stages"]["lifting"]


def test_the_cache_keeps_the_report() -> None:
    joints = np.zeros((4, len(TAKE), 3))
    lifted = Lifted(TAKE.names, joints, np.ones((4, len(TAKE))), None, adaptation={"accepted": False})
    intrinsics, _ = guess_intrinsics((640, 480), None, None)
    arrays = lifted_arrays(LiftedPeople((lifted,), Lens(intrinsics, "test")))
    assert lifted_from_arrays(arrays, 1, 4).people[0].adaptation == {"accepted": False}
