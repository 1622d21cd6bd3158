# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a capture environment, in words that say what to do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..variables import clean_environment
from .environment import MODULE, base_python, installed_version, is_older, python_of, strange
from .folders import extension_version
from .plan import free_bytes, size
from .process import NO_WINDOW

NOT_SET_UP = "The capture engine is not set up yet: press Set Up Engine."
HALF_MADE = "The set-up did not come to its end: press Continue, and what is missing is installed."
TIMEOUT = 180.0  # the first import of PyTorch on a slow disk takes a minute
_ROOM_TO_WORK = 1e9
_ASK_VERSION = "import importlib.metadata as m; print(m.version('video_mocap'))"


@dataclass(frozen=True)
class Diagnosis:
    """ok: a capture can run. sentences: what was found, the most important first. python, version: of the environment,
    None if there is none that runs. outdated: it works, but is older than the add-on."""

    ok: bool
    sentences: tuple[str, ...]
    python: Path | None = None
    version: str | None = None
    outdated: bool = False


@dataclass(frozen=True)
class _Answer:
    status: int | None  # None: no answer in time, or stopped
    output: str
    errors: str


def glance(environment: Path) -> str | None:
    """Why an environment that the set-up made cannot be used, as far as looking (and running nothing) can tell."""
    if not environment.is_dir():
        return NOT_SET_UP
    base = base_python(environment)
    if base is None:
        if strange(environment):
            return f"{environment} is in the way and is no Python environment: move it away, then press Set Up Engine."
        return NOT_SET_UP
    if not python_of(environment).is_file():
        if base and not Path(base).is_dir():
            return (
                f"The Python that the capture engine was made with is gone ({base}): Blender was moved or updated; "
                "press Repair Engine."
            )
        return HALF_MADE
    version = installed_version(environment)
    if version is None:
        return HALF_MADE
    return _outdated(version)


def diagnose(
    environment: Path, stop: threading.Event | None = None, timeout: float = TIMEOUT, ours: bool = True
) -> Diagnosis:
    """Run the environment's own `doctor` and say what is wrong. Blocks: for a thread.

    environment: a folder, or the Python in it. stop: set to give up. ours: whether the set-up made it, so that it can
    repair it; else the user named it.
    """
    place = environment
    python = python_of(place)
    if not python.is_file():
        return Diagnosis(False, ((glance(place) or HALF_MADE) if ours else _no_python(place),))
    folder = place if place.is_dir() else python.parent.parent
    answer = _run([str(python), "-c", _ASK_VERSION], folder, stop, 30.0)
    if isinstance(answer, str):
        return Diagnosis(False, (answer,))
    version = answer.output.strip() or None
    if answer.status != 0 or version is None:
        return Diagnosis(False, (_no_answer(place, python, answer, ours),))
    answer = _run([str(python), "-P", "-m", MODULE, "doctor", "--json"], _working_folder(folder), stop, timeout)
    if isinstance(answer, str):
        return Diagnosis(False, (answer,), python, version)
    return _read(answer, python, version, folder, ours)


def _working_folder(folder: Path) -> Path:
    """Where the doctor shall try to write: beside the environment."""
    return folder.parent if folder.parent.is_dir() else folder


def _no_python(place: Path) -> str:
    if not place.exists():
        return f"{place} does not exist: choose the folder of an environment, or its Python."
    return f"{place} holds no Python: choose the folder of an environment, or its Python."


def _no_answer(place: Path, python: Path, answer: _Answer, ours: bool) -> str:
    if answer.status is None:
        return f"{python} does not answer: restart the computer, then try again."
    if "PackageNotFoundError" in answer.errors:
        missing = f"Video Mocap is not installed in {place}: install it there, or choose another environment."
        return HALF_MADE if ours else missing
    why = _last_line(answer.errors) or f"it ended with status {answer.status}"
    return f"{python} cannot start ({why}): {_cure(ours)}."


def _cure(ours: bool) -> str:
    if ours:
        return "press Repair Engine, and what is missing is installed again"
    return "install Video Mocap there again, or choose another environment"


def _read(answer: _Answer, python: Path, version: str, folder: Path, ours: bool) -> Diagnosis:
    if answer.status is None:
        return Diagnosis(False, ("The check took too long and was stopped: try again.",), python, version)
    findings = _findings(answer.output)
    if findings is None:
        why = _last_line(answer.errors) or f"it ended with status {answer.status}"
        return Diagnosis(False, (f"The capture engine cannot start ({why}): {_cure(ours)}.",), python, version)
    sentences = [
        f"{finding.get('name')}: {finding.get('text')}; {_cure(ours)}."
        for finding in findings
        if finding.get("required") and not finding.get("ok") and finding.get("name") != "folder"
    ]
    sentences += [
        f"{finding.get('text')}: {finding.get('todo')}."
        for finding in findings
        if finding.get("name") == "folder" and not finding.get("ok")
    ]
    ok = not sentences
    free = free_bytes(folder)
    if free is not None and free < _ROOM_TO_WORK:
        sentences.append(f"Only {size(free)} are free where {folder} lies: a long capture may need 1 GB.")
    outdated = _outdated(version)
    if outdated:
        sentences.append(outdated)
    if ok and not outdated:
        sentences.insert(0, f"A capture can run: {_device(findings)}.")
    return Diagnosis(ok, tuple(sentences), python, version, outdated is not None)


def _outdated(version: str) -> str | None:
    wanted = extension_version()
    if not is_older(version, wanted):
        return None
    return f"The capture engine has version {version}, the add-on {wanted}: press Update Engine."


def _device(findings: Sequence[dict[str, Any]]) -> str:
    gpu = next((finding for finding in findings if finding.get("name") == "GPU"), {})
    return f"with the GPU, {gpu.get('text')}" if gpu.get("ok") else "on the CPU"


def _findings(output: str) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(output)["findings"]
    except (ValueError, KeyError, TypeError):
        return None
    return [finding for finding in found if isinstance(finding, dict)] if isinstance(found, list) else None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""


def _run(command: list[str], folder: Path, stop: threading.Event | None, timeout: float) -> _Answer | str:
    """Run a short command; a sentence if it could not be started."""
    import subprocess

    try:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(),
            creationflags=NO_WINDOW,
        )
    except OSError as error:
        why = error.strerror or str(error)
        return f"{command[0]} cannot be started ({why}): press Repair Engine, or choose another environment."
    deadline = time.monotonic() + timeout
    with child:
        while True:
            try:
                output, errors = child.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline and not (stop is not None and stop.is_set()):
                    continue
                child.kill()
                child.communicate()
                return _Answer(None, "", "")
            return _Answer(child.returncode, output.decode(errors="replace"), errors.decode(errors="replace"))
