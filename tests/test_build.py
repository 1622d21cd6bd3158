# SPDX-License-Identifier: GPL-3.0-or-later
"""build.py: its usage, the capture that it becomes, and what is in the extension."""

from __future__ import annotations

import ast
import hashlib
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
from video_mocap.installation import checks, package
from video_mocap.installation.common import BuildError
from video_mocap.installation.door import main
from video_mocap.installation.environment import Environment
from video_mocap.installation.pythons import SUPPORTED
from video_mocap.installation.steps import CAPTURE_STEPS

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "path", [ROOT / "build.py", *sorted((ROOT / "installation").glob("*.py"))], ids=lambda p: p.name
)
def test_it_runs_on_python_3_8_and_needs_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module != "installation.door":
            assert (node.module or "").split(".")[0] in sys.stdlib_module_names
        if isinstance(node, ast.Import):
            assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 2),
        (["--help"], 0),
        (["bild"], 2),
        (["setup", "--fast"], 2),
        (["setup", "--offline", "x"], 2),
        (["setup", "--with", "nothing"], 2),
        (["setup", "--source", "x"], 2),
        (["setup", "--with", "detectron2", "--into", "x", "--offline", "y"], 2),
        (["download"], 2),
        (["package", "x"], 2),
    ],
)
def test_usage(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.out or captured.err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals and shebangs")
@pytest.mark.parametrize("kind", ["exit status", "interrupt"])
def test_capture_passes_options_and_status_through(tmp_path_factory, kind: str) -> None:
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("installation", "requirements"):
        shutil.copytree(ROOT / name, checkout / name)
    for name in ("build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    environment = Environment(checkout, preferred=sys.executable)
    environment._create()
    python = environment.installed()
    assert python is not None
    environment.stamp.write_text(json.dumps({s.name: environment.key(s, python) for s in CAPTURE_STEPS}))
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


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What `build.py package` makes of this checkout."""
    environment = Environment(ROOT)
    if package.extension_tool(environment) is None:
        pytest.skip("bpy, whose extension builder is used, is not in the environment")
    return package.package(environment, tmp_path_factory.mktemp("dist"))


def test_package_holds_the_extension_and_nothing_else(packaged: list[Path]) -> None:
    names = zipfile.ZipFile(packaged[0]).namelist()
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "addon/__init__.py", "rigging/take.py"} <= set(names)
    assert {"backend/cli.py", "build.py", "pyproject.toml", "installation/door.py"} <= set(names)
    assert {f"requirements/{name}.txt" for name in ("pip", "runtime", "detector", "networks")} <= set(names)
    assert {name.split("/")[0] for name in names} <= package.PACKAGED
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]


def test_the_index_beside_the_zip_is_a_repository(packaged: list[Path]) -> None:
    archive, index, page = packaged
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    (entry,) = json.loads(index.read_text())["data"]
    assert entry["archive_url"] == f"./{archive.name}"
    assert entry["archive_hash"] == "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    assert (entry["id"], entry["version"]) == (manifest["id"], manifest["version"])
    assert archive.name in page.read_text()
    assert sorted(path.name for path in archive.parent.iterdir()) == sorted(path.name for path in packaged)


EXACT = r'[A-Za-z0-9_.-]+==[0-9][^ ;]*(; python_version (<|>=|==) "3\.1[123]")?'


def test_requirements_are_exact_and_fit_every_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">=3.{min(SUPPORTED)},<3.{max(SUPPORTED) + 1}"
    for path in (ROOT / "requirements").glob("*.txt"):
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                assert re.fullmatch(r'[A-Za-z0-9_.-]+==[0-9][^ ;]*(; python_version (<|>=|==) "3\.1[123]")?', line), (
                    line
                )


def test_strays_do_not_get_into_the_extension(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("addon/__init__.py", "")
        file.writestr("notes.txt", "")
    with pytest.raises(BuildError, match=r"notes\.txt"):
        package.check_contents(archive)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], None),
        (["-x", "-k", "lock"], None),
        (["tests/test_build.py::test_usage"], False),
        (["-x", "tests/blender"], True),
    ],
)
def test_tests_in_blender_run_when_nothing_else_was_asked_for(arguments: list[str], expected: bool | None) -> None:
    assert checks._wants_blender(ROOT, arguments) is expected
