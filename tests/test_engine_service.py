# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of the local service as Blender sees it: found, started once, restarted, ended, or broken."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from video_mocap.addon.engine import Configuration, Connected, Disconnected, EngineError, JobsListed
from video_mocap.addon.engine.lock import FileLock
from video_mocap.addon.engine.processes import alive, kill
from video_mocap.addon.engine.service import LocalService
from video_mocap.addon.variables import clean_environment

sys.path.insert(0, str(Path(__file__).parent))
from engine_bench import answering, engine, our_threads, processes_of, status, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever runs on it is ended."""
    folder = tmp_path / "service"
    yield folder
    for pid in processes_of(folder):
        kill(pid)


def local(data: Path, python: Path | str = sys.executable, **more: Any) -> Configuration:
    return Configuration("local", Path(python), data, **more)


def facts(data: Path) -> dict[str, Any]:
    return json.loads((data / "server.json").read_text())


def write_facts(data: Path, **what: Any) -> None:
    data.mkdir(parents=True, exist_ok=True)
    usual = {"pid": os.getpid(), "host": "127.0.0.1", "port": 9, "token": "t", "api": 1, "version": "0", "started": ""}
    (data / "server.json").write_text(json.dumps(usual | what))


def fake_python(folder: Path, script: str) -> Path:
    """An interpreter that is none."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_started_found_by_a_second_one_and_ended(data: Path) -> None:
    with engine(local(data), stop=False) as first:
        first.engine.connect()
        assert first.wait(Connected).status["api"] == 1
        first.wait(JobsListed)
        pid = facts(data)["pid"]
        with engine(local(data), stop=False) as second:
            second.engine.connect()
            second.wait(Connected, seconds=5)
        assert facts(data)["pid"] == pid
        assert alive(pid), "a Blender that leaves does not take the service with it"
        assert stat.S_IMODE((data / "server.json").stat().st_mode) == 0o600
        first.engine.close(stop_backend=True)
        until(lambda: not processes_of(data), 1)
    assert not (data / "server.json").exists()


