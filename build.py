#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door for people and CI: setup, capture, test, package.

Runs on any Python from 3.8 on with nothing but its standard library, on Linux, macOS and Windows. Everything else lives
in `.venv`, which `setup` makes with Python 3.11 or 3.12; every command may be repeated or interrupted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
#: Minor versions of Python 3 the environment may run on, best first: bpy has packages for 3.11 only.
SUPPORTED = (11, 12)
DISK_NEEDED = 3.0e9
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install")
PROBE = (
    "import json, struct, sys\n"
    "from importlib.util import find_spec\n"
    "print(json.dumps([sys.executable, list(sys.version_info[:3]), 8 * struct.calcsize('P'),"
    " all(find_spec(name) for name in ('venv', 'ensurepip'))]))"
)
GET_PYTHON = {
    "Linux": "'sudo apt install python3.11 python3.11-venv' (Debian 12), 'sudo dnf install python3.11' (Fedora), "
    "or anywhere 'uv python install 3.11' or 'pyenv install 3.11'",
    "Darwin": "'brew install python@3.11', or the installer from python.org",
    "Windows": "'winget install Python.Python.3.11', or the installer from python.org",
}


class BuildError(Exception):
    """Something the user can act on, in one sentence."""


@dataclass(frozen=True)
class Python:
    """An interpreter that was run and answered. version: (major, minor, patch)."""

    executable: str
    version: tuple[int, int, int]
    bits: int
    can_make_environments: bool

    @property
    def name(self) -> str:
        return "Python " + ".".join(str(number) for number in self.version)


@dataclass(frozen=True)
class Step:
    """One pip run. pip: its arguments after `install`. inputs: files whose change means that it must run again."""

    name: str
    pip: tuple[str, ...]
    inputs: tuple[str, ...]


RUNTIME = Step("packages", ("--only-binary=:all:", "-r", "requirements/runtime.txt"), ("requirements/runtime.txt",))
DETECTOR = Step(
    "detector",
    ("--only-binary=:all:", "--no-deps", "-r", "requirements/detector.txt"),
    ("requirements/detector.txt",),
)
CHECKOUT = Step("video_mocap", ("--no-deps", "--no-build-isolation", "-e", "."), ("pyproject.toml",))
DEVELOPMENT = Step(
    "development tools",
    ("--only-binary=:all:", "-r", "requirements/development.txt"),
    ("requirements/development.txt",),
)
CAPTURE_STEPS = (RUNTIME, DETECTOR, CHECKOUT)
TEST_STEPS = (*CAPTURE_STEPS, DEVELOPMENT)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def clean_environment() -> dict[str, str]:
    """The variables for a child Python: without the caller's Python settings, which break a foreign environment."""
    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    variables.update(PYTHONNOUSERSITE="1", PIP_USER="0")
    return variables


# --- finding a Python ---------------------------------------------------------------------------------------------


def probe(command: Sequence[str]) -> Python | None:
    """Run an interpreter and ask what it is; None if it does not run (a broken link, a shim without a version)."""
    try:
        answer = subprocess.run(
            [*command, "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
            env=clean_environment(),
        )
        executable, version, bits, complete = json.loads(answer.stdout.decode())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Python(executable, tuple(version), bits, complete)


def candidates(minor: int) -> Iterator[list[str]]:
    """Commands that may start Python 3.`minor`, the likeliest first."""
    if sys.version_info[:2] == (3, minor):
        yield [sys.executable]
    for name in (f"python3.{minor}", "python3", "python"):
        found = shutil.which(name)
        if found:
            yield [found]
    if WINDOWS:
        yield ["py", f"-3.{minor}"]
        yield [str(Path(os.environ.get("LOCALAPPDATA", "")) / f"Programs/Python/Python3{minor}/python.exe")]
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / (".pyenv/pyenv-win" if WINDOWS else ".pyenv"))
    folders = [
        *sorted((pyenv / "versions").glob(f"3.{minor}.*"), reverse=True),
        *sorted((home / ".local/share/uv/python").glob(f"cpython-3.{minor}*"), reverse=True),
    ]
    for folder in folders:
        yield [str(folder / ("python.exe" if WINDOWS else f"bin/python3.{minor}"))]
    if not WINDOWS:
        for place in ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"):
            yield [f"{place}/python3.{minor}"]


