# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a thread, waited for by a generator, so that whoever steps it stays free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any


def aside(work: Callable[[], Any], waiting: Any = 0.0, pause: float = 0.004) -> Generator[Any, Any, Any]:
    """Run `work`, which must not touch bpy, in a thread; the generator ends as the work does, with its value or error.

    waiting: what is yielded meanwhile. pause: seconds that each step waits for the thread at most.
    """
    results: list[Any] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="video_mocap work", daemon=True)
    thread.start()
    while thread.is_alive():
        yield waiting
        if pause:
            thread.join(pause)
    if errors:
        raise errors[0]
    return results[0]
