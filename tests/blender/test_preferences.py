# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences: drawn in every state, set up, checked, removed; without a window and without a network."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest

STAND_IN = """
import json, os, sys, time
from pathlib import Path
here = Path(__file__).parent
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
state = Path(options["--state"])
def tell(**more):
    told = {"pid": os.getpid(), "step": 1, "steps": 2, "name": "packages", "fraction": 0.5, "error": None,
            "finished": False, "version": None, **more}
    state.with_suffix(".new").write_text(json.dumps(told))
    state.with_suffix(".new").replace(state)
into = Path(options["--into"])
into.mkdir(parents=True, exist_ok=True)
(into / "setup.lock").touch()
print("downloading torch (900 MB)", flush=True)
tell()
while not (here / "go").exists():
    time.sleep(0.01)
python = into / "bin" / "python"
python.parent.mkdir(exist_ok=True)
python.touch()
(into / "pyvenv.cfg").write_text("home = " + str(Path(sys.executable).parent))
metadata = into / "lib/python3.11/site-packages" / ("video_mocap-" + (here / "version").read_text() + ".dist-info")
metadata.mkdir(parents=True, exist_ok=True)
(metadata / "RECORD").touch()
tell(step=2, fraction=1.0, finished=True)
"""


class Desk:
    """What the tests press, and the state that is shown."""

    def __init__(self, addon: ModuleType, folder: Path) -> None:
        name = addon.__name__
        self.state = import_module(f"{name}.addon.ui.setup_state")
        self.drawing = import_module(f"{name}.addon.ui.setup_draw")
        self.pump = import_module(f"{name}.addon.pump")
        self.resolve = import_module(f"{name}.addon.setup.resolve")
        runner = import_module(f"{name}.addon.setup.runner")
        folders = import_module(f"{name}.addon.setup.folders")
        self._module = name
        self.folders = folders.Folders(folder / "user data")
        self.extension = folder / "extension"
        self.extension.mkdir()
        (self.extension / "build.py").write_text(STAND_IN)
        (self.extension / "version").write_text(folders.extension_version())
        self.setup = runner.Setup(self.folders, self.extension, sys.executable)
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        (self.wheels / "torch-2-py3-none-any.whl").touch()

    @property
    def preferences(self) -> Any:
        """Asked for anew each time: disabling the extension frees them."""
        return bpy.context.preferences.addons[self._module].preferences

    def offline(self) -> None:
        self.preferences.source = "FOLDER"
        self.preferences.offline_folder = str(self.wheels)

    def until(self, asked: Callable[[], object]) -> None:
        assert self.pump.until(lambda: (self.state.refresh(), asked())[1], 20.0)

    def texts(self) -> str:
        return " ".join(draw(self.drawing, self.preferences))


@pytest.fixture
def desk(addon: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(addon, tmp_path)
    monkeypatch.setattr(desk.state, "folders", lambda: desk.folders)
    monkeypatch.setattr(type(desk.preferences), "folders", lambda _: desk.folders)
    desk.state.reset()
    monkeypatch.setitem(desk.state._setups, desk.folders.root, desk.setup)
    yield desk
    thread = desk.setup.cancel()
    if thread is not None:
        thread.join()
    desk.state.reset()
    for name in ("engine", "source", "offline_folder", "existing", "url", "token", "show_log", "show_licences"):
        desk.preferences.property_unset(name)


# A layout exists only while a window is drawn. This one takes the same calls, and refuses what Blender would refuse.

ICONS = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())


class Layout:
    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.enabled = True

    def _inner(self, **_: object) -> Layout:
        return Layout(self.texts)

    row = column = box = split = _inner

    def label(self, text: str = "", icon: str = "NONE") -> None:
        assert icon in ICONS
        self.texts.append(text)

    def progress(self, factor: float, type: str, text: str) -> None:
        assert 0 <= factor <= 1
        assert type in ("BAR", "RING")
        self.texts.append(f"[{text}]")

    def prop(self, data: Any, name: str, icon: str = "NONE", expand: bool = False, emboss: bool = True) -> None:
        assert icon in ICONS
        assert isinstance(expand, bool)
        assert isinstance(emboss, bool)
        self.texts.append(f"<{data.bl_rna.properties[name].name}>")

    def operator(self, name: str, text: str | None = None, icon: str = "NONE") -> Any:
        assert icon in ICONS
        group, _, operator = name.partition(".")
        rna = getattr(getattr(bpy.ops, group), operator).get_rna_type()
        self.texts.append(f"({text or rna.name})")

        class Options:
            def __setattr__(self, key: str, _value: object) -> None:
                assert key in rna.properties

        return Options()


