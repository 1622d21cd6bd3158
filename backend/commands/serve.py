# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap serve`: the HTTP service that Blender talks to. See docs/service.md."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from . import options

if TYPE_CHECKING:
    from .console import Console

HELP = "the service that Blender talks to, on this machine or for another one"


def _port(text: str) -> int:
    value = int(text) if text.isdigit() else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"a port between 0 (any free one) and 65535 is needed, not {text}")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `serve` takes."""
    parser.add_argument("--host", metavar="ADDRESS", help="where to listen (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=_port, metavar="N", help="where to listen (default: 0, any free one)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where jobs are kept (default: ~/.video-mocap)")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        default=None,
        help="listen on other addresses than this machine's own; plain HTTP, see docs/service.md",
    )
    parser.add_argument(
        "--lease",
        type=options.number_in(0, math.inf, "a positive number of seconds is needed"),
        metavar="SECONDS",
        help="end when no client has been there for so long (default: run until stopped)",
    )
    parser.add_argument(
        "--max-upload-gb",
        type=options.number_in(0, math.inf, "a positive number of gigabytes is needed"),
        metavar="GB",
        help="the largest upload (default: 20)",
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Serve until stopped. Raises UserError if that cannot begin."""
    from ..server.run import Settings, serve

    return serve(
        Settings(
            host=arguments.host or "127.0.0.1",
            port=arguments.port or 0,
            data=arguments.data or Path.home() / ".video-mocap",
            allow_remote=bool(arguments.allow_remote),
            lease=arguments.lease,
            upload_gigabytes=arguments.max_upload_gb,
        ),
        console,
    )
