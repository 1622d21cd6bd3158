# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, `video-mocap COMMAND ...`.

Exit status: 0 done, 1 a failure that is said in one sentence on stderr, 2 wrong usage, 130 interrupted (143 by
SIGTERM). A traceback is shown with --debug only.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType

from .commands import (
    bake,
    capture,
    detect,
    doctor,
    evaluate,
    export_keypoints,
    import_keypoints,
    lift,
    models,
    report,
    serve,
    train,
)
from .commands.console import Console
from .commands.failures import sentence
from .commands.interrupt import INTERRUPTED, Interrupt, interruptible
from .commands.settings import apply_settings
from .commands.streams import own_streams
from .errors import Cancelled

COMMANDS: dict[str, ModuleType] = {
    "capture": capture,
    "detect": detect,
    "lift": lift,
    "bake": bake,
    "import": import_keypoints,
    "export": export_keypoints,
    "evaluate": evaluate,
    "report": report,
    "models": models,
    "doctor": doctor,
    "serve": serve,
    "train": train,
}
FAILED, WRONG_USAGE = 1, 2


class _Version(argparse.Action):
    """--version; the installed distribution is asked only when somebody wants to know."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"video-mocap {version('video_mocap')}")
        parser.exit()


def build_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and each command's own."""
    parser = argparse.ArgumentParser(
        prog="video-mocap", description="Footage of people in, keyframes on a rig out.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version)
    listed = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    parsers = {}
    for name, module in COMMANDS.items():
        listing = {"help": module.HELP} if module.HELP else {}
        command = listed.add_parser(name, description=module.HELP, allow_abbrev=False, **listing)
        module.add_arguments(command)
        command.add_argument(
            "--debug", action="store_true", default=None, help="tracebacks, and what libraries print, on stderr"
        )
        parsers[name] = command
    return parser, parsers


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status. argv: the arguments; the process's own when None."""
    with interruptible() as interrupt:
        status = _run(argv, interrupt)
    if argv is None:
        _leave(status, interrupt)
    return status


def _run(argv: Sequence[str] | None, interrupt: Interrupt) -> int:
    arguments = None
    try:
        parser, parsers = build_parser()
        arguments = parser.parse_args(argv)
        command = parsers[arguments.command]
        with own_streams(bool(arguments.debug)):
            return _command(command, arguments, interrupt, parsers)
    except SystemExit as leaving:  # argparse: help or wrong usage
        return leaving.code if isinstance(leaving.code, int) else WRONG_USAGE
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except KeyboardInterrupt:
        return interrupt.status or INTERRUPTED


def _command(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    interrupt: Interrupt,
    parsers: Mapping[str, argparse.ArgumentParser],
) -> int:
    module = COMMANDS[arguments.command]
    console = Console(bool(getattr(arguments, "json", None)), interrupt.requested)
    try:
        apply_settings(parser, arguments, parsers.get(getattr(module, "SHARES_SETTINGS_WITH", "")))
        console.as_json = bool(getattr(arguments, "json", None))
        problem = module.usage_problem(arguments) if hasattr(module, "usage_problem") else None
        if problem is not None:
            parser.error(problem)
        return module.run(arguments, console)
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        console.close()
        if arguments.debug:
            traceback.print_exc()
        # Whatever a library makes of an interrupt, it was one.
        if interrupt.requested() or isinstance(error, KeyboardInterrupt | Cancelled):
            console.say("interrupted")
            return interrupt.status or INTERRUPTED
        console.say(f"video-mocap: {sentence(error)}")
        return FAILED


def _leave(status: int, interrupt: Interrupt) -> None:
    """End the process at once where its own end would hang: bpy 4.5 may, and so may threads that were interrupted."""
    if "bpy" not in sys.modules and not interrupt.requested():
        return
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or FAILED
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
