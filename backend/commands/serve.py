# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap serve`: reserved for the server that Blender talks to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from .console import Console

#: None: not listed, there is nothing to offer yet.
HELP = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `serve` takes."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)


def run(arguments: argparse.Namespace, console: Console) -> int:  # noqa: ARG001
    """Say that there is no server yet."""
    raise UserError("the server is not built yet; capture, detect, lift and bake work from the command line")