def draw(drawing: ModuleType, preferences: Any) -> list[str]:
    texts: list[str] = []

    class Drawn:
        layout = Layout(texts)
        bl_rna = preferences.bl_rna

        def __getattr__(self, name: str) -> object:
            return getattr(preferences, name)

    drawing.draw(Drawn(), bpy.context)
    return texts


def test_first_look(desk: Desk) -> None:
    assert "Looking..." in desk.texts()
    desk.state.refresh()
    desk.preferences.show_licences = True
    shown = desk.texts()
    assert "not set up yet: press Set Up Engine" in shown
    assert "(Set Up Engine...)" in shown
    assert "(Remove)" not in shown
    assert "What you make is yours and may be sold." in shown
    assert "CC BY 4.0" in shown
    assert not desk.folders.root.exists()


def test_the_dialog_names_the_whole_folder(desk: Desk, tmp_path: Path) -> None:
    """What is agreed to is shown to its last letter, however long it is."""
    operators = import_module(f"{desk._module}.addon.ui.setup_operators")
    folder = tmp_path.joinpath(*(f"a_rather_long_name_{number}" for number in range(9))) / "environment"
    texts: list[str] = []
    asked = SimpleNamespace(layout=Layout(texts), _plan=operators.plan(folder, None))
    operators.SetUp.draw(asked, bpy.context)
    assert str(folder) in "".join(texts)


def test_without_online_access_it_says_how_to_allow_it(desk: Desk) -> None:
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.video_mocap.set_up()
    assert not desk.folders.root.exists()


