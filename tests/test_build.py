# SPDX-License-Identifier: GPL-3.0-or-later
"""build.py: the environment is repaired, not trusted; nothing is done twice."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("build_door", ROOT / "build.py")
assert spec is not None
assert spec.loader is not None
build = importlib.util.module_from_spec(spec)
sys.modules["build_door"] = build
spec.loader.exec_module(build)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what `setup` reads."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as `_create` makes it; making one takes seconds, copying it does not."""
    environment = build.Environment(tmp_path_factory.mktemp("fresh"))
    environment._create()
    return environment.folder


@pytest.fixture
def environment(checkout: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch):
    """An environment that is made quickly and whose pip is a list of the steps it was asked for."""
    environment = build.Environment(checkout)
    environment.done = []

    def create():
        shutil.rmtree(environment.folder, ignore_errors=True)
        shutil.copytree(fresh, environment.folder, symlinks=True)
        return build.probe([str(environment.python)])

    monkeypatch.setattr(environment, "_create", create)
    monkeypatch.setattr(environment, "_pip", lambda step: environment.done.append(step.name))
    return environment


STEPS = ["packages", "detector", "video_mocap"]


def test_setup_installs_once_and_only_what_changed(environment, checkout: Path) -> None:
    assert environment.setup(build.CAPTURE_STEPS)
    assert environment.done == STEPS
    assert not environment.setup(build.CAPTURE_STEPS)
    assert environment.done == STEPS
    with (checkout / "requirements" / "detector.txt").open("a") as file:
        file.write("# newer\n")
    assert environment.setup(build.CAPTURE_STEPS)
    assert environment.done == [*STEPS, "detector"]


def test_setup_goes_on_after_an_interruption(environment, monkeypatch: pytest.MonkeyPatch) -> None:
    install = environment._pip

    def interrupted(step) -> None:
        if step.name == "detector":
            raise KeyboardInterrupt
        install(step)

    monkeypatch.setattr(environment, "_pip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.setup(build.CAPTURE_STEPS)
    monkeypatch.setattr(environment, "_pip", install)
    assert environment.setup(build.CAPTURE_STEPS)
    assert environment.done == STEPS


@pytest.mark.parametrize("damage", ["no python", "no pip", "half made", "stamp is rubbish"])
def test_setup_repairs_a_broken_environment(environment, damage: str) -> None:
    environment.setup(build.CAPTURE_STEPS)
    environment.done.clear()
    if damage == "no python":
        for name in environment.scripts.glob("python*"):
            name.unlink()
    elif damage == "no pip":
        environment.stamp.unlink()
        for folder in environment.folder.glob("lib/python3.*/site-packages/pip"):
            shutil.rmtree(folder)
    elif damage == "half made":
        shutil.rmtree(environment.folder)
        environment.folder.mkdir()
        (environment.folder / "pyvenv.cfg").touch()
    else:
        environment.stamp.write_text("{")
    assert environment.setup(build.CAPTURE_STEPS)
    assert environment.done == STEPS
    assert build.probe([str(environment.python)]) is not None


def test_setup_leaves_a_folder_alone_that_is_no_environment(checkout: Path) -> None:
    environment = build.Environment(checkout)
    environment.folder.mkdir()
    (environment.folder / "thesis.txt").write_text("mine")
    with pytest.raises(build.BuildError, match="is in the way"):
        environment.setup(build.CAPTURE_STEPS)
    assert (environment.folder / "thesis.txt").read_text() == "mine"


def test_a_half_installed_package_is_forgotten(environment) -> None:
    site = environment.folder / "lib" / "python3.11" / "site-packages"
    for name in ("whole", "cut", "short"):
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{name}.py").write_text("x = 1\n")
        (metadata / "RECORD").write_text(f"{name}.py,sha256=abc,6\n{name}-1.0.dist-info/RECORD,,\n")
        (metadata / "INSTALLER").write_text("pip\n")
    (site / "cut-1.0.dist-info" / "INSTALLER").unlink()
    (site / "short.py").write_text("x")
    (site / "~orch").mkdir()
    environment._drop_half_installed()
    assert sorted(path.name for path in site.glob("*.dist-info")) == ["whole-1.0.dist-info"]
    assert not (site / "~orch").exists()


def test_full_disk_is_said_before_anything_is_installed(environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000_000))
    with pytest.raises(build.BuildError, match=r"1\.0 GB free"):
        environment.setup(build.CAPTURE_STEPS)
    assert environment.done == []


