# SPDX-License-Identifier: GPL-3.0-or-later
"""The overlay: footage pixels to region pixels, moments to rows, keypoints read in a thread, the colour scale."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from video_mocap.addon.overlay import geometry, mapping, source  # noqa: E402
from video_mocap.addon.overlay import keypoints as keypoints_module  # noqa: E402
from video_mocap.addon.overlay.colors import STOPS, confidence_color, confidence_colors  # noqa: E402
from video_mocap.addon.overlay.keypoints import KeypointCache  # noqa: E402
from video_mocap.rigging.blender.camera import build_camera  # noqa: E402
from video_mocap.rigging.blender.footage import fit_footage, show_footage  # noqa: E402
from video_mocap.rigging.blender.parts import PARTS  # noqa: E402
from video_mocap.rigging.joints import KEYPOINTS, TAKE  # noqa: E402
from video_mocap.rigging.take import Take, take_arrays  # noqa: E402

SAMPLE = next((Path(__file__).resolve().parents[2] / "sample").glob("*.mp4"))


def make_take(frames: int = 4, width: int = 640, height: int = 360, x: float = 100.0, fps: float = 25.0) -> Take:
    keypoints = np.zeros((1, frames, len(KEYPOINTS), 3), np.float32)
    keypoints[..., 0], keypoints[..., 1], keypoints[..., 2] = x, 50.0, 0.9
    return Take(
        fps=fps,
        times=np.arange(frames) / fps,
        image_size=np.array([width, height]),
        intrinsics=np.array([[700.0, 0, 0.45 * width], [0, 700.0, 0.55 * height], [0, 0, 1]]),
        world_to_camera=np.diag([1.0, -1, -1, 1])[None],
        joint_names=TAKE.names,
        joint_parents=TAKE.parents,
        person_ids=np.array([1]),
        joints=np.zeros((1, frames, len(TAKE), 3), np.float32),
        joints_confidence=np.ones((1, frames, len(TAKE)), np.float32),
        keypoint_names=KEYPOINTS.names,
        keypoints=keypoints,
        contacts=np.zeros((1, frames, 4), np.float32),
    )


def write_take(path: Path, take: Take) -> None:
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **take_arrays(take))  # pyright: ignore[reportArgumentType]
    temporary.replace(path)


def wait_for(condition, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


# Mapping


def test_footage_that_fills_the_camera_frame() -> None:
    frame = np.array([[500, 400], [500, 100], [100, 100], [100, 400.0]])
    place = mapping.camera_placement(frame, (800, 600))
    assert place is not None
    np.testing.assert_allclose(place(np.array([[0, 0], [800, 600], [400, 300]])), [[100, 400], [500, 100], [300, 250]])
    assert place.scale == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("method", "size", "expected"),
    [
        ("FIT", (100, 200), (250, 100, 350, 300)),
        ("CROP", (100, 200), (100, -200, 500, 600)),
        ("FIT", (400, 100), (100, 150, 500, 250)),
        ("CROP", (400, 100), (-100, 100, 700, 300)),
        ("STRETCH", (100, 200), (100, 100, 500, 300)),
    ],
)
def test_footage_of_another_shape_than_the_frame(method: str, size, expected) -> None:
    frame = np.array([[100, 100], [500, 300.0]])
    place = mapping.camera_placement(frame, size, method)
    assert place is not None
    assert (place.left, place.bottom, place.right, place.top) == pytest.approx(expected)


def test_a_frame_without_area_is_no_place() -> None:
    assert mapping.camera_placement(np.full((4, 2), 7.0), (640, 480)) is None
    assert mapping.camera_placement(np.full((4, 2), np.nan), (640, 480)) is None
    assert mapping.clip_placement((0, 0), (0, 1), (100, 100), (640, 480)) is None


def test_clip_editor_panned_and_zoomed() -> None:
    # The region's 400 x 300 pixels show the middle of the picture: half its width, a third of its height.
    place = mapping.clip_placement((0.25, 1 / 3), (0.75, 2 / 3), (400, 300), (1000, 500))
    assert place is not None
    np.testing.assert_allclose(place(np.array([[500, 250], [250, 1000 / 6]])), [[200, 150], [0, 300]], atol=1e-9)


def perspective(camera, width: int, height: int) -> np.ndarray:
    """The projection of a region that shows exactly the camera's frame."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return np.array(camera.calc_matrix_camera(depsgraph, x=width, y=height))


