# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a take: each number on takes with a known fault, and in words."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_mocap.backend import cli, pipeline
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.commands import capture
from video_mocap.backend.commands import report as report_command
from video_mocap.backend.commands.console import Console
from video_mocap.backend.tracking import gaps
from video_mocap.rigging import people
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.report import picture
from video_mocap.rigging.report.measure import report, report_of, with_report
from video_mocap.rigging.report.words import guess_lines, report_lines, verdict
from video_mocap.rigging.take import Take, read_take

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, take_of, walk

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
SEEN = tuple(name for name in TAKE.names if name.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle")))


def seen_take(joints: np.ndarray | None = None, fps: float = 30.0) -> Take:
    """One person of whom a detector gave 12 joints where they are. joints: (F, 26, 3); a walk without."""
    joints = walk(90, fps) if joints is None else joints
    take = take_of(joints[None], fps)
    rows = [TAKE.index(name) for name in SEEN]
    pixels = project(to_camera(joints[:, rows], take.world_to_camera), take.intrinsics)
    keypoints = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 0.9)], -1)[None]
    return replace(take, keypoint_names=SEEN, keypoints=keypoints)


def of_person(take: Take) -> dict[str, Any]:
    return report(take)["persons"]["1"]


def moved(take: Take, by: np.ndarray) -> Take:
    return replace(take, joints=take.joints + by)


def test_nothing_is_wrong_with_a_walk_that_is_right() -> None:
    found = of_person(seen_take())
    assert (found["seen"], found["filled"], found["missing"]) == (90, 0, 0)
    assert found["reprojection_95_px"] < 0.01
    assert found["bone_variation_percent"] == 0
    assert found["jitter_ratio"] < 2
    assert found["stretches"] == []
    assert verdict(found | {"below_floor_99_mm": 0.0})[1]


def test_reprojection_is_in_pixels_and_of_the_height_and_weighted() -> None:
    take = seen_take()
    keypoints = take.keypoints.copy()
    keypoints[..., 0] += 6
    off = of_person(replace(take, keypoints=keypoints))
    assert off["reprojection_median_px"] == pytest.approx(6, abs=0.02)
    depth = to_camera(take.joints[0], take.world_to_camera)[..., 2].mean()
    assert off["reprojection_median_percent"] == pytest.approx(100 * 6 / (1080 * 1.75 / depth), rel=0.1)
    # What the detector hardly believed says little; what was filled in, nothing.
    keypoints[:, :, :8, 0] += 300
    keypoints[:, :, :8, 2] = 0.01
    assert of_person(replace(take, keypoints=keypoints))["reprojection_95_px"] == pytest.approx(6, abs=0.02)


def test_bones_that_breathe_are_measured() -> None:
    take = seen_take()
    wave = 1 + 0.05 * np.sqrt(2) * np.sin(2 * np.pi * np.arange(90) / 30)
    found = of_person(replace(take, joints=take.joints * wave[:, None, None]))
    assert found["bone_variation_percent"] == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_jitter_is_a_length_at_any_rate(fps: float) -> None:
    frames = round(4 * fps)
    still = np.repeat(walk(frames, fps)[:1], frames, 0)
    # 10 Hz, which nobody does with the whole body: 2 mm of amplitude are 1.41 mm root mean square along one axis.
    shake = 0.002 * np.sin(2 * np.pi * 10 * np.arange(frames) / fps)
    found = of_person(seen_take(still + shake[:, None, None] * [1.0, 0, 0], fps))
    assert 1.0 < found["jitter_mm"] < 1.9
    assert found["jitter_ratio"] > 2
    assert of_person(seen_take(still, fps))["jitter_mm"] == 0
    assert "shakes" in verdict(found)[0]


def test_slow_footage_says_nothing_of_jitter() -> None:
    found = of_person(seen_take(walk(30, 10.0), 10.0))
    assert found["jitter_mm"] is None
    assert report_lines(report(seen_take(walk(30, 10.0), 10.0)), {})


def test_the_motion_library_shakes_as_people_do() -> None:
    joints, fps = library_clip("cmu_135_04")
    found = of_person(take_of(joints[None], fps))
    assert 0.4 < found["jitter_ratio"] < 2
    noise = np.random.default_rng(0).normal(0, 0.01, joints.shape)
    assert of_person(take_of((joints + noise)[None], fps))["jitter_ratio"] > 4


