# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user says of level and floor: exact geometry, and a capture whose lifter is told better."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.errors import UserError
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.pipeline import CaptureOptions, lift
from video_mocap.backend.world.given import parse_given
from video_mocap.backend.world.ground import LIFTED_TILT
from video_mocap.rigging.joints import KEYPOINTS, TAKE

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import camera_at, walk

SIZE, FPS = (1280, 720), 24.0
K = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
#: Looks down from 2.2 m.
CAMERA = camera_at(np.array([1.0, -5.0, 2.2]), np.array([0.0, 0.0, 0.7]))
UP = CAMERA[:3, 2]


def pixels(points: list[tuple[float, float, float]]) -> np.ndarray:
    """Where the camera sees points of the world, (N, 2)."""
    return project(to_camera(np.array(points, float)[None], CAMERA[None])[0], K)


def words(*points: tuple[float, float, float]) -> str:
    """As on the command line, to a tenth of a pixel."""
    return ",".join(f"{value:.1f}" for value in pixels(list(points)).ravel())


LEFT, RIGHT = words((-1.5, 1, 0), (-1.5, 1, 2)), words((2.0, 2, 0.1), (2.0, 2, 2.4))


def degrees(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


def wrong_up() -> np.ndarray:
    """8 degrees off."""
    off = UP + np.array([0.08, 0.0, 0.11])
    return off / np.linalg.norm(off)


def test_two_vertical_lines_say_which_way_is_up_and_one_says_the_half_of_it() -> None:
    before = wrong_up()
    both = parse_given(f"{LEFT};{RIGHT}", "", SIZE)
    assert both is not None
    up, error = both.level(before, LIFTED_TILT, K)
    assert degrees(up, UP) < 0.5
    assert max(error) < 2.0
    one = parse_given(LEFT, "", SIZE)
    assert one is not None
    up, error = one.level(before, LIFTED_TILT, K)
    ends = np.linalg.solve(K, np.concatenate([pixels([(-1.5, 1, 0), (-1.5, 1, 2)]), np.ones((2, 1))], 1).T).T
    plane = np.cross(*ends)
    assert abs(up @ plane / np.linalg.norm(plane)) < 0.003
    assert degrees(up, UP) < degrees(before, UP)
    assert error[1] < 0.6 * LIFTED_TILT[1]
    assert error[0] > 0.7 * LIFTED_TILT[0]  # along the view one line knows nothing


def test_a_distance_on_the_floor_is_the_cameras_height() -> None:
    given = parse_given("", words((-1, 0, 0), (1.2, 0.5, 0)) + f"={np.hypot(2.2, 0.5):.4f}", SIZE)
    assert given is not None
    assert given.camera_height(UP, K) == pytest.approx(2.2, rel=0.01)
    sky = parse_given("", "10,10,900,12=3", SIZE)
    assert sky is not None
    with pytest.raises(UserError, match="above the horizon"):
        sky.camera_height(UP, K)


def test_a_capture_stands_on_what_was_given() -> None:
    joints = 1.15 * walk(48, FPS)
    joints[..., 2] -= joints[..., 2].min()
    points = np.full((1, len(joints), len(KEYPOINTS), 3), np.nan, np.float32)
    points[..., 2] = 0
    seen = project(to_camera(joints, CAMERA[None]), K)
    for row, name in enumerate(KEYPOINTS.names):
        if name in TAKE:
            points[0, :, row, :2], points[0, :, row, 2] = seen[:, TAKE.index(name)], 1
    keypoints = Keypoints(FPS, np.arange(48) / FPS, SIZE, KEYPOINTS.names, np.array([1]), points, K)
    floor = words((-1, 0, 0), (1.2, 0.5, 0)) + f"={np.hypot(2.2, 0.5):.4f}"
    take = lift(keypoints, CaptureOptions(vertical=f"{LEFT};{RIGHT}", floor=floor))
    assert degrees(take.world_to_camera[0, :3, 2], UP) < 1.0
    assert -(take.world_to_camera[0, :3, :3].T @ take.world_to_camera[0, :3, 3])[2] == pytest.approx(2.2, rel=0.03)
    head = TAKE.index("head_top")
    assert np.median(take.joints[0, :, head, 2]) == pytest.approx(np.median(joints[:, head, 2]), rel=0.06)
    world = take.metadata["stages"]["world"]
    assert [world[key]["source"] for key in ("level", "floor", "scale")] == ["given"] * 3
    usual = lift(keypoints, CaptureOptions())
    assert "source" not in usual.metadata["stages"]["world"].get("level", {})
    assert np.median(usual.joints[0, :, head, 2]) < 0.93 * np.median(joints[:, head, 2])  # nobody said how tall
    for options, message in (
        (CaptureOptions(vertical="1,2,3"), "X,Y,X,Y in pixels"),
        (CaptureOptions(vertical="100,100,101,102"), "too short"),
        (CaptureOptions(floor="1,2,3,4"), "=METRES"),
        (replace(CaptureOptions(floor=floor), height=1.8), "give one"),
    ):
        with pytest.raises(UserError, match=message):
            lift(keypoints, options)
