# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses the service. Without anybody for long enough, it ends itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from .failures import ApiError

MOST_CLIENTS = 64


class Leases:
    """Leases of `seconds`; None: the service needs none. clock: seconds, monotonic."""

    def __init__(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._renewed: dict[str, float] = {}
        # The time for the first client to come begins when the service is there.
        self._last = self._looked = clock()

    def renew(self, client: str) -> None:
        """The client is there. Raises ApiError if there are too many."""
        instant = self._clock()
        if self.seconds is not None:
            self._renewed = {name: at for name, at in self._renewed.items() if instant - at <= self.seconds}
        if client not in self._renewed and len(self._renewed) >= MOST_CLIENTS:
            raise ApiError("too_many", f"{MOST_CLIENTS} clients use this service already")
        self._renewed[client] = self._last = instant

    def release(self, client: str) -> None:
        """The client goes."""
        self._renewed.pop(client, None)

    def expired(self) -> bool:
        """Whether nobody has renewed for `seconds`. To be asked about every second.

        Time in which this process itself stood still (a suspended machine) is nobody's fault and does not count.
        """
        instant = self._clock()
        late = instant - self._looked - 2.0
        self._looked = instant
        if late > 0:
            self._last += late
        return self.seconds is not None and instant - self._last > self.seconds
