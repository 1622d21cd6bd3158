# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage from a file, a movie clip or a strip; a scene's camera as a known camera of that footage."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from blender_footage import finish, solved_clip, write_images, write_movie  # noqa: E402
from video_mocap.addon.capture.camera import sample_camera  # noqa: E402
from video_mocap.addon.capture.footage import FootageChoice, resolve  # noqa: E402
from video_mocap.rigging.blender.rate import set_rate  # noqa: E402
from video_mocap.rigging.camera_path import CameraPath  # noqa: E402


@pytest.fixture
def scene() -> bpy.types.Scene:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return bpy.context.scene


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 x 36 pixels, 60 pictures at 30 Hz."""
    return write_movie(tmp_path_factory.mktemp("movie"), 60, 30)


def settings(**chosen) -> SimpleNamespace:
    plain = {"footage_source": "FILE", "footage_path": "", "clip": None, "strip": "", "use_range": False}
    return SimpleNamespace(**(plain | {"start": 0.0, "end": 0.0} | chosen))


def strips(scene):
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def cut(strip, start: int, end: int) -> None:
    """Trim a strip's visible ends."""
    if hasattr(strip, "left_handle"):
        strip.left_handle += start
        strip.right_handle -= end
    else:
        strip.frame_offset_start, strip.frame_offset_end = start, end


def test_a_file_is_itself_and_an_image_stands_for_its_sequence(scene, movie: Path, tmp_path: Path) -> None:
    found = resolve(scene, settings(footage_path=str(movie)))
    assert (found.files, found.path, found.name, found.start, found.end) == ((movie,), movie, "footage", None, None)
    folder = write_images(tmp_path / "shot", 4, first=9)
    names = [f"picture{number:04d}.png" for number in (9, 10, 11, 12)]
    for path in (folder, folder / names[2]):
        assert [file.name for file in resolve(scene, settings(footage_path=str(path))).files] == names


def test_a_path_relative_to_the_blend_is_found(scene, movie: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(movie.parent / "shot.blend"))
    assert resolve(scene, settings(footage_path="//footage.mp4")).files == (movie,)


def test_a_clip_says_where_it_lies_in_the_scene(scene, movie: Path, tmp_path: Path) -> None:
    clip = bpy.data.movieclips.load(str(movie))
    clip.frame_start, clip.frame_offset = 11, 4
    found = resolve(scene, settings(footage_source="CLIP", clip=clip))
    assert (found.files, found.fps, found.size, found.clip) == ((movie,), 30, (64, 36), "footage.mp4")
    assert found.start_frame == 7
    # Blender shows the clip's first picture at frame 7 and one more with every frame.
    assert found.frame_at(10 / 30) == pytest.approx(17)
    assert not found.has_solution
    folder = write_images(tmp_path / "shot", 6)
    later = bpy.data.movieclips.load(str(folder / "picture0003.png"))
    sequence = resolve(scene, settings(footage_source="CLIP", clip=later))
    assert [file.name for file in sequence.files] == [f"picture{number:04d}.png" for number in (3, 4, 5, 6)]


def test_a_trimmed_movie_strip_gives_its_part(scene, movie: Path) -> None:
    set_rate(scene, 30.0)
    strip = strips(scene).new_movie("take 1", str(movie), 1, 101)
    cut(strip, 15, 6)
    found = resolve(scene, settings(footage_source="STRIP", strip="take 1"))
    assert (found.files, found.fps) == ((movie,), 30)
    assert (found.start, found.end) == (pytest.approx(0.5), pytest.approx(54 / 30))
    assert found.start_frame == 101
    assert found.size == (64, 36)
    ranged = settings(footage_source="STRIP", strip="take 1", use_range=True, start=1.0, end=0.0)
    found = resolve(scene, ranged)
    assert (found.start, found.end) == (1.0, pytest.approx(54 / 30))
    with pytest.raises(ValueError, match=r"shows 0\.50 to 1\.80 s"):
        resolve(scene, settings(footage_source="STRIP", strip="take 1", use_range=True, start=1.9, end=3.0))


def test_pictures_cut_off_by_the_animation_offset_are_not_captured(scene, movie: Path) -> None:
    set_rate(scene, 30.0)
    strip = strips(scene).new_movie("take 1", str(movie), 1, 101)
    if hasattr(strip, "content_trim_start"):
        strip.content_trim_start = 10
    else:
        strip.animation_offset_start = 10
    found = resolve(scene, settings(footage_source="STRIP", strip="take 1"))
    assert (found.start, found.end) == (pytest.approx(10 / 30), pytest.approx(2.0))
    first_shown = strip.left_handle if hasattr(strip, "left_handle") else strip.frame_final_start
    assert found.frame_at(10 / 30) == pytest.approx(first_shown)


