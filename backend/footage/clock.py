# SPDX-License-Identifier: GPL-3.0-or-later
"""Times that strictly increase, whatever timestamps a file carries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

#: Longest run of items without a usable timestamp that waits for the next usable one.
_LONGEST_RUN = 4
#: A timestamp that falls back by more than this starts anew (recordings joined end to end), seconds.
_RESTART = 1.0


def steady_times(stamped: Iterator[tuple[float | None, T]], step: float) -> Iterator[tuple[float, T]]:
    """Repair missing, repeated and backward timestamps; pass good ones on untouched.

    stamped: (timestamp in seconds or None, item) in presentation order. step: nominal time between frames, seconds.
    Up to four items without a usable timestamp are held back and spread evenly before the next usable one; longer
    runs, and a run at the end, go on by `step`. Where timestamps restart, time goes on from there.
    A first item without a timestamp is at 0.
    """
    last: float | None = None
    newest, shift = -math.inf, 0.0
    held: list[T] = []
    for given, item in stamped:
        stamp = 0.0 if given is None and last is None else given
        if last is not None and stamp is not None and stamp < newest - _RESTART:
            shift = last + (len(held) + 1) * step - stamp
            newest = -math.inf
        if stamp is None or stamp <= newest:
            held.append(item)
            if len(held) > _LONGEST_RUN and last is not None:
                yield from _evenly(held, last, step)
                last += len(held) * step
                held = []
            continue
        newest = stamp
        time = stamp + shift
        if last is not None:
            if time <= last:
                # A run that went on by `step` overtook this stamp: creep until the stamps are ahead again.
                time = last + (len(held) + 1) * step / 10
            yield from _evenly(held, last, (time - last) / (len(held) + 1))
        held = []
        last = time
        yield time, item
    if last is not None:
        yield from _evenly(held, last, step)


def _evenly(items: list[T], last: float, step: float) -> Iterator[tuple[float, T]]:
    """The items at last + step, last + 2 step, ..."""
    for row, item in enumerate(items, start=1):
        yield last + row * step, item
