# SPDX-License-Identifier: GPL-3.0-or-later
"""The footage behind a take is in step with the motion at any rate of the scene; rates that change later."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from blender_footage import finish, write_images, write_movie  # noqa: E402
from motion_samples import take_of, walk  # noqa: E402
from video_mocap.rigging.blender.add import add_take  # noqa: E402
from video_mocap.rigging.blender.parts import remove_take, take_objects  # noqa: E402
from video_mocap.rigging.blender.rate import is_timed_for, match_scene, set_rate  # noqa: E402
from video_mocap.rigging.blender.retime import retime  # noqa: E402
from video_mocap.rigging.joints import TAKE  # noqa: E402

#: Pictures of the test's movies and image sequences.
PICTURES = 72


@pytest.fixture
def scene() -> bpy.types.Scene:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return bpy.context.scene


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 24 Hz."""
    return write_movie(tmp_path_factory.mktemp("movie"), PICTURES, 24)


def picture(clip, frame: int) -> int:
    """Number, from 0, of the picture that Blender shows at the current frame: it goes by these two properties."""
    return frame - clip.frame_start + clip.frame_offset


def hips(scene, rig, frame: int) -> np.ndarray:
    scene.frame_set(frame)
    found = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(found.matrix_world @ found.pose.bones["hips"].head)


@pytest.mark.parametrize("fps", [24.0, 25.0, 30000 / 1001, 60.0, 10.0, 23.976])
@pytest.mark.parametrize("start_frame", [1, 40])
def test_footage_is_in_step_at_any_rate(scene, movie: Path, fps: float, start_frame: int) -> None:
    set_rate(scene, fps)
    made = finish(add_take(scene, take_of(walk(PICTURES)[None], 24.0), "walk", movie, start_frame))
    assert made.clip is not None
    assert made.clip.fps == 24
    for frame in range(start_frame, start_frame + int(2 * fps)):
        scene.frame_set(frame)
        seconds = (frame - start_frame) / fps
        # The picture nearest in time: never more than half a picture away.
        assert abs(picture(made.clip, frame) - seconds * 24) <= 0.5 + 1e-3
    assert made.camera.data.background_images[0].clip == made.clip
    if fps == 24:
        assert made.clip.animation_data is None


