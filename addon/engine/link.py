# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that finds the service, starts it where it is ours to start, and keeps the connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from . import errors
from .errors import EngineError
from .messages import Configuration
from .protocol import Address
from .service import LocalService

if TYPE_CHECKING:
    from .client import Client

#: s between renewals of the lease; the service waits for LEASE of service.py.
RENEWAL = 5.0
#: s between attempts to reach a service that does not answer: the first, the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: Only somebody's hand makes these good again.
_LASTING = frozenset({"unauthorized", "wrong_version", "address", "not_an_engine", "start", "forbidden", "unexpected"})
#: ... but a name that is not found or a gateway's own page pass where there was a service before.
_SOMETIMES = frozenset({"address", "not_an_engine"})


class Listener(Protocol):
    """Who wants to know; called from the link's thread."""

    def connected(self, status: dict[str, Any]) -> None:
        """The service answers."""
        ...

    def disconnected(self, error: EngineError, retrying: bool) -> None:
        """It does not."""
        ...


class Link:
    """A connection that comes back.

    An epoch is a stretch of time in which the service was known to answer; epochs are counted from 1.
    """

    def __init__(self, configuration: Configuration, client_id: str, listener: Listener) -> None:
        self._configuration, self._id, self._listener = configuration, client_id, listener
        self._state = threading.Condition()
        self._wanted = self._suspected = self._told = self._was_connected = False
        self._failure: EngineError | None = None
        self._client: Client | None = None
        self._trial: Client | None = None
        self._leased: Address | None = None
        self._epoch = 0
        self.closing = threading.Event()
        self._hurry = threading.Event()
        self.local: LocalService | None = None
        if configuration.mode == "local":
            self.local = LocalService(configuration.python, configuration.data, self.closing, configuration.timeout)

    def connect(self) -> None:
        """Want a connection, from now on. Returns at once."""
        with self._state:
            self._wanted, self._failure = True, None
            self._hurry.set()
            self._state.notify_all()

    def close(self) -> None:
        """End the thread's work and every call. Returns at once."""
        self.closing.set()
        with self._state:
            self._hurry.set()
            clients = [client for client in (self._client, self._trial) if client is not None]
            self._state.notify_all()
        for client in clients:
            client.abort()
        if self.local is not None:
            self.local.abort()

    @property
    def failure(self) -> EngineError | None:
        """Why there is no connection until somebody asks for one."""
        with self._state:
            return self._failure

    @property
    def last_address(self) -> Address | None:
        """Where we hold a lease, if anywhere."""
        with self._state:
            return self._leased

    def suspect(self, epoch: int) -> None:
        """A call of that epoch failed: see what is the matter."""
        with self._state:
            if epoch == self._epoch:
                self._suspected = True
                self._state.notify_all()

    def wait(self, epoch: int, cancelled: Callable[[], bool], seconds: float | None = None) -> tuple[Client, int]:
        """A client that works, and its epoch, which is not `epoch`.

        Raises EngineError: why there will be none, "cancelled", "closed", or "refused" after `seconds`.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._state:
            while True:
                if self.closing.is_set():
                    raise errors.closed()
                if cancelled():
                    raise errors.cancelled()
                if self._failure is not None:
                    raise self._failure
                if self._client is not None and self._epoch != epoch:
                    return self._client, self._epoch
                if deadline is not None and time.monotonic() > deadline:
                    raise EngineError("refused", "The capture engine does not answer now: try again in a moment.")
                self._state.wait(0.1)

    def run(self) -> None:
        """The thread."""
        pause = FIRST_PAUSE
        while self._wait_until_wanted():
            try:
                client, status = self._reach()
            except Exception as error:
                if self._failed(error if isinstance(error, EngineError) else errors.unexpected(error)):
                    self._hurry.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    pause = FIRST_PAUSE
                continue
            pause = FIRST_PAUSE
            self._begin(client, status)
            self._recover(self._keep(client))

    def _wait_until_wanted(self) -> bool:
        with self._state:
            self._state.wait_for(lambda: self._wanted or self.closing.is_set())
            self._hurry.clear()
            return not self.closing.is_set()

    def _reach(self) -> tuple[Client, dict[str, Any]]:
        """A client whose service answers and holds our lease. Raises EngineError."""
        # Imported in the thread that needs it: HTTP is too much to import in a frame of Blender's interface.
        from .client import Client

        if self.local is not None:
            address, status = self.local.ensure()
            client = self._new(Client(address, self._configuration.timeout, shares_files=True, client=self._id))
        else:
            if self._configuration.address is None:
                raise errors.bad_address("")
            client = self._new(Client(self._configuration.address, self._configuration.timeout, client=self._id))
            status = client.status()
        self._renew(client)
        return client, status

    def _renew(self, client: Client) -> None:
        """Raises EngineError: then we hold no lease, unless it was our closing that broke the call off."""
        with self._state:
            self._leased = client.address
        try:
            client.renew(self._id, self._configuration.client_name)
        except EngineError:
            with self._state:
                if not self.closing.is_set():
                    self._leased = None
            raise

    def _new(self, client: Client) -> Client:
        with self._state:
            self._trial = client
            if self.closing.is_set():
                raise errors.closed()
        return client

    def _begin(self, client: Client, status: dict[str, Any]) -> None:
        with self._state:
            self._client, self._trial = client, None
            self._epoch += 1
            self._suspected = self._told = False
            self._was_connected = True
            self._state.notify_all()
        if not self.closing.is_set():
            self._listener.connected(status)

    def _keep(self, client: Client) -> EngineError:
        """Renew the lease until that fails; why it failed."""
        while True:
            with self._state:
                self._state.wait_for(lambda: self._suspected or self.closing.is_set(), RENEWAL)
                suspected, self._suspected = self._suspected, False
            if self.closing.is_set():
                return errors.closed()
            try:
                self._renew(client)
            except EngineError as error:
                with self._state:
                    self._client = None
                client.abort()
                return error
            if suspected:
                with self._state:
                    self._epoch += 1
                    self._state.notify_all()

    def _recover(self, error: EngineError) -> None:
        """After a connection was lost: what can be done at once."""
        if self.closing.is_set():
            return
        if self.local is None or not error.passing:
            self._failed(error)
            return
        try:
            if error.code == "timeout":
                self._failed(error)
                self.local.unstick()
            if self.local.gone():
                self.local.died()
        except EngineError as lasting:
            self._failed(lasting)

    def _failed(self, error: EngineError) -> bool:
        """Tell about it, once; whether to go on trying."""
        if self.closing.is_set():
            return True
        passes = error.code not in _LASTING or (self._was_connected and error.code in _SOMETIMES)
        with self._state:
            told, self._told = self._told, passes
            if not passes:
                self._wanted, self._failure = False, error
                self._was_connected = False
                self._state.notify_all()
        if not (told and passes):
            self._listener.disconnected(error, passes)
        return passes
