# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel of a take's report: what is said, places to jump to, people to merge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from .driving import open_take, part, tick_until, until_idle, write_take
from .fake_layout import FakeLayout, draw, our_panels

pytestmark = pytest.mark.usefixtures("addon")
ops = bpy.ops.video_mocap


def drawn(key: str) -> FakeLayout:
    panel = next(panel for panel in our_panels() if panel.__name__ == f"VIDEO_MOCAP_PT_{key}")
    layout = draw(panel)
    assert layout is not None
    return layout


def said(key: str) -> str:
    return " ".join(" ".join(drawn(key).texts).split())


def changed(path: Path, **changes: Any) -> Path:
    """The take at `path`, with some of its fields replaced."""
    files, take_module = part("files"), part("rigging.take")
    files.write_take(path, replace(take_module.read_take(path), **changes))
    return path


def lifted(path: Path, **metadata: Any) -> Path:
    """A take as of a capture: with options, stages and a lens that nobody gave."""
    stages = {"world": {"name": "lifted up and standing feet"}, "detection": {"name": "mediapipe"}}
    said = {"focal_length": "assumed", "options": {"height": None}, "stages": stages}
    return changed(path, metadata=said | metadata)


def test_a_good_take_is_said_to_be_good(tmp_path: Path) -> None:
    open_take(write_take(tmp_path / "walk.take.npz"))
    text = said("report")
    assert "Person 1: good" in text
    assert "40 frames seen" in text
    assert "mm/s" in text
    assert "video_mocap.go_to" not in [name for name, _ in drawn("report").operators]


def test_it_is_there_when_the_take_arrives_and_read_again_later(tmp_path: Path) -> None:
    path = write_take(tmp_path / "walk.take.npz")
    open_take(path)
    session = part("session")
    assert not session.take_files.reading
    session.take_files.forget()
    assert "Reading the take" in said("report")
    tick_until(lambda: not session.take_files.reading)
    assert "Person 1: good" in said("report")
    path.unlink()
    session.take_files.forget()
    said("report")
    tick_until(lambda: not session.take_files.reading)
    assert "not there any more" in said("report")


def test_what_nobody_gave_is_named_with_what_to_do(tmp_path: Path) -> None:
    open_take(lifted(write_take(tmp_path / "walk.take.npz")))
    text = said("report")
    assert "The focal length is assumed: if you know the lens, choose it under Options and press Lift Again" in text
    assert "Height under Options and press Refine Again" in text
    assert "Camera still, level from lifted up and standing feet, floor from standing feet" in text


def test_bad_places_are_buttons_that_go_there(tmp_path: Path) -> None:
    path = write_take(tmp_path / "walk.take.npz", frames=120)
    take = part("rigging.take").read_take(path)
    wrists = [take.keypoint_names.index(f"left_{name}") for name in ("elbow", "wrist", "hand")]
    keypoints = take.keypoints.copy()
    keypoints[0, 60:80, wrists, :2] += 200
    changed(path, keypoints=keypoints)
    scene = bpy.context.scene
    scene.render.fps = 60
    scene.frame_set(1)
    open_take(path)
    assert "look at one place" in said("report")
    assert "1.9 s: left hand off the picture" in said("report")
    buttons = [found for name, found in drawn("report").operators if name == "video_mocap.go_to"]
    assert len(buttons) == 1
    assert ops.go_to(moment=buttons[0].moment) == {"FINISHED"}
    assert abs(scene.frame_current - 121) <= 4, "two seconds of a scene at 60 frames a second"


def test_a_saved_report_is_believed_and_one_of_other_people_is_not(tmp_path: Path) -> None:
    path = write_take(tmp_path / "pair.take.npz", people=2)
    measure, take = part("rigging.report.measure"), part("rigging.take").read_take(path)
    told = measure.report(take)
    told["persons"]["2"]["jitter_ratio"] = 9.0
    changed(path, metadata=take.metadata | {"report": told})
    open_take(path)
    assert "the motion shakes" in said("report")
    bpy.context.scene.frame_set(20)
    assert ops.split_person() == {"FINISHED"}
    assert "Person 3" in said("report")
    assert "shakes" not in said("report")


def test_suggested_people_are_merged_by_a_button(tmp_path: Path) -> None:
    path = write_take(tmp_path / "three.take.npz", people=3)
    take = part("rigging.take").read_take(path)
    joints, confidence = take.joints.copy(), take.joints_confidence.copy()
    for row, frames in ((1, slice(0, 20)), (2, slice(20, None))):
        joints[row, frames], confidence[row, frames] = np.nan, 0
    said_by_tracking = {"suggestions": [{"persons": [3, 2], "probability": 0.71}]}
    stages = {"detection": {"name": "mediapipe", "tracking": said_by_tracking}}
    changed(path, joints=joints, joints_confidence=confidence, metadata={"stages": stages})
    item = open_take(path)
    item.people[2].name = "Anna"
    assert "Anna and Person 2 may be one person (71%)" in said("people")
    buttons = [found for name, found in drawn("people").operators if name == "video_mocap.merge_people"]
    button = next(found for found in buttons if hasattr(found, "persons"))
    item.active_person = 0
    assert ops.merge_people("INVOKE_DEFAULT", persons=button.persons) == {"FINISHED"}
    until_idle()
    item = bpy.context.scene.video_mocap.takes[0]
    assert [person.person_id for person in item.people] == [1, 3]
    assert "may be one" not in said("people")
    written = part("rigging.take").read_take(Path(bpy.path.abspath(item.filepath)))
    assert np.isfinite(written.joints[1]).all()
    assert set(written.metadata["report"]["persons"]) == {"1", "3"}
