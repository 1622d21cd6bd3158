# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture engine as the add-on sees it: its client, its life cycle and the thread that talks to it. No bpy.

`Engine` is what the rest of the add-on uses; it never blocks its caller. `Client` blocks and belongs into threads.
Both are imported on first use, because what they need of the standard library is not needed while nobody captures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import EngineError
from .footage import Footage
from .messages import (
    CaptureRequest,
    Configuration,
    Connected,
    Disconnected,
    Failed,
    JobChanged,
    JobsListed,
    Message,
    ResultReady,
)
from .protocol import API, Address

if TYPE_CHECKING:
    from .client import Client
    from .engine import Engine

__all__ = [
    "API",
    "Address",
    "CaptureRequest",
    "Client",
    "Configuration",
    "Connected",
    "Disconnected",
    "Engine",
    "EngineError",
    "Failed",
    "Footage",
    "JobChanged",
    "JobsListed",
    "Message",
    "ResultReady",
]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from .engine import Engine

        return Engine
    if name == "Client":
        from .client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