@pytest.mark.parametrize("size", [(640, 360), (1000, 1000), (360, 640), (1920, 800)])
def test_the_camera_view_puts_a_pixel_where_the_camera_sees_its_point(size: tuple[int, int]) -> None:
    """A 3D point and the pixel it is seen at fall on the same place: lens shift, whatever shape the scene has."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    take = make_take()
    scene.render.resolution_x, scene.render.resolution_y = size
    camera = build_camera(take, "Camera", scene.collection, 25.0)
    show_footage(camera, bpy.data.movieclips.load(str(SAMPLE)))
    fit_footage(camera, take, scene)
    region = SimpleNamespace(width=size[0], height=size[1])
    view = SimpleNamespace(window_matrix=perspective(camera, *size))
    place = source.place_in_camera_view(region, view, camera, scene, (640.0, 360.0))
    assert place is not None
    point = np.array([0.3, -0.2, 4.0])  # OpenCV's axes
    pixel = take.intrinsics @ point / point[2]
    in_view = np.array([[point[0], -point[1], -point[2]]])
    expected = mapping.to_region(in_view, view.window_matrix, size)
    np.testing.assert_allclose(place(pixel[None, :2]), expected, atol=0.05)


# Which take, which footage


@pytest.fixture
def item(tmp_path: Path):
    """A take in the list of an empty scene, with its camera and the clip behind it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    collection = bpy.data.collections.new("Take")
    bpy.context.scene.collection.children.link(collection)
    camera = build_camera(make_take(), "Camera", collection, 25.0)
    return SimpleNamespace(collection=collection, footage=str(tmp_path / "walk.mp4"), filepath="", camera=camera)


def clip_of(path: Path, kind: str = "MOVIE") -> SimpleNamespace:
    return SimpleNamespace(filepath=str(path), source=kind)


def test_a_clip_is_the_take_s_footage_by_its_file(item, tmp_path: Path) -> None:
    assert source.is_footage_of(clip_of(tmp_path / "walk.mp4"), item)
    assert not source.is_footage_of(clip_of(tmp_path / "run.mp4"), item)
    item.footage = str(tmp_path / "images" / "0001.png")
    assert source.is_footage_of(clip_of(tmp_path / "images" / "0007.png", "SEQUENCE"), item)
    assert not source.is_footage_of(clip_of(tmp_path / "images" / "0007.png"), item)
    item.footage = str(tmp_path / "images")
    assert source.is_footage_of(clip_of(tmp_path / "images" / "0007.png", "SEQUENCE"), item)
    item.footage = ""
    assert not source.is_footage_of(clip_of(tmp_path / "walk.mp4"), item)


def test_a_deleted_camera_or_collection_is_none(item) -> None:
    assert source.take_camera(item) == item.camera
    bpy.data.objects.remove(item.camera)
    assert source.take_camera(item) is None
    item.collection = None
    assert source.take_camera(item) is None


def test_the_take_s_own_camera_is_known_among_others(item) -> None:
    other = bpy.data.objects.new("A camera", bpy.data.cameras.new("A camera"))
    item.collection.objects.link(other)
    item.collection[PARTS] = {"camera": item.camera}
    assert source.take_camera(item) == item.camera
    item.camera.name = "Z"
    assert source.take_camera(item) == item.camera
    bpy.data.objects.remove(item.camera)
    assert source.take_camera(item) is None


def test_only_the_active_take_is_drawn_and_only_if_wanted() -> None:
    settings = SimpleNamespace(show_overlay=True, active_take=1, takes=["first", "second"])
    assert source.active_take(SimpleNamespace(video_mocap=settings)) == "second"
    settings.active_take = 2
    assert source.active_take(SimpleNamespace(video_mocap=settings)) is None
    settings.active_take, settings.show_overlay = 0, False
    assert source.active_take(SimpleNamespace(video_mocap=settings)) is None
    assert source.active_take(SimpleNamespace()) is None


def test_disabling_the_extension_takes_the_drawing_away(addon) -> None:
    draw = sys.modules[f"{addon.__name__}.addon.overlay.draw"]
    assert len(draw._handlers) == 2
    bpy.ops.preferences.addon_disable(module=addon.__name__)
    assert draw._handlers == []
    assert draw._drawn == {}
    bpy.ops.preferences.addon_enable(module=addon.__name__)
    assert len(sys.modules[f"{addon.__name__}.addon.overlay.draw"]._handlers) == 2


# Time


def test_moments_find_the_nearest_frame_of_the_take() -> None:
    times = 2.0 + np.arange(10) / 25
    assert mapping.nearest_row(times, 2.0, 25) == 0
    assert mapping.nearest_row(times, 2.0 + 4.4 / 25, 25) == 4
    assert mapping.nearest_row(times, 2.0 + 4.6 / 25, 25) == 5
    assert mapping.nearest_row(times, 1.97, 25) == 0
    assert mapping.nearest_row(times, 1.5, 25) is None
    assert mapping.nearest_row(times, 2.5, 25) is None
    assert mapping.nearest_row(times[:0], 2.0, 25) is None
    assert mapping.nearest_row(times, math.nan, 25) is None


def test_the_frame_of_a_clip_is_a_time_whatever_the_scene_runs_at() -> None:
    assert mapping.clip_time(1, 1, 0, 30) == 0
    assert mapping.clip_time(31, 1, 0, 30) == pytest.approx(1)
    assert mapping.clip_time(110, 101, 21, 30) == pytest.approx(1)
    scene = SimpleNamespace(frame_current=48, render=SimpleNamespace(fps=48, fps_base=2.0))
    assert source.scene_moment(scene, 24) == pytest.approx(1)


