# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the lens, by whom, and its distortion."""

from __future__ import annotations

import struct
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_mocap.backend.background.turning import motion_of
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.errors import UserError
from video_mocap.backend.files import save_arrays
from video_mocap.backend.footage import probe
from video_mocap.backend.footage.lens import focal_in_jpeg, focal_in_metadata
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lens import focal_in_pixels, undistorted, without_distortion
from video_mocap.backend.pipeline import CaptureOptions, lift, lift_file, write_take
from video_mocap.backend.stages.lifting import ASSUMED, choose_lens
from video_mocap.backend.stages.turning import how_it_turned, turned_lens
from video_mocap.rigging.camera_path import CameraPath, camera_arrays, read_camera
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from video_mocap.rigging.take import FileFormatError

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import camera_at, walk
from panning import turned

SIZE, FPS = (1280, 720), 24.0
K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
BARREL = np.array([-0.22, 0.06, 0.001, -0.0005, -0.01])


def distorted(points: np.ndarray) -> np.ndarray:
    """Points (..., 3) in camera axes to pixels (..., 2) through the lens with its distortion, by OpenCV."""
    flat = cv2.projectPoints(points.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), K, BARREL)[0]
    return flat.reshape(*points.shape[:-1], 2)


def filmed(lens: bool) -> Keypoints:
    """Somebody who walks to the edge of the picture of a wide lens. lens: with its distortion."""
    joints = walk(32, FPS) @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    seen = to_camera(joints, camera_at(np.array([0.8, -2.6, 1.2]), np.array([0.8, 0.0, 0.9]))[None])
    pixels = distorted(seen) if lens else project(seen, K)
    points = np.full((1, len(joints), len(KEYPOINTS), 3), np.nan, np.float32)
    points[..., 2] = 0
    for row, name in enumerate(KEYPOINTS.names):
        if name in TAKE:
            points[0, :, row, :2], points[0, :, row, 2] = pixels[:, TAKE.index(name)], 1
    return Keypoints(FPS, np.arange(32) / FPS, SIZE, KEYPOINTS.names, np.array([1]), points)


def test_distortion_is_taken_out_as_opencv_puts_it_in() -> None:
    straight, bent = filmed(lens=False), filmed(lens=True)
    rows = straight.keypoints[..., 2] > 0
    assert np.abs(bent.keypoints[rows] - straight.keypoints[rows]).max() > 10
    back = without_distortion(bent, K, BARREL).keypoints
    np.testing.assert_allclose(back[rows], straight.keypoints[rows], atol=0.01)
    assert np.isnan(undistorted(np.full((1, 2), np.nan), K, BARREL)).all()


def test_a_capture_through_a_bent_lens_is_that_through_a_straight_one(tmp_path: Path) -> None:
    words = ",".join(str(value) for value in BARREL)
    options = CaptureOptions(focal_length=900, distortion=words)
    straight, take = lift(filmed(lens=False), CaptureOptions(focal_length=900)), lift(filmed(lens=True), options)
    np.testing.assert_allclose(take.joints, straight.joints, atol=0.002)
    assert take.metadata["distortion"] == pytest.approx(BARREL.tolist())
    # What is lifted again from a take has been straightened once, and is not again.
    file = tmp_path / "x.take.npz"
    write_take(file, take)
    again = lift_file(file, options)
    np.testing.assert_allclose(again.joints, take.joints, atol=0.002)
    assert again.metadata["distortion"] == take.metadata["distortion"]


def test_the_background_is_straightened_too() -> None:
    turns = turned(np.linspace(0, 12, 5), np.zeros(5), np.zeros(5))
    exact = motion_of(turns, K, SIZE)
    points = exact.samples()[0]
    there = points.copy()
    sight = np.concatenate([undistorted(points, K, BARREL), np.ones((5, 25, 1))], -1) @ np.linalg.inv(K).T
    for row in range(5):
        there[row] = distorted(sight[row] @ turns[row])
    bent = exact.homographies.copy()
    for row in range(1, 5):
        bent[row] = cv2.findHomography(points[row], there[row])[0]
    keypoints = Keypoints(FPS, np.arange(5) / FPS, SIZE, ("nose",), np.array([1]), np.zeros((1, 5, 1, 3), np.float32))
    keypoints = replace(keypoints, background=replace(exact, homographies=bent))
    wrong = turned_lens(choose_lens(keypoints, None, None, ""), how_it_turned(keypoints, "turning"), SIZE)
    straight = without_distortion(keypoints, K, BARREL)
    right = turned_lens(choose_lens(keypoints, None, None, ""), how_it_turned(straight, "turning"), SIZE)
    assert abs(right.intrinsics[0, 0] - 900) < 0.3 * abs(wrong.intrinsics[0, 0] - 900)


