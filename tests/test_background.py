# SPDX-License-Identifier: GPL-3.0-or-later
"""The background says how the camera turned: made rooms by cameras whose turns are known, and real footage."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.background.movement import BackgroundMotion
from video_mocap.backend.background.tracker import BackgroundTracker
from video_mocap.backend.background.turning import misfits, motion_of, rotations, turning_focal
from video_mocap.backend.footage import probe, read_frames
from video_mocap.backend.keypoints import Keypoints, keypoints_arrays, keypoints_from_arrays
from video_mocap.rigging.take import FileFormatError

sys.path.insert(0, str(Path(__file__).parent))
from panning import angle_between, panorama, pictures, turned

FOOTAGE = Path(__file__).resolve().parents[2] / "shared" / "footage"
SIZE, FOCAL = (640, 360), 600.0
K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])


@pytest.fixture(scope="module")
def room() -> np.ndarray:
    return panorama()


def followed(room: np.ndarray, turns: np.ndarray, **more) -> BackgroundMotion:
    tracker = BackgroundTracker()
    for image, people in pictures(room, turns, FOCAL, SIZE, **more):
        tracker.update(image, people)
    return tracker.finish()


def swing(frames: int, degrees: float) -> np.ndarray:
    """A pan to the right and back, a little up and down on the way."""
    phase = np.linspace(0, np.pi, frames)
    return turned(degrees * np.sin(phase), 3 * np.sin(2 * phase), np.zeros(frames))


def test_a_camera_that_rests_is_seen_to_rest_in_spite_of_noise_and_of_somebody_who_walks(room) -> None:
    motion = followed(room, turned(*np.zeros((3, 30))), noise=10.0)
    assert motion.moved(SIZE) is False
    assert motion.shifts().max() < 0.3  # pixels


def test_a_pan_out_of_the_first_picture_and_back_is_measured_and_comes_back(room) -> None:
    turns = swing(40, 70.0)
    motion = followed(room, turns)
    assert motion.moved(SIZE) is True
    assert len(set(motion.references.tolist())) > 2
    wrong = angle_between(rotations(motion, K), turns)
    assert wrong.max() < 0.15
    assert wrong[-1] < 0.03  # the first key frame was found again


def test_shaking_by_hand_is_measured(room) -> None:
    times = np.arange(24) / 30
    turns = turned(np.sin(9 * times), 0.6 * np.sin(13 * times), 0.4 * np.sin(7 * times))
    motion = followed(room, turns)
    assert motion.moved(SIZE) is True
    assert angle_between(rotations(motion, K), turns).max() < 0.03


def test_turning_tells_the_focal_length_and_resting_does_not(room) -> None:
    found = turning_focal(followed(room, swing(24, 25.0)), SIZE)
    assert found is not None
    assert found.pixels == pytest.approx(FOCAL, rel=0.03)
    assert 0.01 < found.uncertainty < 0.06
    assert turning_focal(followed(room, turned(*np.zeros((3, 6)))), SIZE) is None
    roll = turned(np.zeros(12), np.zeros(12), np.linspace(0, 20, 12))
    assert turning_focal(motion_of(roll, K, SIZE), SIZE) is None  # about its axis any lens looks alike


def test_exact_turns_come_back_and_fit_only_their_own_lens() -> None:
    turns = swing(40, 120.0)
    motion = motion_of(turns, K, SIZE)
    assert angle_between(rotations(motion, K), turns).max() < 1e-4
    assert misfits(motion, K).max() < 1e-6
    assert misfits(motion, K * [[1.5, 1, 1], [1, 1.5, 1], [1, 1, 1]]).max() > 0.05


def test_frames_that_show_no_background_lie_between_their_neighbours(room) -> None:
    turns = turned(np.linspace(0, 12, 13), np.zeros(13), np.zeros(13))
    tracker = BackgroundTracker()
    for row, (image, people) in enumerate(pictures(room, turns, FOCAL, SIZE)):
        tracker.update(np.full_like(image, 90) if row in (5, 6) else image, people)
    motion = tracker.finish()
    assert (motion.quality[[5, 6]] == 0).all()
    assert angle_between(rotations(motion, K), turns).max() < 0.1


def test_walls_without_anything_on_them_say_nothing() -> None:
    tracker = BackgroundTracker()
    for _ in range(8):
        tracker.update(np.full((90, 160, 3), 120, np.uint8), np.full((1, 4), np.nan))
    assert tracker.finish().moved((160, 90)) is None


@pytest.mark.parametrize("name", ["intel_store_aisle.mp4", "pose_1.mp4"])
def test_real_footage_from_a_tripod_rests(name: str) -> None:
    if not (FOOTAGE / name).exists():
        pytest.skip("the footage is not on this machine")
    tracker, info = BackgroundTracker(), probe(FOOTAGE / name)
    for frame in read_frames(FOOTAGE / name):
        tracker.update(frame.image, np.zeros((0, 4)))  # nobody even says where the people are
    assert tracker.finish().moved((info.width, info.height)) is False


def test_keypoints_files_carry_it_and_do_without_it() -> None:
    motion = motion_of(swing(5, 10.0), K, SIZE)
    points = np.zeros((1, 5, 1, 3), np.float32)
    keypoints = Keypoints(30.0, np.arange(5) / 30, SIZE, ("nose",), np.array([1]), points, background=motion)
    arrays = keypoints_arrays(keypoints)
    again = keypoints_from_arrays(arrays, "x").background
    assert again is not None
    np.testing.assert_allclose(again.homographies, motion.homographies)
    without = {name: value for name, value in arrays.items() if not name.startswith("background")}
    assert keypoints_from_arrays(without, "x").background is None
    with pytest.raises(FileFormatError, match="lacks background_quality"):
        keypoints_from_arrays({k: v for k, v in arrays.items() if k != "background_quality"}, "x")
    with pytest.raises(FileFormatError, match="an earlier frame"):
        replace(motion, references=np.arange(5) + 1)