# Keypoints


def test_keypoints_come_from_a_thread_and_follow_the_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(keypoints_module, "_LOOK_AGAIN", 0.0)
    cache, path = KeypointCache(), tmp_path / "a.take.npz"
    write_take(path, make_take(x=100.0))
    found = wait_for(lambda: cache.get(str(path)))
    assert found.values[0, 0, 0, 0] == 100
    assert cache.take_news()
    assert cache.get(str(path)) is found, "unchanged files are not read again"
    wait_for(lambda: not cache.busy)
    assert not cache.take_news()

    write_take(path, make_take(x=200.0))
    os.utime(path, ns=(1, 1))
    wait_for(lambda: (now := cache.get(str(path))) is not None and now.values[0, 0, 0, 0] == 200)
    path.unlink()
    wait_for(lambda: cache.get(str(path)) is None)


def test_asking_never_waits_for_the_disk(tmp_path: Path, monkeypatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(keypoints_module, "read_keypoints", lambda _: gate.wait(10) and None)
    cache, path = KeypointCache(), tmp_path / "a.take.npz"
    write_take(path, make_take())
    started = time.perf_counter()
    assert cache.get(str(path)) is None
    assert cache.get(str(path)) is None
    assert time.perf_counter() - started < 5  # the disk would have held it for 10
    assert cache.busy
    gate.set()
    wait_for(lambda: not cache.busy)


@pytest.mark.parametrize("content", [b"", b"not a take", None])
def test_what_is_no_take_is_drawn_as_nothing(content: bytes | None, tmp_path: Path) -> None:
    cache, path = KeypointCache(), tmp_path / "a.take.npz"
    if content is not None:
        path.write_bytes(content)
    assert cache.get(str(path)) is None
    wait_for(lambda: not cache.busy)
    assert cache.get(str(path)) is None


def test_another_take_does_not_show_the_last_one_s_people(tmp_path: Path) -> None:
    cache = KeypointCache()
    for name in ("a", "b"):
        write_take(tmp_path / f"{name}.take.npz", make_take())
    wait_for(lambda: cache.get(str(tmp_path / "a.take.npz")))
    assert cache.get(str(tmp_path / "b.take.npz")) is None


# What is drawn


def test_missing_and_doubtful_keypoints_are_left_out() -> None:
    points = np.full((1, len(KEYPOINTS), 2), np.nan)
    confidence = np.zeros((1, len(KEYPOINTS)))
    assert len(geometry.people_triangles(points, confidence, KEYPOINTS.names, 0.0, 1.0).indices) == 0
    for name, at, value in (("left_hip", (100, 300), 0.9), ("left_knee", (100, 100), 0.3)):
        points[0, KEYPOINTS.index(name)], confidence[0, KEYPOINTS.index(name)] = at, value
    both = geometry.people_triangles(points, confidence, KEYPOINTS.names, 0.0, 1.0)
    one = geometry.people_triangles(points, confidence, KEYPOINTS.names, 0.5, 1.0)
    assert both.positions[:, 1].min() < 100
    assert one.positions[:, 1].min() > 250
    assert np.isfinite(both.positions).all()
    assert both.indices.max() < len(both.positions)
    assert len(both.positions) == len(both.colors)


def test_every_line_of_the_skeleton_joins_known_keypoints() -> None:
    assert {name for limb in geometry.LIMBS for name in limb} <= set(KEYPOINTS.names)
    assert len(geometry.limb_rows(KEYPOINTS.names)) == len(geometry.LIMBS)
    assert len(geometry.limb_rows(("left_hip", "tail"))) == 0


def test_three_people_are_built_in_less_than_two_milliseconds() -> None:
    random = np.random.default_rng(0)
    points, confidence = random.uniform(0, 800, (3, 23, 2)), random.uniform(0.2, 1, (3, 23))
    spent = []
    for _ in range(20):
        started = time.perf_counter()
        geometry.people_triangles(points, confidence, KEYPOINTS.names, 0.0, 1.0)
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.002


#: Colour blindness as a matrix on linear RGB (Viénot, Brettel and Mollon 1999, Color Research and Application 24).
_BLINDNESS = {
    "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


@pytest.mark.parametrize("kind", _BLINDNESS)
def test_the_colour_scale_is_readable_for_the_colour_blind(kind: str) -> None:
    seen = confidence_colors(np.linspace(0, 1, 5))[:, :3].astype(float) ** 2.2 @ np.array(_BLINDNESS[kind]).T
    seen = np.clip(seen, 0, 1) ** (1 / 2.2)
    between = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert between[~np.eye(5, dtype=bool)].min() > 0.12


def test_colours_of_confidence() -> None:
    for at, color in STOPS:
        assert confidence_color(at) == pytest.approx(color, abs=1e-6)
    np.testing.assert_array_equal(confidence_colors(np.array([np.nan, -1.0])), confidence_colors(np.zeros(2)))
    assert confidence_colors(np.zeros((2, 3)), 0.5)[..., 3].tolist() == [[0.5] * 3] * 2
