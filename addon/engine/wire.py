# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as the engine's client uses it: one connection per call, every wait bounded, every call can be broken off."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from . import errors
from .errors import EngineError
from .protocol import API, Address

#: Bytes that go to the socket at once: each piece has the time limit to itself, so slow lines work.
PIECE = 64 * 1024
#: An answer that is no file is never longer.
MOST_JSON = 64 * 1024 * 1024


class Body(Protocol):
    """The body of a request that is read piece by piece."""

    def read(self, size: int = -1, /) -> bytes:
        """The next piece, empty at the end."""
        ...


class Line:
    """A connection that is used for one call after another. For one thread."""

    def __init__(self) -> None:
        self.connection: http.client.HTTPConnection | None = None


class Wire:
    """The way to one service. Safe to use from several threads.

    `abort` ends every call that is under way, in whatever thread, and all later ones with EngineError("closed").
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._aborted = False
        self._secure: ssl.SSLContext | None = None
        #: What stands before /v1 in paths.
        self._prefix = ""

    def json(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 10.0) -> dict[str, Any]:
        """One call with a JSON object there and back ({} for an empty answer). path: after /v1. Raises EngineError."""
        data = None if body is None else json.dumps(body).encode()
        with self.open(method, path, data, timeout, kind="application/json") as answer:
            text = answer.read(MOST_JSON)
        return _object(text, self.address.url) if text.strip() else {}

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: bytes | Body | None,
        timeout: float,
        kind: str = "application/octet-stream",
        size: int | None = None,
        line: Line | None = None,
        patience: float | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """A call whose answer is read piece by piece. timeout: s for each single wait. size: of a body that is a file.

        patience: s until the answer begins, where it takes longer than other waits. line: to be used and kept.
        Raises EngineError, also for what goes wrong while the caller reads.
        """
        sent = {"Authorization": f"Bearer {self.address.token}"}
        if line is None:
            sent["Connection"] = "close"
        if body is not None:
            sent |= {"Content-Type": kind, "Content-Length": str(len(body) if isinstance(body, bytes) else size)}
        with self._failures():
            kept = line.connection if line is not None else None
            connection = kept or self._connection(timeout)
            again = False
            try:
                connection.sock.settimeout(timeout)
                answer = self._exchange(connection, method, f"{self._prefix}/v{API}{path}", body, sent, patience)
                if answer.status >= 400:
                    raise _refusal(answer, self.address.url)
                yield answer
                again = line is not None and answer.isclosed() and not answer.will_close
            finally:
                if line is not None:
                    line.connection = connection if again else None
                if not again:
                    self._drop(connection)

    @contextmanager
    def line(self) -> Iterator[Line]:
        """A connection for many calls, opened by the first."""
        line = Line()
        try:
            yield line
        finally:
            if line.connection is not None:
                self._drop(line.connection)

    def abort(self) -> None:
        """Break off every call, now and from now on. Does not wait."""
        with self._lock:
            self._aborted = True
            sockets = list(self._sockets)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | Body | None,
        headers: dict[str, str],
        patience: float | None,
    ) -> http.client.HTTPResponse:
        try:
            connection.request(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            # A service that does not want the rest of a body says why before it hangs up.
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = connection.getresponse()
                if answer.status >= 400:
                    return answer
            raise
        if patience is not None:
            connection.sock.settimeout(patience)
        return connection.getresponse()

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        if connection.sock is not None:
            self._forget(connection.sock)
        connection.close()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        """A connected connection, its socket known to `abort`."""
        try:
            parts = urlsplit(self.address.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise errors.bad_address(self.address.url) from None
        if parts.scheme not in ("http", "https") or not host or not _sendable(self.address.token):
            raise errors.bad_address(self.address.url) if _sendable(self.address.token) else errors.wrong_token()
        secure = parts.scheme == "https"
        port = port or (443 if secure else 80)
        connection = http.client.HTTPConnection(host, port, timeout=timeout, blocksize=PIECE)
        connection.sock = self._connect(host, port, timeout, secure)
        self._prefix = parts.path.rstrip("/")
        return connection

    def _connect(self, host: str, port: int, timeout: float, secure: bool) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, _, target in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
            found = socket.socket(family, kind, protocol)
            self._remember(found)
            try:
                found.settimeout(timeout)
                found.connect(target)
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._wrapped(found, host) if secure else found
            except OSError as error:
                failure = error
                self._forget(found)
                found.close()
        raise failure or OSError("no address")

    def _wrapped(self, plain: socket.socket, host: str) -> socket.socket:
        with self._lock:
            self._secure = self._secure or ssl.create_default_context()
        wrapped = self._secure.wrap_socket(plain, server_hostname=host)
        self._forget(plain)
        self._remember(wrapped)
        return wrapped

    def _remember(self, found: socket.socket) -> None:
        with self._lock:
            if self._aborted:
                found.close()
                raise errors.closed()
            self._sockets.add(found)

    def _forget(self, found: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(found)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What sockets and http.client raise, as EngineError."""
        url = self.address.url
        try:
            yield
        except EngineError as error:
            raise errors.closed() if self._aborted and error.passing else error from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._aborted:
                raise errors.closed() from None
            raise _translated(error, url) from error


def _translated(error: Exception, url: str) -> EngineError:
    if isinstance(error, TimeoutError):
        return errors.timeout(url)
    if isinstance(error, ConnectionRefusedError):
        return errors.refused(url)
    if isinstance(error, ssl.SSLCertVerificationError):
        return EngineError("address", f"The certificate of {url} is not trusted ({error.verify_message}): check it.")
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead | ConnectionError):
        return errors.lost(url)
    if isinstance(error, http.client.HTTPException):
        return errors.not_an_engine(url)
    if isinstance(error, socket.gaierror | UnicodeError):
        return errors.bad_address(url)
    if isinstance(error, ssl.SSLError):
        return errors.not_an_engine(url)
    return errors.lost(url)  # no route, network down, ...


def _refusal(answer: http.client.HTTPResponse, url: str) -> EngineError:
    """What an answer with a status of 400 and more says. Raises EngineError("not_an_engine") if it is not ours."""
    data = _object(answer.read(MOST_JSON), url)
    error = data.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return errors.not_an_engine(url)
    code = str(error.get("code"))
    if code == "unauthorized":
        return errors.wrong_token()
    if code == "wrong_version":
        return errors.wrong_version(error.get("api"))
    details = {name: value for name, value in data.items() if name != "error"}
    return EngineError(code, error["message"], details)


def _object(text: bytes, url: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        raise errors.not_an_engine(url) from None
    if not isinstance(data, dict):
        raise errors.not_an_engine(url)
    return data


def _sendable(token: str) -> bool:
    return token.isascii() and token.isprintable()
