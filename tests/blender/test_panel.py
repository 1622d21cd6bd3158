# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels: in both editors, every state draws, texts say what to do."""

from __future__ import annotations

import ast
import math
import time
import tomllib
from pathlib import Path
from typing import Any

import bpy
import pytest

from .conftest import ROOT
from .driving import open_take, part, refused, tick_until, write_take
from .fake_layout import FakeLayout, draw, our_panels

pytestmark = pytest.mark.usefixtures("addon")
ops = bpy.ops.video_mocap


def settings() -> Any:
    return bpy.context.scene.video_mocap


def drawn(key: str) -> FakeLayout:
    panel = next(panel for panel in our_panels() if panel.__name__ == f"VIDEO_MOCAP_PT_{key}")
    layout = draw(panel)
    assert layout is not None
    return layout


def said(key: str) -> str:
    return " ".join(drawn(key).texts)


def job(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ab" * 16,
        "label": "walk",
        "tag": "",
        "client": "",
        "state": "running",
        "stage": "detection",
        "done": 120,
        "total": 600,
        "unit": "frames",
        "rate": 24.0,
        "seconds_left": 80.0,
        "fraction": 0.2,
        "position": 0,
        "message": None,
        "warnings": [],
        "revision": 3,
        "created": "",
        "finished": None,
        "footage": {"name": "walk.mp4"},
        "options": {},
        "reused": [],
    } | changes


def test_both_editors_have_every_panel() -> None:
    found = {(panel.bl_space_type, panel.key) for panel in our_panels()}
    keys = {key for _, key in found}
    assert {
        "footage",
        "quality",
        "camera",
        "world",
        "options",
        "capture",
        "takes",
        "people",
        "in_front",
        "joints",
    } <= keys
    assert {"clean", "settings"} <= keys
    # A character is nothing that a clip editor shows.
    both = {key for key in keys if not key.startswith("retarget")}
    assert found == {(space, key) for space in ("VIEW_3D", "CLIP_EDITOR") for key in both} | {
        ("VIEW_3D", key) for key in keys - both
    }
    assert "retarget" in keys
    assert {panel.bl_category for panel in our_panels()} == {"Video Mocap"}


@pytest.mark.parametrize("source", ["FILE", "CLIP", "STRIP"])
@pytest.mark.parametrize("lens", ["AUTO", "FOCAL", "MILLIMETRES", "FOV", "CLIP", "CAMERA"])
def test_every_panel_draws_with_every_choice(source: str, lens: str, tmp_path: Path) -> None:
    settings().footage_source, settings().lens = source, lens
    for panel in our_panels():
        draw(panel)
    open_take(write_take(tmp_path / "walk.take.npz"))
    for panel in our_panels():
        assert draw(panel) is not None or panel.key in ("retarget_bones", "retarget_report")


def test_drawing_takes_no_time(tmp_path: Path) -> None:
    open_take(write_take(tmp_path / "walk.take.npz", people=2))
    said("joints")
    tick_until(lambda: not part("session").take_files.reading)
    spent = []
    for _ in range(5):
        started = time.thread_time()
        for panel in our_panels():
            draw(panel)
        spent.append(time.thread_time() - started)
    # With the checks of the fake layout, which Blender does not do. The quickest: machines are noisy.
    assert min(spent) < 0.05


def test_without_an_engine_the_panel_leads_to_the_preferences() -> None:
    readiness = part("readiness")
    readiness.forget()
    said("capture")
    tick_until(lambda: not readiness.looking())
    layout = drawn("capture")
    assert "set up" in " ".join(layout.texts)
    assert "video_mocap.open_preferences" in [name for name, _ in layout.operators]
    assert "video_mocap.open_take" in [name for name, _ in layout.operators]
    settings().footage_path = __file__
    assert "not set up" in refused(ops.capture)


def test_progress_is_told_in_words() -> None:
    state = part("session").get()
    state.jobs["a"] = job()
    state.jobs["b"] = job(id="b", state="queued", stage=None, done=0, total=None, rate=None, fraction=None, position=1)
    text = said("capture")
    assert "Finding people" in text
    assert "120 of 600 frames, 24.0 fps, 1 min 20 s left" in text
    assert "Waiting for 1 other" in text
    cancels = [found.job for name, found in drawn("capture").operators if name == "video_mocap.cancel"]
    assert cancels == ["ab" * 16, "b"]


