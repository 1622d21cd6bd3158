# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering: quick, quiet, and undone completely."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from types import ModuleType

import bpy

from .conftest import MODULE, PROFILE

_PROBE = """
import bpy
import addon_utils, importlib, json, os, sys, threading, time
from pathlib import Path

def files():
    return {str(p) for p in Path(os.environ["BLENDER_USER_RESOURCES"]).rglob("*") if "__pycache__" not in p.parts}

# Makes the package importable; nothing of ours is enabled by it.
addon_utils.extensions_refresh(ensure_wheels=False)
modules, there = set(sys.modules), files()
# The processor's time of this thread: the machine may have other things to do.
started = time.thread_time()
module = importlib.import_module(MODULE)
addon = importlib.import_module(MODULE + ".addon")
for name in addon.PARTS:
    importlib.import_module(f"{MODULE}.addon.{name}")
imported = time.thread_time()
module.register()
registered = time.thread_time()
new = sorted(set(sys.modules) - modules)
threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
module.unregister()
seconds = {"import": imported - started, "register": registered - imported}
print("PROBE", json.dumps({**seconds, "new": new, "threads": threads, "files": sorted(files() - there)}))
sys.stdout.flush()
os._exit(0)
"""


def ours() -> dict[str, list[str]]:
    """What Blender knows of us: classes, handlers, properties, timers."""
    kinds = (bpy.types.Panel, bpy.types.Operator, bpy.types.UIList, bpy.types.PropertyGroup, bpy.types.AddonPreferences)
    classes = [
        cls.__name__
        for kind in kinds
        for cls in kind.__subclasses__()
        if cls.__module__.startswith(MODULE) and cls.is_registered
    ]
    handlers = [
        f"{name}: {handler.__module__}"
        for name in dir(bpy.app.handlers)
        if isinstance(getattr(bpy.app.handlers, name), list)
        for handler in getattr(bpy.app.handlers, name)
        if handler.__module__.startswith(MODULE)
    ]
    properties = [name for name in ("video_mocap",) if hasattr(bpy.types.Scene, name)]
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("video_mocap")]
    return {"classes": classes, "handlers": handlers, "properties": properties, "threads": threads}


def probe() -> dict:
    """The extension imported and registered in a fresh process."""
    script = f"MODULE = {MODULE!r}\n{_PROBE}"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(2):  # the first one compiles
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=variables)
    assert "PROBE" in run.stdout, run.stdout + run.stderr
    return json.loads(run.stdout.rpartition("PROBE ")[2])


def test_the_module_is_the_extension(addon: ModuleType) -> None:
    assert addon.__name__ == MODULE
    assert str(PROFILE) in str(addon.__file__)
    assert bpy.context.scene.video_mocap.quality == "standard"


def test_disabling_leaves_nothing_and_enabling_brings_all_back(addon: ModuleType) -> None:  # noqa: ARG001
    before = ours()
    assert len(before["classes"]) > 40
    assert {handler.split(":")[0] for handler in before["handlers"]} >= {
        "load_pre",
        "load_post",
        "save_pre",
        "undo_pre",
    }
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=MODULE)
        assert ours() == {"classes": [], "handlers": [], "properties": [], "threads": []}
        bpy.ops.preferences.addon_enable(module=MODULE)
        assert ours() == before


def test_registering_is_quick_and_does_nothing(addon: ModuleType) -> None:  # noqa: ARG001
    found = probe()
    # Measured: 9 ms, after 45 ms for the imports.
    assert found["register"] < 0.05, found
    assert found["import"] < 0.25, found
    assert found["threads"] == []
    assert found["files"] == []
    heavy = {"urllib.request", "http.client", "socket", "ssl", "subprocess", "asyncio", "multiprocessing"}
    assert heavy.isdisjoint(found["new"]), heavy & set(found["new"])


def test_choices_stay_with_the_file(addon: ModuleType, tmp_path) -> None:  # noqa: ARG001
    settings = bpy.context.scene.video_mocap
    settings.quality, settings.height = "draft", 1.8
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.context.scene.video_mocap.quality == "standard"
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert bpy.context.scene.video_mocap.quality == "draft"


def test_a_file_opens_without_the_extension(addon: ModuleType, tmp_path) -> None:  # noqa: ARG001
    bpy.context.scene.video_mocap.quality = "draft"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.preferences.addon_disable(module=MODULE)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert not hasattr(bpy.context.scene, "video_mocap")
    bpy.ops.wm.save_mainfile()
    bpy.ops.preferences.addon_enable(module=MODULE)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert bpy.context.scene.video_mocap.quality == "draft"
