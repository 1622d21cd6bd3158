# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering: quick, quiet, and undone completely."""

from __future__ import annotations

from types import ModuleType

import bpy

from .conftest import MODULE


def test_enabled(addon: ModuleType) -> None:
    assert addon.__name__ == MODULE
    assert bpy.context.scene.video_mocap.quality == "standard"
