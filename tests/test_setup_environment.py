# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture environments: what is said about sound, half-made and broken ones, and what may be removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from video_mocap.addon.setup.diagnosis import HALF_MADE, NOT_SET_UP, diagnose, glance
from video_mocap.addon.setup.environment import installed_version, is_older, python_of, runner_python
from video_mocap.addon.setup.files import SetupError
from video_mocap.addon.setup.folders import extension_version
from video_mocap.addon.setup.plan import YOURS, description, plan, size
from video_mocap.addon.setup.removal import folder_size, is_removable, remove

posix = pytest.mark.skipif(os.name == "nt", reason="links and permissions of POSIX")

DOCTOR = """
import json, sys
assert sys.argv[1:] == ["doctor", "--json"] and sys.flags.safe_path
ok = {"name": "GPU", "ok": True, "text": "NVIDIA X", "todo": "", "required": False}
print(json.dumps({"ready": True, "findings": [ok, *FINDINGS]}))
"""


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    return folder


@pytest.fixture
def environment(bare: Path, tmp_path: Path) -> Path:
    """A copy of it that the set-up began."""
    copy = tmp_path / "environment"
    shutil.copytree(bare, copy, symlinks=True)
    (copy / "setup.lock").touch()
    return copy


def install(environment: Path, version: str, doctor: str | None = None, findings: str = "[]") -> None:
    """Put a `video_mocap` into an environment, as pip leaves it. doctor: its command line's code."""
    site = next(environment.glob("[lL]ib/**/site-packages"))
    metadata = site / f"video_mocap-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: video_mocap\nVersion: {version}\n")
    (metadata / "RECORD").touch()
    package = site / "video_mocap" / "backend"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(f"FINDINGS = {findings}\n{DOCTOR if doctor is None else doctor}")


def test_no_environment(tmp_path: Path) -> None:
    place = tmp_path / "environment"
    assert diagnose(place).sentences == (NOT_SET_UP,)
    place.mkdir()
    assert glance(place) == NOT_SET_UP
    (place / "setup.lock").touch()
    assert glance(place) == NOT_SET_UP
    (place / "holiday.jpg").touch()
    assert "is in the way" in (glance(place) or "")


def test_half_made(environment: Path) -> None:
    found = diagnose(environment)
    assert (found.ok, found.sentences, found.version) == (False, (HALF_MADE,), None)
    assert glance(environment) == HALF_MADE
    python_of(environment).unlink()
    assert diagnose(environment).sentences == (HALF_MADE,)


@posix
def test_its_python_is_gone(environment: Path) -> None:
    install(environment, extension_version())
    settings = environment / "pyvenv.cfg"
    lines = settings.read_text().splitlines()
    settings.write_text("\n".join("home = /gone/blender/python/bin" if "home" in line else line for line in lines))
    for link in environment.glob("bin/python*"):
        link.unlink()
        link.symlink_to("/gone/blender/python/bin/python3")
    for sentence in (glance(environment), *diagnose(environment).sentences):
        assert sentence is not None
        assert "/gone/blender/python/bin): Blender was moved or updated; press Repair Engine" in sentence


@posix
def test_its_python_does_not_start(environment: Path) -> None:
    install(environment, extension_version())
    python = python_of(environment)
    python.unlink()
    python.write_text("#!/bin/sh\necho 'libpython3.so: cannot open shared object file' >&2\nexit 127\n")
    python.chmod(0o755)
    (sentence,) = diagnose(environment).sentences
    assert "cannot start (libpython3.so: cannot open shared object file): press Repair Engine" in sentence
    python.write_text("no program")
    (sentence,) = diagnose(environment).sentences
    assert "cannot be started" in sentence
    assert "\n" not in sentence


def test_sound(environment: Path) -> None:
    install(environment, extension_version())
    found = diagnose(environment)
    assert found.ok
    assert not found.outdated
    assert found.version == extension_version()
    assert found.python == python_of(environment)
    assert found.sentences[0] == "A capture can run: with the GPU, NVIDIA X."
    assert glance(environment) is None


def test_older_than_the_add_on(environment: Path) -> None:
    install(environment, "0.0.9")
    found = diagnose(environment)
    assert found.ok
    assert found.outdated
    assert found.sentences[-1] == (
        f"The capture engine has version 0.0.9, the add-on {extension_version()}: press Update Engine."
    )
    assert glance(environment) == found.sentences[-1]


def test_packages_are_missing(environment: Path) -> None:
    broken = "[{'name': 'PyTorch', 'ok': False, 'text': 'is missing', 'todo': 'build.py setup', 'required': True}]"
    install(environment, extension_version(), findings=broken)
    found = diagnose(environment)
    assert not found.ok
    assert found.sentences[0] == "PyTorch: is missing; press Repair Engine, and what is missing is installed again."


def test_it_cannot_start(environment: Path) -> None:
    install(environment, extension_version(), "raise ImportError('DLL load failed')")
    found = diagnose(environment)
    assert not found.ok
    assert "cannot start (ImportError: DLL load failed): press Repair Engine" in found.sentences[0]
    found = diagnose(environment, ours=False)
    assert "or choose another environment" in found.sentences[0]


def test_a_check_that_hangs_ends(environment: Path) -> None:
    install(environment, extension_version(), "import time; time.sleep(600)")
    begun = time.monotonic()
    assert diagnose(environment, timeout=0.5).sentences == ("The check took too long and was stopped: try again.",)
    stop = threading.Event()
    stop.set()
    assert not diagnose(environment, stop).ok
    assert time.monotonic() - begun < 20


