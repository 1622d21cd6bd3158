# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panel that puts a motion on the animator's own character: what, on whom, which bones, how, what came of it."""

from __future__ import annotations

import bpy

from .. import session
from ..retarget import checks, rows
from ..retarget.settings import INFLUENCES, LIMBS, ROOTS, SMOOTHING
from .capture_panels import draw_chore, message
from .layout import for_sidebars, sentence

_ICONS = {"found": "CHECKMARK", "gone": "ERROR", "missing": "ERROR", "empty": "DOT"}
#: Only where there is an armature to see.
_EDITORS = ("VIEW_3D",)


class VIDEO_MOCAP_UL_slots(bpy.types.UIList):  # noqa: N801, Blender's convention
    """The parts of the body and the character's bones."""

    def draw_item(self, _context, layout, data, item, _icon, _active_data, _active_property) -> None:
        """Draw a line."""
        if data.target is None:
            return
        split = layout.split(factor=0.45)
        split.label(text=rows.title(item.name), icon=_ICONS[rows.state(data, item)])
        split.label(text=item.bone)


class Retarget:
    """Put a motion on your own character."""

    key = "retarget"
    bl_label = "Retarget"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so
    bl_order = 7

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        settings = context.scene.video_mocap.retarget
        layout.row().prop(settings, "source", expand=True)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        if settings.source == "ARMATURE":
            column.prop(settings, "armature", text="From")
        elif settings.source == "BVH":
            column.prop(settings, "bvh_path", text="File")
        column.prop(settings, "target", text="Onto")
        row = layout.row()
        row.scale_y = 1.4
        row.operator("video_mocap.retarget", icon="ARMATURE_DATA")
        under_way = session.get().chores_of("retarget")
        for chore in under_way:
            row = layout.row(align=True)
            draw_chore(row, context, chore)
            row.operator("video_mocap.cancel_retarget", text="", icon="X")
        problem = "" if under_way else checks.problem(context.scene)
        if problem:
            sentence(layout, context, problem, "INFO")
        state = session.get()
        if state.problem:
            message(layout, context, state.problem, "ERROR")


class Bones:
    """The character's bones."""

    key = "retarget_bones"
    parent = "retarget"
    bl_label = "Bones"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a character."""
        return context.scene.video_mocap.retarget.target is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        settings = context.scene.video_mocap.retarget
        layout.operator("video_mocap.map_bones", icon="VIEWZOOM")
        if settings.mapping_problem:
            sentence(layout, context, settings.mapping_problem, "ERROR")
        elif len(settings.slots):
            by = (
                f"By the names of {settings.preset_title or settings.preset}"
                if settings.preset
                else "By the shape of the skeleton"
            )
            sentence(layout, context, by, "CHECKMARK")
        for note in settings.mapping_notes.splitlines():
            sentence(layout, context, note, "INFO")
        if len(settings.slots):
            layout.template_list("VIDEO_MOCAP_UL_slots", "", settings, "slots", settings, "active_slot", rows=6)
            item = settings.slots[min(max(settings.active_slot, 0), len(settings.slots) - 1)]
            row = layout.row(align=True)
            row.prop_search(item, "bone", settings.target.data, "bones", text="")
            row.operator("video_mocap.use_active_bone", text="", icon="EYEDROPPER").slot = item.name
        problem = rows.problem(settings) if len(settings.slots) else ""
        if problem:
            sentence(layout, context, problem, "ERROR")
        row = layout.row(align=True)
        row.operator("video_mocap.load_preset")
        row.operator("video_mocap.save_preset", text="Save...")
        row.operator("video_mocap.delete_preset", text="", icon="TRASH")


class RetargetOptions:
    """How the motion is put on."""

    key = "retarget_options"
    parent = "retarget"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        settings = context.scene.video_mocap.retarget
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "keys")
        if settings.keys == "REDUCED":
            column.prop(settings, "tolerance")
        column.prop(settings, "feet")
        column.prop(settings, "limits")
        for name, items in (("root", ROOTS), ("limbs", LIMBS), ("smoothing", SMOOTHING)):
            if len(items) > 1:
                column.prop(settings, name)
        if settings.smoothing != "NONE":
            column.prop(settings, "strength")
        column = layout.column(heading="Trim")
        row = column.row(align=True)
        row.prop(settings, "use_trim", text="")
        part = row.row(align=True)
        part.active = settings.use_trim
        part.prop(settings, "trim_start", text="")
        part.prop(settings, "trim_end", text="")
        layout.prop(settings, "loop")
        layout.prop(settings, "scale")
        layout.column().prop(settings, "offset")
        layout.prop(settings, "action")


class Influence:
    """How much of the motion each part of the body takes."""

    key = "retarget_influence"
    parent = "retarget"
    bl_label = "Influence"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        column = self.layout.column(align=True)
        for name in INFLUENCES:
            column.prop(context.scene.video_mocap.retarget, name, slider=True)


class Report:
    """What became of the motion."""

    key = "retarget_report"
    parent = "retarget"
    bl_label = "Report"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Something was put on."""
        return bool(context.scene.video_mocap.retarget.report)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        for line in context.scene.video_mocap.retarget.report.splitlines():
            warning = line.startswith("warning: ")
            text = line.removeprefix("warning: ").strip()
            sentence(self.layout, context, text[:1].upper() + text[1:], "ERROR" if warning else "NONE")


PANELS = (
    VIDEO_MOCAP_UL_slots,
    *for_sidebars(Retarget, Bones, RetargetOptions, Influence, Report, editors=_EDITORS),
)
