# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before every route: host, token, version, size and time. A plain ASGI application around another."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from .failures import ApiError, from_exception
from .limits import Limits

log = logging.getLogger("video_mocap.server")
API = 1
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_UPLOADING = re.compile(r"/v1/uploads/[^/]+/[^/]+")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class TooSlow(Exception):  # noqa: N818
    """The client did not send or take its bytes in time."""


@dataclass
class _Exchange:
    """One request. started: whether its answer has begun."""

    send: Send
    seconds: float
    started: bool = False

    async def timed_send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
        try:
            async with asyncio.timeout(self.seconds):
                await self.send(message)
        except TimeoutError:
            raise TooSlow from None


class Guard:
    """Lets a request through to `application` if it may go there.

    token: what clients must show. hosts: what the Host header may name, None for anything (a web page that was made to
    point at this machine names itself there; it has no token either).
    """

    def __init__(self, application: Application, token: str, hosts: frozenset[str] | None, limits: Limits) -> None:
        self._application, self._limits, self._hosts = application, limits, hosts
        self._wanted = f"Bearer {token}".encode("ascii")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        exchange = _Exchange(send, self._limits.send_seconds)
        try:
            self._admit(scope)
            if _UPLOADING.fullmatch(scope["path"]) and scope["method"] == "PUT":
                reading = self._timed(receive)
            else:
                reading = _replay(await self._whole_body(scope, receive), receive)
            await self._application(scope, reading, exchange.timed_send)
        except TooSlow:
            scope["state"]["abort"]()
        except Exception as error:
            problem = from_exception(error)
            if problem.code == "internal":
                log.error("%s %s: %s: %s", scope["method"], scope["path"], type(error).__name__, error)
            if exchange.started:
                scope["state"]["abort"]()
            else:
                with contextlib.suppress(TooSlow):
                    await answer(exchange.timed_send, problem)

    def _admit(self, scope: MutableMapping[str, Any]) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = re.sub(r":\d*$", "", host)
        if self._hosts is not None and name not in self._hosts:
            raise ApiError("forbidden", "this service answers only to its own address on this machine")
        shown = headers.get(b"authorization", b"")
        if not hmac.compare_digest(shown, self._wanted):
            raise ApiError("unauthorized", "the token is missing or wrong; it lies in the service's data folder")
        version = re.match(r"/v(\d+)(/|$)", scope["path"])
        if version and int(version[1][:9]) != API:
            raise ApiError(
                "wrong_version",
                f"this service speaks version {API}, the client version {version[1][:9]}; update the older one of both",
            )

    async def _whole_body(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        """The body, no larger and no slower than allowed."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        too_large = ApiError("too_large", f"a request may have {self._limits.json_bytes} bytes, this one has more")
        if length.isdigit() and int(length[:18]) > self._limits.json_bytes:
            raise too_large
        body = b""
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise TooSlow
                    body += message.get("body", b"")
                    if len(body) > self._limits.json_bytes:
                        raise too_large
                    if not message.get("more_body", False):
                        return body
        except TimeoutError:
            raise TooSlow from None

    def _timed(self, receive: Receive) -> Receive:
        async def timed() -> Message:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    return await receive()
            except TimeoutError:
                raise TooSlow from None

        return timed


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` first."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def answer(send: Send, problem: ApiError) -> None:
    """Send a failure."""
    body = json.dumps(problem.body()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if problem.code == "unauthorized":
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
