# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole captures through the operators, with a real service process on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

from .conftest import MODULE, PROFILE, ROOT
from .driving import SAMPLE, as_in_a_window, open_take, part, refused, tick_until, until_idle, write_take

ops = bpy.ops.video_mocap
PYTHON = Path(os.environ.get("VIDEO_MOCAP_BACKEND_PYTHON") or ROOT / ".venv/bin/python")
#: Seconds that a service may take to start, with PyTorch from a cold disk.
PATIENCE = 180.0

pytestmark = [
    pytest.mark.usefixtures("engine"),
    pytest.mark.skipif(not PYTHON.exists(), reason="there is no capture environment"),
]


@pytest.fixture(scope="module", autouse=True)
def _the_service_ends() -> Iterator[None]:
    yield
    if PYTHON.exists():
        stop_service()


@pytest.fixture
def engine(addon: Any) -> Iterator[None]:  # noqa: ARG001, it comes first
    """The service of this checkout, chosen in the preferences; its jobs are removed afterwards."""
    preferences().engine, preferences().existing = "EXISTING", str(PYTHON)
    settings = bpy.context.scene.video_mocap
    choose(settings)
    yield
    state = part("session").get()
    if state.engine is not None:
        for job in list(state.jobs):
            state.engine.cancel(job)
            state.engine.discard(job)
        part("pump").until(lambda: not state.jobs, 30)


def stop_service() -> None:
    """End the service that runs now."""
    preferences().engine, preferences().existing = "EXISTING", str(PYTHON)
    session = part("session")
    session.engine()
    assert part("pump").until(lambda: session.get().status is not None, PATIENCE)
    session.close(stop_backend=True)


def preferences() -> Any:
    return bpy.context.preferences.addons[MODULE].preferences


def choose(settings: Any, end: float = 0.4) -> None:
    """A short capture of the sample."""
    settings.footage_path, settings.quality = str(SAMPLE), "draft"
    settings.use_range, settings.end = True, end
    settings.limit_people = True


def state() -> Any:
    return part("session").get()


def takes(scene: Any = None) -> Any:
    return (scene or bpy.context.scene).video_mocap.takes


def until_running() -> dict[str, Any]:
    tick_until(lambda: any(job["state"] == "running" for job in state().jobs.values()) or state().problem, PATIENCE)
    assert not state().problem
    return next(job for job in state().jobs.values() if job["state"] == "running")


def until_takes(count: int, scene: Any = None) -> None:
    name = (scene or bpy.context.scene).name
    tick_until(lambda: len(takes(bpy.data.scenes[name])) == count or state().problem, PATIENCE)
    assert not state().problem
    until_idle()


def test_a_capture_from_footage_to_keys() -> None:
    assert ops.capture() == {"FINISHED"}
    item = takes()[0]
    assert item.name == "sample"
    assert len(item.people) == 1
    rig = item.people[0].rig
    assert rig.animation_data.action
    path = Path(item.filepath)
    assert path.is_file()
    assert PROFILE in path.parents
    camera = next(found for found in item.collection.objects if found.type == "CAMERA")
    assert camera.data.background_images[0].clip
    tick_until(lambda: not state().jobs, 30)
    assert ops.refine_again() == {"FINISHED"}
    assert [item.name for item in takes()] == ["sample", "sample refined"]
    assert ops.capture() == {"FINISHED"}
    files = [Path(item.filepath) for item in takes()]
    assert len(set(files)) == 3
    assert all(file.is_file() for file in files)


def test_work_is_watched_cancelled_and_resumed() -> None:
    choose(bpy.context.scene.video_mocap, end=3.0)
    with as_in_a_window():
        started = time.thread_time()
        assert ops.capture() == {"FINISHED"}
        assert time.thread_time() - started < 0.2
        job = until_running()
        tick_until(lambda: state().jobs[job["id"]]["done"] > 0, PATIENCE)
        ops.cancel(job=job["id"])
        tick_until(lambda: state().jobs[job["id"]]["state"] == "cancelled", 30)
        assert [found["id"] for found in state().ended()] == [job["id"]]
        assert not len(takes())
        ops.resume(job=job["id"])
        until_takes(1)
    assert takes()[0].frames > 60