@pytest.mark.skipif(bpy.app.version >= (5, 0, 0), reason="the bpy module crashes when a strip is added by operator")
def test_a_strip_at_another_rate_plays_at_true_speed(scene, movie: Path) -> None:
    set_rate(scene, 24.0)
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.sequencer.movie_strip_add(
            filepath=str(movie), frame_start=10, channel=1, use_framerate=False, adjust_playback_rate=True, sound=False
        )
    strip = strips(scene)[0]
    cut(strip, 12, 12)
    found = resolve(scene, settings(footage_source="STRIP", strip=strip.name))
    assert (found.start, found.end) == (pytest.approx(0.5), pytest.approx(1.5))
    assert (found.start_frame, found.scene_fps) == (10, pytest.approx(24))


def test_an_image_strip_gives_exactly_its_images(scene, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "shot", 8)
    strip = strips(scene).new_image("images", str(folder / "picture0002.png"), 1, 20)
    for number in (3, 4, 5, 6):
        strip.elements.append(f"picture{number:04d}.png")
    cut(strip, 1, 1)
    found = resolve(scene, settings(footage_source="STRIP", strip="images"))
    assert [file.name for file in found.files] == [f"picture{number:04d}.png" for number in (3, 4, 5)]
    assert found.start_frame == 21


