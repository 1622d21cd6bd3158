# SPDX-License-Identifier: GPL-3.0-or-later
"""From the sample's video to a take, against the truth that ships with it; and keypoints files that are not so kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.evaluation.evaluate import evaluate
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.pipeline import CaptureOptions, capture, detect, lift
from video_mocap.backend.progress import Progress, Step
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from video_mocap.rigging.report.measure import report
from video_mocap.rigging.take import Take, read_take, take_arrays

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
TRUTH = SAMPLE / "sample_truth.take.npz"


@pytest.fixture(scope="module")
def seen() -> Keypoints:
    """What the detector sees in the sample."""
    return detect(SAMPLE / "sample.mp4", CaptureOptions())


@pytest.fixture(scope="module")
def take(seen: Keypoints) -> Take:
    return lift(seen, CaptureOptions())


def true_keypoints() -> Keypoints:
    truth = read_take(TRUTH)
    return Keypoints(
        truth.fps,
        truth.times,
        (int(truth.image_size[0]), int(truth.image_size[1])),
        truth.keypoint_names,
        truth.person_ids,
        truth.keypoints.astype(np.float64),
        truth.intrinsics,
    )


def test_the_sample_is_captured_well(take: Take) -> None:
    scores = evaluate(take, TRUTH)["persons"][0]
    assert scores["coverage"] == 1.0
    assert scores["p_mpjpe_mm"] < 120
    assert scores["gravity_tilt_degrees"] < 10
    assert scores["jitter_ratio"] < 1
    assert scores["bone_cv_percent"] < 0.5
    assert scores["foot_sliding_mm_s"] < 50


def test_people_stand_on_the_floor_before_the_camera(take: Take) -> None:
    joints = take.joints[0]
    row = TAKE.index
    standing = take.contacts[0] > 0.5
    feet = joints[:, [row(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")], 2]
    assert standing.any(axis=1).mean() > 0.5
    assert np.abs(feet[standing]).max() < 0.12
    assert (joints[:, row("head_top"), 2] > joints[:, row("pelvis"), 2]).all()
    height = np.percentile(joints[:, row("head_top"), 2], 99)
    assert 1.3 < height < 1.9
    camera = np.linalg.inv(take.world_to_camera[0])[:3, 3]
    assert camera[1] < -1
    assert 0.3 < camera[2] < 3


def test_the_take_lies_on_the_keypoints(take: Take) -> None:
    pixels = project(to_camera(take.joints[0].astype(float), take.world_to_camera), take.intrinsics)
    height = np.ptp(take.keypoints[0, ..., 1], axis=1).mean()
    for name in ("left_knee", "right_knee", "left_wrist", "right_wrist", "left_shoulder"):
        seen = take.keypoints[0, :, take.keypoint_names.index(name)]
        error = np.linalg.norm(pixels[:, TAKE.index(name)] - seen[:, :2], axis=-1)
        assert np.median(error) < 0.04 * height, name


def test_the_same_capture_gives_the_same_take(seen: Keypoints, take: Take) -> None:
    again = take_arrays(lift(seen, CaptureOptions()))
    for key, value in take_arrays(take).items():
        np.testing.assert_array_equal(value, again[key], err_msg=key)


def test_a_part_keeps_the_time_of_the_footage() -> None:
    part = capture(SAMPLE / "sample.mp4", CaptureOptions(start=1.0, end=1.5))
    assert len(part.times) == 15
    assert part.times[0] == pytest.approx(1.0, abs=0.01)
    assert part.metadata["footage"] == "sample.mp4"


def test_provenance(take: Take) -> None:
    stages = take.metadata["stages"]
    assert stages["detection"]["name"] == "mediapipe"
    assert stages["lifting"]["licence"] == "CC BY 4.0"
    assert len(stages["lifting"]["sha256"]) == 64
    assert any("focal length is assumed" in warning for warning in take.metadata["warnings"])


def test_a_capture_reports_itself(take: Take) -> None:
    assert take.metadata["report"] == report(take)
    assert take.metadata["report"]["persons"]["1"]["seen"] == len(take.times)
    assert "focal_length" in take.metadata["report"]["guessed"]
    world = take.metadata["report"]["world"]
    assert world["level"]["certainty"].endswith("degrees")
    assert world["scale"]["certainty"].endswith("%")


def test_intrinsics_of_the_file_win_over_a_guess_and_lose_to_the_user() -> None:
    keypoints = true_keypoints()
    few = replace(keypoints, times=keypoints.times[:20], keypoints=keypoints.keypoints[:, :20])
    assert lift(few, CaptureOptions()).intrinsics[0, 0] == pytest.approx(740)
    assert lift(few, CaptureOptions(focal_length=900)).intrinsics[0, 0] == 900


def test_coco17_alone_gives_feet_and_hands() -> None:
    keypoints = true_keypoints()
    coco = replace(keypoints, keypoint_names=KEYPOINTS.names[:17], keypoints=keypoints.keypoints[:, :, :17])
    assert keypoints.keypoint_names == KEYPOINTS.names
    assert np.isfinite(lift(coco, CaptureOptions()).joints).all()


def test_a_long_gap_stays_a_gap_and_both_sides_are_captured() -> None:
    keypoints = true_keypoints()
    points = keypoints.keypoints.copy()
    points[:, 50:100] = (np.nan, np.nan, 0)
    take = lift(replace(keypoints, keypoints=points), CaptureOptions())
    assert np.isnan(take.joints[0, 70:80]).all()
    assert (take.joints_confidence[0, 70:80] == 0).all()
    assert np.isfinite(take.joints[0, :45]).all()
    assert np.isfinite(take.joints[0, 105:]).all()


def test_two_people() -> None:
    keypoints = true_keypoints()
    other = keypoints.keypoints.copy()
    other[..., 0] += 120
    both = replace(keypoints, person_ids=np.array([1, 2]), keypoints=np.concatenate([keypoints.keypoints, other]))
    take = lift(both, CaptureOptions())
    assert take.joints.shape[0] == 2
    assert (take.joints[1, :, 0, 0] > take.joints[0, :, 0, 0]).all()
    lowest = take.joints[..., 2].min(axis=(1, 2))
    assert np.abs(lowest[0] - lowest[1]) < 0.1


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_very_short_clips(frames: int) -> None:
    keypoints = true_keypoints()
    short = replace(keypoints, times=keypoints.times[:frames], keypoints=keypoints.keypoints[:, :frames])
    assert np.isfinite(lift(short, CaptureOptions()).joints).all()


def test_keypoints_that_say_nothing() -> None:
    keypoints = true_keypoints()
    nothing = np.full_like(keypoints.keypoints, np.nan)
    nothing[..., 2] = 0
    with pytest.raises(UserError, match="^nobody was seen"):
        lift(replace(keypoints, keypoints=nothing), CaptureOptions())


def test_missing_weights_are_said_before_detection() -> None:
    steps: list[Step] = []
    with pytest.raises(UserError, match="does not exist"):
        capture(SAMPLE / "sample.mp4", CaptureOptions(lifter="nowhere.safetensors"), Progress(steps.append))
    assert not steps


def test_cancelling_the_lifting() -> None:
    with pytest.raises(Cancelled):
        lift(true_keypoints(), CaptureOptions(), Progress(cancelled=lambda: True))
