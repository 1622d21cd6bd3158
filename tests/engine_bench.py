# SPDX-License-Identifier: GPL-3.0-or-later
"""For the tests of the engine inside Blender: a bad line to a service, somebody else's server, and messages."""

from __future__ import annotations

import contextlib
import http.server
import json
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from video_mocap.addon.engine import Configuration, Failed, Message
from video_mocap.addon.engine.engine import Engine

sys.path.insert(0, str(Path(__file__).parent))
from service_process import until


class Proxy:
    """Forwards TCP to a port of this machine, as badly as it is told.

    cut_up: bytes to the service in all after which the line is cut, once; cut_down: from it over one line.
    stall: nothing is forwarded any more. down: new connections are refused.
    """

    def __init__(self, port: int) -> None:
        self.cut_up: int | None = None
        self.cut_down: int | None = None
        self.cuts = 0
        self.stall = threading.Event()
        #: Nothing is even taken from the lines any more.
        self.deaf = threading.Event()
        self.sent_up = 0
        #: How each line to the service began.
        self.requests: list[bytes] = []
        #: Cuts the line as soon as the service answers to a request that begins like this.
        self.eat_answer: bytes | None = None
        self._target = port
        self._sockets: list[socket.socket] = []
        self._closed = False
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """The network is gone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def up(self) -> None:
        """It is there again."""
        self._listen(self.port)

    def cut(self) -> None:
        """Cut every line that is open."""
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self.down()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            self._sockets += [near, far]
            eaten = threading.Event()
            threading.Thread(target=self._forward, args=(near, far, True, eaten), daemon=True).start()
            threading.Thread(target=self._forward, args=(far, near, False, eaten), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, upwards: bool, eaten: threading.Event) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                while self.deaf.is_set() and not self._closed:
                    time.sleep(0.02)
                if self.stall.is_set():
                    continue
                count += len(data)
                if upwards and count == len(data):
                    self.requests.append(data.split(b" HTTP/")[0])
                if upwards and self.eat_answer is not None and data.startswith(self.eat_answer):
                    self.eat_answer = None
                    eaten.set()
                limit = self.cut_up if upwards else self.cut_down
                if upwards:
                    self.sent_up += len(data)
                if (limit is not None and (self.sent_up if upwards else count) > limit) or (
                    not upwards and eaten.is_set()
                ):
                    if upwards:
                        self.cut_up = None
                    elif not eaten.is_set():
                        self.cut_down = None
                    self.cuts += 1
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def answering(status: int, body: str) -> Iterator[int]:
    """The port of an HTTP server that gives every request the same answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def status(**changes: Any) -> str:
    """What a service says of itself."""
    return json.dumps({"name": "video-mocap", "version": "0.1.0", "api": 1} | changes)


class Listener:
    """Reads an Engine's messages, as the main thread would, and remembers them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heard: list[Message] = []

    def wait(self, message_kind: type, /, seconds: float = 60.0, **what: Any) -> Any:
        """The next message of that kind whose attributes are those. Fails when it does not come, or Failed comes."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = self.engine.messages.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"no {message_kind.__name__} with {what} came; these did: {self.heard[-12:]}"
                ) from None
            self.heard.append(message)
            if isinstance(message, message_kind) and all(
                getattr(message, name) == value for name, value in what.items()
            ):
                return message
            assert message_kind is Failed or not isinstance(message, Failed), message

    def drain(self) -> list[Message]:
        """Everything so far."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.heard.append(self.engine.messages.get_nowait())
        return self.heard

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.drain() if isinstance(message, kind)]


@contextlib.contextmanager
def engine(configuration: Configuration, stop: bool = True) -> Iterator[Listener]:
    """An Engine for the time of a block; closing it is never slow."""
    made = Engine(configuration)
    try:
        yield Listener(made)
    finally:
        began = time.monotonic()
        made.close(stop)
        assert time.monotonic() - began < 2.0


def our_threads() -> list[threading.Thread]:
    """Threads of engines that are alive."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("video_mocap")]


def processes_of(folder: Path) -> list[int]:
    """Live processes whose command line names `folder`, and their children, through /proc."""
    found, parents = set(), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            line = (entry / "cmdline").read_bytes()
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z":
                continue
            parents[int(entry.name)] = int(fields[1])
            if str(folder).encode() in line:
                found.add(int(entry.name))
    for _ in range(3):
        found |= {pid for pid, parent in parents.items() if parent in found}
    return sorted(found)


__all__ = ["Listener", "Proxy", "answering", "engine", "our_threads", "processes_of", "status", "until"]
