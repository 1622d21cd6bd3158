# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process as the service sees it: started, spoken to, killed, noticed when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

log = logging.getLogger("video_mocap.server")
#: A line of the worker is short; more than this is no line of ours.
_LONGEST = 1_000_000
_LARGEST_LOG = 1_000_000


class WorkerProcess:
    """One process of `server.worker`.

    on_message: called with each of its lines. on_end: called once with what to say when it has ended, unless `close`
    was asked for. log_file: where its stderr goes.
    """

    def __init__(
        self, log_file: Path, on_message: Callable[[dict[str, Any]], None], on_end: Callable[[str], None]
    ) -> None:
        self._log_file, self._on_message, self._on_end = log_file, on_message, on_end
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        """Start it. Raises OSError if the machine cannot."""
        with self._open_log() as errors:
            # -P: nothing in the folder where the service was started can stand in for a module.
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "video_mocap.backend.server.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=_LONGEST,
            )
        self._reader = asyncio.create_task(self._read(self._process))

    def send(self, request: dict[str, Any]) -> None:
        """One line to it. If it has died, `on_end` says so."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def kill(self) -> None:
        """End it at once; its files are written whole or not at all."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """End it and wait for that."""
        self._closing = True
        self.kill()
        if self._reader is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._reader, 1.5)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        try:
            while process.stdout is not None and (line := await process.stdout.readline()):
                self._on_message(json.loads(line))
        except Exception as error:  # a worker that cannot be understood is of no use: it is ended and replaced
            log.warning("the worker is not understood: %s: %s", type(error).__name__, error)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        status = await process.wait()
        if not self._closing:
            self._on_end(f"signal {-status}" if status < 0 else f"status {status}")

    def last_words(self) -> str:
        """The last line that it wrote on stderr, or nothing."""
        with contextlib.suppress(OSError):
            lines = self._log_file.read_bytes()[-4000:].decode("utf-8", "replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def _open_log(self) -> IO[bytes]:
        with contextlib.suppress(OSError):
            if self._log_file.stat().st_size > _LARGEST_LOG:
                self._log_file.unlink()
        try:
            return self._log_file.open("ab")
        except OSError:  # a full disk must not keep the worker from starting
            return Path("/dev/null" if sys.platform != "win32" else "NUL").open("ab")
