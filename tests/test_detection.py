# SPDX-License-Identifier: GPL-3.0-or-later
"""Real detection on real footage, other joint names, and `observe` as a whole. Where is looked: `test_looks.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.detection.base import Candidates, candidates_from_instances, create_detector, person_boxes
from video_mocap.backend.detection.convert import joint_set_of
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.footage import FootageInfo, Frame, probe, read_frames
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.observe import observe
from video_mocap.backend.progress import Progress, Step
from video_mocap.rigging.joints import COCO17, KEYPOINTS

FOOTAGE = Path(__file__).resolve().parents[2] / "shared" / "footage"
needs_footage = pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the development footage is not here")


def first_frames(name: str, count: int) -> tuple[FootageInfo, list[Frame]]:
    path = FOOTAGE / name
    return probe(path), list(islice(read_frames(path), count))


@needs_footage
def test_observing_a_person_agrees_with_the_truth_and_with_itself() -> None:
    info, frames = first_frames("cam04.mp4", 8)
    found = []
    for _ in range(2):
        detector = create_detector("mediapipe", 2)
        found.append(observe(frames, info, detector))
        detector.close()
    np.testing.assert_array_equal(found[0].keypoints, found[1].keypoints)

    with np.load(FOOTAGE / "truth_single_refined.npz") as truth:
        joints = truth["joints_world"][0, 1:8].astype(float)
        names = [str(name).lower() for name in truth["joint_names"]]
        world_to_camera, intrinsics = truth["world_to_camera"][3], truth["intrinsics"][3]
    camera = (
        joints @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    )  # distortion moves a point by 2 px at most here
    pixels = (camera @ intrinsics.T)[..., :2] / camera[..., 2:]
    height = np.ptp(pixels[..., 1], axis=1).mean()
    for name in ("left_shoulder", "right_wrist", "left_hip", "right_knee", "left_ankle"):
        error = found[0].keypoints[0, 1:, KEYPOINTS.index(name), :2] - pixels[:, names.index(name)]
        assert np.linalg.norm(error, axis=-1).mean() < 0.04 * height, name


@needs_footage
def test_two_small_people_are_found() -> None:
    info, frames = first_frames("intel_two_walking.mp4", 12)
    detector = create_detector("mediapipe", 4)
    keypoints = observe(frames, info, detector)
    detector.close()
    assert keypoints.person_ids.tolist() == [1, 2]
    assert (keypoints.keypoints[..., 2] > 0).any(-1).mean() > 0.9


@pytest.mark.parametrize(("height", "width"), [(8, 8), (600, 8), (4320, 7680)])
def test_frames_of_any_size_are_looked_at(height: int, width: int) -> None:
    detector = create_detector("mediapipe", 1)
    assert len(detector.detect(np.zeros((height, width, 3), np.uint8), 0.0)) == 0
    detector.close()


def test_an_unknown_detector_is_said_in_one_sentence() -> None:
    with pytest.raises(UserError, match="choose one of: mediapipe"):
        create_detector("nothing", 1)


def test_the_joint_set_of_a_detector_has_known_parents() -> None:
    assert joint_set_of(COCO17.names) is COCO17
    joints = joint_set_of(("left_hip", "left_knee", "tail"))
    assert joints.parents == (-1, 0, -1)


class _Scripted:
    """A detector that finds one person in the frames it is told."""

    names = COCO17.names
    source: dict[str, object] = {"name": "scripted"}  # noqa: RUF012

    def __init__(self, seen: set[int]) -> None:
        self._seen = seen

    def detect(self, image: np.ndarray, time_s: float) -> Candidates:
        del image
        person = np.random.default_rng(3).uniform(10, 40, (1, 17, 3))
        person[..., 2] = 0.9
        return candidates_from_instances(person[: round(time_s * 10) in self._seen])

    def close(self) -> None: ...


def _clip(count: int) -> tuple[FootageInfo, Iterator[Frame]]:
    info = FootageInfo(Path("clip.mp4"), 64, 48, 10.0, count, count / 10, "video", "h264")
    return info, (Frame(row, row / 10, np.zeros((48, 64, 3), np.uint8)) for row in range(count))


def _observe(count: int, seen: set[int], progress: Progress | None = None) -> Keypoints:
    info, frames = _clip(count)
    return observe(frames, info, _Scripted(seen), progress=progress, total=info.expected_frames())


def test_observe_reports_every_frame_and_leaves_missing_joints_missing() -> None:
    steps: list[Step] = []
    keypoints = _observe(12, set(range(12)), Progress(report=steps.append))
    assert steps == [Step("detection", row, 12) for row in range(1, 13)]
    assert keypoints.keypoint_names == KEYPOINTS.names
    assert np.isnan(keypoints.keypoints[:, :, 17:, :2]).all()
    assert np.isfinite(keypoints.keypoints[:, :, :17]).all()


def test_nobody_and_somebody_for_too_short_are_said_in_one_sentence() -> None:
    with pytest.raises(UserError, match=r"^no person was found in clip\.mp4$"):
        _observe(20, set())
    with pytest.raises(UserError, match="somebody in 3 of 20 frames"):
        _observe(20, {4, 5, 6})
    with pytest.raises(UserError, match="no frames"):
        _observe(0, set())


def test_one_frame_is_observed() -> None:
    assert _observe(1, {0}).keypoints.shape == (1, 1, 23, 3)


class _ScriptedInBatches(_Scripted):
    """The same, four pictures at a time."""

    batch = 4

    def __init__(self, seen: set[int]) -> None:
        super().__init__(seen)
        self.sizes: list[int] = []

    def detect_many(self, images: Sequence[np.ndarray], times_s: Sequence[float]) -> list[Candidates]:
        self.sizes.append(len(images))
        return [self.detect(image, time_s) for image, time_s in zip(images, times_s, strict=True)]


def test_a_detector_may_look_at_several_pictures_at_once() -> None:
    steps: list[Step] = []
    info, frames = _clip(10)
    detector = _ScriptedInBatches({0, 1, 2, 3, 7, 8, 9})
    keypoints = observe(frames, info, detector, progress=Progress(report=steps.append), total=10)
    assert detector.sizes == [4, 4, 2]
    assert steps == [Step("detection", row, 10) for row in range(1, 11)]
    np.testing.assert_array_equal(keypoints.keypoints, _observe(10, {0, 1, 2, 3, 7, 8, 9}).keypoints)


def test_cancelling_stops_between_frames() -> None:
    steps: list[Step] = []
    with pytest.raises(Cancelled):
        _observe(12, {0, 1}, Progress(steps.append, lambda: len(steps) == 3))
    assert len(steps) == 3


def test_boxes_of_people_leave_out_what_is_hardly_seen() -> None:
    person = np.array([[10, 20, 0.9], [30, 60, 0.8], [500, 500, 0.01], [np.nan, np.nan, 0]])
    assert person_boxes(person).tolist() == [10, 20, 30, 60]
    assert np.isnan(person_boxes(np.zeros((4, 3)))).all()
