# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panels in which is said what is known of a shot: its camera and its world."""

from __future__ import annotations

import bpy

from ..capture.request import is_used
from .layout import Layout, for_sidebars

_CLOSED = {"DEFAULT_CLOSED"}


class Camera:
    """The camera that took the footage."""

    key = "camera"
    parent = "quality"
    bl_label = "Camera"
    bl_options = _CLOSED
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        settings = context.scene.video_mocap
        column = _column(self.layout)
        column.prop(settings, "lens")
        if settings.lens == "FOCAL":
            column.prop(settings, "focal_length")
        elif settings.lens == "MILLIMETRES":
            column.prop(settings, "focal_mm")
            column.prop(settings, "sensor")
        elif settings.lens == "FOV":
            column.prop(settings, "fov", text="Angle")
        elif settings.lens == "CAMERA":
            column.prop(settings, "camera")
            if settings.camera is None:
                column.prop(settings, "camera_path", text="or File")
        if is_used(settings, "distortion"):
            column.prop(settings, "distortion")
        if is_used(settings, "camera_motion"):
            column.prop(settings, "camera_motion")


class World:
    """What is upright, where the floor is, and how large things are."""

    key = "world"
    parent = "quality"
    bl_label = "World"
    bl_options = _CLOSED
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        settings = context.scene.video_mocap
        column = _column(self.layout)
        column.prop(settings, "height")
        column = _column(self.layout)
        # A known camera has its level and floor.
        column.active = is_used(settings, "floor")
        # Only there can tracks be selected.
        with_tracks = context.space_data is not None and context.space_data.type == "CLIP_EDITOR"
        column.prop(settings, "vertical")
        if with_tracks:
            column.operator("video_mocap.vertical_from_tracks", icon="TRACKER")
        column.prop(settings, "floor")
        if with_tracks:
            column.operator("video_mocap.floor_from_tracks", icon="TRACKER")
        column.prop(settings, "floor_distance")


def _column(layout: Layout) -> Layout:
    """A column of names and values, without the dots of animation."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout.column()


PANELS = for_sidebars(Camera, World)
