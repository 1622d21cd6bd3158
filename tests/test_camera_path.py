# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a known camera, and where the camera is between the moments that it says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.camera_path import CameraPath, camera_arrays, camera_centres, read_camera
from video_mocap.rigging.take import FileFormatError

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import camera_at

K = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])


def camera(**changes) -> CameraPath:
    eyes = np.array([[0.0, -4, 1.5], [1.0, -4, 1.5], [1.0, -3, 2.0]])
    matrices = np.stack([camera_at(eye, np.array([0, 0, 1.0])) for eye in eyes])
    values = {"times": np.array([0.0, 0.5, 1.0]), "image_size": (1280, 720), "intrinsics": K}
    return CameraPath(**{**values, "world_to_camera": matrices, **changes})


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = camera()
    np.savez_compressed(tmp_path / "x.camera.npz", **camera_arrays(path))
    again = read_camera(tmp_path / "x.camera.npz")
    for name in ("times", "image_size", "intrinsics", "world_to_camera"):
        np.testing.assert_array_equal(getattr(again, name), getattr(path, name))


def test_known_moments_are_exact_and_the_ends_are_held() -> None:
    path = camera()
    np.testing.assert_array_equal(path.at(path.times), path.world_to_camera)
    np.testing.assert_array_equal(path.at(np.array([-3.0, 7.0])), path.world_to_camera[[0, 2]])


def test_between_moments_the_centre_moves_straight_and_the_view_turns_evenly() -> None:
    path = camera()
    between = path.at(np.array([0.25, 0.75]))
    centres = camera_centres(path.world_to_camera)
    np.testing.assert_allclose(camera_centres(between), (centres[:-1] + centres[1:]) / 2, atol=1e-12)
    rotation = between[0, :3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    first, last = path.world_to_camera[:2, :3, :3]
    angles = [np.arccos((np.trace(a @ b.T) - 1) / 2) for a, b in ((first, rotation), (rotation, last))]
    assert angles[0] == pytest.approx(angles[1])


def test_one_moment_is_a_camera_that_stands_still() -> None:
    path = camera(times=np.zeros(1), world_to_camera=camera().world_to_camera[1:2])
    np.testing.assert_array_equal(path.at(np.array([-1, 0, 0.3, 2])), np.repeat(path.world_to_camera, 4, 0))


SCALED = np.stack([np.diag([2.0, 2, 2, 1])] * 3)
MIRRORED = np.stack([np.diag([-1.0, 1, 1, 1])] * 3)
SHEARED = np.stack([np.eye(4)] * 3)
SHEARED[:, 3, 0] = 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": np.array([0.0, 0.5, 0.5])}, "increasing"),
        ({"times": np.array([0.0, np.nan, 1.0])}, "finite"),
        ({"times": np.zeros(0), "world_to_camera": np.zeros((0, 4, 4))}, "no times"),
        ({"image_size": (0, 720)}, "image_size"),
        ({"intrinsics": np.zeros((3, 3))}, "positive focal"),
        ({"intrinsics": np.eye(4)}, "intrinsics"),
        ({"world_to_camera": np.zeros((2, 4, 4))}, "shape"),
        ({"world_to_camera": SCALED}, "remove the camera's scale"),
        ({"world_to_camera": MIRRORED}, "rotations"),
        ({"world_to_camera": SHEARED}, "rotations"),
        ({"world_to_camera": np.full((3, 4, 4), np.inf)}, "finite"),
    ],
)
def test_what_is_no_camera_is_told(changes: dict, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        camera(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "video-mocap take"}, "not a video-mocap camera file"),
        ({"version": 2}, "version 2"),
        ({"image_size": np.zeros(3)}, "image_size has shape"),
        ({"intrinsics": np.array("wide")}, "numbers"),
        ({"times": np.array([0.0, 0.5])}, "shape"),
    ],
)
def test_damaged_files_are_told_with_their_name(tmp_path: Path, changes: dict, message: str) -> None:
    file = tmp_path / "x.camera.npz"
    np.savez_compressed(file, **{**camera_arrays(camera()), **changes})
    with pytest.raises(FileFormatError, match=message) as caught:
        read_camera(file)
    assert str(file) in str(caught.value)


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError):
        read_camera("nowhere.camera.npz")