def test_captures_that_ended_elsewhere_are_offered() -> None:
    state = part("session").get()
    state.jobs["a"] = job(id="a", state="failed", message="The disk is full: make room, then press Resume.")
    state.jobs["b"] = job(id="b", state="done", label="run")
    layout = drawn("capture")
    assert "The disk is full" in " ".join(layout.texts)
    names = [name for name, _ in layout.operators]
    assert names.count("video_mocap.discard") == 2
    assert names.count("video_mocap.resume") == 1
    assert names.count("video_mocap.collect") == 1


def test_steps_are_no_unit_for_people() -> None:
    progress_text = part("ui.capture_panels").progress_text
    assert progress_text(job(unit="steps", done=1, total=1, rate=0.5, seconds_left=None)) == ""
    assert progress_text(job(unit="steps", done=0, total=1, rate=None)) == "1 min 20 s left"


def test_what_was_given_up_can_be_discarded_at_once() -> None:
    state = part("session").get()
    state.jobs["a"] = job(id="a", state="failed", message="The disk is full.")
    assert "video_mocap.discard_all" not in [name for name, _ in drawn("capture").operators]
    state.jobs["b"] = job(id="b", state="cancelled", label="run")
    state.jobs["c"] = job(id="c", state="done", label="jump")
    assert "video_mocap.discard_all" in [name for name, _ in drawn("capture").operators]
    assert "not connected" in refused(ops.discard_all)
    assert [found["id"] for found in state.given_up()] == ["a", "b"]


def test_text_is_wrapped_by_its_width_and_paths_lose_their_middle() -> None:
    wrapped = part("ui.wrapping").wrapped
    assert wrapped("", 200) == [""]
    assert wrapped("iiii " * 10, 200) == wrapped(" ".join(["iiii"] * 10), 200)
    assert len(wrapped("WWWW WWWW WWWW WWWW WWWW", 100)) > len(wrapped("iiii iiii iiii iiii iiii", 100))
    path = "/home/somebody/.config/blender/4.5/extensions/.user/user_default/video_mocap/environment"
    (line,) = wrapped(path, 300)
    assert line.startswith("/home/some")
    assert line.endswith("/video_mocap/environment")
    assert "..." in line
    assert wrapped(f"Python ({path})", 2000) == [f"Python ({path})"]
    assert wrapped("Open  /takes/a  walk.npz\nagain ", 2000) == ["Open  /takes/a  walk.npz again"]


def test_warnings_of_a_take_are_sentences(tmp_path: Path) -> None:
    open_take(write_take(tmp_path / "walk.take.npz")).warnings = "the camera moves"
    assert "The camera moves" in said("takes")


def test_messages_stay_until_dismissed() -> None:
    part("session").get().problem = "The camera zooms; use one whose lens stays the same."
    assert "The camera zooms" in said("capture").replace("  ", " ")
    ops.dismiss()
    assert "zooms" not in said("capture")


