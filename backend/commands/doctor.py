# SPDX-License-Identifier: GPL-3.0-or-later
"""`video-mocap doctor`: what is there, what is missing, what to do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import options

if TYPE_CHECKING:
    from .console import Console

HELP = "what this machine has for a capture and what it lacks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `doctor` takes."""
    options.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:  # noqa: ARG001
    """Exit status 0 if a capture can run, 1 otherwise."""
    from ..doctor import Finding, examine

    findings: list[Finding] = []
    for finding in examine(Path.cwd()):
        findings.append(finding)
        if not console.as_json:
            todo = f"\n{'':30}-> {finding.todo}" if finding.todo and not finding.ok else ""
            print(f"{finding.state:8}  {finding.name:19} {finding.text}{todo}", flush=True)
    ready = all(finding.ok for finding in findings if finding.required)
    if console.as_json:
        console.result({"ready": ready, "findings": [vars(f) | {"state": f.state} for f in findings]}, [])
    else:
        print("a capture can run" if ready else "a capture cannot run yet")
    return 0 if ready else 1
