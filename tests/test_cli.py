# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: exit statuses, settings, what goes to which stream, progress, interruption."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from video_mocap.backend import cli
from video_mocap.backend.commands import console as console_module
from video_mocap.backend.commands import interrupt
from video_mocap.backend.commands.console import Console
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.progress import Step

SAMPLE = Path(__file__).resolve().parents[1] / "sample" / "sample.mp4"
COMMAND = Path(sys.executable).with_name("video-mocap")


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(COMMAND), *arguments], capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`detect` with the work replaced by what the test says; keeps the arguments it got."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"footage")
    kept = SimpleNamespace(work=lambda: 0, arguments=None)

    def work(arguments, console) -> int:
        kept.arguments, kept.console = arguments, console
        return kept.work()

    monkeypatch.setattr(cli.COMMANDS["detect"], "run", work)
    return kept


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from video_mocap.backend import cli; cli.main(['--help']);"
        "heavy = ('numpy', 'torch', 'cv2', 'mediapipe', 'bpy', 'av', 'tqdm', 'fastapi');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "capture" in done.stdout
    assert "serve" in done.stdout


def test_version(capsys) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("video-mocap 0.")


def test_doctor_finds_what_a_capture_needs_and_leaves_nothing(tmp_path: Path) -> None:
    """Also not in the folder for temporary files, where Blender has its own."""
    done = run("doctor", "--json", cwd=tmp_path, env=os.environ | {"TMPDIR": str(tmp_path)})
    found = json.loads(done.stdout)
    assert found["ready"] == (done.returncode == 0)
    assert {"Python", "weights", "bpy", "folder", "GPU"} <= {finding["name"] for finding in found["findings"]}
    assert all(finding["todo"] for finding in found["findings"] if finding["state"] == "missing")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["animate"],
        ["capture"],
        ["capture", "clip.mp4", "--fov", "60", "--focal-length", "1000"],
        ["capture", "clip.mp4", "--fov", "180"],
        ["capture", "clip.mp4", "--focal-length", "nan"],
        ["capture", "clip.mp4", "--fov", "60", "--camera", "x.camera.npz"],
        ["capture", "clip.mp4", "--quality", "best"],
        ["capture", "clip.mp4", "--height", "0"],
        ["lift", "x.npz", "--smoothing", "inf"],
        ["lift", "x.npz", "--smoothing", "5"],
        ["lift", "x.npz", "--quality", "draft"],
        ["capture", "clip.mp4", "--start", "-1"],
        ["capture", "clip.mp4", "--start", "5", "--end", "4"],
        ["capture", "clip.mp4", "--max-persons", "0"],
        ["capture", "clip.mp4", "--device", "tpu"],
        ["capture", "clip.mp4", "--armature", "hero"],
        ["capture", "clip.mp4", "--max", "2"],
        ["bake", "a.take.npz", "--mapping", "hero.toml"],
        ["bake", "a.take.npz", "--character", "hero.blend", "--footage", "clip.mp4"],
        ["detect"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error:" in captured.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (UserError("the film is\nblank"), 1, "video-mocap: the film is blank"),
        (OSError(errno.ENOSPC, "No space left on device", "out.npz"), 1, "video-mocap: out.npz: the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 1, "video-mocap: x: Permission denied"),
        (ModuleNotFoundError("No module named 'av'", name="av"), 1, "package av is not installed"),
        (MemoryError(), 1, "not enough memory"),
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError: division by zero; run it again with"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Cancelled(), 130, "interrupted"),
    ],
)
def test_failures_are_one_sentence(command, error, status: int, expected: str, capsys) -> None:
    def fail() -> int:
        raise error

    command.work = fail
    assert cli.main(["detect", "clip.mp4"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert cli.main(["detect", "clip.mp4", "--debug"]) == status
    assert "Traceback" in capsys.readouterr().err


def test_settings_fill_what_the_command_line_leaves_open(command, tmp_path: Path) -> None:
    (tmp_path / "shot.toml").write_text('detector = "mediapipe"\nmax_persons = 2\nstart = 1\noutput = "a.npz"\n')
    assert cli.main(["detect", "clip.mp4", "--settings", "shot.toml", "--max-persons", "3"]) == 0
    got = command.arguments
    assert (got.detector, got.max_persons, got.start, got.output) == ("mediapipe", 3, 1.0, Path("a.npz"))


def test_command_line_wins_over_an_excluding_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    got = []
    monkeypatch.setattr(cli.COMMANDS["lift"], "run", lambda arguments, _: got.append(arguments) or 0)
    settings = tmp_path / "lens.toml"
    settings.write_text("fov = 60\njson = true\n")
    assert cli.main(["lift", "x.npz", "--settings", str(settings), "--focal-length", "1000"]) == 0
    assert (got[0].fov, got[0].focal_length, got[0].json) == (None, 1000.0, True)
    assert cli.main(["lift", "x.npz", "--settings", str(settings)]) == 0
    assert (got[1].fov, got[1].focal_length) == (60.0, None)
    assert cli.main(["lift", "x.npz", "--settings", str(settings), "--camera", "x.camera.npz"]) == 0
    assert (got[2].fov, got[2].camera) == (None, "x.camera.npz")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("colour = 1", "colour is no option"),
        ("settings = 'b.toml'", "settings is no option"),
        ("quality = 'best'", "quality must be one of draft, standard, thorough"),
        ("max_persons = 0", "at least 1"),
        ("max_persons = 1.5", "at least 1"),
        ("start = true", "start cannot be True"),
        ("device = 'tpu'", "one of auto, cpu, cuda"),
        ("json = 'yes'", "true or false"),
        ("detector = [1]", "detector cannot be [1]"),
        ("detector =", "is not TOML"),
        ("\udcff", "is not TOML"),
    ],
)
@pytest.mark.usefixtures("command")
def test_bad_settings_are_named(tmp_path: Path, text: str, expected: str, capsys) -> None:
    (tmp_path / "shot.toml").write_bytes(text.encode(errors="surrogateescape"))
    assert cli.main(["detect", "clip.mp4", "--settings", "shot.toml"]) == 1
    error = capsys.readouterr().err
    assert "shot.toml" in error
    assert expected in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("command")
