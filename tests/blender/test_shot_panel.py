# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user knows of a shot: camera, world and what is in front, from the panels to the options of a capture."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .blender_footage import clip_editor
from .driving import SAMPLE, open_take, part, refused, write_take
from .fake_layout import draw, our_panels

pytestmark = pytest.mark.usefixtures("addon")
ops = bpy.ops.video_mocap


def settings() -> Any:
    return bpy.context.scene.video_mocap


def options() -> dict[str, Any]:
    return part("capture.request").options(settings())


def problem() -> str:
    return part("capture.request").problem(settings()) or ""


def props(key: str) -> list[str]:
    panel = next(panel for panel in our_panels() if panel.__name__ == f"VIDEO_MOCAP_PT_{key}")
    layout = draw(panel)
    assert layout is not None
    return layout.props


@pytest.fixture
def clip() -> bpy.types.MovieClip:
    return bpy.data.movieclips.load(str(SAMPLE))


@pytest.mark.parametrize(
    ("text", "lens"),
    [
        ("quality = 'thorough'", "AUTO"),
        ("focal_length = 1234.5", "FOCAL"),
        ("focal_mm = 50.0", "MILLIMETRES"),
        ("focal_mm = 8.5\nsensor = 13.2", "MILLIMETRES"),
        ("fov = 63.5\ndistortion = '-0.1,0.02,0,0.001'", "FOV"),
        ("camera_motion = 'turning'", "AUTO"),
        ("vertical = '10,20,12,400;300,5,301.5,390'", "AUTO"),
        ("floor = '10,20,300,400.5=1.25'", "AUTO"),
        ("in_front = 'left_wrist,thorax,1.2,1.8;nose,neck,0,1,2'", "AUTO"),
        ("root = 'linear'\nadapt_to_person = true", "AUTO"),
        ("stitch = '2=1,5=3'", "AUTO"),
        ("height = 1.5\nsmoothing = 2.0\ndetector = 'detectron2'", "AUTO"),
    ],
)
def test_what_a_settings_file_says_comes_back(text: str, lens: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(text)
    assert ops.load_settings(filepath=str(first)) == {"FINISHED"}
    assert settings().lens == lens
    assert ops.save_settings(filepath=str(second)) == {"FINISHED"}
    wanted, found = tomllib.loads(text), tomllib.loads(second.read_text())
    # Of a focal length in millimetres the sensor is always said.
    assert found.pop("retarget") == {}
    assert found == pytest.approx({**plain(), **({"sensor": 36.0} if "focal_mm" in wanted else {}), **wanted})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    ops.load_settings(filepath=str(second))
    assert options() == pytest.approx(found)
    (tmp_path / "empty.toml").write_text("")
    ops.load_settings(filepath=str(tmp_path / "empty.toml"))
    assert options() == plain()


def plain() -> dict[str, Any]:
    """What is written of choices that nobody touched."""
    usual = {"detector": "mediapipe", "quality": "standard", "smoothing": 1.0, "device": "auto", "lifter": "default"}
    return {**usual, "root": "agreed", "camera_motion": "auto"}


def test_the_clip_s_lens_is_what_its_panel_says(clip: bpy.types.MovieClip, tmp_path: Path) -> None:
    settings().lens = "CLIP"
    assert "choose a Movie Clip as footage" in problem()
    settings().footage_source, settings().clip = "CLIP", clip
    assert not problem()
    lens = clip.tracking.camera
    lens.units, lens.sensor_width, lens.focal_length = "MILLIMETERS", 36.0, 50.0
    assert options()["focal_length"] == pytest.approx(50 / 36 * clip.size[0])
    assert "distortion" not in options()
    lens.distortion_model, lens.k1, lens.k2 = "POLYNOMIAL", -0.125, 0.25
    settings().distortion = "1,1,1,1"  # typed for another lens
    assert options()["distortion"] == "-0.125,0.25,0,0,0"
    lens.distortion_model, lens.division_k1 = "DIVISION", 0.5
    assert "does not know the distortion model Division" in refused(
        ops.save_settings, filepath=str(tmp_path / "x.toml")
    )
    lens.distortion_model = "POLYNOMIAL"
    ops.save_settings(filepath=str(tmp_path / "x.toml"))
    ops.load_settings(filepath=str(tmp_path / "x.toml"))
    assert (settings().lens, settings().distortion) == ("FOCAL", "-0.125,0.25,0,0,0")


def test_a_bent_clip_whose_lens_is_not_chosen_is_told(clip: bpy.types.MovieClip) -> None:
    note = part("capture.start")._note
    settings().footage_source, settings().clip = "CLIP", clip
    assert note(settings()) is None
    clip.tracking.camera.k1 = 0.1
    assert "choose Movie Clip as Lens" in note(settings())
    settings().lens = "CLIP"
    assert note(settings()) is None


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"distortion": "0.1,0"}, "Distortion must be k1,k2,p1,p2 or k1,k2,p1,p2,k3, as OpenCV has them, not 0.1,0"),
        ({"vertical": "1,2,3"}, "Vertical Lines must be X,Y,X,Y in pixels"),
        ({"floor": "1,2,3"}, "Floor Points must be X,Y,X,Y in pixels"),
        ({"floor": "1,2,3,4"}, "Set the Distance between the two floor points"),
        ({"floor": "1,2,3,4", "floor_distance": 2.0, "height": 1.8}, "clear one of them"),
        ({"in_front": "left_wrist,thorax"}, "In Front must be NEARER,FARTHER,FROM,TO"),
        ({"stitch": "2"}, "Same People must be numbers"),
    ],
)
def test_what_cannot_be_used_is_told_before_a_capture(chosen: dict[str, Any], sentence: str) -> None:
    settings().footage_path = str(SAMPLE)
    for name, value in chosen.items():
        setattr(settings(), name, value)
    assert sentence in refused(ops.capture)


