# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding ahead in a thread: order, overlap, errors, and an end when nobody listens."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator

import pytest
from video_mocap.backend.footage import prefetch


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


class _Item:
    pass


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(prefetch(iter(range(100)), depth=3)) == list(range(100))
    assert _threads() == []


def test_work_and_decoding_overlap() -> None:
    produced = threading.Event()

    def source() -> Iterator[int]:
        yield 0
        produced.set()
        yield 1

    items = prefetch(source())
    assert next(items) == 0
    # Without a thread nothing would be produced before the next item is asked for.
    assert produced.wait(timeout=5)
    assert list(items) == [1]


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = prefetch(source())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)
    assert _threads() == []


def test_closing_early_ends_the_thread_and_the_source() -> None:
    closed = threading.Event()
    given: list[int] = []

    def source() -> Iterator[int]:
        try:
            for row in range(10**6):
                given.append(row)
                yield row
        finally:
            closed.set()

    items = prefetch(source(), depth=2)
    next(items)
    items.close()
    assert closed.is_set()
    assert _threads() == []
    assert len(given) <= 5


def test_no_more_than_depth_items_wait() -> None:
    alive: weakref.WeakSet[_Item] = weakref.WeakSet()
    most = 0

    def source() -> Iterator[_Item]:
        nonlocal most
        for _ in range(60):
            item = _Item()
            alive.add(item)
            most = max(most, len(alive))
            yield item
            del item

    count = 0
    for _ in prefetch(source(), depth=4):
        count += 1
        time.sleep(0.002)
    assert count == 60
    assert most <= 4 + 3
