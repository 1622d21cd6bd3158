# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels and operators."""

from __future__ import annotations


def register() -> None:
    """Declare panels and operators."""


def unregister() -> None:
    """Take them back."""
