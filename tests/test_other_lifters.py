# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifters that give 17 joints and no up, as published ones do: from the file to the armature."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend import cli
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.errors import UserError
from video_mocap.backend.evaluation.evaluate import evaluate
from video_mocap.backend.keypoints import Keypoints, write_keypoints
from video_mocap.backend.pipeline import CaptureOptions, lift, open_lifter
from video_mocap.backend.preview import write_preview
from video_mocap.backend.progress import Progress
from video_mocap.rigging.camera_path import CameraPath, camera_arrays
from video_mocap.rigging.joints import COCO17, H36M17, TAKE
from video_mocap.rigging.take import Take, read_take

sys.path.insert(0, str(Path(__file__).parent))

from lifters import mmpose, random_model, videopose3d, without_feet

TRUTH = Path(__file__).resolve().parents[1] / "sample" / "sample_truth.take.npz"
SAMPLE = TRUTH.with_name("sample.mp4")
GIVEN = np.array([name in H36M17 for name in TAKE.names])


@pytest.fixture(scope="module")
def keypoints() -> Keypoints:
    """What is seen in the sample, without error."""
    truth = read_take(TRUTH)
    size = (int(truth.image_size[0]), int(truth.image_size[1]))
    points = truth.keypoints.astype(np.float32)
    return Keypoints(truth.fps, truth.times, size, truth.keypoint_names, truth.person_ids, points, truth.intrinsics)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_feet(tmp_path_factory.mktemp("weights") / "w.safetensors")


@pytest.fixture(scope="module")
def take(keypoints: Keypoints, weights: Path) -> Take:
    return lift(keypoints, CaptureOptions(lifter=str(weights)))


def part_of(keypoints: Keypoints, frames: int) -> Keypoints:
    return replace(keypoints, times=keypoints.times[:frames], keypoints=keypoints.keypoints[:, :frames])


def test_what_a_lifter_does_not_give_is_missing_and_said(take: Take) -> None:
    assert np.isfinite(take.joints[:, :, GIVEN]).all()
    assert np.isnan(take.joints[:, :, ~GIVEN]).all()
    assert (take.joints_confidence[:, :, ~GIVEN] == 0).all()
    lifting = take.metadata["stages"]["lifting"]
    assert lifting["missing"] == [name for name in TAKE.names if name not in H36M17]
    assert any("does not give left_heel" in warning for warning in take.metadata["warnings"])
    assert any("taken from how people stand" in warning for warning in take.metadata["warnings"])
    assert take.metadata["stages"]["world"]["name"] == "posture and standing feet"


def test_the_rest_is_as_good_as_with_feet(keypoints: Keypoints, take: Take) -> None:
    whole = evaluate(lift(keypoints, CaptureOptions()), TRUTH)["persons"][0]
    scores = evaluate(take, TRUTH)["persons"][0]
    assert scores["coverage"] == 1.0
    assert scores["p_mpjpe_mm"] < 1.1 * whole["p_mpjpe_mm"]
    assert scores["jitter_ratio"] < 1
    assert scores["bone_cv_percent"] < 0.5
    assert scores["gravity_tilt_degrees"] < 12


def test_ankles_say_where_the_floor_is_and_when_feet_stand(take: Take) -> None:
    ankles = take.joints[0][:, [TAKE.index("left_ankle"), TAKE.index("right_ankle")], 2]
    truth = read_take(TRUTH)
    stands = take.contacts[0][:, [0, 2]] > 0.5
    np.testing.assert_array_equal(take.contacts[0][:, 0], take.contacts[0][:, 1])
    assert stands.any(axis=1).mean() > 0.5
    assert np.abs(ankles[stands] - 0.08).max() < 0.12
    agreement = (stands == (truth.contacts[0][:, [0, 2]] > 0.5)).mean()
    assert agreement > 0.6


def test_a_known_camera_measures_people_by_their_ankles(keypoints: Keypoints, weights: Path, tmp_path: Path) -> None:
    truth = read_take(TRUTH)
    camera = CameraPath(truth.times[:1], keypoints.image_size, truth.intrinsics, truth.world_to_camera[:1])
    np.savez(tmp_path / "x.camera.npz", **camera_arrays(camera))
    options = CaptureOptions(camera=str(tmp_path / "x.camera.npz"), lifter=str(weights))
    found = lift(keypoints, options)
    assert np.isnan(found.joints[:, :, ~GIVEN]).all()
    rows = [TAKE.index(name) for name in ("pelvis", "head_top", "left_ankle", "right_ankle")]
    assert np.abs(np.median(found.joints[0][:, rows, 2] - truth.joints[0][:, rows, 2], axis=0)).max() < 0.12
    assert not any("floor" in warning for warning in found.metadata["warnings"])


@pytest.mark.parametrize("widths", [(3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3, 3)])
@pytest.mark.parametrize("write", [videopose3d, mmpose])
def test_published_files_are_lifted_with(keypoints: Keypoints, tmp_path: Path, write, widths) -> None:
    path = write(tmp_path / "x.pth", random_model(widths))
    found = lift(part_of(keypoints, 30), CaptureOptions(lifter=str(path)))
    assert np.isfinite(found.joints[:, :, GIVEN]).all()
    assert found.metadata["stages"]["lifting"]["licence"] == "CC BY-NC 4.0 (assumed)"