def test_a_known_camera_brings_its_distortion(tmp_path: Path) -> None:
    pose = camera_at(np.array([0.8, -2.6, 1.2]), np.array([0.8, 0.0, 0.9]))[None]
    path = CameraPath(np.zeros(1), SIZE, K, pose, BARREL)
    file = tmp_path / "x.camera.npz"
    save_arrays(file, camera_arrays(path))
    np.testing.assert_array_equal(read_camera(file).distortion, BARREL)
    take = lift(filmed(lens=True), CaptureOptions(camera=str(file)))
    assert take.metadata["distortion"] == pytest.approx(BARREL.tolist())
    save_arrays(file, camera_arrays(replace(path, distortion=None)))
    straight = lift(filmed(lens=False), CaptureOptions(camera=str(file)))
    np.testing.assert_allclose(take.joints, straight.joints, atol=0.003)
    with pytest.raises(FileFormatError, match="five finite numbers"):
        replace(path, distortion=BARREL[:3])


def test_sources_of_the_focal_length_in_their_order() -> None:
    keypoints = filmed(lens=False)
    assert choose_lens(keypoints, None, None, "").source == ASSUMED
    film = replace(keypoints, source={"focal_35mm": 26.0})
    lens = choose_lens(film, None, None, "")
    assert lens.source == "the footage's metadata"
    assert lens.intrinsics[0, 0] == pytest.approx(26 / 43.27 * np.hypot(1280, 720))
    known = replace(film, intrinsics=K)
    assert choose_lens(known, None, None, "keypoints file").intrinsics[0, 0] == 900
    assert choose_lens(known, 1000.0, None, "").intrinsics[0, 0] == 1000
    turns = turned(np.linspace(0, 30, 32), np.zeros(32), np.zeros(32))
    turning = how_it_turned(replace(film, background=motion_of(turns, K, SIZE)), "auto")
    assert turned_lens(lens, turning, SIZE).intrinsics[0, 0] == pytest.approx(900, rel=0.01)
    assert turned_lens(choose_lens(known, 1000.0, None, ""), turning, SIZE).intrinsics[0, 0] == 1000


def test_millimetres_and_what_cannot_be_known_together() -> None:
    keypoints = filmed(lens=False)
    assert focal_in_pixels(SIZE, 24, 24) == 1280
    assert focal_in_pixels((720, 1280), 24, 36) == pytest.approx(853.3, rel=1e-3)  # the longer side is the sensor's
    with pytest.raises(UserError, match="not two of them"):
        lift(keypoints, CaptureOptions(focal_mm=24, fov=60))
    with pytest.raises(UserError, match="give both"):
        lift(keypoints, CaptureOptions(sensor=24))
    with pytest.raises(UserError, match="without its focal length"):
        lift(keypoints, CaptureOptions(distortion="-0.1,0,0,0"))
    with pytest.raises(UserError, match="k1,k2,p1,p2"):
        lift(keypoints, CaptureOptions(fov=60, distortion="-0.1"))
    with pytest.raises(UserError, match="folds over"):
        lift(keypoints, CaptureOptions(fov=60, distortion="-9,0,0,0"))


def exif(order: str, value: int) -> bytes:
    """A JPEG's beginning that names a focal length in 35 mm film."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    table = struct.pack(f"{order}HHHII", 1, 0x8769, 4, 1, 26) + struct.pack(f"{order}I", 0)
    inner = struct.pack(f"{order}HHHIHHI", 1, 0xA405, 3, 1, value, 0, 0)
    body = b"Exif\0\0" + mark + struct.pack(f"{order}I", 8) + table + inner
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xd9"


def test_what_files_say_of_their_lens(tmp_path: Path) -> None:
    assert focal_in_jpeg(exif("<", 28)) == focal_in_jpeg(exif(">", 28)) == 28
    whole = exif("<", 28)
    assert all(focal_in_jpeg(whole[:length]) in (None, 28) for length in range(len(whole)))
    assert focal_in_metadata({"com.apple.quicktime.camera.focal_length.35mm_equivalent": "26"}) == 26
    assert focal_in_metadata({"com.apple.quicktime.camera.focal_length.35mm_equivalent": "?"}, {}) is None
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(whole[:-2] + picture[2:])
    assert probe(tmp_path / "a.jpg").focal_35mm == 28
    video = tmp_path / "a.mov"
    with av.open(str(video), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["com.apple.quicktime.camera.focal_length.35mm_equivalent"] = "26"
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    assert probe(video).focal_35mm == 26
