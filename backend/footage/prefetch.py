# SPDX-License-Identifier: GPL-3.0-or-later
"""Decode ahead in a thread, so that reading and the work on each frame overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def prefetch(frames: Iterator[T], depth: int = 8) -> Generator[T, None, None]:
    """The same items, produced up to `depth` ahead by a background thread.

    The thread starts with the first item asked for. What `frames` raises is raised here, after the items before it.
    When the consumer stops early (closes or drops this generator) the thread finishes the item it is at, closes
    `frames` and ends before `close` returns. At most depth + 2 items are alive at once.
    """
    waiting: queue.Queue[_Item[T] | _End] = queue.Queue(maxsize=max(depth, 1))
    stop = threading.Event()

    def produce() -> None:
        error: BaseException | None = None
        try:
            for value in frames:
                waiting.put(_Item(value))
                del value
                if stop.is_set():
                    break
        except BaseException as raised:  # handed to the consumer, whose thread it belongs to
            error = raised
        finally:
            # PyAV's containers must be closed by the thread that reads them.
            if isinstance(frames, Generator):
                frames.close()
        if not stop.is_set():
            waiting.put(_End(error))

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            value = item.value
            del item
            yield value
            del value
    finally:
        stop.set()
        # One free place is enough for the thread to get past its `put` and see that it should stop.
        while not waiting.empty():
            waiting.get_nowait()
        thread.join()
