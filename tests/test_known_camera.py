# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture that knows its camera: people of the motion library and a walk of sines, filmed by virtual cameras."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.errors import UserError
from video_mocap.backend.files import save_arrays
from video_mocap.backend.keypoints import Keypoints, write_keypoints
from video_mocap.backend.pipeline import CaptureOptions, lift, lift_file, write_take
from video_mocap.rigging.camera_path import CameraPath, camera_arrays
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from video_mocap.rigging.take import Take

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import camera_at, library_clip, walk

K = np.array([[1100.0, 0, 640], [0, 1100, 360], [0, 0, 1]])
SIZE = (1280, 720)
FEET = [TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")]


def library_motion(name: str) -> tuple[np.ndarray, float]:
    """(F, 26, 3) four seconds of a validation clip on a floor at z = 0, and the frame rate.

    The library's floor is up to 7 cm uneven under people who run through the whole room. Here every stance is brought
    to 0, and what is between two is shifted as they are.
    """
    joints, fps = library_clip(name)
    step = round(fps / 30)
    joints, fps = joints[::step][:120], fps / step
    feet = joints[:, FEET]
    speed = np.linalg.norm(np.gradient(feet, 1 / fps, axis=0), axis=-1)
    rests = (speed < 0.4) & (feet[..., 2] < 0.12)
    frames = np.flatnonzero(rests.any(1))
    lowest = np.where(rests, feet[..., 2], np.inf).min(1)[frames]
    level = gaussian_filter1d(np.interp(np.arange(len(joints)), frames, lowest), 2.0, mode="nearest")
    return joints - level[:, None, None] * [0, 0, 1], fps


@pytest.fixture(scope="module")
def motion() -> tuple[np.ndarray, float]:
    """Somebody who walks some 5 m with turns."""
    return library_motion("cmu_127_20")


def filmed(joints: np.ndarray, fps: float, moving: bool, noise: float = 1.5) -> tuple[Keypoints, CameraPath]:
    """What a camera sees that stands still, or walks around the person, sways and follows them."""
    rng = np.random.default_rng(5)
    times = np.arange(len(joints)) / fps
    path = joints[:, 0] * [1, 1, 0]
    middle = path.mean(0)
    angle = 1.0 + 0.4 * times * moving
    eye = middle + np.stack([4.5 * np.cos(angle), 4.5 * np.sin(angle), 1.5 + 0.3 * np.sin(times) * moving], axis=-1)
    eye += moving * 0.02 * np.sin(np.outer(times, [7.0, 6.0, 9.0]))
    target = (middle + moving * (path - middle)) + [0, 0, 0.9]
    matrices = np.stack([camera_at(*pair) for pair in zip(eye, target, strict=True)])
    points = np.full((1, len(times), len(KEYPOINTS), 3), np.nan)
    points[..., 2] = 0
    seen = to_camera(joints, matrices)
    for row, name in enumerate(KEYPOINTS.names):
        if name in TAKE:
            points[0, :, row, :2] = project(seen[:, TAKE.index(name)], K) + rng.normal(0, noise, (len(times), 2))
            points[0, :, row, 2] = 1
    keypoints = Keypoints(fps, times, SIZE, KEYPOINTS.names, np.array([1]), points.astype(np.float32), K)
    return keypoints, CameraPath(times, SIZE, K, matrices)


def with_camera(keypoints: Keypoints, camera: CameraPath, folder: Path, **options) -> Take:
    file = folder / "x.camera.npz"
    save_arrays(file, camera_arrays(camera))
    return lift(replace(keypoints, intrinsics=None), CaptureOptions(camera=str(file), **options))


def millimetres(found: np.ndarray, truth: np.ndarray) -> float:
    return float(1000 * np.linalg.norm(found - truth, axis=-1).mean())


def fitted(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Moved onto the truth by the best rotation and translation of the whole clip (Kabsch)."""
    a, b = found.reshape(-1, 3), truth.reshape(-1, 3)
    u, _, v = np.linalg.svd((a - a.mean(0)).T @ (b - b.mean(0)))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
    return ((a - a.mean(0)) @ turn + b.mean(0)).reshape(found.shape)


@pytest.fixture(scope="module")
def moving_take(motion, tmp_path_factory: pytest.TempPathFactory) -> tuple[Take, Keypoints, CameraPath]:
    keypoints, camera = filmed(*motion, moving=True)
    return with_camera(keypoints, camera, tmp_path_factory.mktemp("moving")), keypoints, camera


def test_a_known_movement_of_the_camera_is_not_taken_for_the_persons(motion, moving_take) -> None:
    take, keypoints, _ = moving_take
    known = millimetres(take.joints[0], motion[0])  # as it is: no fit
    ignored = lift(keypoints, CaptureOptions()).joints[0]
    assert known < 130
    assert known < 0.5 * millimetres(fitted(ignored, motion[0]), motion[0])


def test_the_world_is_the_cameras_exactly(moving_take) -> None:
    take, _, camera = moving_take
    np.testing.assert_array_equal(take.world_to_camera, camera.world_to_camera)
    np.testing.assert_array_equal(take.intrinsics, K)
    assert take.metadata["focal_length"] == "known camera"
    assert take.metadata["options"]["camera"] == "x.camera.npz"
    assert take.metadata["stages"]["world"]["name"] == "known camera"
    assert take.metadata["warnings"] == []


def test_standing_feet_are_on_the_floor_and_bones_keep_their_length(moving_take) -> None:
    take, _, _ = moving_take
    feet = take.joints[0][:, FEET, 2]
    standing = take.contacts[0] > 0.5
    assert standing.any(axis=1).mean() > 0.5
    assert abs(np.median(feet[standing])) < 0.02
    shins = take.joints[0][:, TAKE.index("left_knee")] - take.joints[0][:, TAKE.index("left_ankle")]
    lengths = np.linalg.norm(shins, axis=-1)
    assert lengths.std() / lengths.mean() < 0.01


def test_a_known_camera_that_stands_still_gives_the_true_floor_and_level(tmp_path: Path) -> None:
    errors, heights = [], []
    for name in ("cmu_127_20", "cmu_127_02", "cmu_127_09", "cmu_127_16", "cmu_127_24"):
        joints, fps = library_motion(name)
        keypoints, camera = filmed(joints, fps, moving=False)
        one = CameraPath(np.zeros(1), SIZE, K, camera.world_to_camera[:1])
        take = with_camera(keypoints, one, tmp_path)
        assert (take.world_to_camera == camera.world_to_camera[0]).all()
        errors.append(millimetres(take.joints[0], joints))
        heights.append(np.median(take.joints[0, :, 0, 2] - joints[:, 0, 2]))
    assert np.mean(errors) < 130
    assert np.abs(heights).max() < 0.06


def test_the_floor_says_how_large_people_are(motion, tmp_path: Path) -> None:
    joints, fps = motion
    keypoints, camera = filmed(0.6 * joints, fps, moving=True)
    take = with_camera(keypoints, camera, tmp_path)
    head = TAKE.index("head_top")
    assert np.median(take.joints[0, :, head, 2]) == pytest.approx(0.6 * np.median(joints[:, head, 2]), rel=0.06)


def test_a_floor_that_cannot_be_is_told_and_not_stood_on(tmp_path: Path) -> None:
    """The scene's floor lies three metres too deep."""
    keypoints, camera = filmed(walk(), 24.0, moving=False)
    raised = camera.world_to_camera.copy()
    raised[:, :3, 3] -= raised[:, :3, 2] * 3.0
    take = with_camera(keypoints, replace(camera, world_to_camera=raised), tmp_path)
    assert [text for text in take.metadata["warnings"] if "check the camera's scale" in text]
    head, heel = (take.joints[0, :, TAKE.index(name), 2] for name in ("head_top", "left_heel"))
    assert 1.3 < np.median(head - heel) < 1.9
    assert np.median(heel) > 2.5
    tall = with_camera(keypoints, replace(camera, world_to_camera=raised), tmp_path, height=2.0)
    assert np.median(tall.joints[0, :, TAKE.index("head_top"), 2] - tall.joints[0, :, TAKE.index("left_heel"), 2]) > 1.7


def test_a_height_that_the_floor_contradicts_is_told(tmp_path: Path) -> None:
    keypoints, camera = filmed(walk(), 24.0, moving=False)
    take = with_camera(keypoints, camera, tmp_path, height=1.2)
    assert [text for text in take.metadata["warnings"] if "not 1.20 m" in text]


def test_a_smaller_copy_of_the_footage_has_the_same_camera(tmp_path: Path) -> None:
    keypoints, camera = filmed(walk(), 24.0, moving=False)
    half = keypoints.keypoints * np.array([0.5, 0.5, 1], np.float32)
    small = replace(keypoints, image_size=(640, 360), keypoints=half)
    take = with_camera(small, camera, tmp_path)
    np.testing.assert_allclose(take.intrinsics, K * [[0.5], [0.5], [1]])
    with pytest.raises(UserError, match="640 x 640 pixels, but the camera was made for 1280 x 720"):
        with_camera(replace(small, image_size=(640, 640)), camera, tmp_path)


def test_lifting_a_take_again_keeps_its_camera(moving_take, tmp_path: Path) -> None:
    take, _, camera = moving_take
    file = tmp_path / "x.take.npz"
    write_take(file, take)
    again = lift_file(file, CaptureOptions())
    np.testing.assert_array_equal(again.world_to_camera, camera.world_to_camera)
    np.testing.assert_allclose(again.joints, take.joints, atol=1e-4)
    free = lift_file(file, CaptureOptions(focal_length=1100))
    assert len(free.world_to_camera) == 1


def test_a_camera_that_is_not_known_for_all_of_the_footage_is_told(tmp_path: Path) -> None:
    keypoints, camera = filmed(walk(), 24.0, moving=True)
    part = replace(camera, times=camera.times[:30], world_to_camera=camera.world_to_camera[:30])
    warnings = with_camera(keypoints, part, tmp_path).metadata["warnings"]
    assert [text for text in warnings if "from 0.00 to 1.21 s only" in text]


def test_cameras_that_cannot_be_are_told(tmp_path: Path) -> None:
    keypoints, _ = filmed(walk(), 24.0, moving=False)
    write_keypoints(tmp_path / "x.npz", keypoints)
    for name, message in (("nowhere.npz", "does not exist"), ("x.npz", "not a video-mocap camera file")):
        with pytest.raises(UserError, match=message):
            lift(keypoints, CaptureOptions(camera=str(tmp_path / name)))
    with pytest.raises(UserError, match="knows its focal length"):
        lift(keypoints, CaptureOptions(camera="x.camera.npz", fov=60))
