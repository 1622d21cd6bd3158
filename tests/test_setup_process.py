# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up process: followed, cancelled, gone on with, and found again by another Blender."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from video_mocap.addon.setup import process
from video_mocap.addon.setup.files import SetupError, last_lines
from video_mocap.addon.setup.folders import Folders
from video_mocap.addon.setup.runner import CANCELLED, INTERRUPTED, Setup, SetupState

posix = pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX's")

#: Says what the real build.py says; a test moves it on by making files beside it.
STAND_IN = """
import json, os, subprocess, sys, time
from pathlib import Path

here = Path(__file__).parent
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert sys.argv[1] == "setup", sys.argv
if (here / "broken").exists():
    sys.exit("this Python is too old")
into, state = Path(options["--into"]), Path(options["--state"])
into.mkdir(parents=True, exist_ok=True)
(here / "arguments.json").write_text(json.dumps(sys.argv))
(here / "variables.json").write_text(json.dumps(dict(os.environ)))

def tell(**more):
    told = {"pid": os.getpid(), "step": 1, "steps": 2, "name": "packages", "fraction": 0.0, "error": None,
            "finished": False, "version": None, **more}
    state.with_suffix(".new").write_text(json.dumps(told))
    state.with_suffix(".new").replace(state)

pip = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(here / "pip.pid").write_text(str(pip.pid))
tell(fraction=0.25)
print("downloading torch (900 MB)", flush=True)
while not (here / "go").exists():
    time.sleep(0.01)
pip.kill()
if (here / "full").exists():
    tell(error="packages could not be installed: the disk is full")
    sys.exit(1)
tell(step=2, fraction=1.0, finished=True, version="0.1.0")
"""


