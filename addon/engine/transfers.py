# SPDX-License-Identifier: GPL-3.0-or-later
"""Files to the service in chunks, going on after a cut; and a result from it, whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import errors
from .errors import EngineError
from .wire import PIECE, Line, Wire

#: Called with the bytes that are done and all bytes.
Report = Callable[[int, int], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class _Way:
    """How an upload travels. chunk: the most bytes of one call; timeout: s."""

    wire: Wire
    line: Line
    chunk: int
    timeout: float
    cancelled: Cancelled


class Upload:
    """Files on their way to a service. `send` may be called again after a failure and goes on where it stopped.

    files: at least one; a sequence in its order.
    """

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files
        self.id: str | None = None

    def send(self, wire: Wire, report: Report, cancelled: Cancelled, timeout: float) -> str:
        """Send what is missing; the upload's id. Raises EngineError ("file" for one that cannot be read here)."""
        state = self._state(wire, timeout)
        files = state["files"]
        total, before = sum(int(file["size"]) for file in files), 0
        with wire.line() as line:
            way = _Way(wire, line, int(state["chunk_bytes"]), timeout, cancelled)
            for number, file in enumerate(files):
                self._send_file(way, number, file, lambda sent, before=before: report(before + sent, total))
                before += int(file["size"])
        return str(state["id"])

    def forget(self, wire: Wire, timeout: float) -> None:
        """Remove from the service what is there. Raises EngineError."""
        if self.id is not None:
            wire.json("DELETE", f"/uploads/{self.id}", timeout=timeout)
            self.id = None

    def _state(self, wire: Wire, timeout: float) -> dict[str, Any]:
        """What the service has of it; begins the upload if it knows nothing of it."""
        files = [{"name": path.name, "size": _size(path)} for path in self.files]
        if self.id is not None:
            try:
                state = wire.json("GET", f"/uploads/{self.id}", timeout=timeout)
                if [file["size"] for file in state["files"]] == [file["size"] for file in files]:
                    return state
                self.forget(wire, timeout)  # the footage was written anew meanwhile
            except EngineError as error:
                if error.code != "not_found":
                    raise
        state = wire.json("POST", "/uploads", {"files": files}, timeout)
        self.id = str(state["id"])
        return state

    def _send_file(self, way: _Way, number: int, file: dict[str, Any], report: Callable[[int], None]) -> None:
        path, offset, size = self.files[number], int(file["received"]), int(file["size"])
        report(offset)
        if offset >= size:
            return
        try:
            with path.open("rb") as source:
                while offset < size:
                    body = _Chunk(source, path, offset, min(way.chunk, size - offset), way.cancelled, report)
                    offset = self._put(way, f"/uploads/{self.id}/{number}?offset={offset}", body)
        except OSError as error:
            raise errors.cannot_read(path, error) from None

    def _put(self, way: _Way, path: str, body: _Chunk) -> int:
        """Bytes of the file that the service has afterwards, also if it had others than we thought."""
        try:
            # The service answers when all has arrived: what still lies in buffers of a slow line takes its time.
            slow = 6 * way.timeout
            with way.wire.open("PUT", path, body, way.timeout, size=body.size, line=way.line, patience=slow) as answer:
                return int(json.loads(answer.read())["received"])
        except EngineError as error:
            received = error.details.get("received")
            if error.code == "conflict" and isinstance(received, int) and received != body.offset:
                return received
            raise


class _Chunk:
    """A stretch of a file as the body of a request: http.client reads it piece by piece."""

    def __init__(
        self, source: IO[bytes], path: Path, offset: int, size: int, cancelled: Cancelled, report: Callable[[int], None]
    ) -> None:
        source.seek(offset)
        self.offset, self.size = offset, size
        self._source, self._path, self._left = source, path, size
        self._cancelled, self._report = cancelled, report

    def read(self, size: int = -1, /) -> bytes:
        """The next piece. Raises EngineError."""
        if self._cancelled():
            raise errors.cancelled()
        try:
            data = self._source.read(min(size if size > 0 else PIECE, self._left))
        except OSError as error:
            raise errors.cannot_read(self._path, error) from None
        if not data and self._left:
            raise EngineError("file", f"{self._path} became shorter while it was sent: capture it again.")
        self._left -= len(data)
        self._report(self.offset + self.size - self._left)
        return data


def download(wire: Wire, path: str, target: Path, timeout: float) -> None:
    """Write what the service has at `path` to `target`, whole or not at all; its folder is made if need be.

    Raises EngineError: "file" if it cannot be written, "lost" if it did not arrive whole.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name[:40]}.{uuid.uuid4().hex[:8]}.part")
        with temporary.open("xb") as file:
            _receive(wire, path, file, timeout)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise errors.cannot_write(target, error) from None
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _receive(wire: Wire, path: str, file: IO[bytes], timeout: float) -> None:
    try:
        with wire.open("GET", path, None, timeout) as answer:
            expected = answer.getheader("Content-Length")
            received = 0
            while data := answer.read(PIECE):
                try:
                    received += file.write(data)
                except OSError as error:
                    raise _DiskError(error) from None
            # http.client takes the end of the connection for the end of the file.
            if expected is None or received != int(expected):
                raise errors.lost(wire.address.url)
    except _DiskError as local:
        raise local.error from None


class _DiskError(Exception):
    """Carries an error of the disk past the code that takes every OSError for one of the line."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise errors.cannot_read(path, error) from None
    if size == 0:
        raise EngineError("file", f"{path} is empty: choose the footage again.")
    return size