def find_python(minors: Iterable[int] = SUPPORTED) -> Python:
    """The best Python for the environment. Raises BuildError that says exactly how to get one."""
    incomplete = None
    for minor in minors:
        for command in candidates(minor):
            python = probe(command)
            if python is None or python.version[:2] != (3, minor) or python.bits != 64:
                continue
            if python.can_make_environments:
                return python
            incomplete = incomplete or python
    if incomplete is not None:
        raise BuildError(
            f"{incomplete.executable} cannot make environments; install its venv module: "
            f"'sudo apt install python3.{incomplete.version[1]}-venv'"
        )
    how = GET_PYTHON.get(platform.system(), "see python.org")
    raise BuildError(f"Python 3.11 (64 bit) is needed and was not found; install it with {how}, then run this again")


# --- the environment ----------------------------------------------------------------------------------------------


class Environment:
    """The virtual environment of a checkout.

    `setup.json` inside it is written after each finished step and holds what the step was made from, so an interrupted
    or outdated environment is seen and only what is missing is done again.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.scripts = self.folder / ("Scripts" if WINDOWS else "bin")
        self.python = self.scripts / ("python.exe" if WINDOWS else "python")
        self.stamp = self.folder / "setup.json"
        self.log = self.folder / "setup.log"

    def script(self, name: str) -> str:
        return str(self.scripts / (name + (".exe" if WINDOWS else "")))

    def key(self, step: Step, python: Python) -> str:
        """What a step is made from: its arguments, its input files, the Python version, where the checkout lies."""
        digest = hashlib.sha256(repr((step.pip, python.version, str(self.root))).encode())
        for name in step.inputs:
            digest.update((self.root / name).read_bytes())
        return digest.hexdigest()

    def finished(self) -> dict[str, str]:
        try:
            stamp = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def missing(self, steps: Sequence[Step]) -> list[Step]:
        """The steps still to do; all of them if the environment's Python does not run or is not a supported one."""
        python = probe([str(self.python)])
        if python is None or python.version[0] != 3 or python.version[1] not in SUPPORTED:
            return list(steps)
        finished = self.finished()
        return [step for step in steps if finished.get(step.name) != self.key(step, python)]

    def setup(self, steps: Sequence[Step]) -> bool:
        """Do what is missing of `steps`; True if there was anything to do. Raises BuildError."""
        todo = self.missing(steps)
        if not todo:
            return False
        python = self._usable() or self._create()
        if RUNTIME in todo:
            self._announce(python)
        self._drop_half_installed()
        for number, step in enumerate(todo, 1):
            started = time.monotonic()
            say(f"[{number}/{len(todo)}] installing {step.name}")
            self._pip(step)
            stamp = {**self.finished(), step.name: self.key(step, python)}
            fresh = self.stamp.with_suffix(".new")
            fresh.write_text(json.dumps(stamp, indent=1))
            fresh.replace(self.stamp)
            say(f"[{number}/{len(todo)}] {step.name}: done in {time.monotonic() - started:.0f} s")
        return True

    def _usable(self) -> Python | None:
        python = probe([str(self.python)])
        if python is None or python.version[0] != 3 or python.version[1] not in SUPPORTED:
            return None
        with_pip = subprocess.run(
            [str(self.python), "-m", "pip", "--version"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
        return python if with_pip.returncode == 0 else None

    def _create(self) -> Python:
        base = find_python()
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / "pyvenv.cfg").exists():
            raise BuildError(f"{self.folder} is in the way and is no Python environment; move it away")
        say(f"making {self.folder} with {base.name} ({base.executable})")
        made = subprocess.run(
            [base.executable, "-m", "venv", "--clear", str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
        )
        python = probe([str(self.python)])
        if made.returncode != 0 or python is None:
            lines = made.stdout.decode(errors="replace").strip().splitlines() or ["no message"]
            raise BuildError(f"the environment could not be made: {lines[-1]}")
        return python

    def _announce(self, python: Python) -> None:
        free = shutil.disk_usage(self.folder).free
        say(f"setting up the capture environment in {self.folder} ({python.name})")
        say("  PyTorch, Blender as a Python module, MediaPipe, OpenCV and what they need, from the package registry")
        say("  about 1 GB to download and 2.4 GB on disk with the CPU build of PyTorch")
        if platform.system() == "Linux":
            say("  on Linux the public registry gives the CUDA build: about 3 GB more to download, more on disk")
        say(f"  free here: {free / 1e9:.0f} GB; nothing outside this folder changes but pip's download cache")
        say("  interrupting is safe: run the same command again to go on")
        if python.version[1] != SUPPORTED[0]:
            say(f"  {python.name} has no Blender module: captures give takes, but no .blend; Python 3.11 gives both")
        used = RUNTIME.name in self.finished()
        if free < DISK_NEEDED and not used:
            raise BuildError(
                f"{self.folder} has {free / 1e9:.1f} GB free, but about {DISK_NEEDED / 1e9:.0f} GB are needed"
            )

    def _drop_half_installed(self) -> None:
        """Forget distributions whose installation was cut off, so that pip installs them again.

        pip trusts any `.dist-info` folder; it writes INSTALLER after the last file of a package.
        """
        for site in (*self.folder.glob("lib/python3.*/site-packages"), *self.folder.glob("Lib/site-packages")):
            for leftover in site.glob("~*"):
                shutil.rmtree(leftover, ignore_errors=True)
            for metadata in site.glob("*.dist-info"):
                if not is_complete(site, metadata):
                    say(f"  {metadata.name[:-10]} is only half installed: again")
                    shutil.rmtree(metadata)

    def _pip(self, step: Step) -> None:
        """Run pip; its output goes to the log, only large downloads are shown. Raises BuildError if it fails."""
        command = [str(self.python), *PIP, "--progress-bar=off", *step.pip]
        lines: list[str] = []
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"\n$ {' '.join(command)}\n")
            process = subprocess.Popen(
                command,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=clean_environment(),
            )
            try:
                assert process.stdout is not None
                for raw in process.stdout:
                    line = raw.decode(errors="replace").rstrip()
                    lines.append(line)
                    log.write(line + "\n")
                    show_download(line)
                status = process.wait()
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if status != 0:
            raise BuildError(explain_pip(step, status, lines, self.log))


def is_complete(site: Path, metadata: Path) -> bool:
    """Whether every file that a distribution's RECORD lists lies in `site` with the size it should have."""
    try:
        record = (metadata / "RECORD").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    if not (metadata / "INSTALLER").exists():
        return False
    for line in record:
        # A path may hold commas (then it is quoted); hash and size are the last two fields and never do.
        name, _, size = line.rsplit(",", 2) if line.count(",") >= 2 else (line, "", "")
        if not size or name.endswith(".pyc"):
            continue
        try:
            if (site / name.strip('"')).stat().st_size != int(size):
                return False
        except OSError:
            return False
    return True


def show_download(line: str) -> None:
    text = line.strip()
    if text.startswith("Downloading ") and text.endswith("MB)"):
        name, _, size = text[len("Downloading ") :].rpartition(" (")
        if float(size[:-4]) >= 10:
            say(f"  downloading {name.rsplit('/', 1)[-1]} ({size}")
    elif text.startswith("Installing collected packages"):
        say("  unpacking")


def explain_pip(step: Step, status: int, lines: Sequence[str], log: Path) -> str:
    """Why pip failed, in one sentence."""
    text = "\n".join(lines)
    if "No space left on device" in text or "Errno 28" in text:
        return f"{step.name} could not be installed: the disk is full"
    if any(sign in text for sign in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError")):
        return f"{step.name} could not be installed: the package registry cannot be reached (details: {log})"
    if status < 0:
        return f"{step.name} could not be installed: pip was stopped by signal {-status}; run the same command again"
    errors = [line.strip() for line in lines if line.startswith("ERROR:")]
    reason = errors[-1][len("ERROR: ") :] if errors else (lines[-1].strip() if lines else "pip gave no reason")
    return f"{step.name} could not be installed: {reason} (details: {log})"


# --- commands -----------------------------------------------------------------------------------------------------

#: What the extension holds at its top; anything else there is a stray file of the checkout.
PACKAGED = {
    "blender_manifest.toml",
    "__init__.py",
    "LICENSE",
    "README.md",
    "addon",
    "backend",
    "build.py",
    "pyproject.toml",
    "requirements",
    "rigging",
}


def setup(environment: Environment) -> int:
    """Make the environment ready and let `video-mocap doctor` say what is left to do."""
    if not environment.setup(CAPTURE_STEPS):
        say(f"{environment.folder} is ready")
    return subprocess.call([environment.script("video-mocap"), "doctor"], env=clean_environment())


def capture(environment: Environment, arguments: Sequence[str]) -> int:
    """Set up if needed, then become `video-mocap capture`; options and exit status pass through."""
    environment.setup(CAPTURE_STEPS)
    sample = environment.root / "sample" / "sample.mp4"
    command = [environment.script("video-mocap"), "capture"]
    if sample.exists():
        command += ["--default-video", str(sample)]
    command += arguments
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execve(command[0], command, clean_environment())
    process = subprocess.Popen(command, env=clean_environment())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child has it too and cleans up
    return process.wait()


def extension_tool(environment: Environment) -> str | None:
    """Blender's own extension builder, from the bpy package; None without bpy."""
    for pattern in ("lib/python3.*/site-packages", "Lib/site-packages"):
        for found in environment.folder.glob(pattern + "/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return str(found)
    return None


def test(environment: Environment, arguments: Sequence[str]) -> int:
    """Everything CI runs. arguments: for pytest."""
    environment.setup(TEST_STEPS)
    python = str(environment.python)
    checks = [
        ("format", [python, "-m", "ruff", "format", "--check", "--quiet", "."]),
        ("lint", [python, "-m", "ruff", "check", "--quiet", "."]),
        ("types", [python, "-m", "basedpyright"]),
    ]
    tool = extension_tool(environment)
    if tool is None:
        say("extension: not validated, bpy is not in the environment")
    else:
        checks.append(("extension", [python, tool, "validate", str(environment.root)]))
    checks.append(("tests", [python, "-m", "pytest", *arguments]))
    failed = []
    for name, command in checks:
        started = time.monotonic()
        say(f"--- {name}")
        status = subprocess.call(command, cwd=environment.root, stdin=subprocess.DEVNULL, env=clean_environment())
        if status == -signal.SIGINT:
            raise KeyboardInterrupt
        if status != 0:
            failed.append(name)
        if name != "tests":
            say(f"{name}: {'failed' if status else 'ok'} ({time.monotonic() - started:.0f} s)")
    if failed:
        say(f"build.py test: failed: {', '.join(failed)}")
    return 1 if failed else 0


def package(environment: Environment) -> int:
    """dist/video_mocap-VERSION.zip, made and checked by Blender's own extension builder."""
    environment.setup(CAPTURE_STEPS)
    tool = extension_tool(environment)
    if tool is None:
        raise BuildError("packaging needs Blender's extension builder, which comes with bpy: set up with Python 3.11")
    python = str(environment.python)
    destination = environment.root / "dist"
    destination.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination) as folder:
        command = [python, tool, "build", "--source-dir", str(environment.root), "--output-dir", folder]
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment())
        archives = list(Path(folder).glob("*.zip"))
        if made.returncode != 0 or len(archives) != 1:
            raise BuildError(f"the extension was not built: {made.stdout.decode(errors='replace').strip()}")
        checked = subprocess.run(
            [python, tool, "validate", str(archives[0])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
        )
        if checked.returncode != 0:
            raise BuildError(f"the extension is not valid: {checked.stdout.decode(errors='replace').strip()}")
        with zipfile.ZipFile(archives[0]) as archive:
            strays = {name.split("/")[0] for name in archive.namelist()} - PACKAGED
        if strays:
            raise BuildError(
                f"files that do not belong into the extension: {', '.join(sorted(strays))}; move them away"
            )
        final = destination / archives[0].name
        archives[0].replace(final)
    print(final)
    return 0


USAGE = """usage: python3 build.py COMMAND

  setup                       make the environment .venv (idempotent; says what it does and how large it is)
  capture [VIDEO] [options]   set up if needed, then video-mocap capture; without VIDEO the sample of the project
  test [pytest options]       everything CI runs
  package                     dist/video_mocap-VERSION.zip, the Blender extension
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    command, rest = arguments[0], list(arguments[1:])
    environment = Environment()
    try:
        if command == "capture":
            return capture(environment, rest)
        if command == "test":
            return test(environment, rest)
        if command in ("setup", "package"):
            if rest:
                say(f"build.py: {command} takes no options, not {' '.join(rest)}")
                return 2
            return setup(environment) if command == "setup" else package(environment)
        say(f"build.py: there is no command {command}\n\n{USAGE}")
        return 2
    except BuildError as error:
        say(f"build.py: {error}")
    except OSError as error:
        say(f"build.py: {error.filename or ROOT}: {error.strerror or error}")
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
