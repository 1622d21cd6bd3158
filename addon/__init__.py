# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside Blender. So far nothing is registered: the panel comes with a later version; captures run headless."""


def register() -> None:
    """Nothing to register yet."""


def unregister() -> None:
    """Nothing to unregister yet."""
