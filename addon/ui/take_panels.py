# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panels of the takes of a scene: list, people, joints, clean-up."""

from __future__ import annotations

import bpy

from ...rigging.blender.rate import is_timed_for
from .. import session
from ..overlay.source import scene_moment, take_file
from ..properties import active_person, active_take, start_frame
from ..take_view import JointRow, joint_rows
from .layout import Layout, bar, duration, for_sidebars, sentence
from .report_panels import draw_suggestions


class VIDEO_MOCAP_UL_takes(bpy.types.UIList):  # noqa: N801, Blender's convention
    """The takes of a scene."""

    def draw_item(self, _context, layout, _data, item, _icon, _active_data, _active_property) -> None:
        """Draw a line."""
        row = layout.row(align=True)
        row.prop(item, "name", text="", emboss=False, icon="ACTION")
        if item.collection is None:
            row.label(text="", icon="HIDE_ON")
        if item.warnings:
            row.label(text="", icon="ERROR")


class VIDEO_MOCAP_UL_people(bpy.types.UIList):  # noqa: N801, Blender's convention
    """The people of a take."""

    def draw_item(self, _context, layout, _data, item, _icon, _active_data, _active_property) -> None:
        """Draw a line."""
        row = layout.row()
        row.prop(item, "name", text="", emboss=False, icon="ARMATURE_DATA")
        part = row.row()
        part.alignment = "RIGHT"
        part.label(text=f"{item.confidence:.0%}")


class Takes:
    """The takes of this scene."""

    key = "takes"
    bl_label = "Takes"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        settings = context.scene.video_mocap
        row = layout.row()
        row.template_list("VIDEO_MOCAP_UL_takes", "", settings, "takes", settings, "active_take", rows=3)
        column = row.column(align=True)
        column.operator("video_mocap.open_take", text="", icon="ADD")
        column.operator("video_mocap.delete_take", text="", icon="REMOVE")
        item = active_take(context.scene)
        if item is None:
            return
        seconds = item.frames / item.fps if item.fps > 0 else 0.0
        layout.label(text=f"{item.frames} frames, {item.fps:.4g} fps, {duration(seconds)}")
        for warning in item.warnings.splitlines():
            sentence(layout, context, warning[:1].upper() + warning[1:], "ERROR")
        if item.collection is not None and not is_timed_for(item.collection, context.scene):
            sentence(layout, context, "The scene's frame rate was changed: the takes play at the wrong speed", "ERROR")
            layout.operator("video_mocap.follow_rate")
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("video_mocap.lift_again")
        row.operator("video_mocap.refine_again")
        row = column.row(align=True)
        row.operator("video_mocap.add_take")
        row.operator("video_mocap.match_scene")


class People:
    """The people of the take."""

    key = "people"
    bl_label = "People"
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take to show."""
        return active_take(context.scene) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        item = active_take(context.scene)
        layout.template_list("VIDEO_MOCAP_UL_people", "", item, "people", item, "active_person", rows=2)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("video_mocap.merge_people")
        row.operator("video_mocap.swap_people")
        row = column.row(align=True)
        row.operator("video_mocap.split_person")
        row.operator("video_mocap.delete_person")
        draw_suggestions(layout, context, item)


class Joints:
    """How sure the capture is of each joint."""

    key = "joints"
    bl_label = "Joints"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so
    bl_order = 5

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a person to show."""
        item = active_take(context.scene)
        return item is not None and active_person(item) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        item = active_take(context.scene)
        moment = scene_moment(context.scene, start_frame(item))
        found = joint_rows(session.read_take(take_file(item)), active_person(item).person_id, moment)
        if found is None:
            self.layout.label(text="Reading the take...")
        elif isinstance(found, str):
            sentence(self.layout, context, found, "ERROR")
        else:
            draw_rows(self.layout, found)


def draw_rows(layout: Layout, rows: list[JointRow]) -> None:
    """A table of joints with bars."""
    grid = layout.grid_flow(row_major=True, columns=3, align=True)
    for text in ("Joint", "Whole take", "This frame"):
        grid.label(text=text)
    for row in rows:
        grid.label(text=row.name)
        bar(grid, row.mean, f"{row.mean:.0%}")
        if row.now is None:
            grid.label(text="not seen")
        else:
            bar(grid, row.now, f"{row.now:.0%}")


class Clean:
    """Clean the keys of the take."""

    key = "clean"
    bl_label = "Clean Up"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so
    bl_order = 6

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take to clean."""
        return active_take(context.scene) is not None

    def draw(self, _context: bpy.types.Context) -> None:
        """Draw the panel."""
        column = self.layout.column(align=True)
        column.operator("video_mocap.smooth_keys", icon="SMOOTHCURVE")
        column.operator("video_mocap.reduce_keys", icon="DECORATE_KEYFRAME")
        column.operator("video_mocap.bake_keys", icon="KEYFRAME_HLT")
        column.operator("video_mocap.restore_keys", icon="LOOP_BACK")


PANELS = (VIDEO_MOCAP_UL_takes, VIDEO_MOCAP_UL_people, *for_sidebars(Takes, People, Joints, Clean))
