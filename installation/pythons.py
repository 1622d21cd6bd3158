# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a Python that can make the environment, or saying exactly how to get one."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .common import WINDOWS, BuildError, clean_environment

#: Minor versions of Python 3 that the pinned packages exist for, best first: 3.11 is what is tested most.
SUPPORTED = (11, 12, 13)
PROBE = (
    "import json, struct, sys\n"
    "from importlib.util import find_spec\n"
    "print(json.dumps([sys.executable, list(sys.version_info[:3]), 8 * struct.calcsize('P'),"
    " all(find_spec(name) for name in ('venv', 'ensurepip'))]))"
)
GET_PYTHON = {
    "Linux": "'sudo apt install python3.{0} python3.{0}-venv' (Debian, Ubuntu), 'sudo dnf install python3.{0}' "
    "(Fedora), or anywhere 'uv python install 3.{0}' or 'pyenv install 3.{0}'",
    "Darwin": "'brew install python@3.{0}', or the installer from python.org",
    "Windows": "'winget install Python.Python.3.{0}', or the installer from python.org",
}


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

    @property
    def short(self) -> str:
        """Major and minor version, as 3.11."""
        return f"{self.version[0]}.{self.version[1]}"


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
    if sys.version_info[:2] == (3, minor) and sys.executable:
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


def suitable(minors: Sequence[int] = SUPPORTED, preferred: str | None = None) -> Iterator[Python]:
    """64-bit Pythons of these minor versions on this machine, `preferred` first if it is one, each once."""
    seen = set()
    wanted: list[tuple[list[str], Sequence[int]]] = [([preferred], minors)] if preferred else []
    wanted += [(command, (minor,)) for minor in minors for command in candidates(minor)]
    for command, fitting in wanted:
        python = probe(command)
        if python is None or python.bits != 64 or python.version[0] != 3 or python.version[1] not in fitting:
            continue
        if python.executable not in seen:
            seen.add(python.executable)
            yield python


def find_python(minors: Sequence[int] = SUPPORTED, preferred: str | None = None) -> Python:
    """The best Python for the environment: `preferred` if it fits, else the first of `minors` on this machine.

    Raises BuildError that says exactly how to get one.
    """
    incomplete = None
    for python in suitable(minors, preferred):
        if python.can_make_environments:
            return python
        incomplete = incomplete or python
    if incomplete is not None:
        raise BuildError(
            f"{incomplete.executable} cannot make environments; install its venv module: "
            f"'sudo apt install python{incomplete.short}-venv'"
        )
    best = f"3.{minors[0]}"
    how = GET_PYTHON.get(platform.system(), "the installer from python.org").format(minors[0])
    raise BuildError(f"Python {best} (64 bit) is needed and was not found; install it with {how}, then run this again")
