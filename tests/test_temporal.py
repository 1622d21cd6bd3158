# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal lifter as a stage: rates, gaps, chunks, the mirror image, degenerate tracks. Weights are random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from video_mocap.backend.errors import UserError
from video_mocap.backend.lifting.checkpoint import build_model, load_checkpoint, save_checkpoint
from video_mocap.backend.lifting.inference import FoldedModel
from video_mocap.backend.lifting.network import Architecture, TemporalModel
from video_mocap.backend.lifting.normalise import person
from video_mocap.backend.lifting.sidecar import Sidecar
from video_mocap.backend.lifting.table import LIFTERS
from video_mocap.backend.lifting.temporal import TemporalLifter, run_in_chunks
from video_mocap.rigging.joints import COCO17, H36M17, KEYPOINTS, TAKE

CAMERA = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
SIZE = (1280, 720)


def checkpoint(tmp_path, person=True, causal=False):
    """Random weights, scaled so that the output moves like a person does."""
    torch.manual_seed(0)
    outputs = (*TAKE.names, "up") if person else H36M17.names
    features = 3 if person else 2
    model = TemporalModel(Architecture(17, features, len(outputs), (3, 3, 3), causal, channels=32))
    sidecar = Sidecar(
        name="random",
        version="0",
        joints_in=COCO17.names,
        joints_out=outputs,
        normalisation="person" if person else "screen",
        features=features,
        causal=causal,
        fps=30.0,
        licence="CC0-1.0",
        trained_on="nothing",
    )
    save_checkpoint(tmp_path / "w.safetensors", model, sidecar)
    return load_checkpoint(tmp_path / "w.safetensors")


def track(times, x=640.0):
    """(F, 17, 3) somebody who moves every joint slowly and differently."""
    base = np.random.default_rng(3).uniform(-150, 150, (17, 2)) + np.array([x, 360])
    phase = np.arange(34).reshape(17, 2)
    moving = base + 25 * np.sin(2 * np.pi * 0.7 * times[:, None, None] + phase)
    return np.concatenate([moving, np.full((*moving.shape[:2], 1), 0.9)], axis=-1)


def lift(lifter, points, times, names=COCO17.names):
    return lifter.lift(points, names, times, CAMERA, SIZE)


@pytest.mark.parametrize("person", [True, False])
def test_output(person, tmp_path):
    lifter = TemporalLifter(checkpoint(tmp_path, person), "cpu")
    times = np.arange(50) / 30
    lifted = lift(lifter, track(times), times)
    names = TAKE.names if person else H36M17.names
    assert lifted.joint_names == lifter.info.gives == names
    assert lifted.joints.shape == (50, len(names), 3)
    assert lifted.confidence.shape == (50, len(names))
    assert (lifted.joints[:, 0] == 0).all()
    assert np.isfinite(lifted.joints).all()
    if person:
        np.testing.assert_allclose(np.linalg.norm(lifted.up, axis=-1), 1)
    else:
        assert lifted.up is None
    again = lift(TemporalLifter(checkpoint(tmp_path, person), "cpu"), track(times), times)
    assert np.array_equal(again.joints, lifted.joints)


def test_more_keypoints_than_needed_do_not_matter(tmp_path):
    lifter = TemporalLifter(checkpoint(tmp_path), "cpu")
    times = np.arange(40) / 30
    points = track(times)
    more = np.concatenate([np.full((40, 6, 3), 7.0), points[:, ::-1]], axis=1)
    names = (*KEYPOINTS.names[17:], *COCO17.names[::-1])
    assert np.array_equal(lift(lifter, more, times, names).joints, lift(lifter, points, times).joints)


