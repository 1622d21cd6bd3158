# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures by a camera that turns on the spot: what it does is not taken for what the person does."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.background.movement import BackgroundMotion
from video_mocap.backend.background.turning import motion_of
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.errors import UserError
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.pipeline import CaptureOptions, lift, lift_file, write_take
from video_mocap.backend.stages.steadying import seen_by, steadied
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from video_mocap.rigging.take import Take

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import camera_at, walk
from panning import angle_between

SIZE, FPS = (1280, 720), 24.0
K = np.array([[1100.0, 0, 640], [0, 1100, 360], [0, 0, 1]])


def filmed(joints: np.ndarray, matrices: np.ndarray, background: BackgroundMotion | None) -> Keypoints:
    """What cameras (F, 4, 4) see of joints (F, 26, 3), with a pixel of noise."""
    rng = np.random.default_rng(3)
    points = np.full((1, len(joints), len(KEYPOINTS), 3), np.nan, np.float32)
    points[..., 2] = 0
    pixels = project(to_camera(joints, matrices), K)
    for row, name in enumerate(KEYPOINTS.names):
        if name in TAKE:
            points[0, :, row, :2] = pixels[:, TAKE.index(name)] + rng.normal(0, 1, (len(joints), 2))
            points[0, :, row, 2] = 1
    times = np.arange(len(joints)) / FPS
    return Keypoints(FPS, times, SIZE, KEYPOINTS.names, np.array([1]), points, background=background)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, Keypoints]:
    """Somebody walks past a camera that follows them, (F, 26, 3); its turns (F, 3, 3); what is detected."""
    joints = walk(72, FPS) @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    joints[..., 2] -= joints[..., 2].min()
    eye = joints[36, 0] * [1, 1, 0] + [0.0, -5.0, 1.4]
    matrices = np.stack([camera_at(eye, person * [1, 1, 0] + [0, 0, 0.9]) for person in joints[:, 0]])
    turns = matrices[:, :3, :3] @ matrices[0, :3, :3].T
    return joints, turns, filmed(joints, matrices, motion_of(turns, K, SIZE))


@pytest.fixture(scope="module")
def take(scene) -> Take:
    return lift(scene[2], CaptureOptions())


def way(joints: np.ndarray) -> float:
    """Metres that the pelvis goes on the floor."""
    return float(np.linalg.norm((joints[-1, 0] - joints[0, 0])[:2]))


def test_somebody_followed_by_a_turning_camera_walks_as_far_as_they_do(scene, take: Take) -> None:
    joints, turns, keypoints = scene
    assert take.metadata["camera_motion"] == "turning"
    assert take.world_to_camera.shape == (72, 4, 4)
    found = take.world_to_camera[:, :3, :3] @ take.world_to_camera[0, :3, :3].T
    assert angle_between(found, turns).max() < 1.0
    assert way(take.joints[0]) == pytest.approx(way(joints), rel=0.15)
    still = lift(keypoints, CaptureOptions(camera_motion="still"))
    assert still.world_to_camera.shape == (1, 4, 4)
    assert way(still.joints[0]) < 0.5 * way(joints)  # to a camera thought still they walk on the spot


def test_the_take_is_still_on_the_picture(take: Take) -> None:
    seen = project(to_camera(take.joints[0].astype(float), take.world_to_camera), take.intrinsics)
    rows = [TAKE.index(name) for name in take.keypoint_names if name in TAKE]
    shown = [row for row, name in enumerate(take.keypoint_names) if name in TAKE]
    error = np.linalg.norm(seen[:, rows] - take.keypoints[0][:, shown, :2], axis=-1)
    assert np.median(error) < 6  # pixels, of a person of some 350


def test_the_turning_tells_the_focal_length_that_nobody_said(take: Take) -> None:
    assert take.intrinsics[0, 0] == pytest.approx(1100, rel=0.03)
    assert take.metadata["focal_length"] == "estimated from the camera's turning"
    assert take.metadata["focal_length_certainty"] == "within 3 %"


def test_a_camera_seen_to_rest_gives_what_is_got_without_looking(scene) -> None:
    joints, turns, keypoints = scene
    rng = np.random.default_rng(0)
    noise = np.tile(np.eye(3), (72, 1, 1))
    noise[:, :2, 2] = rng.normal(0, 0.4, (72, 2))
    resting = replace(motion_of(0 * turns + np.eye(3), K, SIZE), homographies=noise)
    matrices = np.tile(camera_at(np.array([2.0, -5, 1.4]), np.array([0.0, 0, 0.9])), (72, 1, 1))
    seen = filmed(joints, matrices, resting)
    take, before = lift(seen, CaptureOptions(fov=60)), lift(replace(seen, background=None), CaptureOptions(fov=60))
    assert take.metadata["camera_motion"] == "still"
    np.testing.assert_array_equal(take.joints, before.joints)
    np.testing.assert_array_equal(take.world_to_camera, before.world_to_camera)


def test_a_lifter_sees_a_shaken_camera_as_one_that_is_not(scene) -> None:
    joints, _, _ = scene
    matrices = np.tile(camera_at(np.array([2.0, -5, 1.4]), np.array([0.0, 0, 0.9])), (72, 1, 1))
    times = np.arange(72) / FPS
    angle = np.radians(1.5) * np.sin(2 * np.pi * 3 * times)
    shake = np.tile(np.eye(3), (72, 1, 1))
    shake[:, 0, 0], shake[:, 0, 2] = np.cos(angle), np.sin(angle)
    shake[:, 2, 0], shake[:, 2, 2] = -np.sin(angle), np.cos(angle)
    shaken = matrices.copy()
    shaken[:, :3] = shake @ matrices[:, :3]
    still, moving = (filmed(joints, each, None).keypoints[0] for each in (matrices, shaken))
    steady = seen_by(moving, steadied(shake, times), K)
    rows = still[..., 2] > 0
    assert np.abs(moving[rows] - still[rows])[..., 0].max() > 25
    # A slow drift may be left, nothing that looks like movement of the person.
    left = (steady - still)[:, rows[0], :2]
    assert np.abs(np.diff(left, axis=0)).max() < 1.0


def test_lifting_such_a_take_again_turns_its_camera_again(take: Take, tmp_path: Path) -> None:
    file = tmp_path / "x.take.npz"
    write_take(file, take)
    again = lift_file(file, CaptureOptions())
    assert again.metadata["camera_motion"] == "turning"
    np.testing.assert_allclose(again.joints, take.joints, atol=0.02)


def test_what_is_not_known_or_cannot_be_is_said(scene) -> None:
    joints, turns, keypoints = scene
    take = lift(replace(keypoints, background=None), CaptureOptions(camera_motion="turning"))
    assert [text for text in take.metadata["warnings"] if "how the camera turned is not known" in text]
    assert keypoints.background is not None
    walls = replace(keypoints.background, quality=np.zeros(72))
    take = lift(replace(keypoints, background=walls), CaptureOptions())
    assert take.metadata["camera_motion"] == "unknown"
    assert [text for text in take.metadata["warnings"] if "too little background" in text]
    zoom = keypoints.background.homographies.copy()
    zoom[:, 0] *= np.linspace(1, 1.4, 72)[:, None]
    take = lift(replace(keypoints, background=replace(keypoints.background, homographies=zoom)), CaptureOptions(fov=60))
    assert [text for text in take.metadata["warnings"] if "does not only turn" in text]
    with pytest.raises(UserError, match="auto, still, turning, not 'sometimes'"):
        lift(keypoints, CaptureOptions(camera_motion="sometimes"))
