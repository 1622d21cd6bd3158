# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blenders to test on, each as a Python module in an environment of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .common import BuildError, say
from .environment import Environment
from .pythons import find_python
from .steps import blender_steps

TESTS = "tests/blender"


@dataclass(frozen=True)
class Blender:
    """One version. minor: the Python 3 that it needs. own: whether it has an environment of its own; the others are in
    the checkout's `.venv`."""

    version: str
    minor: int
    own: bool = True


BLENDERS = (Blender("4.5", 11, own=False), Blender("5.2", 13), Blender("4.2", 11))


@dataclass(frozen=True)
class Ready:
    """A Blender that tests can run in, or why not. python: of its environment."""

    blender: Blender
    python: Path | None
    why_not: str = ""


def make_ready(blender: Blender, main: Environment) -> Ready:
    """Set up the environment of a Blender if it can be had here."""
    if not blender.own:
        python = main.installed()
        if python is None or python.version[1] != blender.minor:
            return Ready(blender, None, f"the checkout's environment is not of Python 3.{blender.minor}")
        return Ready(blender, main.python)
    environment = Environment(main.root, main.root / f".venv-blender-{blender.version}", (blender.minor,))
    steps = blender_steps(blender.version)
    try:
        if environment.missing(steps):
            if environment.installed() is None:
                find_python((blender.minor,))
            say(f"Blender {blender.version} as a Python module: about 0.4 GB to download, 1 GB on disk")
            environment.setup(steps)
    except (BuildError, OSError) as error:
        return Ready(blender, None, str(error))
    return Ready(blender, environment.python)


def has_tests(root: Path) -> bool:
    """Whether there is anything to run in Blender."""
    return next((root / TESTS).glob("**/test_*.py"), None) is not None


def run_tests(main: Environment, arguments: Sequence[str], call) -> tuple[list[str], list[str]]:
    """Run the tests of `tests/blender` in each Blender that can be had, in a process of its own.

    arguments: for pytest. call: runs a command with extra variables and returns its exit status. Returns what failed
    and what was skipped, in words.
    """
    failed: list[str] = []
    skipped: list[str] = []
    if not has_tests(main.root):
        return [], [f"{TESTS}: there are no tests"]
    named = [argument for argument in arguments if argument.startswith(TESTS)]
    rest = [argument for argument in arguments if argument not in named]
    for blender in BLENDERS:
        ready = make_ready(blender, main)
        name = f"tests in Blender {blender.version}"
        if ready.python is None:
            skipped.append(f"{name} ({ready.why_not})")
            say(f"--- {name}: skipped: {ready.why_not}")
            continue
        say(f"--- {name}")
        began = time.monotonic()
        status = call(
            [str(ready.python), "-m", "pytest", *(named or [TESTS]), *rest],
            {"VIDEO_MOCAP_BACKEND_PYTHON": str(main.python)},
        )
        nothing_selected = status == 5 and bool(arguments)
        if status != 0 and not nothing_selected:
            failed.append(name)
        say(f"{name}: {'failed' if name in failed else 'ok'} ({time.monotonic() - began:.0f} s)")
    return failed, skipped
