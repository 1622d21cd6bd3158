# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping stdout and stderr for the user: libraries write on both from native code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def own_streams(debug: bool) -> Iterator[None]:
    """Inside, only what goes through `sys.stdout` and `sys.stderr` reaches the user.

    What native code and child processes write on the file descriptors 1 and 2 is dropped, or with `debug` goes to
    stderr: stdout may carry JSON, and nothing else then. Python's warnings and its reports of failures in destructors
    (a half-written archive has one) are dropped too unless `debug`.
    Does nothing where the streams are not the process's own (in tests).
    """
    try:
        own = (sys.stdout.fileno(), sys.stderr.fileno()) == (1, 2)
    except (OSError, ValueError, AttributeError):
        own = False
    if not own:
        yield
        return
    before = sys.stdout, sys.stderr
    encodings = [(stream.encoding, stream.errors) for stream in before]
    for stream in before:
        stream.flush()
    saved = os.dup(1), os.dup(2)
    streams = [
        os.fdopen(os.dup(descriptor), "w", encoding=encoding, errors=errors, buffering=1)
        for descriptor, (encoding, errors) in zip(saved, encodings, strict=True)
    ]
    sink = os.dup(2) if debug else os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    sys.stdout, sys.stderr = streams
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
                sys.unraisablehook = lambda _: None
            yield
    finally:
        sys.unraisablehook = sys.__unraisablehook__
        sys.stdout, sys.stderr = before
        for stream in streams:
            with suppress(OSError):  # a reader that has gone; whoever printed has been told
                stream.close()
        for descriptor, target in zip(saved, (1, 2), strict=True):
            os.dup2(descriptor, target)
            os.close(descriptor)
