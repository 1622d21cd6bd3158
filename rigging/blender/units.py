# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""How large a metre is in a scene."""

from __future__ import annotations

import bpy


def metres_per_unit(scene: bpy.types.Scene) -> float:
    """Metres of a Blender unit: the scene's unit scale, 1 where the scene has no units."""
    units = scene.unit_settings
    return 1.0 if units.system == "NONE" else float(units.scale_length)