def test_an_image_sequence_is_in_step_too(scene, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", PICTURES, first=5)
    set_rate(scene, 60.0)
    made = finish(add_take(scene, take_of(walk(PICTURES)[None], 24.0), "walk", folder))
    assert made.clip.source == "SEQUENCE"
    scene.frame_set(61)
    assert picture(made.clip, 61) == 24


def test_the_users_own_clip_is_used_or_left_alone(scene, movie: Path) -> None:
    clip = bpy.data.movieclips.load(str(movie))
    clip.frame_start = 10
    set_rate(scene, 24.0)
    take = take_of(walk(PICTURES)[None], 24.0)
    made = finish(add_take(scene, take, "walk", clip, start_frame=10))
    assert made.clip == clip
    remove_take(made.collection)
    assert clip in bpy.data.movieclips[:]
    for fps, start_frame in ((30.0, 10), (24.0, 5)):
        set_rate(scene, fps)
        made = finish(add_take(scene, take, "walk", clip, start_frame=start_frame))
        assert made.clip != clip
        assert (clip.frame_start, clip.frame_offset, clip.animation_data) == (10, 0, None)
        remove_take(made.collection)
    assert bpy.data.movieclips[:] == [clip]


def test_footage_that_cannot_be_shown_is_a_warning(scene, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    made = finish(add_take(scene, take_of(walk()[None], 24.0), "walk", tmp_path / "broken.mp4"))
    assert made.clip is None
    assert len(made.warnings) == 1
    assert "broken.mp4" in made.warnings[0]
    assert not bpy.data.movieclips
    assert made.rigs


@pytest.mark.parametrize("start_frame", [1, 20])
def test_a_changed_rate_is_seen_and_retiming_mends_it(scene, movie: Path, start_frame: int) -> None:
    set_rate(scene, 24.0)
    take = take_of(np.stack([walk(PICTURES), walk(PICTURES) + 1.0]), 24.0)
    take.joints_confidence[0, 30:40] = 0
    made = finish(add_take(scene, take, "walk", movie, start_frame))
    names = {action.name for action in bpy.data.actions}
    assert is_timed_for(made.collection, scene)
    path = take.joints[1, :, TAKE.index("pelvis")]
    for fps in (30.0, 60.0, 25.0, 24.0):
        set_rate(scene, fps)
        assert not is_timed_for(made.collection, scene)
        finish(retime(scene, made.collection))
        assert is_timed_for(made.collection, scene)
        found = take_objects(made.collection)
        for seconds in (0, 1, 2):
            frame = start_frame + round(seconds * fps)
            expected = [np.interp((frame - start_frame) / fps, take.times, path[:, axis]) for axis in range(3)]
            assert hips(scene, found.rigs[2], frame) == pytest.approx(expected, abs=5e-3)
            assert abs(picture(found.clip, frame) - seconds * 24) <= 0.5
        assert {action.name for action in bpy.data.actions} == names
    remove_take(made.collection)
    assert not bpy.data.actions
    assert not bpy.data.movieclips


def test_retiming_keeps_gaps_and_shaped_curves(scene) -> None:
    from video_mocap.rigging.blender.action import curve_holder

    set_rate(scene, 24.0)
    take = take_of(walk(48)[None], 24.0)
    take.joints_confidence[0, 12:24] = 0
    made = finish(add_take(scene, take, "walk"))

    def curve(path: str, index: int):
        holder = curve_holder(take_objects(made.collection).rigs[1].animation_data.action)
        return holder.fcurves.find(path, index=index)

    head = 'pose.bones["head"].rotation_quaternion'
    curve(head, 1).keyframe_points[5].interpolation = "BEZIER"
    shape = [curve(head, 1).evaluate(1 + seconds * 24) for seconds in (0.1, 0.21, 0.3)]
    set_rate(scene, 60.0)
    finish(retime(scene, made.collection))
    frames = np.array([point.co[0] for point in curve('pose.bones["hips"].location', 0).keyframe_points])
    assert (frames == np.round(frames)).all()
    assert frames[0] == 1
    assert not ((frames > 1 + 60 * 12 / 24) & (frames < 1 + 60 * 23 / 24)).any()
    assert len(frames) > 60
    again = [curve(head, 1).evaluate(1 + seconds * 60) for seconds in (0.1, 0.21, 0.3)]
    assert again == pytest.approx(shape, abs=1e-4)


def test_retiming_that_is_stopped_leaves_the_take_as_it_was(scene) -> None:
    set_rate(scene, 24.0)
    made = finish(add_take(scene, take_of(walk(48)[None], 24.0), "walk"))
    set_rate(scene, 60.0)
    pieces = retime(scene, made.collection)
    next(pieces)
    pieces.close()
    assert len(bpy.data.actions) == 1
    assert not is_timed_for(made.collection, scene)
    pieces = retime(scene, made.collection)
    next(pieces)
    remove_take(made.collection)
    with pytest.raises(ValueError, match="removed or undone under way"):
        finish(pieces)
    assert not bpy.data.actions


def test_matching_the_scene_is_a_step_of_its_own(scene, movie: Path) -> None:
    set_rate(scene, 30.0)
    take = take_of(walk(PICTURES)[None], 24.0)
    made = finish(add_take(scene, take, "walk", movie, start_frame=11))
    match_scene(scene, take, made.collection, 11)
    finish(retime(scene, made.collection))
    assert scene.render.fps / scene.render.fps_base == 24
    assert (scene.frame_start, scene.frame_end) == (11, 82)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1280, 720)
    assert scene.camera == take_objects(made.collection).camera
    assert made.clip.animation_data is None or not made.clip.animation_data.drivers
    scene.frame_set(30)
    assert picture(made.clip, 30) == 19


def test_a_scene_in_centimetres_gets_people_of_true_size(scene) -> None:
    scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 0.01
    take = take_of(walk(24)[None], 24.0)
    made = finish(add_take(scene, take, "walk"))
    expected = 100 * take.joints[0, 10, TAKE.index("pelvis")]
    assert hips(scene, made.rigs[1], 11) == pytest.approx(expected, abs=0.1)
    eye = -take.world_to_camera[0, :3, :3].T @ take.world_to_camera[0, :3, 3]
    assert np.array(made.camera.matrix_world.translation) == pytest.approx(100 * eye, abs=0.1)