def test_two_scenes_get_their_own_takes_and_undo_is_one_step() -> None:
    first = bpy.context.scene
    second = bpy.data.scenes.new("second")
    choose(second.video_mocap)
    bpy.ops.ed.undo_push(message="start")
    with as_in_a_window():
        ops.capture()
        bpy.context.window.scene = second
        ops.capture()
        until_takes(1, first)
        until_takes(1, second)
    assert takes(first)[0].filepath != takes(second)[0].filepath
    bpy.ops.ed.undo()
    assert sorted(len(takes(scene)) for scene in bpy.data.scenes) == [0, 1]
    bpy.ops.ed.redo()
    assert [len(takes(scene)) for scene in bpy.data.scenes] == [1, 1]


def test_save_and_reload_in_mid_job(tmp_path: Path) -> None:
    blend = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    choose(bpy.context.scene.video_mocap, end=2.0)
    with as_in_a_window():
        ops.capture()
        until_running()
        renamed = tmp_path / "shot_2.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(renamed))
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        tick_until(lambda: state().arrived or state().problem, PATIENCE)
        assert not state().problem
        assert not len(takes()), "another file does not get the take"
        bpy.ops.wm.open_mainfile(filepath=str(renamed))
        until_takes(1)
        assert takes()[0].filepath == "//video_mocap/sample.take.npz"
        tick_until(lambda: not state().jobs, 30)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(renamed))
    assert takes()[0].people[0].rig.animation_data.action


def test_the_take_of_an_unsaved_file_can_come_into_another() -> None:
    with as_in_a_window():
        ops.capture()
        tick_until(lambda: state().jobs, PATIENCE)
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        tick_until(lambda: state().arrived or state().problem, PATIENCE)
        assert not len(takes())
        ops.add_arrived(number=0)
        until_takes(1)
        tick_until(lambda: not state().jobs, 30)
    assert not state().arrived


def test_disabled_and_enabled_in_mid_job() -> None:
    choose(bpy.context.scene.video_mocap, end=2.0)
    with as_in_a_window():
        ops.capture()
        until_running()
        started = time.monotonic()
        bpy.ops.preferences.addon_disable(module=MODULE)
        assert time.monotonic() - started < 2.5
        bpy.ops.preferences.addon_enable(module=MODULE)
    preferences().engine, preferences().existing = "EXISTING", str(PYTHON)
    with as_in_a_window():
        assert ops.find_captures() == {"FINISHED"}
        tick_until(lambda: state().jobs, PATIENCE)
        (identity,) = state().jobs
        tick_until(lambda: state().jobs[identity]["state"] == "done", PATIENCE)
        assert [job["id"] for job in state().ended()] == [identity]
        ops.collect(job=identity)
        until_takes(1)
        tick_until(lambda: not state().jobs, 30)
    assert takes()[0].name == "sample"


def test_a_camera_of_the_scene_is_given_to_the_capture() -> None:
    scene = bpy.context.scene
    scene.render.fps = 30
    clip = bpy.data.movieclips.load(str(SAMPLE))
    scene.render.resolution_x, scene.render.resolution_y = clip.size
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0.5, -6.0, 1.4), (1.5, 0.0, 0.05)
    scene.collection.objects.link(camera)
    bpy.context.view_layer.update()
    scene.video_mocap.lens, scene.video_mocap.camera = "CAMERA", camera
    with as_in_a_window():
        ops.capture()
        until_takes(1)
    item = takes()[0]
    take = part("rigging.take").read_take(item.filepath)
    seen_from = -take.world_to_camera[0, :3, :3].T @ take.world_to_camera[0, :3, 3]
    assert seen_from == pytest.approx((0.5, -6.0, 1.4), abs=1e-3)
    assert Path(item.filepath.replace(".take.npz", ".camera.npz")).exists()


def test_discarding_removes_a_capture() -> None:
    choose(bpy.context.scene.video_mocap, end=3.0)
    with as_in_a_window():
        ops.capture()
        job = until_running()
        ops.cancel(job=job["id"])
        tick_until(lambda: state().ended(), 30)
        ops.discard(job=job["id"])
        tick_until(lambda: not state().jobs, 30)
    assert not state().origins


