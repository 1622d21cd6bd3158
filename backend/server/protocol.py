# SPDX-License-Identifier: GPL-3.0-or-later
"""uvicorn's HTTP protocol with a time limit for clients that begin a request and do not go on."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class PatientProtocol(H11Protocol):
    """Waits `header_seconds` for a request's head (and for what is left of a body that nobody reads), then hangs up.

    uvicorn itself has no such limit. Requests find `abort` in `scope["state"]`: it ends the connection at once, also
    where a client does not take what was written.
    """

    header_seconds = 10.0

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for the first head."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.app_state = {**self.app_state, "abort": self.transport.abort}
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Wait on, from the first byte of a head until its last one."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        waits = self.conn.their_state is h11.IDLE
        ignored = self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
        if not (waits or ignored):
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.header_seconds, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_response_complete(self) -> None:
        """A body that came too late for its answer has the same time left."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._watch()
