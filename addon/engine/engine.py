# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture engine for the main thread: ask for things, read messages; nothing here blocks."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import errors
from .errors import EngineError
from .jobs import JobWatch
from .link import Link
from .messages import CaptureRequest, Configuration, Connected, Disconnected, Failed, Message
from .submitting import submit

if TYPE_CHECKING:
    from .client import Client

#: s within which `close` is over, whatever the service does.
CLOSING = 1.8
#: s that a short request waits for a connection that is being made.
PATIENCE = 15.0


class Engine:
    """The service of a configuration.

    messages: what happened, for the main thread to read. Every method but `close` returns at once; what they do ends
    in messages. After `close` they do nothing.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.messages: queue.Queue[Message] = queue.Queue()
        self._id = uuid.uuid4().hex
        self._link = Link(configuration, self._id, self)
        self._watch = JobWatch(self._link, self.messages.put, self._spawn, self._id)
        self._requests: dict[str, threading.Event] = {}
        self._commands: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._started = False

    def connect(self) -> None:
        """Find the service or start it; ends in Connected and JobsListed, or in Disconnected."""
        if self._link.closing.is_set():
            return
        with self._lock:
            first, self._started = not self._started, True
        self._link.connect()
        if first:
            self._spawn("link", self._link.run)
            self._spawn("commands", self._run_commands)

    def capture(self, request: CaptureRequest) -> str:
        """Make a take; connects if need be. Returns an id: the job's in messages until the service gave it its own."""
        identity, cancelled = uuid.uuid4().hex, threading.Event()
        if self._link.closing.is_set():
            return identity
        self.connect()
        with self._lock:
            self._requests[identity] = cancelled
        self._spawn("capture", self._capture, identity, request, cancelled)
        return identity

    def cancel(self, job_id: str) -> None:
        """Stop a job, or a capture that is not a job yet (by what `capture` returned)."""
        with self._lock:
            cancelled = self._requests.get(job_id)
        if cancelled is not None:
            cancelled.set()
        else:
            self._command(lambda client: self._change(client, client.cancel, job_id), job_id)

    def resume(self, job_id: str) -> None:
        """Let a cancelled or failed job go on."""
        self._command(lambda client: self._change(client, client.resume, job_id), job_id)

    def discard(self, job_id: str) -> None:
        """Remove a job from the service, with its result there; a take that was collected stays."""
        self._command(lambda client: self._watch.discard(client, job_id), job_id)

    def collect(self, job_id: str, take_path: Path | None = None) -> None:
        """Fetch a job's take as soon as it is done; again if it could not be written before.

        take_path: None for the path that it was captured for. Ends in ResultReady, or in Failed.
        """
        self._command(lambda client: self._watch.collect(client, job_id, take_path), job_id)

    def refresh(self) -> None:
        """List the jobs again (JobsListed); connects if need be."""
        self.connect()
        self._command(self._watch.list_jobs, None)

    def close(self, stop_backend: bool = False) -> None:
        """End everything here within 2 s. stop_backend: also the service, if it runs on this machine.

        Without, the service goes on with what it does for others, or until our lease ends.
        """
        if self._link.closing.is_set():
            return
        deadline = time.monotonic() + CLOSING
        self._link.close()
        self._commands.put(None)
        self._join(min(deadline, time.monotonic() + 0.4))
        if stop_backend and self._link.local is not None:
            self._link.local.end(deadline - time.monotonic())
        else:
            self._release(min(0.4, deadline - time.monotonic()))
        self._join(deadline)

    def connected(self, status: dict[str, Any]) -> None:
        """The link's word."""
        self.messages.put(Connected(status))
        self._command(self._watch.list_jobs, None)

    def disconnected(self, error: EngineError, retrying: bool) -> None:
        """The link's word."""
        self.messages.put(Disconnected(error.message, retrying))

    def _capture(self, identity: str, request: CaptureRequest, cancelled: threading.Event) -> None:
        try:
            submit(identity, request, cancelled.is_set, self._link, self._watch, self.messages.put)
        except EngineError as error:
            if error.code not in ("cancelled", "closed"):
                self.messages.put(Failed(error.message, identity))
        finally:
            with self._lock:
                self._requests.pop(identity, None)

    def _change(self, client: Client, change: Callable[[str], None], job_id: str) -> None:
        change(job_id)
        self._watch.look(client, job_id)

    def _command(self, action: Callable[[Client], None], job_id: str | None) -> None:
        """Do something short when there is a connection, in the order in which it was asked for."""

        def perform() -> None:
            try:
                self._try_twice(action)
            except EngineError as error:
                if job_id is not None and error.code == "not_found":
                    self._watch.gone(job_id)
                elif error.code != "closed" and (job_id is not None or not self._is_told(error)):
                    self.messages.put(Failed(error.message, job_id))

        if not self._link.closing.is_set():
            if not self._started:
                self.connect()
            self._commands.put(perform)

    def _try_twice(self, action: Callable[[Client], None]) -> None:
        """Do something over the connection, and once more over the next one. Raises EngineError."""
        client, epoch = self._link.wait(0, _never, PATIENCE)
        try:
            action(client)
        except EngineError as error:
            if not error.passing and error.code != "closed":
                raise
            self._link.suspect(epoch)
            action(self._link.wait(epoch, _never, PATIENCE)[0])

    def _is_told(self, error: EngineError) -> bool:
        """Whether Disconnected says the same, or the next connection makes it good."""
        return error.passing or error is self._link.failure

    def _run_commands(self) -> None:
        while (command := self._commands.get()) is not None:
            if self._link.closing.is_set():
                return
            command()

    def _spawn(self, name: str, function: Callable[..., None], *arguments: Any) -> None:
        def guarded() -> None:
            try:
                function(*arguments)
            except Exception as error:
                if not self._link.closing.is_set():
                    self.messages.put(Failed(errors.unexpected(error).message, None))
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=guarded, name=f"video_mocap {name}", daemon=True)
        with self._lock:
            if self._link.closing.is_set():
                return
            self._threads.add(thread)
            # Inside the lock: a thread that is known can be joined.
            thread.start()

    def _join(self, deadline: float) -> None:
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _release(self, seconds: float) -> None:
        address = self._link.last_address
        if address is not None and seconds > 0:
            from .client import Client

            with suppress(EngineError):
                Client(address, seconds).release(self._id)


def _never() -> bool:
    return False
