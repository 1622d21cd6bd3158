# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the service: a data folder, a socket, the event loop, and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from ..errors import UserError
from .app import create_app
from .folder import LEAST_TOKEN, DataFolder
from .guard import API, LOCAL_NAMES, Guard
from .limits import GIGABYTE, Limits
from .protocol import PatientProtocol
from .record import now
from .service import Service, open_service

if TYPE_CHECKING:
    from ..commands.console import Console

#: Seconds for answers that are on their way when the service ends.
LAST_ANSWERS = 1


@dataclass(frozen=True)
class Settings:
    """What `serve` was told. lease: seconds or None. upload_gigabytes: None for the usual limit."""

    host: str
    port: int
    data: Path
    allow_remote: bool
    lease: float | None
    upload_gigabytes: float | None


def serve(settings: Settings, console: Console) -> int:
    """Serve until stopped; returns the exit status. Raises UserError if it cannot begin."""
    local = is_loopback(settings.host)
    if not local and not settings.allow_remote:
        raise UserError(
            f"{settings.host} can be reached from other machines; add --allow-remote if that is meant, "
            "or reach this machine through an ssh tunnel instead"
        )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    limits = Limits()
    if settings.upload_gigabytes is not None:
        limits = replace(limits, upload_bytes=int(settings.upload_gigabytes * GIGABYTE))
    folder = DataFolder(settings.data)
    try:
        token = folder.token()
        if not local and len(token) < LEAST_TOKEN:
            raise UserError(f"a token of {LEAST_TOKEN} characters at least is needed for other machines to come in")
        with _listening(settings.host, settings.port) as listener:
            asyncio.run(_run(settings, folder, token, listener, limits, local, console))
    finally:
        folder.close()
    return 0


async def _run(
    settings: Settings,
    folder: DataFolder,
    token: str,
    listener: socket.socket,
    limits: Limits,
    local: bool,
    console: Console,
) -> None:
    mine = version("video_mocap")
    service = open_service(folder, limits, settings.lease, local, mine)
    hosts = LOCAL_NAMES | {settings.host.lower(), f"[{settings.host.lower()}]"} if local else None
    guard = Guard(create_app(service, mine), token, hosts, limits)
    server = _Server(_configuration(guard, limits))
    PatientProtocol.header_seconds = limits.header_seconds
    with _signals(service.stopping):
        await service.jobs.start()
        serving = asyncio.create_task(server.serve([listener]))
        watching = asyncio.create_task(_watch(service))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.005)
            _announce(settings, folder, token, listener.getsockname()[1], mine, console)
            await asyncio.wait([watching, serving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            service.stopping.set()
            server.should_exit = True
            watching.cancel()
            await service.jobs.close()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


async def _watch(service: Service) -> None:
    """Return when the service is to end."""
    seconds = 0
    while not service.leases.expired():
        seconds += 1
        if seconds % 600 == 0:
            service.uploads.expire()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(service.stopping.wait(), 1.0)
            return


def _announce(settings: Settings, folder: DataFolder, token: str, port: int, mine: str, console: Console) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{port}"
    facts: dict[str, Any] = {"pid": os.getpid(), "host": settings.host, "port": port}
    try:
        folder.announce({**facts, "token": token, "api": API, "version": mine, "started": now()})
    except OSError as error:
        raise UserError(f"cannot write {folder.root / 'server.json'}: {error.strerror or error}") from None
    ready = {"ready": True, "url": url, **facts, "api": API, "version": mine, "data": str(folder.root)}
    # One line: whoever started us waits for it.
    text = (
        json.dumps(ready) if console.as_json else f"Serving at {url}; the token lies in {folder.root / 'server.json'}"
    )
    with contextlib.suppress(OSError):
        print(text, flush=True)


class _Server(uvicorn.Server):
    """uvicorn without its own idea of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _configuration(application: Any, limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=LAST_ANSWERS,
        limit_concurrency=limits.connections,
        h11_max_incomplete_event_size=32 * 1024,
    )


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM end the service cleanly: that is how one is meant to end. A third one does it now."""
    loop = asyncio.get_running_loop()
    count = 0

    def handle(number: int, _: object) -> None:
        nonlocal count
        count += 1
        if count >= 3:
            os._exit(128 + number)
        loop.call_soon_threadsafe(stopping.set)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound. Raises UserError if it cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise UserError(f"{host} is no address of this machine; --host takes one, 127.0.0.1 for example") from None
    with socket.socket(family, kind, protocol) as listener:
        if sys.platform != "win32":  # there it would let two services share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot listen on {host} port {port}: {reason}; --port 0 takes a free one") from None
        yield listener


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