def until(asked: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not asked():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Workshop:
    """An extension whose build.py is the stand-in, and the folder of its user's data."""

    def __init__(self, folder: Path) -> None:
        self.extension = folder / "extension"
        self.extension.mkdir()
        (self.extension / "build.py").write_text(STAND_IN)
        self.folders = Folders(folder / "user data")

    def blender(self) -> Setup:
        return Setup(self.folders, self.extension, sys.executable)

    def tell(self, what: str) -> None:
        (self.extension / what).touch()

    def untell(self, what: str) -> None:
        (self.extension / what).unlink()

    def heard(self, name: str) -> object:
        return json.loads((self.extension / name).read_text())

    def pip(self) -> int:
        return int((self.extension / "pip.pid").read_text())

    def started(self) -> Setup:
        setup = self.blender()
        setup.start()
        until(lambda: setup.state().fraction == 0.25 and setup.state().lines)
        return setup


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    yield workshop
    thread = workshop.blender().cancel()
    if thread is not None:
        thread.join()


def test_nothing_was_ever_started(workshop: Workshop) -> None:
    assert workshop.blender().state() == SetupState()
    assert not workshop.blender().attach()
    assert workshop.blender().cancel() is None
    assert not workshop.folders.root.exists()


def test_followed_to_its_end(workshop: Workshop) -> None:
    setup = workshop.started()
    state = setup.state()
    assert state.running
    assert (state.step, state.steps, state.name) == (1, 2, "packages")
    assert "downloading torch (900 MB)" in state.lines
    workshop.tell("go")
    until(lambda: setup.state().finished)
    state = setup.state()
    assert (state.running, state.error, state.fraction) == (False, None, 1.0)


def test_state_is_quick(workshop: Workshop) -> None:
    setup = workshop.started()
    costs = []
    for _ in range(50):
        begun = time.perf_counter()
        setup.state()
        costs.append(time.perf_counter() - begun)
    assert min(costs) < 0.001


def test_the_child_is_given_a_clean_environment(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("LD_PRELOAD_PATH", "/nowhere")
    monkeypatch.setenv("OCIO", "/nowhere")
    monkeypatch.setenv("BLENDER_USER_RESOURCES", "/nowhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    wheels = workshop.extension / "wheels"
    wheels.mkdir()
    setup = workshop.blender()
    setup.start(wheels)
    until(lambda: setup.state().fraction == 0.25)
    variables = workshop.heard("variables.json")
    assert isinstance(variables, dict)
    assert "/nowhere" not in variables.values()
    assert variables["HTTPS_PROXY"] == "http://proxy:3128"
    arguments = workshop.heard("arguments.json")
    assert isinstance(arguments, list)
    assert arguments[1:] == [
        *("setup", "--into", str(workshop.folders.environment)),
        *("--offline", str(wheels), "--state", str(workshop.folders.state)),
    ]


def test_a_second_start_is_refused_while_one_runs(workshop: Workshop) -> None:
    workshop.started()
    with pytest.raises(SetupError, match="running already"):
        workshop.blender().start()


def test_what_failed_is_told_and_can_be_gone_on_with(workshop: Workshop) -> None:
    setup = workshop.started()
    workshop.tell("full")
    workshop.tell("go")
    until(lambda: not setup.state().running)
    assert setup.state().error == "Packages could not be installed: the disk is full."
    workshop.untell("full")
    until(lambda: not setup.attach())
    setup.start()
    until(lambda: setup.state().finished)
    assert setup.state().error is None


def test_a_child_that_dies_before_its_first_word(workshop: Workshop) -> None:
    workshop.tell("broken")
    setup = workshop.blender()
    setup.start()
    until(lambda: not setup.state().running)
    assert setup.state().error == "The set-up could not start: this Python is too old."


@posix
def test_cancel_ends_the_child_and_its_children(workshop: Workshop) -> None:
    setup = workshop.started()
    child = json.loads(workshop.folders.state.read_text())["pid"]
    thread = setup.cancel()
    assert thread is not None
    thread.join()
    until(lambda: process.birth(child) is None and process.birth(workshop.pip()) is None)
    assert setup.state().error == CANCELLED
    setup.start()
    until(lambda: setup.state().fraction == 0.25)
    assert setup.state().error is None


@posix
def test_a_child_that_does_not_listen_is_forced(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(99)"
    )
    log = tmp_path / "log"
    child = process.start_detached([sys.executable, "-c", deaf], tmp_path, log)
    until(lambda: "deaf" in log.read_text())
    process.end(child.pid, process.birth(child.pid) or "", grace=0.2)
    assert child.wait(10) is not None


@posix
def test_a_killed_child_was_interrupted(workshop: Workshop) -> None:
    setup = workshop.started()
    os.killpg(json.loads(workshop.folders.state.read_text())["pid"], signal.SIGKILL)
    until(lambda: not setup.state().running)
    assert setup.state().error == INTERRUPTED


@posix
def test_a_process_that_got_the_same_id_is_not_ours(workshop: Workshop) -> None:
    workshop.started()
    thread = workshop.blender().cancel()
    assert thread is not None
    thread.join()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        known = json.loads(workshop.folders.process.read_text())
        workshop.folders.process.write_text(json.dumps({**known, "pid": stranger.pid, "cancelled": False}))
        setup = workshop.blender()
        assert not setup.attach()
        assert setup.state().error == INTERRUPTED
        assert setup.cancel() is None
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@posix
def test_it_goes_on_when_blender_is_killed_and_the_next_one_finds_it(workshop: Workshop) -> None:
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from video_mocap.addon.setup.folders import Folders
        from video_mocap.addon.setup.runner import Setup
        Setup(Folders(Path(sys.argv[1])), Path(sys.argv[2]), sys.executable).start()
        print("started", flush=True)
        time.sleep(600)
    """)
    command = [sys.executable, "-c", script, str(workshop.folders.root), str(workshop.extension)]
    blender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert blender.stdout is not None
    assert blender.stdout.readline() == "started\n"
    os.killpg(blender.pid, signal.SIGKILL)  # with all that belongs to it
    blender.wait()
    blender.stdout.close()
    setup = workshop.blender()
    assert setup.attach()
    until(lambda: setup.state().fraction == 0.25)
    assert setup.state().running
    workshop.tell("go")
    until(lambda: setup.state().finished)


def test_no_permission(workshop: Workshop) -> None:
    if os.name == "nt" or os.geteuid() == 0:
        workshop.folders.root.write_text("a file in the way")
        expected = "user data"
    else:
        workshop.folders.root.mkdir()
        workshop.folders.root.chmod(0o500)
        expected = "cannot be written"
    with pytest.raises(SetupError, match=expected):
        workshop.blender().start()
    assert workshop.blender().state().running is False


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk(workshop: Workshop) -> None:
    workshop.folders.setup.mkdir(parents=True)
    workshop.folders.log.symlink_to("/dev/full")
    with pytest.raises(SetupError, match=r"is full: make room"):
        workshop.blender().start()


def test_a_missing_build_script_and_a_missing_wheels_folder(workshop: Workshop) -> None:
    with pytest.raises(SetupError, match="no folder"):
        workshop.blender().start(workshop.extension / "wheels")
    (workshop.extension / "build.py").unlink()
    with pytest.raises(SetupError, match="install the extension again"):
        workshop.blender().start()
    assert not workshop.folders.root.exists()


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "setup.log"
    assert last_lines(log) == ()
    log.write_bytes(b"x" * 5000 + b"\n one\n\n10%\r50%\r100%\ntw\xff\n")
    assert last_lines(log) == (" one", "100%", "tw\N{REPLACEMENT CHARACTER}")


def test_forgotten_after_a_removal(workshop: Workshop) -> None:
    setup = workshop.started()
    workshop.tell("go")
    until(lambda: setup.state().finished and not setup.attach())
    setup.forget()
    assert not setup.state().started
    assert not setup.state().finished