def test_feet_that_stand_and_slide() -> None:
    still = np.repeat(walk(60, 30.0)[:1], 60, 0)
    slide = np.arange(60)[:, None, None] / 30 * [0.06, 0.08, 0.0]
    take = seen_take(still + slide)
    assert of_person(take)["foot_slide_mm_s"] is None
    contacts = take.contacts.copy()
    contacts[0, :30, 0] = 0.9
    found = of_person(replace(take, contacts=contacts))
    assert found["foot_slide_mm_s"] == pytest.approx(100, abs=0.5)
    assert found["standing_seconds"] == pytest.approx(28 / 30, abs=0.05)
    # A lifter without heels: the ankle stands.
    joints = take.joints.copy()
    joints[:, :, TAKE.index("left_heel")] = np.nan
    unsure = take.joints_confidence * np.isfinite(joints).all(-1)
    without = replace(take, contacts=contacts, joints=joints, joints_confidence=unsure)
    assert of_person(without)["foot_slide_mm_s"] == pytest.approx(100, abs=0.5)


def test_what_lies_below_the_floor() -> None:
    take = seen_take()
    lowest = take.joints[..., 2].min(-1, keepdims=True)[..., None]
    on_floor = moved(take, -lowest * [0, 0, 1.0])
    assert of_person(on_floor)["below_floor_99_mm"] < 0.1
    sunk = np.where(np.arange(90) < 45, -0.05, 0.0)[:, None, None] * [0, 0, 1.0]
    found = of_person(moved(on_floor, sunk))
    assert found["below_floor_99_mm"] == pytest.approx(50, abs=0.1)
    assert found["below_floor_percent"] == 50


def test_frames_seen_filled_and_missing() -> None:
    take = seen_take()
    take.joints[0, 40:50], take.joints_confidence[0, 40:50] = np.nan, 0
    take.joints[0, 80:], take.joints_confidence[0, 80:] = np.nan, 0
    keypoints = take.keypoints.copy()
    keypoints[0, 20:26, :, 2] = gaps.FILLED
    keypoints[0, 40:50] = keypoints[0, 80:] = (np.nan, np.nan, 0)
    found = of_person(replace(take, keypoints=keypoints))
    assert (found["seen"], found["filled"], found["missing"]) == (64, 6, 10)
    assert (found["start"], found["end"]) == (0, pytest.approx(79 / 30, abs=0.001))
    assert [each["why"] for each in found["stretches"]] == ["unseen", "unseen"]
    assert found["stretches"][1]["start"] == pytest.approx(40 / 30, abs=0.1)
    assert found["stretches"][1]["end"] == pytest.approx(49 / 30, abs=0.1)


def test_filled_means_the_same_on_both_sides() -> None:
    assert picture.FILLED == gaps.FILLED


def test_the_worst_stretches_are_found_with_reason_and_part() -> None:
    steps = walk(300, 30.0)
    take = seen_take(steps - steps[:, :1] * [1, 1, 0])
    keypoints, confidence = take.keypoints.copy(), take.joints_confidence.copy()
    arm = [SEEN.index("left_wrist"), SEEN.index("left_elbow")]
    keypoints[0, 60:90, arm, 0] += 150
    legs = [TAKE.index(f"right_{part}") for part in ("knee", "ankle", "heel", "toe")]
    confidence[0, 200:230] = 0.3
    confidence[0, 200:230, legs] = 0.0
    found = of_person(replace(take, keypoints=keypoints, joints_confidence=confidence))["stretches"]
    assert [(each["why"], each["parts"][0]) for each in found] == [
        ("picture", "left arm"),
        ("confidence", "right foot"),
    ]
    assert found[0]["start"] == pytest.approx(2, abs=0.15)
    assert found[0]["end"] == pytest.approx(3, abs=0.15)
    assert found[1]["start"] == pytest.approx(200 / 30, abs=0.15)
    text, well = verdict(of_person(replace(take, keypoints=keypoints, joints_confidence=confidence)))
    assert not well
    assert "2.0-3.0 s (left arm off the picture)" in text