def test_two_at_once_share_one_service(data: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from video_mocap.addon.engine import Configuration, Engine, Connected\n"
        "made = Engine(Configuration('local', pathlib.Path(sys.executable), pathlib.Path(sys.argv[1])))\n"
        "made.connect()\n"
        "message = made.messages.get(timeout=60)\n"
        "print(type(message).__name__, flush=True)\n"
        "sys.stdin.read()\n"
        "made.close(False)\n"
    )
    blenders = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    try:
        for blender in blenders:
            assert blender.stdout is not None
            assert blender.stdout.readline() == "Connected\n"
        serving = [pid for pid in processes_of(data) if b"\0serve\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert serving == [facts(data)["pid"]]
        assert "another service" not in (data / "service.log").read_text()
    finally:
        for blender in blenders:
            blender.communicate()


def test_killed_again_and_again(data: Path) -> None:
    """It is started again; but the third death within a minute is told."""
    with engine(local(data)) as blender:
        blender.engine.connect()
        for _ in range(2):
            blender.wait(Connected)
            blender.wait(JobsListed)
            kill(facts(data)["pid"])
        blender.wait(Connected)
        assert not blender.of(Disconnected)
        kill(facts(data)["pid"])
        told = blender.wait(Disconnected, seconds=15)
        assert "does not start" in told.sentence
        assert not told.retrying
        blender.engine.connect()
        blender.wait(Connected)


def test_a_service_that_hangs_is_replaced(data: Path) -> None:
    with engine(local(data, timeout=0.5)) as blender:
        blender.engine.connect()
        blender.wait(JobsListed)
        pid = facts(data)["pid"]
        os.kill(pid, signal.SIGSTOP)
        told = blender.wait(Disconnected, seconds=15)
        assert told.retrying
        assert "does not answer in time" in told.sentence
        blender.wait(Connected)
        assert facts(data)["pid"] != pid


def test_closing_with_a_hanging_service(data: Path) -> None:
    with engine(local(data)) as blender:
        blender.engine.connect()
        blender.wait(JobsListed)
        os.kill(facts(data)["pid"], signal.SIGSTOP)
        blender.engine.close(stop_backend=True)
        until(lambda: not processes_of(data), 1)


def test_an_old_server_json(data: Path) -> None:
    """Of a process that is dead."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    write_facts(data, pid=dead.pid)
    with engine(local(data)) as blender:
        blender.engine.connect()
        blender.wait(Connected)
        assert facts(data)["pid"] != dead.pid


@pytest.mark.parametrize("body", [status(name="printer"), "<html>", status(api=1)])
def test_another_process_has_the_port(data: Path, body: str) -> None:
    """Its own process number was given to somebody else too; only what answers like ours to our token is ours."""
    with answering(200 if "video" not in body else 401, body) as port:
        write_facts(data, port=port)
        with engine(local(data)) as blender:
            blender.engine.connect()
            blender.wait(Connected)
            assert facts(data)["port"] != port


def test_another_process_has_the_port_and_says_nothing(data: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        write_facts(data, port=listener.getsockname()[1])
        with engine(local(data, timeout=0.3)) as blender:
            blender.engine.connect()
            blender.wait(Connected)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": -1, "host": "a", "port": 1, "token": "t"}'])
def test_a_server_json_that_is_none(data: Path, text: str) -> None:
    data.mkdir()
    (data / "server.json").write_text(text)
    assert LocalService(Path("python"), data, threading.Event())._look() is None


def test_a_service_of_another_version(data: Path) -> None:
    write_facts(data, api=2)
    with engine(local(data)) as blender:
        blender.engine.connect()
        told = blender.wait(Disconnected, seconds=5)
        assert told.sentence.startswith("The capture engine is version 2 of the protocol and this add-on speaks 1: ")
        assert not told.retrying
        assert not processes_of(data)


def test_no_python(data: Path, tmp_path: Path) -> None:
    with engine(local(data, tmp_path / "gone" / "python")) as blender:
        blender.engine.connect()
        told = blender.wait(Disconnected, seconds=5)
        assert "no such file or directory" in told.sentence
        assert "press Repair Engine" in told.sentence


@pytest.mark.parametrize(
    ("script", "seconds", "words"),
    [
        ('echo "$0: No module named video_mocap" >&2; exit 1', 1.5, "No module named video_mocap"),
        ("echo first; echo video-mocap: the sky fell. >&2; exit 1", 10, "(the sky fell; "),
        ("exit 127", 10, "without a word"),
    ],
)
def test_a_python_that_breaks(data: Path, tmp_path: Path, script: str, seconds: float, words: str) -> None:
    with engine(local(data, fake_python(tmp_path, script))) as blender:
        blender.engine.connect()
        told = blender.wait(Disconnected, seconds=seconds)
        assert words in told.sentence
        assert "press Repair Engine" in told.sentence
        assert not told.retrying


def test_closing_while_it_starts(data: Path, tmp_path: Path) -> None:
    python = fake_python(tmp_path, "sleep 100")
    with engine(local(data, python)) as blender:
        blender.engine.connect()
        until(lambda: processes_of(data))
        blender.engine.close(stop_backend=True)
        until(lambda: not processes_of(data), 1)
    assert our_threads() == []


def test_a_data_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with engine(local(tmp_path / "file" / "service")) as blender:
        blender.engine.connect()
        assert "cannot be used" in blender.wait(Disconnected, seconds=5).sentence


def test_the_service_has_nothing_of_blenders(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "LD_PRELOAD", "OCIO", "MATERIALX_SEARCH_PATH", "BLENDER_USER_RESOURCES"):
        monkeypatch.setenv(name, "/nonsense")
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    kept = clean_environment()
    assert not [name for name, value in kept.items() if value == "/nonsense"]
    assert kept["PATH"] == "/bin:/usr/bin"
    python = fake_python(
        tmp_path, f'env > "{tmp_path}/env"; echo "$@" > "{tmp_path}/args"; pwd > "{tmp_path}/pwd"; exit 1'
    )
    with pytest.raises(EngineError):
        LocalService(python, data, threading.Event()).ensure()
    given = (tmp_path / "env").read_text().splitlines()
    assert not [line for line in given if "nonsense" in line]
    assert {"PYTHONNOUSERSITE=1", "PYTHONUTF8=1"} <= set(given), "a capture runs as the check of the engine does"
    assert (tmp_path / "args").read_text() == (f"-P -m video_mocap.backend.cli serve --data {data} --lease 20 --json\n")
    assert (tmp_path / "pwd").read_text().strip() == str(data)


def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import sys, pathlib\nfrom video_mocap.addon.engine.lock import FileLock\n"
        "lock = FileLock(pathlib.Path(sys.argv[1]))\nprint(lock.acquire(), flush=True)\nsys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    lock = FileLock(path)
    assert not lock.acquire()
    holder.kill()
    holder.communicate()
    assert lock.acquire()
    lock.release()