def test_lifting_again_keeps_names_and_finds_nobody_anew(tmp_path: Path) -> None:
    item = open_take(write_take(tmp_path / "walk.take.npz"))
    item.people[0].name = "Anna"
    assert ops.lift_again() == {"FINISHED"}
    assert [found.name for found in takes()] == ["walk", "walk lifted"]
    assert takes()[1].people[0].name == "Anna"


def test_what_is_in_front_is_kept_to_when_a_take_is_refined_again(tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 30
    item = open_take(write_take(tmp_path / "walk.take.npz"))
    read = part("rigging.take").read_take
    before = read(item.filepath)
    # The joint that is farther in the tenth frame is said to be nearer.
    nearer, farther = (before.joint_names.index(name) for name in ("left_wrist", "right_wrist"))
    if depth(before, nearer) < depth(before, farther):
        nearer, farther = farther, nearer
    names = {"nearer": before.joint_names[nearer], "farther": before.joint_names[farther]}
    assert ops.add_in_front(**names, first=11, last=11) == {"FINISHED"}
    assert ops.refine_again() == {"FINISHED"}
    after = read(takes()[1].filepath)
    assert after.metadata["options"]["in_front"].startswith(f"{names['nearer']},{names['farther']},0.333,0.333")
    assert depth(after, nearer) < depth(after, farther)
    assert [row.nearer for row in takes()[1].in_front] == [names["nearer"]]


def depth(take: Any, joint: int) -> float:
    """How far a joint is from the camera in the tenth frame."""
    matrix = take.world_to_camera[min(10, len(take.world_to_camera) - 1)]
    return float((take.joints[0, 10, joint] @ matrix[:3, :3].T + matrix[:3, 3])[2])


@pytest.mark.parametrize(
    ("footage", "sentence"),
    [("", "Choose the footage"), ("/nowhere/at/all.mp4", "does not exist"), (str(ROOT / "build.py"), "")],
)
def test_footage_that_cannot_be_captured(footage: str, sentence: str) -> None:
    bpy.context.scene.video_mocap.footage_path = footage
    message = refused(ops.capture)
    assert sentence in message
    assert "Traceback" not in message
    assert not len(takes())


def test_choices_that_make_no_sense_are_refused() -> None:
    settings = bpy.context.scene.video_mocap
    settings.start = 5.0
    assert "range ends before it starts" in refused(ops.capture)
    settings.use_range, settings.lens = False, "CAMERA"
    assert "Choose the camera" in refused(ops.capture)


def test_an_engine_that_does_not_start_is_told_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    broken.chmod(0o755)
    stop_service()
    preferences().existing = str(broken)
    message = refused(ops.capture)
    assert "does not start" in message
    assert not state().origins


def test_quitting_in_mid_job_is_quick(tmp_path: Path) -> None:
    script = tmp_path / "quit.py"
    script.write_text(
        "import atexit, os, sys, time, bpy\n"
        f"bpy.ops.preferences.addon_enable(module='{MODULE}')\n"
        f"preferences = bpy.context.preferences.addons['{MODULE}'].preferences\n"
        f"preferences.engine, preferences.existing = 'EXISTING', {str(PYTHON)!r}\n"
        "settings = bpy.context.scene.video_mocap\n"
        f"settings.footage_path = {str(SAMPLE)!r}\n"
        f"pump = sys.modules['{MODULE}.addon.pump']; session = sys.modules['{MODULE}.addon.session']\n"
        "pump.synchronous = False\n"
        "bpy.ops.video_mocap.capture()\n"
        f"assert pump.until(lambda: any(j['state'] == 'running' for j in session.get().jobs.values()), {PATIENCE})\n"
        "started = time.monotonic()\n"
        "atexit._run_exitfuncs()\n"
        "print('closed in', time.monotonic() - started, flush=True)\n"
        "os._exit(0)\n"
    )
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=PATIENCE + 60, env=os.environ.copy()
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert float(run.stdout.rpartition("closed in ")[2].split()[0]) < 2.0
    ops.find_captures()
    assert [job["label"] for job in state().jobs.values()] == ["sample"]