def test_who_may_be_nobody_is_said_to_be() -> None:
    take = seen_take(walk(120, 30.0))
    keypoints = take.keypoints.copy()
    keypoints[..., :2] += np.random.default_rng(0).normal(0, 60, keypoints[..., :2].shape)
    scattered = replace(take, keypoints=keypoints)
    assert "off the picture" in verdict(of_person(scattered))[0]
    assert "nobody" not in verdict(of_person(scattered))[0], "the capture is sure of them"
    unsure = replace(scattered, joints_confidence=0.3 * take.joints_confidence)
    assert "may be nobody" in verdict(of_person(unsure))[0]


def test_what_was_guessed_is_said_with_what_to_do() -> None:
    take = seen_take()
    stages = {
        "world": {
            "name": "lifted up and standing feet",
            "level": {"source": "vanishing points", "certainty": "about 2 degrees"},
        }
    }
    take.metadata.update(focal_length="assumed", options={"height": None}, stages=stages)
    found = report(take)
    assert found["guessed"] == ["focal_length", "scale"]
    assert found["world"]["level"] == {"source": "vanishing points", "certainty": "about 2 degrees"}
    lines = "\n".join(guess_lines(found))
    assert "focal length 1100 px, 60 degrees wide: assumed; give it" in lines
    assert "level: vanishing points (about 2 degrees)" in lines
    assert "camera: still" in lines
    take.metadata["camera_motion"] = "unknown"
    assert "camera: taken as still, the background does not say" in guess_lines(report(take))
    take.metadata.update(focal_length="field of view given", options={"height": 1.8})
    assert report(take)["guessed"] == []
    moving = np.repeat(take.world_to_camera, 90, 0)
    moving[:, 0, 3] += np.linspace(0, 1, 90)
    assert report(replace(take, world_to_camera=moving))["camera"]["moving"]


def test_a_take_without_anything_has_a_report() -> None:
    short = seen_take(walk(3, 30.0))
    nobody = replace(short, joints=np.full((1, 3, 26, 3), np.nan), joints_confidence=np.zeros((1, 3, 26)))
    single = seen_take(walk(1, 30.0))
    for take in (short, nobody, single, replace(short, metadata={"stages": 3, "options": [], "focal_length": 7})):
        found = json.loads(json.dumps(report(take), allow_nan=False))
        assert report_lines(found, {})
    assert not verdict(report(nobody)["persons"]["1"])[1]


def test_a_capture_brings_its_report_and_people_who_change_lose_it(tmp_path: Path) -> None:
    take = with_report(read_take(SAMPLE / "sample_truth.take.npz"))
    pipeline.write_take(tmp_path / "a.take.npz", take)
    again = read_take(tmp_path / "a.take.npz")
    assert again.metadata["report"] == report_of(take) == report(take)
    two = people.split_person(again, 1, 2.0)
    assert "report" not in two.metadata
    assert set(report_of(two)["persons"]) == {"1", "2"}
    assert "report" not in people.swap_persons(with_report(two), 1, 2).metadata
    # A report of other people than there are is not believed.
    assert set(report_of(replace(two, metadata=again.metadata))["persons"]) == {"1", "2"}


def test_the_sample_is_good() -> None:
    found = of_person(read_take(SAMPLE / "sample_truth.take.npz"))
    assert verdict(found) == ("good", True)
    assert found["reprojection_95_px"] < 0.05


def test_captures_tell_it_in_words_and_as_json() -> None:
    take = with_report(read_take(SAMPLE / "sample_truth.take.npz"))
    take.metadata["persons"] = {"1": "Anna"}
    summary = capture.summarise(take, Console(), 1.0)
    assert json.loads(json.dumps(summary, allow_nan=False))["take_report"]["persons"]["1"]["seen"] == 150
    lines = capture.describe(summary, report_command.lines(take), ["a.take.npz"])
    assert lines[0] == "Anna: good"
    assert lines[-1] == "wrote a.take.npz"


def test_the_command_tells_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["report", str(SAMPLE / "sample_truth.take.npz")]) == 0
    assert "Person 1: good" in capsys.readouterr().out
    assert cli.main(["report", str(SAMPLE / "sample_truth.take.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["persons"]["1"]["seen"] == 150
    (tmp_path / "no.take.npz").write_bytes(b"no take")
    assert cli.main(["report", str(tmp_path / "no.take.npz")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert cli.main(["report", str(tmp_path / "none.take.npz")]) == 1
    assert cli.main(["report"]) == 2