def test_person_normalisation_gives_real_camera_axes(tmp_path):
    """A person at the edge of the picture is the same person seen by a turned camera: turned, not deformed."""
    lifter = TemporalLifter(checkpoint(tmp_path), "cpu")
    times = np.arange(40) / 30
    middle = track(times)
    turn = np.array([[np.cos(0.5), 0, np.sin(0.5)], [0, 1, 0], [-np.sin(0.5), 0, np.cos(0.5)]])
    rays = np.concatenate([(middle[..., :2] - CAMERA[:2, 2]) / 1000, np.ones((40, 17, 1))], axis=-1) @ turn.T
    edge = middle.copy()
    edge[..., :2] = 1000 * rays[..., :2] / rays[..., 2:] + CAMERA[:2, 2]
    a, b = lift(lifter, middle, times).joints, lift(lifter, edge, times).joints

    def error(rotation):
        return np.linalg.norm(a @ rotation.T - b, axis=-1).mean()

    # Not exactly, because the size of the person is taken before turning.
    assert error(turn) < 0.5 * error(np.eye(3)) < 0.5 * error(turn.T)


@pytest.mark.parametrize("causal", [False, True])
def test_chunks_do_not_change_the_result(causal, tmp_path):
    points = checkpoint(tmp_path, causal=causal)
    times = np.arange(60) / 30
    whole = lift(TemporalLifter(points, "cpu", chunk=10_000), track(times), times)
    for chunk in (7, 32):
        parts = lift(TemporalLifter(points, "cpu", chunk=chunk), track(times), times)
        np.testing.assert_allclose(parts.joints, whole.joints, atol=2e-5)


def test_ends_are_padded_with_copies(tmp_path):
    """A person who stands still does not move at the ends of the clip."""
    lifter = TemporalLifter(checkpoint(tmp_path, person=False), "cpu")
    times = np.arange(60) / 30
    still = np.repeat(track(times)[:1], 60, 0)
    joints = lift(lifter, still, times).joints
    np.testing.assert_allclose(joints, np.broadcast_to(joints[30], joints.shape), atol=1e-5)


@pytest.mark.parametrize("rate", [15, 24, 60, 120])
def test_other_frame_rates_see_the_same_motion(rate, tmp_path):
    lifter = TemporalLifter(checkpoint(tmp_path), "cpu")
    times, reference_times = np.arange(int(3 * rate)) / rate, np.arange(90) / 30
    lifted = lift(lifter, track(times), times)
    reference = lift(lifter, track(reference_times), reference_times)
    assert lifted.joints.shape[0] == len(times)
    at = np.stack([np.interp(times, reference_times, c) for c in reference.joints.reshape(90, -1).T], axis=1)
    inner = (times > 0.7) & (times < 2.2)
    error = np.abs(lifted.joints.reshape(len(times), -1) - at)[inner].max()
    motion = np.ptp(reference.joints[20:70], axis=0).max()
    assert error < 0.06 * motion


def test_gaps(tmp_path):
    lifter = TemporalLifter(checkpoint(tmp_path), "cpu")
    times = np.arange(200) / 30
    points = track(times)
    points[40:44] = [np.nan, np.nan, 0]
    points[80:160] = [np.nan, np.nan, 0]
    points[:, COCO17.index("left_ear")] = [np.nan, np.nan, 0]
    lifted = lift(lifter, points, times)
    assert np.isfinite(lifted.joints[40:44]).all()
    assert lifted.confidence[40:44].max() < 0.5 < lifted.confidence[39, 1]
    assert np.isnan(lifted.joints[110:130]).all()
    assert np.isnan(lifted.up[110:130]).all()
    assert not lifted.confidence[110:130].any()
    assert np.isfinite(lifted.joints[:60]).all()
    assert np.isnan(lifted.joints).any(axis=(1, 2)).tolist() == (~lifted.confidence.any(1)).tolist()


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_short_and_empty_tracks(frames, tmp_path):
    lifter = TemporalLifter(checkpoint(tmp_path), "cpu")
    times = np.arange(frames) / 24
    lifted = lift(lifter, track(times), times)
    assert lifted.joints.shape == (frames, 26, 3)
    assert np.isfinite(lifted.joints).all()
    nobody = lift(lifter, np.full((frames, 17, 3), np.nan) * [1, 1, 0] if frames else track(times), times)
    assert np.isnan(nobody.joints).all()
    assert not nobody.confidence.any()


