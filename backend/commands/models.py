# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap models`: which weights there are and can be had, their licences, where they lie; and getting them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from . import options

if TYPE_CHECKING:
    from ..catalogue.entries import Entry
    from ..models import Listed
    from .console import Console

HELP = "the weights: list, get, path"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `models` takes."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "get", "path"),
        default="list",
        metavar="list|get|path",
        help="list: all, here or not (default); get: fetch one; path: where one lies",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the list")
    parser.add_argument(
        "--accept-licence", action="store_true", default=None, help="with get: yes to a non-commercial licence"
    )
    parser.add_argument(
        "--offline", type=Path, metavar="FOLDER", help="with get: the file lies in this folder, fetched elsewhere"
    )
    options.add_json(parser)


def usage_problem(arguments: argparse.Namespace) -> str | None:
    """What the options contradict each other in, or None."""
    if arguments.action == "get" and arguments.name is None:
        return "get needs a NAME of the list"
    if arguments.action != "get" and (arguments.accept_licence or arguments.offline):
        return "--accept-licence and --offline are for get"
    return None


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List the weights, get some, or say where they lie."""
    from ..models import list_models

    if arguments.action == "get":
        return _get(arguments, console)
    listed = list_models()
    if arguments.action == "path":
        return _path(arguments.name, listed, console)
    console.result({"weights": [asdict(each) for each in listed], "detectors": _detectors()}, _lines(listed))
    return 0


def _lines(listed: list[Listed]) -> list[str]:
    lines = []
    for kind in ("lifter", "detector"):
        lines.append(f"{kind}s:")
        if kind == "detector":
            lines += [_detector_line(row) for row in _detectors()]
        lines += [_line(each) for each in listed if each.kind == kind]
    return [*lines, "'video-mocap models get NAME' fetches one; '--lifter NAME' captures with one"]


def _line(each: Listed) -> str:
    state = each.problem or ("here" if each.here else "not here")
    about = "" if each.here else "about "
    return (
        f"  {each.name}: {state}, {about}{each.bytes / 1e6:.0f} MB, {each.licence}\n"
        f"      {each.summary}\n"
        f"      from {each.source}; sha256 {each.sha256 or 'not known yet'}"
    )


def _detectors() -> list[dict[str, str]]:
    """The table of detectors. weights: what has to be fetched for one before it can be used, empty if nothing."""
    from ..detection.base import DETECTORS
    from ..models import usable_detectors

    usable = usable_detectors()
    return [
        {
            "name": name,
            "licence": entry.licence,
            "needs": entry.needs,
            "weights": "" if name in usable else entry.weights,
        }
        for name, entry in DETECTORS.items()
    ]


def _detector_line(row: dict[str, str]) -> str:
    state = f"needs the weights {row['weights']}" if row["weights"] else "here"
    return f"  {row['name']}: {state}, {row['licence']}\n      {row['needs']}"


def _path(name: str | None, listed: list[Listed], console: Console) -> int:
    from ..catalogue.store import models_folder
    from ..models import DEFAULT_WEIGHTS

    if name is None:
        paths = [str(DEFAULT_WEIGHTS.parent), str(models_folder())]
    else:
        paths = [each.path for each in listed if name in (each.name, Path(each.path).stem) and each.path]
        if not paths and any(each.name == name for each in listed):
            raise UserError(f"{name} is not here yet; 'video-mocap models get {name}' fetches it")
    if not paths:
        raise UserError(f"there are no weights called {name}; 'video-mocap models list' shows all")
    console.result({"paths": paths}, paths)
    return 0


def _get(arguments: argparse.Namespace, console: Console) -> int:
    from ..catalogue.entries import find_entry
    from ..catalogue.fetch import fetch, terms
    from ..catalogue.store import is_here
    from ..models import list_models

    entry = find_entry(arguments.name)
    if entry is None:
        if any(arguments.name in (each.name, Path(each.path).stem) for each in list_models() if each.path):
            raise UserError(f"{arguments.name} came with Video Mocap; there is nothing to get")
        raise UserError(f"there are no weights called {arguments.name}; 'video-mocap models list' shows all")
    accepted = bool(arguments.accept_licence) or _ask(entry, console)
    if not entry.non_commercial and not is_here(entry):
        console.say(terms(entry))
    fetched = fetch(entry, accepted, arguments.offline, console.progress)
    console.close()
    summary = {"name": entry.name, "path": str(fetched.path), "sha256": fetched.sha256, "before": fetched.before}
    known = "as expected" if fetched.verified else "noted; it was not known beforehand"
    console.result(
        summary | {"verified": fetched.verified, "licence": entry.licence},
        [
            f"{entry.name} {'was here already' if fetched.before else 'is here'}: {fetched.path}",
            f"licence {entry.licence}",
            f"sha256 {fetched.sha256} ({known})",
        ],
    )
    return 0


def _ask(entry: Entry, console: Console) -> bool:
    """Whether somebody at a terminal says yes to the entry's terms; False where nobody sits there or need be asked."""
    from ..catalogue.fetch import terms
    from ..catalogue.store import is_here

    if not entry.non_commercial or is_here(entry) or console.as_json or not sys.stdin.isatty():
        return False
    console.say(f"{terms(entry)}. Do you accept that? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
