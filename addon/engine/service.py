# SPDX-License-Identifier: GPL-3.0-or-later
"""The service of this machine: found through its server.json, started if there is none, ended on request.

Two Blenders may do this at once on the same folder. A lock that the system keeps lets only one of them start a
service; the other finds it.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import errors, processes
from .errors import EngineError
from .lock import FileLock
from .protocol import API, Address

if TYPE_CHECKING:
    from .client import Client

#: s that the service runs on when nobody renews a lease.
LEASE = 20
#: s until a service that was started must answer: a cold disk, a virus scanner.
STARTING = 90.0
#: So many ends of a service within so many seconds are not bad luck.
DEATHS, WITHIN = 3, 60.0
_POLL = 0.1
_MOST_LOG = 1_000_000


@dataclass(frozen=True)
class Running:
    """A service that answered. api: None for files of a version that did not say."""

    address: Address
    pid: int
    api: int | None


class LocalService:
    """The service of one data folder. For one thread, but for `end`, which any may call after that thread's end.

    python: the environment's interpreter. stopping: set to make `ensure` give up at once (EngineError "closed").
    """

    def __init__(self, python: Path, data: Path, stopping: threading.Event, timeout: float = 10.0) -> None:
        # Not resolved: the interpreter of an environment is a link to another one.
        self.python, self.data = python.absolute(), data.absolute()
        self._stopping, self._timeout = stopping, timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._running: Running | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._log_start = 0
        self._client: Client | None = None
        self._hung: EngineError | None = None

    @property
    def log(self) -> Path:
        """What the service wrote."""
        return self.data / "service.log"

    def ensure(self) -> tuple[Address, dict[str, Any]]:
        """Find a running service or start one; its address and status.

        Raises EngineError: "start" if it does not start, "wrong_version" if another version works in our folder.
        """
        lock = FileLock(self.data / "starting.lock")
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            return self._ensure(lock)
        except OSError as error:
            raise EngineError(
                "start", f"The folder {self.data} cannot be used ({error.strerror or error}): make it writable."
            ) from None
        finally:
            lock.release()

    def _ensure(self, lock: FileLock) -> tuple[Address, dict[str, Any]]:
        deadline = time.monotonic() + STARTING
        while not self._stopping.is_set():
            if (found := self._look()) is not None:
                return found
            if self._process is None and lock.acquire():
                # Whoever held the lock before us may have started one.
                if (found := self._look()) is not None:
                    return found
                self._start()
            self._watch_child()
            if time.monotonic() > deadline:
                raise EngineError(
                    "start", f"The capture engine does not answer since it was started: look into {self.log}."
                )
            self._stopping.wait(_POLL)
        raise errors.closed()

    def died(self) -> None:
        """The service answered and does not any more, for good. Raises EngineError("start") if that goes on and on."""
        self._running = None
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        self._deaths.append(time.monotonic())
        if len(self._deaths) == DEATHS and self._deaths[-1] - self._deaths[0] < WITHIN:
            self._deaths.clear()
            raise self._hung or errors.cannot_start(self.python, self._last_line())

    def forget_deaths(self) -> None:
        """The user asks anew."""
        self._deaths.clear()

    def unstick(self) -> None:
        """End a service that hangs, if this Engine started it; the next `ensure` starts another one."""
        if self._look() is None and self._process is not None and self._process.poll() is None:
            processes.kill(self._process.pid)
            self._process.wait(5)

    def gone(self) -> bool:
        """Whether the service that answered has ended, so that there is nothing to wait for."""
        if self._process is not None and self._process.poll() is not None:
            return True
        return self._running is None or not processes.alive(self._running.pid)

    def abort(self) -> None:
        """Break off a look at a service that does not answer."""
        client = self._client
        if client is not None:
            client.abort()

    def end(self, seconds: float) -> None:
        """End the service, whoever started it: asked first, killed after two thirds of `seconds`. Raises nothing."""
        from .client import Client

        deadline = time.monotonic() + seconds
        running = self._running or self._read()
        if running is not None and processes.alive(running.pid):
            try:
                Client(running.address, seconds / 4).stop()
            except EngineError:
                deadline = min(deadline, time.monotonic() + seconds / 2)
            self._await_end(running.pid, deadline - seconds / 3)
        if self._process is not None and self._process.poll() is None:
            processes.kill(self._process.pid)
            self._await_end(self._process.pid, deadline)
        # Killed is only what answered to our token: any other process may have got the number in a stale file.
        if running is not None and running is self._running and self._is_in_file(running.pid):
            processes.kill(running.pid)
            self._await_end(running.pid, deadline)
        self._process = self._running = None

    def _await_end(self, pid: int, deadline: float) -> None:
        while time.monotonic() < deadline:
            if self._process is not None and self._process.pid == pid:
                if self._process.poll() is not None:
                    return
            elif not processes.alive(pid):
                return
            time.sleep(0.02)

    def _is_in_file(self, pid: int) -> bool:
        """Whether a process that nobody here started still says that it is the service."""
        found = self._read()
        return found is not None and found.pid == pid and processes.alive(pid)

    def _look(self) -> tuple[Address, dict[str, Any]] | None:
        """The service that server.json names, if it answers; None if the file is stale or missing."""
        from .client import Client

        found = self._read()
        # The token goes only where a service of ours may be, not to whoever got its port afterwards.
        if found is None or not processes.alive(found.pid):
            return None
        if found.api is not None and found.api != API:
            raise errors.wrong_version(found.api)
        self._client = Client(found.address, min(self._timeout, 3.0))
        if self._stopping.is_set():
            raise errors.closed()
        try:
            status = self._client.status()
        except EngineError as error:
            if error.code in ("closed", "wrong_version"):
                raise
            # Nobody there, somebody else there, or not ready yet: where a service lives, its lock says so.
            self._hung = error if error.code == "timeout" else None
            return None
        finally:
            self._client = None
        self._running, self._hung = found, None
        return found.address, status

    def _read(self) -> Running | None:
        try:
            facts = json.loads((self.data / "server.json").read_text("utf-8"))
            host = str(facts["host"])
            host = f"[{host}]" if ":" in host else host
            address = Address(f"http://{host}:{int(facts['port'])}", str(facts["token"]))
            return Running(address, int(facts["pid"]), facts.get("api"))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _start(self) -> None:
        self._trim_log()
        command = [str(self.python), "-P", "-m", "video_mocap.backend.cli", "serve"]
        command += ["--data", str(self.data), "--lease", str(LEASE), "--json"]
        try:
            self._process = processes.start(command, self.log, self.data)
        except OSError as error:
            raise errors.cannot_start(self.python, (error.strerror or str(error)).lower()) from None

    def _watch_child(self) -> None:
        """Raises EngineError("start") if the process that we started cannot become a service."""
        if self._process is None or self._process.poll() is None:
            return
        # A service that is just ending may still have held the folder: try again, but not for ever.
        self.died()
        if "No module named" in self._last_line():
            raise errors.cannot_start(self.python, self._last_line())
        self._stopping.wait(0.5 * len(self._deaths))

    def _trim_log(self) -> None:
        try:
            self._log_start = self.log.stat().st_size
            if self._log_start > _MOST_LOG:
                self.log.unlink()
                self._log_start = 0
        except OSError:
            self._log_start = 0

    def _last_line(self) -> str:
        """The last thing that the process we started had to say."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_start, file.seek(0, 2) - 4096))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            lines = []
        said = [" ".join(line.split()) for line in lines if line.strip()]
        return said[-1].removeprefix("video-mocap: ")[:300].rstrip(".") if said else "it ends without a word"