def test_mirror_image_averaging_is_symmetric(tmp_path):
    lifter = TemporalLifter(checkpoint(tmp_path, person=False), "cpu", flip=True)
    times = np.arange(40) / 30
    points = track(times)
    mirrored = points[:, COCO17.mirror].copy()
    mirrored[..., 0] = SIZE[0] - mirrored[..., 0]
    a, b = lift(lifter, points, times).joints, lift(lifter, mirrored, times).joints
    np.testing.assert_allclose(b[:, H36M17.mirror] * [-1, 1, 1], a, atol=1e-5)
    plain = TemporalLifter(checkpoint(tmp_path, person=False), "cpu")
    assert np.abs(lift(plain, points, times).joints - a).max() > 1e-3


def test_inference_mode_and_terms(tmp_path):
    points = checkpoint(tmp_path)
    lifter = LIFTERS["temporal"].open(tmp_path / "w.safetensors", "cpu", False)
    assert lifter.info.licence == "CC0-1.0"
    assert lifter.info.needs == COCO17.names
    assert lifter.info.gives_up
    assert lifter.info.sha256 == points.sha256
    model = build_model(points)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_device(tmp_path):
    with pytest.raises(UserError, match="must be one of auto, cpu, cuda, not gpu"):
        TemporalLifter(checkpoint(tmp_path), "gpu")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="no CUDA GPU"):
            TemporalLifter(checkpoint(tmp_path), "cuda")


def test_run_in_chunks_equals_the_network(tmp_path):
    points = checkpoint(tmp_path, person=False)
    model = build_model(points)
    inputs = torch.randn(50, 17, 2)
    inner = run_in_chunks(FoldedModel(model), inputs, model.architecture.padding, 16, torch.device("cpu"))[13:-13]
    torch.testing.assert_close(inner.unflatten(1, (-1, 3)), model(inputs[None])[0], rtol=0, atol=1e-5)
    assert replace(points.architecture, causal=True).padding == (26, 0)


def told_checkpoint(tmp_path, causal=False):
    """Random weights that tell errors, and the root beside up, with a calibration from 1 to 0."""
    torch.manual_seed(0)
    outputs = (*TAKE.names, "up", "root")
    architecture = Architecture(
        17, 3, len(outputs), (3, 3, 3), causal, channels=32, direct=True, error_outputs=len(TAKE)
    )
    model = TemporalModel(architecture)
    torch.nn.init.normal_(model.direct.weight, std=0.05)
    sidecar = replace(
        checkpoint(tmp_path, causal=causal).sidecar,
        joints_out=outputs,
        sha256="",
        confidence_knots=(-1.0, 0.0, 1.0),
        confidence_values=(0.9, 0.5, 0.1),
    )
    save_checkpoint(tmp_path / "told.safetensors", model, sidecar)
    return load_checkpoint(tmp_path / "told.safetensors")


@pytest.mark.parametrize("flip", [False, True])
def test_confidence_is_what_the_network_tells_and_less_in_a_gap(tmp_path, flip):
    points = told_checkpoint(tmp_path)
    lifter = TemporalLifter(points, "cpu", flip)
    assert lifter.info.gives == TAKE.names
    times = np.arange(60) / 30
    seen = track(times)
    lifted = lift(lifter, seen, times)
    assert 0.1 <= lifted.confidence.min() < lifted.confidence.max() <= 0.9
    seen[20:40] = (np.nan, np.nan, 0)
    gap = lift(lifter, seen, times).confidence
    assert (gap[28:32] < 0.5 * gap[:15].mean()).all()
    assert (gap[:15] >= 0.1).all()


def test_a_joint_on_the_other_side_is_told_the_error_of_its_mirror_image(tmp_path):
    lifter = TemporalLifter(told_checkpoint(tmp_path), "cpu", flip=True)
    times = np.arange(40) / 30
    points = track(times)
    mirrored = points[:, COCO17.mirror].copy()
    mirrored[..., 0] = 2 * CAMERA[0, 2] - mirrored[..., 0]
    one, other = (lift(lifter, each, times).confidence for each in (points, mirrored))
    np.testing.assert_allclose(one, other[:, TAKE.mirror], atol=1e-5)


