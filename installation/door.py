# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of build.py: their options, their order, their exit status."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import checks, detectron2, wheels
from .common import ROOT, WINDOWS, BuildError, Interrupted, clean_environment, refusal, say
from .environment import Environment
from .package import package
from .pythons import SUPPORTED
from .steps import CAPTURE_STEPS, DETECTRON2_STEPS, EXTENSION_STEPS

MODULE = "video_mocap.backend.cli"
USAGE = """usage: python3 build.py COMMAND

  setup                       make the environment .venv (idempotent; says what it does and how large it is)
  setup --into FOLDER         make the environment of the Blender extension: outside this folder, without Blender
        [--offline WHEELS]      from a folder of wheels, without a network
        [--python EXE]          with this Python, if it fits
        [--state FILE.json]     tell there how far it is
  setup --with detectron2     and that detector, from its public repository; with --into too; compiles nothing
        [--source PATH]         from this archive or folder of its source
  download FOLDER             fill a folder with every wheel, for --offline on another machine of the same kind
        [--for 3.11|3.12|3.13]  for this Python, which must be on this machine too
  capture [VIDEO] [options]   set up if needed, then video-mocap capture; without VIDEO the sample of the project
  test [pytest options]       everything CI runs
  package                     dist/video_mocap-VERSION.zip, the Blender extension, and the index of a repository
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise _UsageError(message)


class _UsageError(Exception):
    pass


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    command, rest = arguments[0], list(arguments[1:])
    with contextlib.suppress(ValueError, OSError):  # not in the main thread
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        if command == "capture":
            return capture(Environment(), rest)
        if command == "test":
            return checks.run(Environment(), rest)
        if command == "setup":
            return setup(rest)
        if command == "download":
            return download(rest)
        if command == "package":
            if rest:
                raise _UsageError(f"takes no options, not {' '.join(rest)}")
            return make_package(Environment())
        say(f"build.py: there is no command {command}\n\n{USAGE}")
        return 2
    except _UsageError as error:
        say(f"build.py: {command}: {error}")
        return 2
    except BuildError as error:
        say(f"build.py: {error}")
    except OSError as error:
        say(f"build.py: {refusal(error)}")
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        return 130
    return 1


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what runs is being ended
    raise Interrupted


def setup(arguments: Sequence[str]) -> int:
    """Make an environment ready and let `doctor` say what is left to do."""
    parser = _Parser("build.py setup", add_help=False)
    parser.add_argument("--into", type=Path)
    parser.add_argument("--offline", type=Path)
    parser.add_argument("--python")
    parser.add_argument("--state", type=Path)
    parser.add_argument("--with", dest="extra", choices=["detectron2"])
    parser.add_argument("--source", type=Path)
    options = parser.parse_args(list(arguments))
    if options.extra is None and options.source is not None:
        raise _UsageError("--source needs --with detectron2")
    if options.extra is not None and options.offline is not None:
        raise _UsageError("--with takes packages from the package registry, not --offline")
    if options.into is not None:
        status = setup_extension(options.into, options.offline, options.python, options.state)
        if status == 0 and options.extra is not None:
            add_detectron2(Environment(ROOT, options.into.absolute()), options.source)
        return status
    for name in ("offline", "python", "state"):
        if getattr(options, name) is not None:
            raise _UsageError(f"--{name} needs --into FOLDER")
    environment = Environment()
    if not environment.setup(CAPTURE_STEPS):
        say(f"{environment.folder} is ready")
    if options.extra is not None:
        add_detectron2(environment, options.source)
    return subprocess.call([environment.script("video-mocap"), "doctor"], env=clean_environment())


def add_detectron2(environment: Environment, source: Path | None) -> None:
    """Put detectron2 into an environment that is ready, and see that it runs there. Raises BuildError, OSError."""
    before = detectron2.installed_torch(environment)
    say("detectron2 is installed as Python: it needs no compiler and no CUDA toolkit, and torch stays as it is")
    say("  about 30 MB; its weights are fetched apart, with 'video-mocap models get keypoint-rcnn-r50' (237 MB)")
    environment.detectron2 = None if source is None else source.absolute()
    environment.setup(DETECTRON2_STEPS)
    detectron2.check(environment, before)
    say("detectron2 can be used; 'video-mocap doctor' says what is left to do")


def setup_extension(into: Path, offline: Path | None, python: str | None, state: Path | None) -> int:
    """The environment of the extension: everything but Blender, the product copied into it."""
    folder = into.absolute()
    wheelhouse = None if offline is None else offline.absolute()
    environment = Environment(ROOT, folder, SUPPORTED, python or sys.executable or None, wheelhouse, state)
    if ROOT in (folder.resolve(), *folder.resolve().parents):
        raise BuildError(f"{folder} lies in the extension's own folder, which an update wipes; choose another one")
    try:
        if wheelhouse is not None:
            environment.minors = wheels.check_offline(wheelhouse)
        if not environment.setup(EXTENSION_STEPS):
            say(f"{folder} is ready")
    except (BuildError, OSError) as error:
        if not environment.refused:
            environment.tell_failure(error)
        raise
    environment.state.begin(len(EXTENSION_STEPS), len(EXTENSION_STEPS), "checking", 0.98, 0.02)
    problem = what_is_wrong(environment)
    if problem is not None:
        failure = BuildError(f"everything is installed, but a capture cannot run yet: {problem}")
        environment.tell_failure(failure)
        raise failure
    environment.state.finish()
    say(f"a capture can run; {folder} is complete")
    return 0


def what_is_wrong(environment: Environment) -> str | None:
    """Ask the product's doctor, run as the extension runs the product; None if a capture can run."""
    answer = subprocess.run(
        [str(environment.python), "-P", "-m", MODULE, "doctor", "--json"],
        cwd=str(environment.folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=clean_environment(),
    )
    try:
        findings = json.loads(answer.stdout.decode())["findings"]
        # How much room captures will have is for the one who starts them to say, not for a set-up that is done.
        lacking = [f for f in findings if f["required"] and not f["ok"] and f["name"] != "folder"]
    except (ValueError, KeyError, TypeError):
        lines = answer.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its check ended with status {answer.returncode}"
    return "; ".join(f"{f['name']}: {f['text']}, {f['todo']}" for f in lacking) or None


def download(arguments: Sequence[str]) -> int:
    """Fill a folder with wheels."""
    parser = _Parser("build.py download", add_help=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--for", dest="version", choices=[f"3.{minor}" for minor in SUPPORTED])
    parser.add_argument("--python")
    options = parser.parse_args(list(arguments))
    minors = (int(options.version.split(".")[1]),) if options.version else SUPPORTED
    wheels.download(options.folder, minors, options.python or sys.executable or None)
    return 0


def make_package(environment: Environment) -> int:
    """Set up if needed, make the extension, print its path."""
    environment.setup(CAPTURE_STEPS)
    made = package(environment)
    for path in made[1:]:
        say(f"{path}: part of a repository; put it beside the zip on a web server")
    print(made[0])
    return 0


def capture(environment: Environment, arguments: Sequence[str]) -> int:
    """Set up if needed, then become `video-mocap capture`; options and exit status pass through."""
    environment.setup(CAPTURE_STEPS)
    sample = environment.root / "sample" / "sample.mp4"
    command: list[str] = [environment.script("video-mocap"), "capture"]
    if sample.exists():
        command += ["--default-video", str(sample)]
    command += arguments
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.execve(command[0], command, clean_environment())
    process = subprocess.Popen(command, env=clean_environment())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child has it too and cleans up
    return process.wait()
