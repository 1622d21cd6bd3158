# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview: skeletons where the people are, everybody in sight, a video that appears whole."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.footage import Frame
from video_mocap.backend.preview import draw_frame, fit_view, write_preview
from video_mocap.backend.preview.compose import lay_out
from video_mocap.backend.preview.palette import limbs
from video_mocap.backend.preview.write import match_frames
from video_mocap.backend.progress import Progress, Step
from video_mocap.rigging.joints import COCO17, TAKE
from video_mocap.rigging.take import Take

WIDTH, HEIGHT = 640, 360


def _stick_figure() -> np.ndarray:
    """(26, 3) metres: someone standing at the origin who faces -Y, arms spread along X (their left is +X)."""
    side = {"shoulder": (0.2, 1.45), "elbow": (0.5, 1.45), "wrist": (0.75, 1.45), "hand": (0.85, 1.45)}
    side |= {"hip": (0.1, 0.95), "knee": (0.1, 0.5), "ankle": (0.1, 0.08), "ear": (0.08, 1.65)}
    middle = {"pelvis": 0.95, "spine": 1.2, "thorax": 1.45, "neck": 1.5, "head_top": 1.75}
    points: dict[str, tuple[float, float, float]] = {name: (0, 0, z) for name, z in middle.items()}
    points["nose"] = (0, -0.12, 1.62)
    for sign, prefix in ((1, "left_"), (-1, "right_")):
        points |= {prefix + name: (sign * x, 0, z) for name, (x, z) in side.items()}
        points[prefix + "heel"], points[prefix + "toe"] = (sign * 0.1, 0.06, 0.0), (sign * 0.1, -0.16, 0.0)
    return np.array([points[name] for name in TAKE.names], np.float64)


def _take(offsets: np.ndarray, times: np.ndarray) -> Take:
    """A take of stick figures. offsets: (P, F, 3) metres. The camera stands 1 m high at y = -4 m and looks along +Y."""
    people, frames = offsets.shape[:2]
    camera = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1], [0, 1, 0, 4], [0, 0, 0, 1]])
    return Take(
        fps=25.0,
        times=times,
        image_size=np.array([WIDTH, HEIGHT]),
        intrinsics=np.array([[500.0, 0, WIDTH / 2], [0, 500, HEIGHT / 2], [0, 0, 1]]),
        world_to_camera=camera[None],
        joint_names=TAKE.names,
        joint_parents=TAKE.parents,
        person_ids=np.arange(people),
        joints=(_stick_figure() + offsets[:, :, None]).astype(np.float32),
        joints_confidence=np.ones((people, frames, len(TAKE)), np.float32),
        keypoint_names=COCO17.names,
        keypoints=np.tile(np.array([np.nan, np.nan, 0], np.float32), (people, frames, len(COCO17), 1)),
        contacts=np.zeros((people, frames, 4), np.float32),
    )


def _standing(frames: int = 1) -> Take:
    return _take(np.zeros((1, frames, 3)), np.arange(frames) / 25)


def _blank() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 128, np.uint8)


