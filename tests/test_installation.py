# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments: they are repaired, not trusted; nothing is done twice; one set-up at a time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest
from video_mocap.installation import detectron2, lock, product, pythons, sizes
from video_mocap.installation.common import BuildError
from video_mocap.installation.environment import Environment
from video_mocap.installation.pythons import Python, probe
from video_mocap.installation.records import drop_half_installed
from video_mocap.installation.steps import CAPTURE_STEPS, EXTENSION_STEPS, NETWORKS, PRODUCT, Step

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and locks")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what `setup` reads."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as `_create` makes it; making one takes seconds, copying it does not."""
    environment = Environment(tmp_path_factory.mktemp("fresh"), preferred=sys.executable)
    environment._create()
    return environment.folder


@pytest.fixture
def environment(checkout: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch):
    """An environment that is made quickly and whose steps are a list of those it was asked for."""
    environment = Environment(checkout, state=checkout / "setup" / "state.json")
    environment.done = []  # type: ignore[attr-defined]

    def create():
        environment._clear()
        shutil.copytree(fresh, environment.folder, symlinks=True, dirs_exist_ok=True)
        return probe([str(environment.python)])

    monkeypatch.setattr(environment, "_create", create)
    monkeypatch.setattr(environment, "_install", lambda step: environment.done.append(step.name))  # type: ignore[attr-defined]
    return environment


def names(environment: Environment, steps=CAPTURE_STEPS) -> list[str]:
    python = environment.installed()
    assert python is not None
    return [step.name for step in steps if not step.minors or python.version[1] in step.minors]


def test_setup_installs_once_and_only_what_changed(environment, checkout: Path) -> None:
    assert environment.setup(CAPTURE_STEPS)
    everything = names(environment)
    assert environment.done == everything
    assert not environment.setup(CAPTURE_STEPS)
    assert environment.done == everything
    with (checkout / "requirements" / "detector.txt").open("a") as file:
        file.write("# newer\n")
    assert environment.setup(CAPTURE_STEPS)
    assert environment.done == [*everything, "detector"]


def test_setup_goes_on_after_an_interruption(environment, monkeypatch: pytest.MonkeyPatch) -> None:
    install = environment._install

    def interrupted(step) -> None:
        if step.name == "detector":
            raise KeyboardInterrupt
        install(step)

    monkeypatch.setattr(environment, "_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.setup(CAPTURE_STEPS)
    told = json.loads((environment.root / "setup" / "state.json").read_text())
    assert "interrupted" in told["error"]
    assert told["finished"] is False
    monkeypatch.setattr(environment, "_install", install)
    assert environment.setup(CAPTURE_STEPS)
    assert environment.done == names(environment)


def test_a_step_that_was_cut_off_is_not_taken_for_done_after_going_back(environment, checkout, monkeypatch) -> None:
    environment.setup(CAPTURE_STEPS)
    environment.done.clear()
    file = checkout / "requirements" / "detector.txt"
    older = file.read_bytes()
    file.write_bytes(older + b"# newer\n")
    install = environment._install
    monkeypatch.setattr(environment, "_install", lambda _: os.getpid() and (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        environment.setup(CAPTURE_STEPS)
    monkeypatch.setattr(environment, "_install", install)
    file.write_bytes(older)
    environment.setup(CAPTURE_STEPS)
    assert environment.done == ["detector"]


@pytest.mark.parametrize("damage", ["no python", "no pip", "half made", "stamp is rubbish"])
def test_setup_repairs_a_broken_environment(environment, damage: str) -> None:
    environment.setup(CAPTURE_STEPS)
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
    assert environment.setup(CAPTURE_STEPS)
    assert environment.done == names(environment)
    assert probe([str(environment.python)]) is not None


def test_setup_leaves_a_folder_alone_that_is_no_environment(checkout: Path) -> None:
    environment = Environment(checkout)
    environment.folder.mkdir()
    (environment.folder / "thesis.txt").write_text("mine")
    with pytest.raises(BuildError, match="is in the way"):
        environment.setup(CAPTURE_STEPS)
    assert (environment.folder / "thesis.txt").read_text() == "mine"


def test_a_newer_extension_installs_only_the_product_again(environment, checkout: Path) -> None:
    for name in ("addon", "backend", "rigging"):
        (checkout / name).mkdir()
    module = checkout / "backend" / "cli.py"
    module.write_text("x = 1\n")
    environment.setup(EXTENSION_STEPS)
    environment.done.clear()
    module.write_text("x = 2\n")
    (checkout / "backend" / "__pycache__").mkdir()
    (checkout / "backend" / "__pycache__" / "cli.pyc").write_text("changes all the time")
    environment.setup(EXTENSION_STEPS)
    assert environment.done == ["video_mocap"]
    (checkout / "backend" / "__pycache__" / "cli.pyc").write_text("as it did now")
    assert not environment.setup(EXTENSION_STEPS)


def test_python_3_13_gets_the_networks_and_others_do_not(environment) -> None:
    environment._create()
    for minor in (11, 12, 13):
        steps = environment.missing(EXTENSION_STEPS, Python("python", (3, minor, 1), 64, True))
        assert (NETWORKS in steps) == (minor == 13)
        assert PRODUCT in steps


def test_a_half_installed_package_is_forgotten(tmp_path: Path) -> None:
    site = tmp_path
    for name in ("whole", "cut", "short"):
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{name}.py").write_text("x = 1\n")
        (metadata / "RECORD").write_text(f"{name}.py,sha256=abc,6\n{name}-1.0.dist-info/RECORD,,\n")
        (metadata / "INSTALLER").write_text("pip\n")
    (site / "cut-1.0.dist-info" / "INSTALLER").unlink()
    (site / "short.py").write_text("x")
    (site / "~orch").mkdir()
    drop_half_installed([site])
    assert sorted(path.name for path in site.glob("*.dist-info")) == ["whole-1.0.dist-info"]
    assert not (site / "~orch").exists()


def test_full_disk_is_said_before_anything_is_installed(environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000_000))  # type: ignore[attr-defined]
    with pytest.raises(BuildError, match=r"1\.0 GB free"):
        environment.setup(CAPTURE_STEPS)
    assert environment.done == []
    told = json.loads((environment.root / "setup" / "state.json").read_text())
    assert "1.0 GB free" in told["error"]


def test_pip_that_fails_leaves_its_log(environment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment._create()
    monkeypatch.undo()
    step = Step("nothing", ("--no-index", "a-package-that-is-nowhere"), ())
    with pytest.raises(BuildError, match="a-package-that-is-nowhere"):
        environment.setup((step,))
    assert "a-package-that-is-nowhere" in environment.log.read_text()
    assert environment.finished() == {}
    assert not environment.temporary.exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(checkout: Path, capsys) -> None:
    from video_mocap.installation.door import main

    blocked = checkout / "file"
    blocked.write_text("no folder")
    assert main(["setup", "--into", str(blocked / "environment")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("build.py: ")
    assert error.count("\n") == 1


def test_an_environment_inside_the_extension_is_refused(capsys) -> None:
    from video_mocap.installation.door import main

    assert main(["setup", "--into", str(ROOT / "addon" / "environment")]) == 1
    assert "update wipes" in capsys.readouterr().err
    assert not (ROOT / "addon" / "environment").exists()


def test_the_product_is_copied_out_of_a_read_only_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "backend" / "__pycache__").mkdir(parents=True)
    (source / "backend" / "cli.py").write_text("x = 1\n")
    (source / "backend" / "cli.py").chmod(0o444)
    (source / "backend").chmod(0o555)
    try:
        product.copy(source, tmp_path / "copy", ("backend", "LICENSE"))
    finally:
        (source / "backend").chmod(0o755)
    assert [path.name for path in (tmp_path / "copy" / "backend").iterdir()] == ["cli.py"]
    (tmp_path / "copy" / "backend" / "more.py").write_text("it can be built in")
    shutil.rmtree(tmp_path / "copy")


def test_the_product_is_installed_without_the_checkout(fresh: Path, tmp_path: Path) -> None:
    """As `setup --into` does it; the packages that it needs come from the environment that runs the tests."""
    environment = Environment(ROOT, tmp_path / "environment")
    shutil.copytree(fresh, environment.folder, symlinks=True)
    (site,) = environment.sites
    shutil.rmtree(site / "setuptools", ignore_errors=True)  # an old one comes with Python 3.11
    for metadata in site.glob("setuptools-*"):
        shutil.rmtree(metadata)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    product.install(environment)
    code = "import video_mocap.backend.cli as c; print(c.__file__)"
    command = [str(environment.python), "-P", "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    assert Path(found) == site / "video_mocap" / "backend" / "cli.py"
    (metadata,) = site.glob("video_mocap-*.dist-info")
    assert (metadata / "RECORD").is_file()
    command = [str(environment.python), "-P", "-m", "video_mocap.backend.cli", "--version"]
    assert metadata.name[len("video_mocap-") : -len(".dist-info")] in subprocess.check_output(command, text=True)
    assert Path(environment.script("video-mocap")).is_file()
    assert not (ROOT / "build").exists()


def test_no_python_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythons, "candidates", lambda _: iter([["/nowhere/python3.11"]]))
    with pytest.raises(BuildError, match=r"Python 3\.11.*install it with .*3\.11"):
        pythons.find_python()


def test_a_python_without_venv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lame = Python("/usr/bin/python3.11", (3, 11, 2), 64, False)
    monkeypatch.setattr(pythons, "candidates", lambda _: iter([["python3.11"]]))
    monkeypatch.setattr(pythons, "probe", lambda _: lame)
    with pytest.raises(BuildError, match=r"apt install python3\.11-venv"):
        pythons.find_python()


def test_the_preferred_python_is_taken_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "blender": Python("blender", (3, 13, 1), 64, True),
        "old": Python("old", (3, 9, 1), 64, True),
        "python3.11": Python("python3.11", (3, 11, 2), 64, True),
    }
    monkeypatch.setattr(pythons, "candidates", lambda minor: iter([[f"python3.{minor}"]]))
    monkeypatch.setattr(pythons, "probe", lambda command: known.get(command[0]))
    assert pythons.find_python(preferred="blender").executable == "blender"
    assert pythons.find_python(preferred="old").executable == "python3.11"
    assert pythons.find_python((11,), preferred="blender").executable == "python3.11"


HOLDER = """
import subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from installation.lock import Lock
lock = Lock(Path(sys.argv[2]))
lock.acquire()
child = lock.start([sys.executable, "-c", "import time; time.sleep(100)"])
print(child.pid, flush=True)
time.sleep(100)
"""


@posix
def test_one_set_up_at_a_time_and_what_a_killed_one_left_is_ended(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ROOT), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    second = lock.Lock(tmp_path)
    with pytest.raises(BuildError, match="another set-up is working"):
        second.acquire()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    second.acquire()  # ends the child, which still held it
    deadline = time.monotonic() + 10
    while lock._runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not lock._runs(child)
    with pytest.raises(BuildError):
        lock.Lock(tmp_path).acquire()
    second.release()
    lock.Lock(tmp_path).acquire()


def test_a_second_set_up_leaves_the_state_of_the_first_alone(environment) -> None:
    environment._lock._folder.mkdir(parents=True, exist_ok=True)
    first = lock.Lock(environment.folder)
    first.acquire()
    state = environment.root / "setup" / "state.json"
    state.parent.mkdir()
    state.write_text('{"name": "packages", "error": null}')
    with pytest.raises(BuildError):
        environment.setup(CAPTURE_STEPS)
    assert json.loads(state.read_text()) == {"name": "packages", "error": None}
    first.release()
    environment.setup(CAPTURE_STEPS)
    assert json.loads(state.read_text())["step"] == len(names(environment))


def _source(folder: Path, extra: str = "") -> Path:
    """An archive that looks like detectron2's source."""
    path = folder / "source.zip"
    content = {
        "LICENSE": "Apache",
        "setup.py": "raise SystemExit",
        "detectron2/__init__.py": f"VALUE = 7\r\n{extra}",
        "detectron2/layers/csrc/x.cpp": "int main() {}",
        "detectron2/model_zoo/__init__.py": "",
        "configs/COCO-Keypoints/a.yaml": "A: 1",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(f"detectron2-main/{name}", text)
    return path


def test_detectron2_is_installed_without_compiling_from_a_known_source(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.folder.mkdir(exist_ok=True)
    environment._create()
    files = detectron2.read_source(_source(tmp_path))
    assert sorted(files) == [
        "LICENSE",
        "detectron2/__init__.py",
        "detectron2/model_zoo/__init__.py",
        "detectron2/model_zoo/configs/COCO-Keypoints/a.yaml",
    ]
    monkeypatch.setattr(detectron2, "SHA256", detectron2.digest(files))
    with zipfile.ZipFile(_source(tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    environment._lock.acquire()
    try:
        detectron2.install(environment, tmp_path / "unpacked" / "detectron2-main")
        with pytest.raises(BuildError, match=r"is not detectron2 at the commit 02b5c4e2"):
            detectron2.install(environment, _source(tmp_path, "changed = True"))
        with pytest.raises(BuildError, match=r"cannot be read from .*absent\.zip"):
            detectron2.install(environment, tmp_path / "absent.zip")
    finally:
        environment._lock.release()
    code = "import detectron2, importlib.metadata as m; print(detectron2.VALUE, m.version('detectron2'))"
    said = subprocess.run([str(environment.python), "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["7", detectron2.VERSION]


def test_a_source_out_of_reach_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectron2, "URL", (tmp_path / "absent.zip").as_uri())
    with pytest.raises(BuildError, match=r"is on no package registry, cannot be fetched .*--source FILE$"):
        detectron2.fetch(tmp_path)


def test_a_torch_that_changed_is_noticed(environment: Environment) -> None:
    environment._create()
    assert detectron2.installed_torch(environment) == []
    (environment.sites[0] / "torch-2.13.0+cpu.dist-info").mkdir()
    assert detectron2.installed_torch(environment) == ["2.13.0+cpu"]
    with pytest.raises(BuildError, match=r"torch was 2\.12\.0 and now is 2\.13\.0\+cpu, which must not be"):
        detectron2.check(environment, ["2.12.0"])
    with pytest.raises(BuildError, match="installed, but cannot be used yet: .*No module named 'video_mocap'"):
        detectron2.check(environment, ["2.13.0+cpu"])