def test_missing_settings_file(capsys) -> None:
    assert cli.main(["detect", "clip.mp4", "--settings", "none.toml"]) == 1
    assert capsys.readouterr().err == "video-mocap: none.toml does not exist\n"


def test_progress_lines_are_few_and_say_rate_and_time_left(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(console_module.time, "monotonic", lambda: clock.now)
    console = Console()
    for done in range(0, 401):
        clock.now = 100 + done * 0.1
        console.progress.report(Step("detection", done, 400))
    console.progress.report(Step("lifting", 0, 1))
    clock.now += 4
    console.progress.report(Step("refinement", 0, 2, "passes"))
    for done in (1, 2):
        clock.now += 3
        console.progress.report(Step("refinement", done, 2, "passes"))
    lines = capsys.readouterr().err.splitlines()
    assert 6 <= len(lines) <= 12
    assert lines[0] == "detection: 50/400 frames, 10.0 frames/s, 35 s left"
    assert lines[-1] == "refinement: 2 passes in 6.0 s"
    assert console.seconds == pytest.approx({"detection": 40.0, "lifting": 4.0, "refinement": 6.0})


def test_progress_bar_on_a_terminal(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    console = Console()
    for done in range(0, 31, 10):
        console.progress.report(Step("detection", done, 30))
    console.close()
    bar = capsys.readouterr().err
    assert "detection: 100%" in bar
    assert "30/30" in bar


def test_json_is_all_there_is_on_stdout() -> None:
    """Also when native code and child processes write on the descriptors."""
    code = (
        "import os, subprocess, sys, warnings\n"
        "from video_mocap.backend import cli\n"
        "def noisy(arguments, console):\n"
        "    os.write(1, b'native'); os.write(2, b'native'); warnings.warn('noise')\n"
        "    subprocess.run(['echo', 'child'])\n"
        "    console.say('remark'); console.result({'frames': 3}, [])\n"
        "    return 0\n"
        "cli.COMMANDS['detect'].run = noisy\n"
        "sys.exit(cli.main(['detect', 'x', '--json', *sys.argv[1:]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"frames": 3}
    assert done.stderr == "remark\n"
    debug = subprocess.run([sys.executable, "-c", code, "--debug"], capture_output=True, text=True, check=True)
    assert json.loads(debug.stdout) == {"frames": 3}
    assert "native" in debug.stderr
    assert "child" in debug.stderr


def test_a_closed_pipe_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([str(COMMAND), "models"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.stderr == ""


def test_models_lists_weights_with_licence(capsys) -> None:
    assert cli.main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"name": "mediapipe", "licence": "Apache-2.0"}.items() <= listed["detectors"][0].items()
    assert all(row["licence"] and not row["problem"] for row in listed["weights"])
    assert cli.main(["models", "path", "no such weights"]) == 1


def test_interrupt_wins_over_what_a_library_makes_of_it(command, capsys) -> None:
    """A KeyboardInterrupt while a native package is being imported comes back as an ImportError."""

    def swallow() -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("initialisation failed") from None
        return 0

    command.work = swallow
    before = signal.getsignal(signal.SIGINT)
    assert cli.main(["detect", "clip.mp4"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupt_that_is_swallowed_whole_still_cancels(command) -> None:
    def swallow() -> int:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert command.console.progress.cancelled()
        raise Cancelled

    command.work = swallow
    assert cli.main(["detect", "clip.mp4"]) == 130


def test_third_interrupt_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    monkeypatch.setattr(interrupt.os, "_exit", left.append)
    request = interrupt.Interrupt()
    with pytest.raises(KeyboardInterrupt):
        request.handle(signal.SIGINT, None)
    request.handle(signal.SIGINT, None)
    assert left == []
    request.handle(signal.SIGINT, None)
    assert left == [130]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("seconds", [0.6, 5.0])
def test_ctrl_c_in_mid_capture_leaves_nothing(tmp_path: Path, number: int, status: int, seconds: float) -> None:
    process = subprocess.Popen(
        [str(COMMAND), "capture", str(SAMPLE)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(seconds)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    assert error.splitlines()[-1] == "interrupted"
    assert list(tmp_path.iterdir()) == []
