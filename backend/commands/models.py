# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap models`: which weights are there, where they lie and what their licences are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import UserError
from . import options

if TYPE_CHECKING:
    from .console import Console

HELP = "the weights: list, path"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `models` takes."""
    parser.add_argument("action", nargs="?", choices=("list", "path", "get"), default="list", metavar="list|path")
    parser.add_argument("name", nargs="?", metavar="NAME", help="with path: only where this one lies")
    options.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List the weights, or say where they lie."""
    from ..detection.base import DETECTORS
    from ..models import ROOT, shipped_models

    if arguments.action == "get":
        raise UserError("no weights can be downloaded yet; 'video-mocap models list' shows those that are there")
    models = shipped_models()
    rows = [
        {
            "name": model.sidecar.name if model.sidecar else model.path.stem,
            "version": model.sidecar.version if model.sidecar else "",
            "licence": model.sidecar.licence if model.sidecar else "unknown",
            "path": str(model.path),
            "problem": model.problem,
        }
        for model in models
    ]
    if arguments.action == "path":
        named = [row for row in rows if arguments.name in (None, row["name"])]
        if arguments.name is not None and not named:
            raise UserError(f"there are no weights called {arguments.name}; 'video-mocap models list' shows all")
        paths = [row["path"] for row in named] if arguments.name else [str(ROOT)]
        console.result({"paths": paths}, paths)
        return 0
    carried = [{"name": name, "licence": entry.licence, "needs": entry.needs} for name, entry in DETECTORS.items()]
    lines = [
        *(f"{row['name']} {row['version']}, licence {row['licence']}: {row['problem'] or row['path']}" for row in rows),
        *(f"{row['name']} (detector), licence {row['licence']}: {row['needs']}" for row in carried),
    ]
    console.result({"weights": rows, "detectors": carried}, lines)
    return 0
