# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside Blender: panel, preferences, overlay, and the client of the capture engine.

Registering declares classes and handlers and does nothing else: no network, no process, no file.
"""

from __future__ import annotations

import importlib
from types import ModuleType

#: Name of the extension's root package, as Blender knows it (`bl_ext.user_default.video_mocap`).
PACKAGE = (__package__ or "").rpartition(".")[0]

#: Parts with `register()` and `unregister()`, in the order in which they need each other.
PARTS = ("preferences", "properties", "session", "file_events", "ui", "overlay")


def _parts() -> list[ModuleType]:
    return [importlib.import_module(f".{name}", __package__) for name in PARTS]


def register() -> None:
    """Register every part; what was registered is taken back if one fails."""
    done: list[ModuleType] = []
    try:
        for part in _parts():
            part.register()
            done.append(part)
    except BaseException:
        for part in reversed(done):
            part.unregister()
        raise


def unregister() -> None:
    """Unregister every part, last one first."""
    for part in reversed(_parts()):
        part.unregister()