def test_a_causal_one_sees_nothing_that_comes_later(keypoints: Keypoints, tmp_path: Path) -> None:
    path = videopose3d(tmp_path / "x.bin", random_model())
    whole = keypoints.keypoints[0]
    changed = whole.copy()
    changed[20:, :, 0] += 50
    times = np.arange(len(whole)) / 50  # as it was trained: nothing is resampled
    for causal, differs in ((False, True), (True, False)):
        path.with_suffix(".json").write_text(json.dumps({"causal": causal}))
        lifter = open_lifter(CaptureOptions(lifter=str(path)))
        a, b = (
            lifter.lift(points, keypoints.keypoint_names, times, keypoints.intrinsics, keypoints.image_size).joints
            for points in (whole, changed)
        )
        assert (np.abs(a - b)[:20].max() > 1e-6) == differs
        assert np.abs(a - b)[20:].max() > 1e-6
        assert ("causal" in lifter.info.weights) == causal


def test_a_take_needs_the_whole_body(tmp_path: Path) -> None:
    path = videopose3d(tmp_path / "x.bin", random_model())
    names = ["middle" if name == "thorax" else name for name in H36M17.names]
    described = {"name": "x", "version": "1", "joints_in": COCO17.names, "joints_out": names, "normalisation": "screen"}
    described |= {"features": 2, "causal": False, "fps": 50, "licence": "CC0-1.0", "trained_on": "nothing"}
    path.with_suffix(".json").write_text(json.dumps(described))
    with pytest.raises(UserError, match="the lifter x 1 does not give thorax, which a take needs"):
        open_lifter(CaptureOptions(lifter=str(path)))


def test_one_frame_one_person_who_lies_and_a_gap(keypoints: Keypoints, weights: Path) -> None:
    options = CaptureOptions(lifter=str(weights))
    assert np.isfinite(lift(part_of(keypoints, 1), options).joints[:, :, GIVEN]).all()
    lying = keypoints.keypoints.copy()
    width, height = keypoints.image_size
    lying[..., :2] = lying[..., [1, 0]] - np.array([height, width]) / 2 + np.array([width, height]) / 2
    assert np.isfinite(lift(replace(keypoints, keypoints=lying), options).joints[:, :, GIVEN]).all()
    gap = keypoints.keypoints.copy()
    gap[:, 50:100] = (np.nan, np.nan, 0)
    found = lift(replace(keypoints, keypoints=gap), options)
    assert np.isnan(found.joints[0, 70:80]).all()
    assert np.isfinite(found.joints[0, :45][:, GIVEN]).all()


def test_a_conversion_of_keypoints_is_said_and_none_is_made_where_none_is_needed(
    keypoints: Keypoints, take: Take, tmp_path: Path
) -> None:
    truth = read_take(TRUTH)
    assert truth.keypoint_names[:17] == COCO17.names
    options = CaptureOptions(lifter=str(videopose3d(tmp_path / "pretrained_h36m_cpn.bin", random_model())))
    found = lift(part_of(keypoints, 10), options)
    assert found.metadata["stages"]["lifting"]["converted"] == ["pelvis", "spine", "thorax", "neck", "head_top"]
    assert any("which are made of other keypoints" in warning for warning in found.metadata["warnings"])
    assert take.metadata["stages"]["lifting"]["converted"] == []
    # A detector that gives Human3.6M's own joints: no face, no feet.
    pixels = project(to_camera(truth.joints[0, :, :17].astype(float), truth.world_to_camera), truth.intrinsics)
    own = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], axis=-1)[None]
    found = lift(part_of(replace(keypoints, keypoint_names=H36M17.names, keypoints=own), 10), options)
    assert np.isfinite(found.joints[:, :, GIVEN]).all()
    assert found.metadata["stages"]["lifting"]["converted"] == []
    assert not any("made of other keypoints" in warning for warning in found.metadata["warnings"])


def test_a_capture_with_a_published_file(tmp_path: Path, capsys) -> None:
    path = videopose3d(tmp_path / "pretrained_h36m_detectron_coco.bin", random_model())
    output = tmp_path / "x.bvh"
    assert cli.main(["capture", str(SAMPLE), "--end", "0.4", "-o", str(output), "--lifter", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert any("does not give left_heel" in warning for warning in said["warnings"])
    assert not any("assumed" in warning and "coco" in warning for warning in said["warnings"])
    assert read_take(said["take"]).metadata["stages"]["lifting"]["licence"] == "CC BY-NC 4.0"
    assert "nan" not in output.read_text()


def test_such_a_take_becomes_an_armature_and_a_preview(
    keypoints: Keypoints, weights: Path, tmp_path: Path, capsys
) -> None:
    few = part_of(keypoints, 20)
    write_keypoints(tmp_path / "x.keypoints.npz", few)
    output = tmp_path / "x.take.npz"
    assert cli.main(["lift", str(tmp_path / "x.keypoints.npz"), "-o", str(output), "--lifter", str(weights)]) == 0
    assert "does not give left_heel" in capsys.readouterr().out
    assert cli.main(["bake", str(output), "-o", str(tmp_path / "x.bvh")]) == 0
    text = (tmp_path / "x.bvh").read_text()
    assert "nan" not in text
    assert "hand.L" in text
    write_preview(tmp_path / "x.mp4", SAMPLE, read_take(output), Progress())
    assert (tmp_path / "x.mp4").stat().st_size > 1000
