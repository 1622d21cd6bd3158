# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap report`: how good a take is, and where to look."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import checks, options

if TYPE_CHECKING:
    from ...rigging.take import Take
    from .console import Console

HELP = "how good a take is, what was guessed, and where to look"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `report` takes."""
    parser.add_argument("take", type=Path, metavar="X.take.npz", help="what capture or lift wrote")
    options.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Tell what the take says of itself; of a take without a report it is made."""
    checks.check_input(arguments.take)

    from ...rigging.report.measure import report_of
    from ...rigging.take import read_take

    take = read_take(arguments.take)
    console.result(report_of(take), lines(take))
    return 0


def lines(take: Take) -> list[str]:
    """The report of a take for a person at a terminal."""
    from ...rigging.people import person_name
    from ...rigging.report.measure import report_of
    from ...rigging.report.words import report_lines

    names = {str(int(person)): person_name(take, int(person)) for person in take.person_ids}
    return report_lines(report_of(take), names)