def test_a_known_camera_has_its_level_and_floor() -> None:
    chosen = settings()
    chosen.vertical, chosen.floor, chosen.distortion, chosen.camera_path = "wrong", "wrong", "wrong", "x.camera.npz"
    chosen.lens = "CAMERA"
    assert not problem()
    assert not {"vertical", "floor", "distortion"} & set(options())
    assert "distortion" not in props("camera")
    chosen.lens = "AUTO"
    assert "distortion" in props("camera")
    assert problem()


def test_selected_tracks_are_vertical_lines_and_floor_points(clip: bpy.types.MovieClip) -> None:
    chosen = settings()
    chosen.footage_source, chosen.clip = "CLIP", clip
    chosen.use_range, chosen.start = True, 10 / clip.fps
    for number, (x, y) in enumerate([(0.25, 0.75), (0.26, 0.25), (0.5, 0.5)]):
        track = clip.tracking.tracks.new(name=f"track {number}", frame=1)
        for frame in (1, 11):  # it is where it is in the first captured frame, the eleventh
            track.markers.insert_frame(frame, co=(x + (0.1 if frame == 1 else 0.0), y))
        track.select = number < 2
    assert "open the footage in one" in refused(ops.vertical_from_tracks)
    width, height = clip.size
    line = f"{0.25 * width:.1f},{0.25 * height:.1f},{0.26 * width:.1f},{0.75 * height:.1f}"
    with clip_editor(clip):
        assert ops.vertical_from_tracks() == {"FINISHED"}
        assert ops.vertical_from_tracks() == {"FINISHED"}
        assert ops.floor_from_tracks() == {"FINISHED"}
        clip.tracking.tracks[2].select = True
        assert "Select two tracks, not 3" in refused(ops.floor_from_tracks)
    assert chosen.vertical == f"{line};{line}"
    chosen.floor_distance = 2.5
    assert options()["floor"] == f"{line}=2.5"
    chosen.footage_source, chosen.footage_path = "FILE", __file__
    with clip_editor(clip):
        assert "shows other footage" in refused(ops.floor_from_tracks)


def test_what_is_in_front_is_kept_with_the_take_and_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.context.scene.render.fps = 30
    settings().in_front, settings().stitch = "nose,neck,0,1", "2=1"  # of other footage
    item = open_take(write_take(tmp_path / "walk.take.npz", people=2))
    item.active_person = 1
    assert ops.add_in_front(nearer="left_wrist", farther="thorax", first=31, last=61) == {"FINISHED"}
    assert ops.add_in_front(nearer="nose", farther="neck", first=1, last=1) == {"FINISHED"}
    assert "a last frame that is not before" in refused(ops.add_in_front, first=5, last=4)
    row, description = item.in_front[0], part("ui.in_front").describe
    assert description(item, row) == f"{item.people[1].name}: Left Wrist in front of Thorax, frames 31 to 61"
    panel = next(panel for panel in our_panels() if panel.__name__ == "VIDEO_MOCAP_PT_in_front")
    layout = draw(panel)
    assert layout is not None
    assert [name for name, _ in layout.operators].count("video_mocap.remove_in_front") == 2
    ops.remove_in_front(number=1)
    asked = {}
    start = part("capture.start")
    monkeypatch.setattr(part("session"), "engine", lambda: None)
    monkeypatch.setattr(start, "_submit", lambda _scene, _origin, _found, options: asked.update(options))
    start.again(bpy.context.scene, item, keep_lifter=True)
    number = item.people[1].person_id
    assert asked["in_front"] == f"left_wrist,thorax,1.000,2.000,{number}"
    assert "stitch" not in asked
    # The take that comes of it knows what it was made with.
    made = write_take(tmp_path / "again.take.npz", people=2)
    take = part("rigging.take").read_take(made)
    part("files").write_take(made, replace(take, metadata={**take.metadata, "options": json.loads(json.dumps(asked))}))
    again = open_take(made)
    assert [(row.nearer, row.farther, row.person_id) for row in again.in_front] == [("left_wrist", "thorax", number)]
    assert np.isclose([again.in_front[0].first, again.in_front[0].last], [1.0, 2.0]).all()