def test_what_cannot_be_captured_is_one_sentence(scene, movie: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    gone.write_bytes(movie.read_bytes())
    clip = bpy.data.movieclips.load(str(gone))
    strips(scene).new_movie("lost", str(gone), 1, 1)
    strips(scene).new_effect("colour", "COLOR", 2, 1, **_until(20))
    gone.unlink()
    (tmp_path / "empty").mkdir()
    for chosen, sentence in (
        ({}, "Choose the footage first"),
        ({"footage_path": str(gone)}, r"gone\.mp4 does not exist"),
        ({"footage_path": str(tmp_path / "empty")}, "holds no images"),
        ({"footage_source": "CLIP"}, "Choose a movie clip first"),
        ({"footage_source": "CLIP", "clip": clip}, r"gone\.mp4 does not exist"),
        ({"footage_source": "STRIP"}, "Choose a strip"),
        ({"footage_source": "STRIP", "strip": "nothing"}, 'no strip "nothing"'),
        ({"footage_source": "STRIP", "strip": "colour"}, "no movie and no images"),
        ({"footage_source": "STRIP", "strip": "lost"}, r"gone\.mp4 does not exist"),
    ):
        with pytest.raises(ValueError, match=sentence) as error:
            resolve(scene, settings(**chosen))
        assert "\n" not in str(error.value)


def _until(end: int) -> dict[str, int]:
    """Blender 5 gives effects a length instead of an end."""
    function = bpy.types.StripsTopLevel if hasattr(bpy.types, "StripsTopLevel") else bpy.types.SequencesTopLevel
    names = function.bl_rna.functions["new_effect"].parameters.keys()
    return {"length": end - 1} if "length" in names else {"frame_end": end}


def camera_of(scene, **properties) -> bpy.types.Object:
    data = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = (1, -6, 1.5), (1.4, 0.05, 0.2)
    for name, value in properties.items():
        setattr(data, name, value)
    scene.camera = camera
    return camera


def choice_for(movie: Path, **changes) -> FootageChoice:
    plain = {"fps": 30.0, "size": (64, 36), "start_frame": 1, "scene_fps": 30.0, "end": 2.0}
    return FootageChoice((movie,), movie, "footage", **(plain | changes))


def projected(scene, camera, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(N, 2) pixels where Blender itself shows points, its y turned down."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    found = np.array([world_to_camera_view(scene, camera, Vector(point))[:2] for point in points.tolist()])
    return np.stack([found[:, 0] * size[0], (1 - found[:, 1]) * size[1]], 1)


def seen(path: CameraPath, points: np.ndarray, time: float) -> np.ndarray:
    matrix = path.at(np.array([time]))[0]
    pixels = (points @ matrix[:3, :3].T + matrix[:3, 3]) @ path.intrinsics.T
    return pixels[:, :2] / pixels[:, 2:]


POINTS = np.array([[0.0, 0, 0], [0.5, 0, 1.7], [-0.8, 1, 1], [0.3, -1, 0.2]])


@pytest.mark.parametrize(
    ("resolution", "aspect"),
    [((1280, 720), (1, 1)), ((640, 360), (1, 1)), ((360, 640), (1, 1)), ((720, 576), (16, 15))],
)
@pytest.mark.parametrize(
    "lens", [{}, {"sensor_fit": "VERTICAL"}, {"sensor_fit": "HORIZONTAL", "shift_x": 0.1, "shift_y": -0.2}]
)
def test_a_camera_sees_points_where_blender_shows_them(scene, movie: Path, resolution, aspect, lens) -> None:
    scene.render.resolution_x, scene.render.resolution_y = resolution
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
    camera = camera_of(scene, lens=35.0, **lens)
    camera.scale = (2, 2, 2)
    bpy.context.view_layer.update()
    path = finish(sample_camera(scene, camera, choice_for(movie, size=resolution)))
    assert path.image_size == resolution
    assert len(path.times) == 1
    camera.scale = (1, 1, 1)
    bpy.context.view_layer.update()
    assert seen(path, POINTS, 0.0) == pytest.approx(projected(scene, camera, POINTS, resolution), abs=0.05)


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_an_animated_camera_under_a_moving_parent_is_followed(scene, movie: Path, unit: float) -> None:
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", unit
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    camera = camera_of(scene)
    rail = bpy.data.objects.new("rail", None)
    scene.collection.objects.link(rail)
    camera.parent = rail
    for frame, place in ((5, 0.0), (65, 3.0)):
        rail.location = (place, 0, 0)
        rail.keyframe_insert("location", frame=frame)
    scene.frame_set(33)
    choice = choice_for(movie, start_frame=5)
    path = finish(sample_camera(scene, camera, choice))
    assert scene.frame_current == 33
    assert len(bpy.data.scenes) == 1
    assert path.times[0] == 0
    for frame in (5, 20, 64):
        scene.frame_set(frame)
        expected = projected(scene, camera, POINTS, (64, 36))
        assert seen(path, POINTS * unit, (frame - 5) / 30) == pytest.approx(expected, abs=0.01)


def test_a_long_path_is_sampled_in_short_pieces(scene, movie: Path) -> None:
    import time

    camera = camera_of(scene)
    camera.keyframe_insert("location", frame=1)
    longest: list[float] = []
    while len(longest) < 6 and not (longest and longest[-1] < 0.05):  # the best of six: machines are noisy
        path, spent = None, []
        pieces = sample_camera(scene, camera, choice_for(movie, end=300.0, size=(1920, 1080)))
        while path is None:
            begin = time.thread_time()
            try:
                next(pieces)
            except StopIteration as end:
                path = end.value
            spent.append(time.thread_time() - begin)
        longest.append(max(spent))
    assert len(path.times) > 9000
    assert min(longest) < 0.05


def test_a_solver_constraint_brings_the_solved_lens(scene, movie: Path) -> None:
    clip = bpy.data.movieclips.load(str(movie))
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    camera = camera_of(scene)
    constraint = camera.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip, constraint.clip = False, clip
    choice = resolve(scene, settings(footage_source="CLIP", clip=clip))
    with pytest.raises(ValueError, match="not solved"):
        finish(sample_camera(scene, camera, choice))


def test_a_solved_clip_gives_its_lens_and_its_path(scene, tmp_path: Path) -> None:
    """Markers of points seen by a camera that trucks and pans, solved by Blender; the solution must show them there."""
    size, focal = (640, 360), 800.0
    clip = solved_clip(write_movie(tmp_path, 40, 30, size), size, focal)
    tracking = clip.tracking
    # The object's own lens is not the clip's: where a solved clip moves a camera, the solved lens counts.
    camera = camera_of(scene, lens=24.0)
    camera.location, camera.rotation_euler = (0, 0, 0), (0, 0, 0)
    scene.render.resolution_x, scene.render.resolution_y = size
    constraint = camera.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip, constraint.clip = False, clip
    choice = resolve(scene, settings(footage_source="CLIP", clip=clip))
    assert choice.has_solution
    set_rate(scene, 24.0)  # a clip plays one picture a scene frame, whatever the scene's rate
    path = finish(sample_camera(scene, camera, choice))
    assert path.intrinsics[0, 0] == pytest.approx(tracking.camera.focal_length_pixels)
    bundles = np.array([track.bundle for track in tracking.tracks])
    for frame in (1, 20, 40):
        markers = np.array([track.markers.find_frame(frame).co for track in tracking.tracks])
        expected = np.stack([markers[:, 0], 1 - markers[:, 1]], 1) * size
        error = np.linalg.norm(seen(path, bundles, (frame - 1) / 30) - expected, axis=1)
        # One frame beside it would be some ten pixels.
        assert np.median(error) < 2 * tracking.reconstruction.average_error + 0.2


def test_cameras_that_cannot_be_used_are_told_in_one_sentence(scene, movie: Path) -> None:
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    camera = camera_of(scene)
    camera.data.keyframe_insert("lens", frame=1)
    camera.data.lens = 85
    camera.data.keyframe_insert("lens", frame=30)
    before = len(bpy.data.scenes)
    with pytest.raises(ValueError, match="zooms"):
        finish(sample_camera(scene, camera, choice_for(movie)))
    camera.data.animation_data_clear()
    with pytest.raises(ValueError, match="set its resolution to 100 x 100"):
        finish(sample_camera(scene, camera, choice_for(movie, size=(100, 100))))
    camera.data.type = "ORTHO"
    with pytest.raises(ValueError, match="no perspective camera"):
        finish(sample_camera(scene, camera, choice_for(movie)))
    camera.data.type = "PERSP"
    camera.keyframe_insert("location", frame=1)
    pieces = sample_camera(scene, camera, choice_for(movie, end=3000.0))
    next(pieces)
    bpy.data.objects.remove(camera)
    with pytest.raises(ValueError, match="removed or undone"):
        finish(pieces)
    assert len(bpy.data.scenes) == before


def test_the_size_of_a_plain_file_is_looked_up(scene, movie: Path) -> None:
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    path = finish(sample_camera(scene, camera_of(scene), resolve(scene, settings(footage_path=str(movie)))))
    assert path.image_size == (64, 36)
    assert not bpy.data.movieclips
