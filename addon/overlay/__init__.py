# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints and their confidence drawn over the footage, in camera views and clip editors."""

from __future__ import annotations

from .colors import confidence_color
from .draw import add_handlers, refresh, remove_handlers

__all__ = ["classes", "confidence_color", "refresh", "register", "unregister"]

#: Nothing for Blender to register: the settings are the scene's.
classes: tuple[type, ...] = ()


def register() -> None:
    """Start drawing; does nothing in Blender without a window."""
    add_handlers()


def unregister() -> None:
    """Stop drawing and forget what was read."""
    remove_handlers()
