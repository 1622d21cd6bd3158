# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts of heels and toes: stances are found when they are there, and nothing is glued to the ground."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from video_mocap.backend import cli
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.world.contact_network import shipped
from video_mocap.backend.world.contacts import FOOT_ROWS, find_contacts, two_states
from video_mocap.backend.world.foot_features import COUNT, FootEvidence, feet_shown, foot_features, network_times
from video_mocap.backend.world.training.labels import resting_heights, true_contacts
from video_mocap.backend.world.training.train import Trained
from video_mocap.rigging.joints import KEYPOINTS, TAKE

sys.path.insert(0, str(Path(__file__).parent))
from made_library import write_library
from motion_samples import camera_at, library_clip

UP = np.array([0.0, 0.0, 1.0])
K = np.array([[1100.0, 0, 640], [0, 1100, 360], [0, 0, 1]])
SIZE = 1.32  # of the person that labels are meant for: thigh + shin + trunk


def person_of(name: str, split: str = "val", source: str = "cmu") -> tuple[np.ndarray, float]:
    """(F, 26, 3) metres of a clip of the library, in the size that is captured, and its rate."""
    joints, fps = library_clip(name, split, source)
    chain = [TAKE.index(each) for each in ("left_hip", "left_knee", "left_ankle")]
    trunk = [TAKE.index(each) for each in ("pelvis", "spine", "thorax")]
    size = sum(np.linalg.norm(np.diff(joints[0, rows], axis=0), axis=-1).sum() for rows in (chain, trunk))
    return joints * SIZE / size, fps