@pytest.mark.parametrize(
    ("status", "lines", "expected"),
    [
        (
            1,
            ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
            "disk is full",
        ),
        (
            1,
            ["WARNING: Retrying after NewConnectionError", "ERROR: No matching distribution found for av==16.1.0"],
            "cannot be reached",
        ),
        (1, ["ERROR: No matching distribution found for av==16.1.0"], "found for av==16.1.0"),
        (-9, ["Installing collected packages: bpy"], "stopped by signal 9"),
    ],
)
def test_pip_failures_are_one_sentence(status: int, lines: list[str], expected: str) -> None:
    sentence = build.explain_pip(build.RUNTIME, status, lines, Path("setup.log"))
    assert expected in sentence
    assert "\n" not in sentence


def test_pip_that_fails_leaves_its_log(environment) -> None:
    environment._create()
    step = build.Step("nothing", ("--no-index", "a-package-that-is-nowhere"), ())
    with pytest.raises(build.BuildError, match="a-package-that-is-nowhere"):
        build.Environment._pip(environment, step)
    assert "a-package-that-is-nowhere" in environment.log.read_text()
    assert environment.finished() == {}


def test_no_python_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "candidates", lambda _: iter([["/nowhere/python3.11"]]))
    with pytest.raises(build.BuildError, match=r"Python 3\.11.*install it with .*3\.11"):
        build.find_python()


def test_a_python_without_venv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lame = build.Python("/usr/bin/python3.11", (3, 11, 2), 64, False)
    monkeypatch.setattr(build, "candidates", lambda _: iter([["python3.11"]]))
    monkeypatch.setattr(build, "probe", lambda _: lame)
    with pytest.raises(build.BuildError, match=r"apt install python3\.11-venv"):
        build.find_python()


def test_build_runs_on_python_3_8() -> None:
    ast.parse((ROOT / "build.py").read_text(), feature_version=(3, 8))


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 0), (["bild"], 2), (["setup", "--fast"], 2)])
def test_usage(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(arguments) == status
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.out or captured.err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals and shebangs")
@pytest.mark.parametrize("kind", ["exit status", "interrupt"])
def test_capture_passes_options_and_status_through(environment, checkout: Path, tmp_path_factory, kind: str) -> None:
    shutil.copy(ROOT / "build.py", checkout)
    python = environment._create()
    environment.stamp.write_text(json.dumps({s.name: environment.key(s, python) for s in build.CAPTURE_STEPS}))
    command = environment.scripts / "video-mocap"
    behaviour = "sys.exit(7)" if kind == "exit status" else "signal.pause()"
    command.write_text(
        f"#!{sys.executable}\nimport os, signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(130))\n"
        f"print(os.getcwd(), *sys.argv[1:], flush=True)\n{behaviour}\n"
    )
    command.chmod(0o755)
    folder = tmp_path_factory.mktemp("elsewhere")
    process = subprocess.Popen(
        [sys.executable, str(checkout / "build.py"), "capture", "my video.mp4", "--fov", "60"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if kind == "interrupt":
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == (7 if kind == "exit status" else 130)
    assert line == f"{folder} capture my video.mp4 --fov 60"


def test_manifest_keeps_the_platforms_rules() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["id"] == project["name"]
    assert manifest["version"] == project["version"]
    assert manifest["license"] == [f"SPDX:{project['license']}"]
    assert manifest["blender_version_min"] == "4.2.0"
    assert "blender" not in manifest["name"].lower()
    for text in (manifest["tagline"], *manifest["permissions"].values()):
        assert len(text) <= 64
        assert not re.search(r"[.!?]$", text)
    assert set(manifest["permissions"]) <= {"files", "network", "clipboard", "camera", "microphone"}


def test_every_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.parent for name in ("backend", "rigging") for path in (ROOT / name).rglob("__init__.py")}
    wanted = {".".join(["video_mocap", *folder.relative_to(ROOT).parts]) for folder in folders}
    assert wanted <= set(project["tool"]["setuptools"]["packages"])


def test_package_holds_the_extension_and_nothing_else(tmp_path: Path) -> None:
    tool = build.extension_tool(build.Environment(ROOT))
    if tool is None:
        pytest.skip("bpy, whose extension builder is used, is not in the environment")
    made = subprocess.run(
        [sys.executable, tool, "build", "--source-dir", str(ROOT), "--output-dir", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (archive,) = tmp_path.glob("*.zip")
    names = zipfile.ZipFile(archive).namelist()
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "addon/__init__.py", "rigging/take.py"} <= set(names)
    assert {"backend/cli.py", "requirements/runtime.txt", "build.py", "pyproject.toml"} <= set(names)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    if tracked != [""]:
        strays = {name.split("/")[0] for name in names if name in tracked} - build.PACKAGED
        assert strays == set()
    assert not [name for name in names if "__pycache__" in name]
