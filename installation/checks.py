# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything CI runs: format, lint, types, the extension's manifest, tests, tests in each Blender."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from . import blenders
from .common import clean_environment, say
from .environment import Environment
from .package import extension_tool
from .steps import TEST_STEPS


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Set up what the checks need and run them; 0 if all are well. arguments: for pytest."""
    environment.setup(TEST_STEPS)

    def call(command: list[str], variables: dict[str, str] | None = None) -> int:
        everything = {**clean_environment(), **(variables or {})}
        status = subprocess.call(command, cwd=str(environment.root), stdin=subprocess.DEVNULL, env=everything)
        if status == -signal.SIGINT:
            raise KeyboardInterrupt
        return status

    failed: list[str] = []
    skipped: list[str] = []
    for name, command in _static_checks(environment, skipped):
        began = time.monotonic()
        say(f"--- {name}")
        status = call(command)
        failed += [name] if status else []
        say(f"{name}: {'failed' if status else 'ok'} ({time.monotonic() - began:.0f} s)")
    in_blender = _wants_blender(environment.root, arguments)
    if in_blender is not True:
        say("--- tests")
        began = time.monotonic()
        # The tests of Blender run in processes of their own, and those of a window are no pytest at all.
        command = [str(environment.python), "-m", "pytest", f"--ignore={blenders.TESTS}", *arguments]
        status = call(command, {"VIDEO_MOCAP_BACKEND_PYTHON": str(environment.python)})
        failed += ["tests"] if status else []
        say(f"tests: {'failed' if status else 'ok'} ({time.monotonic() - began:.0f} s)")
    if in_blender is not False:
        more_failed, more_skipped = blenders.run_tests(environment, arguments, call)
        failed += more_failed
        skipped += more_skipped
    for what in skipped:
        say(f"skipped: {what}")
    say(f"build.py test: {'failed: ' + ', '.join(failed) if failed else 'everything is well'}")
    return 1 if failed else 0


def _static_checks(environment: Environment, skipped: list[str]):
    python = str(environment.python)
    yield "format", [python, "-m", "ruff", "format", "--check", "--quiet", "."]
    yield "lint", [python, "-m", "ruff", "check", "--quiet", "."]
    yield "types", [python, "-m", "basedpyright"]
    tool = extension_tool(environment)
    if tool is None:
        skipped.append("the extension's manifest (bpy is not in the environment)")
    else:
        yield "extension", [python, tool, "validate", str(environment.root)]


def _wants_blender(root: Path, arguments: Sequence[str]) -> bool | None:
    """Whether pytest's arguments name tests in Blender (True), others (False), or none (None: all are run)."""
    paths = [text for text in arguments if not text.startswith("-") and (root / text.split("::")[0]).exists()]
    if not paths:
        return None
    return any(Path(os.path.normpath(path)).parts[:2] == ("tests", "blender") for path in paths)
