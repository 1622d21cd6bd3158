# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panels in which a capture is chosen: footage, quality, options; camera and world are in `shot_panels`."""

from __future__ import annotations

import bpy

from .. import session
from ..capture import request
from .layout import for_sidebars, sentence


class Footage:
    """What to capture."""

    key = "footage"
    bl_label = "Footage"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        settings = context.scene.video_mocap
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        row = layout.row()
        row.use_property_split = False
        row.prop(settings, "footage_source", expand=True)
        if settings.footage_source == "FILE":
            layout.prop(settings, "footage_path", text="File")
        elif settings.footage_source == "CLIP":
            layout.template_ID(settings, "clip", open="clip.open")
        else:
            layout.prop(settings, "strip", icon="SEQUENCE")
        column = layout.column(heading="Range")
        row = column.row(align=True)
        row.prop(settings, "use_range", text="")
        part = row.row(align=True)
        part.active = settings.use_range
        part.prop(settings, "start", text="")
        part.prop(settings, "end", text="")
        row = layout.row(heading="Limit People")
        row.prop(settings, "limit_people", text="")
        part = row.row()
        part.active = settings.limit_people
        part.prop(settings, "max_persons", text="")
        problem = request.problem(settings)
        if problem:
            sentence(layout, context, problem, "ERROR")


class Quality:
    """How closely the capture looks."""

    key = "quality"
    bl_label = "Quality"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        row = self.layout.row()
        row.prop(context.scene.video_mocap, "quality", expand=True)


class Options:
    """What lies behind the quality."""

    key = "options"
    parent = "quality"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        settings = context.scene.video_mocap
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "smoothing")
        column = layout.column()
        column.prop(settings, "detector")
        column.prop(settings, "lifter")
        for choice in (session.get().status or {}).get("lifters", []):
            if choice["name"] == settings.lifter and choice.get("non_commercial"):
                sentence(column, context, f"For non-commercial use only ({choice['licence']}).", "INFO")
        column.prop(settings, "adapt_to_person")
        column.prop(settings, "root")
        column.prop(settings, "device")
        column = layout.column()
        column.prop(settings, "in_front")
        column.prop(settings, "stitch")


class Settings:
    """The choices as a file, the one that the command line takes."""

    key = "settings"
    bl_label = "Settings"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so
    bl_order = 8

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        settings = context.scene.video_mocap
        row = self.layout.row(align=True)
        row.operator("video_mocap.load_settings", icon="IMPORT")
        row.operator("video_mocap.save_settings", icon="EXPORT")
        column = self.layout.column(heading="Overlay")
        column.prop(settings, "show_overlay")
        part = column.column()
        part.active = settings.show_overlay
        part.prop(settings, "overlay_confidence")


PANELS = for_sidebars(Footage, Quality, Options, Settings)