def test_an_existing_environment(environment: Path, tmp_path: Path) -> None:
    install(environment, extension_version())
    assert diagnose(python_of(environment), ours=False).ok
    (sentence,) = diagnose(tmp_path / "nowhere", ours=False).sentences
    assert sentence.endswith("nowhere does not exist: choose the folder of an environment, or its Python.")
    (tmp_path / "empty").mkdir()
    (sentence,) = diagnose(tmp_path / "empty", ours=False).sentences
    assert "holds no Python" in sentence
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    environment.rename(checkout / ".venv")
    assert python_of(checkout) == python_of(checkout / ".venv")


def test_this_environment() -> None:
    """The real doctor."""
    found = diagnose(Path(sys.prefix), ours=False)
    assert found.version == extension_version()
    assert found.sentences


def test_versions() -> None:
    assert is_older("0.9.1", "0.10.0")
    assert is_older("0.1.0", "1")
    assert not is_older("0.1.0", "0.1.0")
    assert not is_older("1.0", "0.9.9")
    assert is_older("unknown", "0.1.0")


def test_what_runs_build_py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runner_python() == sys.executable
    blender = tmp_path / "blender"
    blender.touch()
    monkeypatch.setattr(sys, "executable", str(blender))
    found = runner_python()
    assert found is not None
    assert Path(found).name.startswith("python")


# --- removing -----------------------------------------------------------------------------------------------------


def test_remove(environment: Path) -> None:
    assert is_removable(environment)
    assert folder_size(environment) > 1000
    remove(environment)
    assert not environment.exists()
    assert list(environment.parent.iterdir()) == []
    assert not is_removable(environment)
    remove(environment)


def test_only_what_the_set_up_made_is_removed(environment: Path) -> None:
    (environment / "setup.lock").unlink()
    with pytest.raises(SetupError, match="not made by the set-up"):
        remove(environment)
    assert python_of(environment).exists()
    (environment / "setup.json").write_text("{}")
    (environment / "pyvenv.cfg").unlink()
    with pytest.raises(SetupError, match="not made by the set-up"):
        remove(environment)
    assert not is_removable(environment)


@posix
def test_links_are_not_followed(environment: Path, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "take.npz").write_text("mine")
    treasure.chmod(0o500)
    (environment / "lib" / "out").symlink_to(treasure, target_is_directory=True)
    (environment / "take.npz").symlink_to(treasure / "take.npz")
    size_before = folder_size(environment)
    assert size_before < 1e7
    remove(environment)
    assert (treasure / "take.npz").read_text() == "mine"
    assert treasure.stat().st_mode & 0o777 == 0o500
    linked = tmp_path / "environment"
    linked.symlink_to(treasure, target_is_directory=True)
    with pytest.raises(SetupError, match="is a link"):
        remove(linked)
    assert (treasure / "take.npz").exists()


@posix
def test_read_only_folders_go_too(environment: Path) -> None:
    locked = environment / "lib" / "locked"
    locked.mkdir()
    (locked / "file").touch()
    locked.chmod(0o500)
    remove(environment)
    assert not environment.exists()


def test_a_removal_that_was_cut_off_is_finished(environment: Path) -> None:
    environment.rename(environment.with_name("environment.removing"))
    assert is_removable(environment)
    remove(environment)
    assert list(environment.parent.iterdir()) == []


# --- the dialog ---------------------------------------------------------------------------------------------------


def test_the_dialog_says_everything(tmp_path: Path) -> None:
    into = tmp_path / "environment"
    text = dict(description(plan(into)))
    assert "pypi.org" in text["From"]
    assert "to download" in text["Size"]
    assert "on disk" in text["Size"]
    assert text["Into"] == str(into)
    assert "Python 3." in text["With"]
    assert text["Yours"] == YOURS
    for licence in ("GPL-3.0-or-later", "CC BY 4.0", "Apache-2.0", "BSD"):
        assert licence in text["Licences"]
    assert not into.exists()


def test_the_dialog_agrees_with_build_py() -> None:
    from video_mocap.addon.setup import plan as ours

    pythons = pytest.importorskip("video_mocap.installation.pythons")
    sizes = pytest.importorskip("video_mocap.installation.sizes")
    assert tuple(minor for _, minor in ours.SUPPORTED) == pythons.SUPPORTED
    assert ours.DISK_NEEDED == sizes.DISK_NEEDED


def test_offline(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    assert "holds no wheels" in (plan(tmp_path / "environment", wheels).problem or "")
    wheels.mkdir()
    (wheels / "torch-2.13.0-py3-none-any.whl").touch()
    offline = plan(tmp_path / "environment", wheels)
    assert offline.problem is None
    text = dict(description(offline))
    assert text["From"] == str(wheels)
    assert "nothing to download" in text["Size"]


def test_too_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=700_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    problem = plan(tmp_path / "environment").problem
    assert problem is not None
    assert problem.startswith("Only 700 MB are free")


def test_sizes() -> None:
    assert (size(450e6), size(1.44e9)) == ("450 MB", "1.4 GB")


def test_installed_version(environment: Path) -> None:
    assert installed_version(environment) is None
    install(environment, "1.2.3")
    assert installed_version(environment) == "1.2.3"