def test_joints_show_the_whole_take_and_this_frame(tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 30
    open_take(write_take(tmp_path / "walk.take.npz"))
    part("session").take_files.forget()  # as when the file is opened again
    assert "Reading" in said("joints")
    tick_until(lambda: not part("session").take_files.reading)
    bpy.context.scene.frame_set(5)
    texts = drawn("joints").texts
    assert "Left Knee" in texts
    assert "100%" in texts
    bpy.context.scene.frame_set(300)
    assert "not seen" in drawn("joints").texts


def test_a_take_whose_file_is_gone_is_told(tmp_path: Path) -> None:
    path = write_take(tmp_path / "walk.take.npz")
    open_take(path)
    path.unlink()
    part("session").take_files.forget()
    said("joints")
    tick_until(lambda: not part("session").take_files.reading)
    assert "not there any more" in said("joints").replace("  ", " ")


def test_every_operator_says_what_it_does() -> None:
    found = [cls for cls in bpy.types.Operator.__subclasses__() if cls.__name__.startswith("VIDEO_MOCAP_OT_")]
    assert len(found) > 20
    for cls in found:
        rna = getattr(ops, cls.bl_idname.split(".")[1]).get_rna_type()
        assert rna.description, cls.bl_idname
        assert not rna.description.endswith("."), cls.bl_idname
        for name, prop in rna.properties.items():
            if name not in {"rna_type", "filter_glob"} and not prop.is_hidden:
                assert prop.description, f"{cls.bl_idname} {name}"


def test_the_menu_of_lifters_is_what_the_engine_has() -> None:
    state, names = part("session").get(), part("properties")._lifter_names
    assert names(settings(), bpy.context, "") == []
    nothing = drawn("options").texts
    try:
        state.status = {
            "lifters": [
                {"name": "default", "licence": "CC BY 4.0", "non_commercial": False},
                {"name": "videopose3d", "licence": "CC BY-NC 4.0", "non_commercial": True},
            ]
        }
        assert names(settings(), bpy.context, "") == ["default", "videopose3d"]
        assert names(settings(), bpy.context, "Video") == ["videopose3d"]
        assert drawn("options").texts == nothing
        settings().lifter = "videopose3d"
        assert "non-commercial use only (CC BY-NC 4.0)" in said("options")
    finally:
        state.status = None


def test_settings_go_through_a_file_that_the_command_line_takes(tmp_path: Path) -> None:
    chosen = settings()
    chosen.quality, chosen.lens, chosen.fov = "draft", "FOV", math.radians(63.5)
    chosen.use_range, chosen.start, chosen.end = True, 1.25, 3.5
    chosen.limit_people, chosen.max_persons, chosen.height, chosen.smoothing = True, 2, 1.78, 0.5
    chosen.lifter = 'C:\\nets\\"mine".safetensors'
    path = tmp_path / "capture.toml"
    assert ops.save_settings(filepath=str(path)) == {"FINISHED"}
    assert tomllib.loads(path.read_text()) == {
        "detector": "mediapipe",
        "quality": "draft",
        "smoothing": 0.5,
        "root": "agreed",
        "camera_motion": "auto",
        "device": "auto",
        "lifter": 'C:\\nets\\"mine".safetensors',
        "start": 1.25,
        "end": 3.5,
        "max_persons": 2,
        "fov": 63.5,
        "height": 1.78,
        "retarget": {},
    }
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert ops.load_settings(filepath=str(path)) == {"FINISHED"}
    written = tomllib.loads(path.read_text())
    del written["retarget"]
    assert part("capture.request").options(settings()) == pytest.approx(written)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("qualty = 'draft'", "qualty is not known"),
        ("quality = 'best'", "quality must be one of draft, standard, thorough"),
        ("quality = 'draft'\nstart = -1", "start must be seconds"),
        ("max_persons = 1.5", "max_persons must be a whole number"),
        ("height = true", "height must be a height"),
        ("start = 3\nend = 2", "end must lie after start"),
        ("fov = 50\nfocal_length = 900", "only one of"),
        ("quality = ", "is not TOML"),
        ("smoothing = nan", "smoothing must be"),
        ("focal_mm = 35\nfov = 50", "only one of"),
        ("sensor = 36", "sensor says nothing without focal_mm"),
        ("distortion = '0.1,0'", "distortion must be k1,k2,p1,p2"),
        ("vertical = '1,2,3'", "vertical must be X,Y,X,Y"),
        ("floor = '1,2,3,4'", "floor must be X,Y,X,Y=METRES"),
        ("in_front = 'left_fist,thorax,1,2'", "in_front must name joints of a take"),
        ("root = 'guess'", "root must be one of agreed, linear"),
        ("camera_motion = 'fast'", "camera_motion must be one of auto, still, turning"),
        ("stitch = '2=2'", "stitch must be numbers of people"),
        ("[retarget]\nkeys = 'few'", "keys must be one of scene, source, reduced"),
        ("[retarget]\ntrim_start = 2\ntrim_end = 1", "the end must come after the start"),
        ("retarget = 1", "retarget must be a table"),
    ],
)
def test_bad_settings_change_nothing(text: str, sentence: str, tmp_path: Path) -> None:
    settings().quality = "draft"
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert sentence in refused(ops.load_settings, filepath=str(path))
    assert settings().quality == "draft"


def test_a_settings_file_of_the_command_line_may_say_more(tmp_path: Path) -> None:
    path = tmp_path / "capture.toml"
    path.write_text('output = "out.blend"\njson = true\nquality = "draft"\ncamera = "shot.camera.npz"\n')
    ops.load_settings(filepath=str(path))
    assert settings().quality == "draft"
    assert (settings().lens, Path(settings().camera_path)) == ("CAMERA", tmp_path / "shot.camera.npz")


def test_settings_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(ops.save_settings, filepath=str(tmp_path / "file" / "x.toml"))


def test_the_panel_offers_the_qualities_that_the_engine_has() -> None:
    """The add-on shares no code with the engine, so the two lists are compared here."""
    offered = [item.identifier for item in settings().bl_rna.properties["quality"].enum_items]
    source = (ROOT / "backend" / "pipeline.py").read_text(encoding="utf-8")
    line = next(line for line in source.splitlines() if line.startswith("QUALITIES = "))
    assert tuple(offered) == ast.literal_eval(line.partition(" = ")[2])
