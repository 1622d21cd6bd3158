# SPDX-License-Identifier: GPL-3.0-or-later
"""The running service, as far as the preferences meet it: ending it before its environment changes, trying a line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..engine import Address, EngineError
from . import process
from .files import SetupError, read_json


def stop_service(data: Path, patience: float = 10.0) -> None:
    """End the service that uses a data folder, if there is one; its jobs go on at its next start. Blocks.

    Raises SetupError if it does not end.
    """
    from ..engine import Client

    known = read_json(data / "server.json")
    pid = known.get("pid")
    born = process.birth(pid) if isinstance(pid, int) else None
    if not isinstance(pid, int) or born is None:
        return
    try:
        Client(Address(f"http://{known.get('host')}:{known.get('port')}", str(known.get("token")))).stop()
    except EngineError as error:
        if error.code in ("refused", "not_an_engine", "unauthorized"):
            return  # server.json is left over from a service that was killed; somebody else has its id or port
    deadline = time.monotonic() + patience
    while process.runs(pid, born):
        if time.monotonic() > deadline:
            raise SetupError(f"The capture engine (process {pid}) does not end: end it, or restart the computer.")
        time.sleep(0.05)


def try_connection(address: Address) -> tuple[bool, str]:
    """Whether a service answers there, and a sentence about it. Blocks."""
    from ..engine import Client

    try:
        status: dict[str, Any] = Client(address).status()
    except EngineError as error:
        return False, error.message
    jobs = status.get("jobs") or {}
    waiting = int(jobs.get("queued") or 0) + int(jobs.get("running") or 0)
    busy = f", {waiting} {'job' if waiting == 1 else 'jobs'} before yours" if waiting else ""
    return True, f"Connected: Video Mocap {status.get('version')} on {status.get('device')}{busy}."