def test_a_causal_lifter_gives_the_past_the_same_whatever_comes(tmp_path):
    lifter = TemporalLifter(told_checkpoint(tmp_path, causal=True), "cpu")
    times = np.arange(80) / 30
    points = track(times)
    changed = points.copy()
    changed[50:, :, :2] += 40
    one, other = (lift(lifter, each, times).joints for each in (points, changed))
    np.testing.assert_allclose(one[:50], other[:50], atol=1e-9)
    assert np.abs(one[50:] - other[50:]).max() > 1e-3


def walking(frames):
    """(F, 3) metres in camera axes: a pelvis that comes nearer and crosses the picture."""
    along = np.linspace(0, 1, frames)
    return np.stack([-1 + 2 * along, 0.3 * np.ones(frames), 6 - 2.5 * along], axis=-1)


class Knowing(TemporalLifter):
    """A lifter whose network knows the truth, and says of the mirror image what would be true there."""

    root: torch.Tensor

    def _lift(self, x):
        out = torch.zeros(len(x), len(self._outputs), 3)
        out[:, self._outputs.index("root")] = self.root
        out[:, self._outputs.index("up"), 1] = -1
        if self.mirrored:
            out[..., 0] *= -1
        self.mirrored = not self.mirrored
        return out, torch.zeros(len(x), len(TAKE))

    mirrored = False


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("guess", [1.0, 1.3])
def test_the_root_is_where_the_pelvis_is_through_the_lens_that_the_lifter_is_told(tmp_path, flip, guess):
    """`guess`: a focal length told so many times too long shows the same picture of somebody so much further away."""
    times = np.arange(50) / 30
    path = walking(50)
    points = track(times)
    points[..., :2] = 1000 * (points[..., :2] - 360) / 2500 + 1000 * (path[:, :2] / path[:, 2:])[:, None] + (640, 360)
    told = CAMERA * np.array([[guess, 1, 1], [1, guess, 1], [1, 1, 1]])
    followed = person(torch.from_numpy(points).float()[None], torch.from_numpy(told).float()[None], 30.0)
    seen = (followed.rotation[0].double() @ torch.from_numpy(path * (1, 1, guess))[..., None])[..., 0]
    depth, size = seen[:, 2], followed.size[0].double()
    lifter = Knowing(told_checkpoint(tmp_path), "cpu", flip)
    lifter.root = torch.cat([seen[:, :2] / (depth * size)[:, None], torch.log(depth * size)[:, None]], 1).float()
    lifted = lifter.lift(points, COCO17.names, times, told, SIZE)
    np.testing.assert_allclose(lifted.root, path * (1, 1, guess), atol=2e-5)


def test_the_root_of_a_mirrored_picture_is_the_mirrored_root(tmp_path):
    lifter = TemporalLifter(told_checkpoint(tmp_path), "cpu", flip=True)
    times = np.arange(40) / 30
    points = track(times, x=900)
    mirrored = points[:, COCO17.mirror].copy()
    mirrored[..., 0] = 2 * CAMERA[0, 2] - mirrored[..., 0]
    one, other = (lift(lifter, each, times).root for each in (points, mirrored))
    np.testing.assert_allclose(one, other * (-1, 1, 1), atol=1e-5)
    assert (one[:, 2] > 0).all()


def test_the_root_is_missing_where_the_joints_are_and_of_lifters_that_do_not_know_it(tmp_path):
    times = np.arange(200) / 30
    points = track(times)
    points[80:160] = [np.nan, np.nan, 0]
    lifted = lift(TemporalLifter(told_checkpoint(tmp_path), "cpu"), points, times)
    assert np.isnan(lifted.root[110:130]).all()
    assert np.isfinite(lifted.root[:60]).all()
    assert lift(TemporalLifter(told_checkpoint(tmp_path), "cpu"), points[80:160], times[80:160]).root.shape == (80, 3)
    assert lift(TemporalLifter(checkpoint(tmp_path), "cpu"), points, times).root is None
    assert lift(TemporalLifter(checkpoint(tmp_path), "cpu"), points[80:160], times[80:160]).root is None