def test_online_access_that_the_user_cannot_change(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Application:
        online_access = False
        online_access_overriden = True

    module = sys.modules[type(desk.preferences).__module__]

    class Blender:
        app = Application

    monkeypatch.setattr(module, "bpy", Blender)
    assert "--offline-mode" in desk.preferences.online_problem()


def test_a_whole_set_up(desk: Desk) -> None:
    desk.offline()
    desk.preferences.show_log = True
    assert bpy.ops.video_mocap.set_up() == {"FINISHED"}
    desk.until(lambda: desk.state.view.setup.step == 1)
    shown = desk.texts()
    assert "[Step 1 of 2: packages (50%)]" in shown
    assert "downloading torch (900 MB)" in shown
    assert "(Cancel)" in shown
    assert not bpy.ops.video_mocap.set_up.poll()
    assert not bpy.ops.video_mocap.remove_engine.poll()
    assert "is being set up (step 1 of 2)" in desk.resolve.engine_configuration(desk.preferences)

    assert bpy.ops.video_mocap.cancel_set_up() == {"FINISHED"}
    desk.until(lambda: not desk.state.view.setup.running)
    shown = desk.texts()
    assert "was cancelled: press Continue" in shown
    assert "(Continue)" in shown
    assert "press Continue" in desk.resolve.engine_configuration(desk.preferences)

    assert bpy.ops.video_mocap.set_up(label="Continue") == {"FINISHED"}
    desk.until(lambda: desk.state.view.setup.step == 1)
    (desk.extension / "go").touch()
    desk.until(lambda: desk.state.view.setup.finished and not desk.setup.attach())
    desk.state.refresh()
    shown = desk.texts()
    assert f"Version {(desk.extension / 'version').read_text()}" in shown
    assert "(Check)" in shown
    assert "(Repair Engine...)" in shown
    found = desk.resolve.engine_configuration(desk.preferences)
    assert (found.mode, found.python) == ("local", desk.folders.environment / "bin" / "python")
    assert found.data == desk.folders.service

    assert bpy.ops.video_mocap.remove_engine() == {"FINISHED"}
    desk.until(lambda: not desk.state.view.errand)
    assert not desk.folders.environment.exists()
    shown = desk.texts()
    assert "The capture engine was removed." in shown
    assert "(Set Up Engine...)" in shown


def test_an_engine_that_is_older_is_to_be_updated(desk: Desk) -> None:
    desk.offline()
    (desk.extension / "version").write_text("0.0.1")
    (desk.extension / "go").touch()
    bpy.ops.video_mocap.set_up()
    desk.until(lambda: desk.state.view.setup.finished and not desk.setup.attach())
    desk.state.refresh()
    shown = desk.texts()
    assert "has version 0.0.1" in shown
    assert "(Update Engine...)" in shown
    assert "press Update Engine" in desk.resolve.engine_configuration(desk.preferences)


def test_a_set_up_that_cannot_start(desk: Desk) -> None:
    desk.offline()
    (desk.extension / "build.py").unlink()
    bpy.ops.video_mocap.set_up()
    desk.until(lambda: desk.state.view.results)
    assert "install the extension again" in desk.texts()
    desk.preferences.offline_folder = str(desk.extension)
    with pytest.raises(RuntimeError, match="holds no wheels"):
        bpy.ops.video_mocap.set_up()


def test_disabling_leaves_the_set_up_running(desk: Desk, addon: ModuleType) -> None:
    desk.offline()
    bpy.ops.video_mocap.set_up()
    desk.until(lambda: desk.state.view.setup.step == 1)
    bpy.ops.preferences.addon_disable(module=addon.__name__)
    bpy.ops.preferences.addon_enable(module=addon.__name__)
    assert desk.setup.attach()


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_check_of_an_existing_environment(desk: Desk, tmp_path: Path) -> None:
    desk.preferences.engine = "EXISTING"
    assert "(Check)" in desk.texts()
    assert "Choose the existing environment" in desk.resolve.engine_configuration(desk.preferences)
    with pytest.raises(RuntimeError, match="Choose the folder"):
        bpy.ops.video_mocap.check_engine()
    desk.preferences.existing = str(tmp_path / "nowhere")
    assert "holds no Python" in desk.resolve.engine_configuration(desk.preferences)
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'no library' >&2\nexit 1\n")
    python.chmod(0o755)
    desk.preferences.existing = str(tmp_path / "env")
    bpy.ops.video_mocap.check_engine()
    desk.until(lambda: desk.state.view.results)
    assert "cannot start (no library)" in desk.texts()
    assert desk.resolve.engine_configuration(desk.preferences).python == python
    desk.preferences.engine = "LOCAL"
    assert desk.state.view.results == ()


def test_checking_does_not_block(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.pump, "synchronous", False)
    held = threading.Event()
    begun = time.perf_counter()
    assert desk.state.send("Checking", lambda _stop: held.wait(20), lambda _: desk.state.tell(("Done.",), good=True))
    assert time.perf_counter() - begun < 5  # the check would have held it for 20
    assert "Checking..." in desk.texts()
    assert not bpy.ops.video_mocap.check_engine.poll()
    assert not desk.state.send("Removing", lambda _stop: None, lambda _: None)
    held.set()
    desk.until(lambda: not desk.state.view.errand)
    assert "Done." in desk.texts()


def test_an_errand_that_fails_is_told(desk: Desk) -> None:
    def work(_stop: threading.Event) -> None:
        raise ValueError("what nobody thought of")

    desk.state.send("Checking", work, lambda _: None)
    desk.until(lambda: not desk.state.view.errand)
    assert "Checking failed: what nobody thought of." in desk.texts()


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # noqa: N802
        known = self.headers["Authorization"] == "Bearer right"
        body = (
            b'{"name": "video-mocap", "version": "9.9", "api": 1, "device": "cpu", "jobs": {"queued": 2, "running": 1}}'
        )
        body = body if known else b'{"error": {"code": "unauthorized", "message": "The token is wrong."}}'
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_another_machine(desk: Desk, address: str) -> None:
    preferences = desk.preferences
    preferences.engine = "REMOTE"
    assert "Enter the address" in desk.resolve.engine_configuration(preferences)
    preferences.url = "my machine"
    with pytest.raises(RuntimeError, match="no address of a machine"):
        bpy.ops.video_mocap.test_connection()
    preferences.url = address
    assert "Enter the token" in desk.resolve.engine_configuration(preferences)
    preferences.token = "wrong"
    bpy.ops.video_mocap.test_connection()
    desk.until(lambda: desk.state.view.results)
    assert "token is wrong" in desk.texts()
    preferences.token = " right "
    assert desk.state.view.results == ()
    bpy.ops.video_mocap.test_connection()
    desk.until(lambda: desk.state.view.results)
    shown = desk.texts()
    assert "Connected: Video Mocap 9.9 on cpu, 3 jobs before yours." in shown
    assert "unencrypted" not in shown
    found = desk.resolve.engine_configuration(preferences)
    assert (found.mode, found.address.url, found.address.token) == ("remote", address, "right")
    assert "right" not in repr(found)


def test_another_machine_in_the_network(desk: Desk) -> None:
    preferences = desk.preferences
    preferences.engine, preferences.url, preferences.token = "REMOTE", "http://192.0.2.1:8000", "token"
    assert "unencrypted" in desk.texts()
    assert "Allow Online Access" in desk.resolve.engine_configuration(preferences)
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.video_mocap.test_connection()


def test_the_token_is_hidden(desk: Desk) -> None:
    assert desk.preferences.bl_rna.properties["token"].subtype == "PASSWORD"


def test_the_log_that_is_not_there(desk: Desk) -> None:
    assert not desk.folders.log.exists()
    assert bpy.ops.video_mocap.open_log() == {"CANCELLED"}
