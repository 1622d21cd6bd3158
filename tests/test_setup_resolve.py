# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine is to be used, and ending its service before its environment changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from video_mocap.addon.engine import Address
from video_mocap.addon.setup import process
from video_mocap.addon.setup.files import SetupError, write_json
from video_mocap.addon.setup.folders import Folders, extension_version
from video_mocap.addon.setup.resolve import EXISTING, LOCAL, REMOTE, engine_configuration, is_unencrypted
from video_mocap.addon.setup.runner import CANCELLED
from video_mocap.addon.setup.service import stop_service, try_connection


@dataclass(frozen=True)
class Chosen:
    """The preferences without Blender."""

    root: Path
    engine: str = LOCAL
    existing: str = ""
    url: str = ""
    token: str = ""
    online: str | None = None

    def folders(self) -> Folders:
        return Folders(self.root)

    def online_problem(self) -> str | None:
        return self.online


@pytest.fixture
def chosen(tmp_path: Path) -> Chosen:
    return Chosen(tmp_path / "data")


def made(environment: Path, version: str) -> None:
    """As much of an environment as can be seen by looking."""
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.touch()
    (environment / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    metadata = environment / "lib/python3.11/site-packages" / f"video_mocap-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "RECORD").touch()


def sentence(chosen: Chosen) -> str:
    found = engine_configuration(chosen)
    assert isinstance(found, str)
    assert found.endswith(".")
    assert "\n" not in found
    return found


def test_of_this_computer(chosen: Chosen) -> None:
    assert "press Set Up Engine (Preferences > Add-ons > Video Mocap)" in sentence(chosen)
    folders = chosen.folders()
    made(folders.environment, extension_version())
    found = engine_configuration(chosen)
    assert not isinstance(found, str)
    assert (found.mode, found.data, found.address) == ("local", folders.service, None)
    assert found.python.parent.parent == folders.environment
    assert found.client_name.startswith("Blender on ")
    assert engine_configuration(chosen) == found  # the session keeps its engine while the answer stays the same


def test_a_set_up_that_was_cancelled_or_failed(chosen: Chosen) -> None:
    folders = chosen.folders()
    made(folders.environment, extension_version())
    folders.setup.mkdir()
    write_json(folders.process, {"pid": 0, "born": "then", "cancelled": True})
    assert sentence(chosen).startswith(CANCELLED.rstrip("."))
    write_json(folders.process, {"pid": 0, "born": "then", "cancelled": False})
    write_json(
        folders.state, {"error": "packages could not be installed: the disk is full; make room, then run this again"}
    )
    assert "the disk is full; make room, then press Continue" in sentence(chosen)
    write_json(folders.state, {"finished": True})
    assert not isinstance(engine_configuration(chosen), str)


def test_it_only_looks(chosen: Chosen) -> None:
    folders = chosen.folders()
    made(folders.environment, extension_version())
    spent = []
    for _ in range(20):
        begun = time.perf_counter()
        engine_configuration(chosen)
        spent.append(time.perf_counter() - begun)
    assert min(spent) < 0.01
    assert not folders.setup.exists()


def test_existing(chosen: Chosen) -> None:
    chosen = replace(chosen, engine=EXISTING)
    assert "Choose the existing environment" in sentence(chosen)
    assert "holds no Python" in sentence(replace(chosen, existing="/nowhere/at all"))
    found = engine_configuration(replace(chosen, existing=sys.prefix))
    assert not isinstance(found, str)
    assert Path(found.python).parent.parent == Path(sys.prefix)
    found = engine_configuration(replace(chosen, existing=sys.executable))
    assert not isinstance(found, str)
    assert str(found.python) == sys.executable


@pytest.mark.parametrize(
    "url", ["machine", "ftp://machine", "http://", "http://machine:port", "http://[::1", "http://m?x=1"]
)
def test_no_address(chosen: Chosen, url: str) -> None:
    assert "is no address of a machine" in sentence(replace(chosen, engine=REMOTE, url=url, token="t"))


def test_another_machine(chosen: Chosen) -> None:
    chosen = replace(chosen, engine=REMOTE, online="No network.")
    assert "Enter the address" in sentence(chosen)
    chosen = replace(chosen, url="http://10.0.0.2:8000/")
    assert "Enter the token" in sentence(chosen)
    chosen = replace(chosen, token="t")
    assert sentence(chosen) == "No network."
    found = engine_configuration(replace(chosen, online=None))
    assert not isinstance(found, str)
    assert found.address == Address("http://10.0.0.2:8000", "t")
    # This computer itself is no network.
    assert not isinstance(engine_configuration(replace(chosen, url="http://127.0.0.1:8000")), str)


def test_what_travels_unencrypted() -> None:
    assert is_unencrypted("http://10.0.0.2:8000")
    assert not is_unencrypted("https://10.0.0.2:8000")
    assert not is_unencrypted("http://127.0.0.1:8000")
    assert not is_unencrypted("http://[::1")


# --- the service --------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "service"
    data.mkdir()
    return data


def test_a_running_service_is_tried_and_stopped(data: Path) -> None:
    command = [sys.executable, "-P", "-m", "video_mocap.backend.cli", "serve", "--data", str(data), "--json"]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert service.stdout is not None
        assert json.loads(service.stdout.readline())["ready"]
        known = json.loads((data / "server.json").read_text())
        url = f"http://127.0.0.1:{known['port']}"
        good, told = try_connection(Address(url, known["token"]))
        assert good
        assert told.startswith(f"Connected: Video Mocap {extension_version()} on ")
        good, told = try_connection(Address(url, "wrong"))
        assert not good
        assert "token" in told
        stop_service(data)
        assert service.wait(10) == 0
    finally:
        service.kill()
        service.wait()
        if service.stdout is not None:
            service.stdout.close()
    stop_service(data)
    good, told = try_connection(Address(url, known["token"]))
    assert not good
    assert "\n" not in told


def test_nothing_runs(data: Path) -> None:
    stop_service(data)
    (data / "server.json").write_text("half a fi")
    stop_service(data)


def test_a_stranger_with_its_id_is_left_alone(data: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        known = {"pid": stranger.pid, "host": "127.0.0.1", "port": 9, "token": "t"}
        (data / "server.json").write_text(json.dumps(known))
        stop_service(data)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_service_that_does_not_end_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from video_mocap.addon.engine.client import Client

    monkeypatch.setattr(Client, "stop", lambda _: None)
    (data / "server.json").write_text(json.dumps({"pid": os.getpid(), "host": "127.0.0.1", "port": 9, "token": "t"}))
    assert process.birth(os.getpid()) is not None
    with pytest.raises(SetupError, match="does not end: end it, or restart the computer"):
        stop_service(data, patience=0.1)