def _like(image: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.abs(image.astype(int) - color).max(-1) < 45


def _footage(folder: Path, count: int = 12) -> Path:
    """A grey clip at 25 Hz whose brightness is 10 times the frame's number."""
    path = folder / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for row in range(count):
            image = np.full((HEIGHT, WIDTH, 3), 10 * row, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def _read(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        return [float(frame.time) for frame in frames], [frame.to_ndarray(format="rgb24") for frame in frames]


def test_the_skeleton_lies_where_the_camera_sees_the_person_and_sides_have_their_colours() -> None:
    take = _standing()
    layout = lay_out(take)
    picture = draw_frame(_blank(), take, 0)
    assert picture.shape == (layout.height, layout.left_width + layout.right_width, 3)
    half = picture[:, : layout.left_width]
    scale = layout.left_width / WIDTH
    forearm_x, forearm_y = 500 * 0.62 / 4, 500 * (1 - 1.45) / 4
    y = round((HEIGHT / 2 + forearm_y) * scale)
    for sign, color in ((1, limbs(0, 1).left), (-1, limbs(0, 1).right)):
        # The person faces the camera, so their left arm is at the picture's right.
        x = round((WIDTH / 2 + sign * forearm_x) * scale)
        assert _like(half, color)[y - 2 : y + 3, x - 2 : x + 3].all()
    drawn = (half != 128).any(-1)
    assert drawn.any()
    assert np.flatnonzero(drawn.any(1)).max() == pytest.approx((HEIGHT / 2 + 500 / 3.84) * scale, abs=12)


def test_a_missing_joint_and_its_bones_are_not_drawn() -> None:
    take = _standing()
    take.joints[0, 0, [TAKE.index("left_elbow"), TAKE.index("left_wrist"), TAKE.index("left_hand")]] = np.nan
    take.joints_confidence[0, 0, TAKE.index("left_elbow")] = 0
    half = draw_frame(_blank(), take, 0)[:, : lay_out(take).left_width]
    right_of_shoulder = half[:, round(half.shape[1] / 2 + 0.3 * 125 * half.shape[1] / WIDTH) :]
    assert (right_of_shoulder == 128).all()


def test_a_frame_without_anybody_shows_footage_and_floor() -> None:
    take = _standing()
    take.joints[:] = np.nan
    take.joints_confidence[:] = 0
    picture = draw_frame(_blank(), take, 0)
    assert (picture[:, : lay_out(take).left_width] == 128).all()
    nobody = draw_frame(_blank(), _take(np.zeros((0, 1, 3)), np.zeros(1)), 0)
    assert nobody.shape == picture.shape


def test_keypoints_are_dots_coloured_by_confidence() -> None:
    take = _standing()
    take.keypoints[0, 0, 0] = 50, 50, 1.0
    take.keypoints[0, 0, 1] = 50, 100, 0.05
    half = draw_frame(_blank(), take, 0)[:, : lay_out(take).left_width]
    scale = half.shape[1] / WIDTH
    sure, doubtful = (half[round(y * scale), round(50 * scale)].astype(int) for y in (50, 100))
    assert sure[1] > sure[0] + 80
    assert doubtful[0] > doubtful[1] + 80


@pytest.mark.parametrize("size", [(1280, 720), (720, 720), (404, 720)])
def test_everybody_stays_in_the_3d_view(size: tuple[int, int]) -> None:
    walk = np.zeros((2, 300, 3))
    walk[0, :, 0] = np.linspace(-4, 5, 300)
    walk[1, :, 1] = np.linspace(0, 12, 300)
    take = _take(walk, np.arange(300) / 25)
    view = fit_view(take, *size)
    for row in range(0, 300, 10):
        camera = view.camera(float(take.times[row]), *size)
        pixels, depth = camera.project(take.joints[:, row].astype(np.float64))
        assert np.isfinite(depth).all()
        assert (pixels >= 0).all()
        assert (pixels <= size).all()
    assert np.ptp(pixels[..., 1]) > 0.1 * size[1]


def test_the_3d_view_is_upright_and_seen_from_the_footage_cameras_side() -> None:
    take = _standing()
    camera = fit_view(take, 720, 720).camera(0.0, 720, 720)
    pixels, depth = camera.project(take.joints[0, 0].astype(np.float64))
    assert pixels[TAKE.index("head_top"), 1] < pixels[TAKE.index("pelvis"), 1] < pixels[TAKE.index("left_toe"), 1]
    assert pixels[TAKE.index("left_wrist"), 0] > pixels[TAKE.index("right_wrist"), 0]
    assert depth[TAKE.index("nose")] < depth[TAKE.index("head_top")] + 0.1


def test_several_people_have_colours_of_their_own() -> None:
    everybody = [limbs(person, 4) for person in range(4)]
    assert len({color for one in everybody for color in (one.left, one.right, one.middle)}) == 12


def test_the_video_has_the_takes_frames_and_times(tmp_path: Path) -> None:
    # A part of the clip, at uneven times: frames 2, 3, 5 and 9.
    rows = np.array([2, 3, 5, 9])
    take = _take(np.zeros((1, 4, 3)), rows / 25)
    steps: list[Step] = []
    write_preview(tmp_path / "out.mp4", _footage(tmp_path), take, Progress(report=steps.append))
    times, pictures = _read(tmp_path / "out.mp4")
    assert times == pytest.approx((rows - 2) / 25, abs=1e-3)
    assert [round(float(picture[:20, :20].mean()) / 10) for picture in pictures] == rows.tolist()
    height, width = pictures[0].shape[:2]
    assert (height % 2, width % 2) == (0, 0)
    assert [step.done for step in steps] == [1, 2, 3, 4]
    assert steps[0].total == 4
    assert sorted(file.name for file in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_frames_are_matched_to_the_nearest_time() -> None:
    image = np.zeros((1, 1, 3), np.uint8)
    frames = [Frame(row, row * 0.1, image) for row in range(6)]
    found = list(match_frames(iter(frames), np.array([0.04, 0.06, 0.07, 0.31, 0.9])))
    assert [(row, frame.index) for row, frame in found] == [(0, 0), (1, 1), (2, 1), (3, 3), (4, 5)]
    assert list(match_frames(iter([]), np.array([0.0]))) == []


def test_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    footage = _footage(tmp_path)
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        write_preview(tmp_path / "out.mp4", footage, _standing(12), Progress(cancelled=lambda: next(asked)))
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_footage_of_another_shape_is_refused(tmp_path: Path) -> None:
    footage = _footage(tmp_path)
    take = replace(_standing(3), image_size=np.array([HEIGHT, WIDTH]))
    with pytest.raises(UserError, match="640 x 360 pixels, but the take was made from 360 x 640"):
        write_preview(tmp_path / "out.mp4", footage, take, Progress())
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write"):
        write_preview(tmp_path / "absent" / "out.mp4", _footage(tmp_path), _standing(3), Progress())


def test_a_camera_that_moves_is_followed() -> None:
    take = _standing(2)
    moved = take.world_to_camera[0].copy()
    moved[0, 3] = 1.0
    take = replace(take, world_to_camera=np.stack([take.world_to_camera[0], moved]))
    width = lay_out(take).left_width
    centers = [np.flatnonzero((draw_frame(_blank(), take, row)[:, :width] != 128).any((0, 2))).mean() for row in (0, 1)]
    assert centers[1] - centers[0] == pytest.approx(float(Fraction(500, 4)) * width / WIDTH, abs=4)
