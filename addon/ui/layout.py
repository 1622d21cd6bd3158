# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What the panels share: one class for each editor, sentences over several lines, numbers in words."""

from __future__ import annotations

from typing import Any

import bpy

from .wrapping import wrapped

CATEGORY = "Video Mocap"
#: Editors in whose sidebar the tab stands, and what tells their panels' names apart.
_EDITORS = (("VIEW_3D", ""), ("CLIP_EDITOR", "_clip"))
#: Pixels of a panel's margins with an icon, at interface scale 1, and of the narrowest text.
_MARGIN, _NARROWEST = 80.0, 110.0

Layout = Any


def for_sidebars(*bases: type, editors: tuple[str, ...] = ("VIEW_3D", "CLIP_EDITOR")) -> tuple[type, ...]:
    """A panel of each base for each editor. A base has `key` (name), perhaps `parent` (key of its parent panel)."""
    made = []
    for base in bases:
        for space, suffix in _EDITORS:
            if space not in editors:
                continue
            members = {
                "bl_idname": f"VIDEO_MOCAP_PT_{base.key}{suffix}",
                "bl_space_type": space,
                "bl_region_type": "UI",
                "bl_category": CATEGORY,
                "__doc__": base.__doc__,
                "__module__": base.__module__,
            }
            if getattr(base, "parent", None):
                members["bl_parent_id"] = f"VIDEO_MOCAP_PT_{base.parent}{suffix}"
            made.append(type(members["bl_idname"], (base, bpy.types.Panel), members))
    return tuple(made)


def sentence(layout: Layout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """A text over as many lines as the sidebar's width needs."""
    # Without a window there is no scale.
    scale = context.preferences.system.ui_scale or 1.0
    width = (context.region.width if context.region is not None else 300) / scale - _MARGIN
    column = layout.column(align=True)
    column.scale_y = 0.85
    for number, line in enumerate(wrapped(text, max(_NARROWEST, width))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")


def bar(layout: Layout, fraction: float, text: str) -> None:
    """A progress bar."""
    layout.progress(factor=min(max(fraction, 0.0), 1.0), type="BAR", text=text)


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
