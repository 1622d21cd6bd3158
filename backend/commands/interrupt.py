# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C and `kill`: the work is asked to stop, cleans up, and the exit status says so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
TERMINATED = 143
#: At so many requests (native code that does not come back) the process ends without cleaning up.
PATIENCE = 3


class Interrupt:
    """Whether someone asked the work to stop. status: the exit status then, None before."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._requests = 0

    def requested(self) -> bool:
        """For `Progress.cancelled`."""
        return self.status is not None

    def handle(self, number: int, _: FrameType | None) -> None:
        """Signal handler. The first request raises KeyboardInterrupt; where that is swallowed, `requested` stops it.

        The second changes nothing: an impatient Ctrl-C must not cut the cleaning up short.
        """
        self.status = INTERRUPTED if number == signal.SIGINT else TERMINATED
        self._requests += 1
        if self._requests >= PATIENCE:
            os._exit(self.status)
        if self._requests == 1:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Listen to SIGINT and SIGTERM inside; nothing is installed outside the main thread."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