def truth_of(joints: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(F, 4) bool: what stands, and what of it on the floor."""
    feet = joints[:, FOOT_ROWS]
    return true_contacts(feet, joints[:, 0], fps, resting_heights(feet, fps, np.full(4, 0.03)))


def evidence_of(joints: np.ndarray, fps: float, floor: float | None = 0.03, every: float = 1.0) -> FootEvidence:
    """What a capture would know that is nearly right: every `every`th frame, a jitter of 3 mm and a pixel."""
    rng = np.random.default_rng(3)
    times = np.arange(0, len(joints) - 1, every) / fps
    clock = np.arange(len(joints)) / fps
    flat = joints.reshape(len(joints), -1)
    seen = np.stack([np.interp(times, clock, column) for column in flat.T], axis=1).reshape(len(times), -1, 3)
    middle = joints[:, 0].mean(0) * [1, 1, 0] + [0, 0, 0.9]
    camera = np.repeat(camera_at(middle + np.array([1.5, -5.0, 0.6]), middle)[None], len(times), axis=0)
    points = np.full((len(times), len(KEYPOINTS), 3), np.nan)
    points[..., 2] = 0.0
    shown = to_camera(seen, camera)
    for row, name in enumerate(KEYPOINTS.names):
        if name in TAKE:
            points[:, row, :2] = project(shown[:, TAKE.index(name)], K) + rng.normal(0, 1.0, (len(times), 2))
            points[:, row, 2] = 0.9
    positions = seen + rng.normal(0, 0.003, seen.shape)
    where, sure = feet_shown(positions, points, KEYPOINTS.names, K, camera)
    eye = -camera[0, :3, :3].T @ camera[0, :3, 3]
    return FootEvidence(times, positions, where, sure, eye, UP, floor)


def test_a_jump_is_not_glued_to_the_ground() -> None:
    for name in ("cmu_127_25", "cmu_127_26", "cmu_127_27"):
        joints, fps = person_of(name)
        stands = find_contacts(evidence_of(joints, fps)).stands
        airborne = joints[:-1, FOOT_ROWS, 2].min(1) > 0.12
        assert airborne.sum() > 6
        assert (stands[airborne] > 0.5).mean() < 0.05


def test_the_stances_of_a_walk_are_found_within_two_frames() -> None:
    joints, fps = library_clip("tilling_s23_normal", source="snu_tillingpatch")
    truth, _ = truth_of(joints, fps)
    found = find_contacts(evidence_of(joints, fps)).stands > 0.5
    errors = []
    for column in range(4):
        for way in (1, -1):
            true, told = (np.flatnonzero(np.diff(each[:, column].astype(int)) == way) for each in (truth, found))
            errors += [np.abs(told - event).min() for event in true if 2 < event < len(truth) - 4]
    assert len(errors) > 12
    assert np.median(errors) * 30 / fps <= 2
    assert (truth[:-1] == found).mean() > 0.9


def test_feet_on_steps_stand_but_not_on_the_floor() -> None:
    joints, fps = person_of("cmu_14_21", "train")
    truth, floor = truth_of(joints, fps)
    truth, floor = truth[:-1], floor[:-1]
    found = find_contacts(evidence_of(joints, fps))
    steps = truth & ~floor & (joints[:-1, FOOT_ROWS, 2] > 0.15)
    assert steps.sum() > 400
    assert (found.stands[steps] > 0.5).mean() > 0.8
    assert (found.on_floor[steps] > 0.5).mean() < 0.2
    assert (found.on_floor[floor] > 0.5).mean() > 0.8
    nobody_knows = find_contacts(evidence_of(joints, fps, None))
    assert (nobody_knows.stands[truth] > 0.5).mean() > 0.8
    assert not nobody_knows.on_floor.any()


def test_feet_of_somebody_who_sits_stand() -> None:
    joints, fps = person_of("cmu_14_30", "train")
    low = joints[:-1, 0, 2] < 0.6
    truth = truth_of(joints, fps)[0][:-1]
    stands = find_contacts(evidence_of(joints, fps)).stands
    assert low.sum() > 300
    assert ((stands > 0.5) == truth)[low].mean() > 0.85


@pytest.mark.parametrize("rate", [15.0, 24.0, 60.0, 120.0])
def test_any_frame_rate_gives_the_same(rate: float) -> None:
    joints, fps = library_clip("tilling_s23_normal", source="snu_tillingpatch")
    usual = evidence_of(joints, fps)
    wanted = find_contacts(usual).stands > 0.5
    other = evidence_of(joints, fps, every=fps / rate)
    found = find_contacts(other).stands
    there = np.stack([np.interp(usual.times, other.times, column) for column in found.T], axis=1) > 0.5
    assert (there == wanted).mean() > (0.93 if rate < 20 else 0.96)


def made_feet(frames: int = 60) -> FootEvidence:
    """Somebody whose joints wander about."""
    rng = np.random.default_rng(1)
    positions = np.cumsum(rng.normal(0, 0.01, (frames, 26, 3)), axis=0) + rng.normal(0, 0.3, (26, 3)) + [0, 5.0, 1.0]
    shown = positions[:, FOOT_ROWS] + rng.normal(0, 0.01, (frames, 4, 3))
    return FootEvidence(np.arange(frames) / 30, positions, shown, rng.random((frames, 4)), np.zeros(3), UP, -0.1)


def test_neither_sides_nor_axes_nor_a_persons_size_matter() -> None:
    evidence = made_feet()
    grid = network_times(evidence.times)
    features = foot_features(evidence, grid)
    assert features.shape == (2, len(grid), COUNT)
    flip, other = np.array([-1.0, 1, 1]), [2, 3, 0, 1]
    mirrored = replace(
        evidence,
        positions=evidence.positions[:, TAKE.mirror] * flip,
        shown=evidence.shown[:, other] * flip,
        confidence=evidence.confidence[:, other],
    )
    np.testing.assert_allclose(foot_features(mirrored, grid), features[::-1], atol=2e-4)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    assert evidence.floor is not None
    larger = replace(
        evidence,
        positions=1.7 * evidence.positions @ turn.T,
        shown=1.7 * evidence.shown @ turn.T,
        up=turn @ UP,
        floor=1.7 * evidence.floor,
    )
    np.testing.assert_allclose(foot_features(larger, grid), features, atol=2e-4)


def test_where_the_picture_shows_a_foot() -> None:
    positions = np.zeros((3, 26, 3))
    positions[..., 2] = 4.0
    points = np.full((3, len(KEYPOINTS), 3), np.nan)
    points[..., 2] = 0.0
    points[:, KEYPOINTS.index("left_ankle")] = (640 + 110, 360, 0.8)
    points[0, KEYPOINTS.index("left_toe")] = (640, 360 + 110, 0.6)
    shown, sure = feet_shown(positions, points, KEYPOINTS.names, K)
    np.testing.assert_allclose(shown[1, 0], [0.4, 0, 4])  # a heel as far off as its ankle
    np.testing.assert_allclose(shown[0, 1], [0, 0.4, 4])
    np.testing.assert_allclose(shown[0, 2], [0, 0, 4])
    np.testing.assert_allclose(sure, [[0.4, 0.6, 0, 0], [0.4, 0.4, 0, 0], [0.4, 0.4, 0, 0]])


def test_a_blink_changes_nothing_and_a_stance_does() -> None:
    logits = np.full(40, -3.0)
    logits[10] = 2.5
    logits[20:30] = 1.5
    assert np.flatnonzero(two_states(logits, 2.0)).tolist() == list(range(20, 30))
    assert not two_states(np.zeros(0), 2.0).size


def test_numpy_runs_the_network_that_torch_trained() -> None:
    network, model = shipped(), Trained(0.0).eval()
    tensors = {"mean": network.mean, "scale": network.scale}
    for number, (kernel, bias) in enumerate(network.layers):
        tensors |= {f"layers.{number}.weight": kernel, f"layers.{number}.bias": bias}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    features = np.random.default_rng(0).normal(0, 1, (2, 33, COUNT)).astype(np.float32)
    with torch.no_grad():
        wanted = model(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(network.logits(features), wanted, atol=1e-4)


def test_a_single_frame_is_no_error() -> None:
    evidence = made_feet(1)
    assert find_contacts(evidence).stands.tolist() == [[0, 0, 0, 0]]
    assert np.isfinite(find_contacts(made_feet(2)).stands).all()


def test_a_foot_held_in_the_air_does_not_truly_stand_and_one_on_a_step_does() -> None:
    times = np.arange(180) / 60
    height = {"held": np.clip(2 * (times - 1), 0, 0.3), "step": np.clip(2 * (times - 1), 0, 0.3)}
    height["step"] += 0.1 * np.exp(-(((times - 1.15) / 0.08) ** 2))
    for name, stands in (("held", False), ("step", True)):
        points = np.zeros((180, 1, 3))
        points[:, 0, 2] = height[name] + 0.03
        points[:, 0, 0] = np.clip(times - 1, 0, 0.3)
        found, floor = true_contacts(points, np.tile([0, 0, 0.95], (180, 1)), 60.0, np.array([0.03]))
        assert found[:50].all()
        assert floor[:50].all()
        assert found[100:, 0].all() == stands
        assert not floor[100:].any()


def test_contacts_are_trained_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = write_library(tmp_path / "library")
    config = tmp_path / "small.toml"
    config.write_text(
        "[captures]\ncount = 2\nbatch = 1\nseconds = 1.0\nrefined = 2\nrates = [30]\n[learning]\nsteps = 3\nbatch = 2\n"
    )
    run, weights = tmp_path / "run", tmp_path / "mine.safetensors"
    command = ["train", "contacts", str(run), "--motion", str(library), "--config", str(config), "--device", "cpu"]
    assert cli.main(["train", "export", str(run), "-o", str(weights)]) == 1
    assert cli.main([*command, "--minutes", "0.0001"]) == 0
    assert cli.main(command) == 0
    assert "finished" in capsys.readouterr().out
    assert cli.main(["train", "export", str(run), "-o", str(weights)]) == 0
    assert weights.exists()
    assert "CC BY 4.0" in weights.with_suffix(".json").read_text(encoding="utf-8")
