# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between the add-on and the capture engine, as one sentence that says what to do next."""

from __future__ import annotations

import errno
from pathlib import Path

from .protocol import API

#: The line may be fine again in a moment; the work is worth going on with.
PASSING = frozenset({"refused", "timeout", "lost"})


class EngineError(Exception):
    """A failure that the user sees.

    message: one sentence.
    code: the service's own ("not_found", "conflict", "disk_full", ...), or
        "refused" (nobody listens), "timeout" (no answer in time), "lost" (the line was cut),
        "unauthorized", "wrong_version", "not_an_engine" (somebody else answers), "address" (no such address),
        "start" (the local engine does not start), "file" (a file here cannot be read or written),
        "cancelled", "closed".
    details: what else the service's answer held.
    """

    def __init__(self, code: str, message: str, details: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}

    @property
    def passing(self) -> bool:
        """Whether trying again later may help without anybody doing anything."""
        return self.code in PASSING


def refused(url: str) -> EngineError:
    """Nobody listens there."""
    return EngineError(
        "refused", f"No capture engine answers at {url}: start it there, or correct the address in the preferences."
    )


def timeout(url: str) -> EngineError:
    """Somebody listens but says nothing."""
    return EngineError(
        "timeout", f"The capture engine at {url} does not answer in time: wait a moment, or restart it if this goes on."
    )


def lost(url: str) -> EngineError:
    """The line was cut in the middle."""
    return EngineError(
        "lost", f"The connection to the capture engine at {url} was cut: check the network if this goes on."
    )


def wrong_token() -> EngineError:
    """The service does not know our token."""
    return EngineError("unauthorized", "The token is wrong: copy it again from the machine that runs the engine.")


def wrong_version(theirs: object) -> EngineError:
    """theirs: the version that the service speaks, None where it does not say."""
    whose = f"version {theirs}" if isinstance(theirs, int) else "another version"
    return EngineError(
        "wrong_version",
        f"The capture engine is {whose} of the protocol and this add-on speaks {API}: "
        "press Update Engine in the preferences.",
        {"api": theirs},
    )


def not_an_engine(url: str) -> EngineError:
    """Something else listens there."""
    return EngineError(
        "not_an_engine", f"What answers at {url} is not a capture engine: correct the address in the preferences."
    )


def bad_address(url: str) -> EngineError:
    """No URL, or a host that nobody knows."""
    return EngineError(
        "address",
        f"The address {url!r} cannot be reached: write it like http://192.168.0.10:8123 in the preferences.",
    )


def unexpected(error: Exception) -> EngineError:
    """A mistake of ours."""
    text = " ".join(str(error).split())
    return EngineError("unexpected", f"Unexpected {type(error).__name__} ({text}): connect again, and report it.")


def closed() -> EngineError:
    """We are leaving; nobody sees this."""
    return EngineError("closed", "The connection to the capture engine was closed.")


def cancelled() -> EngineError:
    """The user does not want it any more."""
    return EngineError("cancelled", "Cancelled.")


def cannot_read(path: Path, error: OSError) -> EngineError:
    """A file of the footage."""
    return EngineError("file", f"Cannot read {path} ({_reason(error)}): choose the footage again.")


def cannot_write(path: Path, error: OSError) -> EngineError:
    """The take, whole or not at all; the engine still has it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return EngineError(
            "file", f"There is no room for {path}: free some and collect the take again, it need not be captured again."
        )
    return EngineError(
        "file",
        f"Cannot write {path} ({_reason(error)}): make the folder writable or save the .blend elsewhere, "
        "then collect the take again; it need not be captured again.",
    )


def cannot_start(python: Path, reason: str) -> EngineError:
    """The environment's Python is missing or breaks."""
    return EngineError(
        "start", f"The capture engine does not start ({reason}; {python}): press Repair Engine in the preferences."
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
