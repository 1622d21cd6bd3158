# SPDX-License-Identifier: GPL-3.0-or-later
"""text/event-stream, as far as the service uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One event. id: the last one that the stream named, "" if none yet."""

    id: str
    data: str


def parse(lines: Iterable[bytes]) -> Iterator[Event]:
    """Events of a stream's lines, each with its end of line; comments are passed over.

    An event that the stream's end cut off is not given.
    """
    identity, data = "", []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield Event(identity, "\n".join(data))
            data = []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            identity = value
        elif name == "data":
            data.append(value)
