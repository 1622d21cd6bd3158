# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""What the user sees to be in front: a list of a take, and what adds to it and takes from it."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty

from ...rigging.joints import TAKE
from ..overlay.source import moment_frame
from ..properties import OrderItem, TakeItem, active_person, active_take, start_frame
from ..rights import person_refusal, take_refusal
from ..take_view import readable
from .layout import for_sidebars, sentence
from .running import allowed

_JOINTS = tuple((name, readable(name), "A joint of the take") for name in TAKE.names)


class InFront:
    """Which joint is nearer to the camera than another one, where the capture has it wrong."""

    key = "in_front"
    parent = "people"
    bl_label = "In Front"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012, Blender reads it so

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take to tell of."""
        return active_take(context.scene) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, item = self.layout, active_take(context.scene)
        for number, row in enumerate(item.in_front):
            line = layout.row()
            sentence(line, context, describe(item, row))
            line.operator("video_mocap.remove_in_front", text="", icon="X", emboss=False).number = number
        layout.operator("video_mocap.add_in_front", icon="ADD")
        if len(item.in_front):
            layout.operator("video_mocap.refine_again")


def describe(item: TakeItem, row: OrderItem) -> str:
    """A row of the list in words."""
    first, last = (moment_frame(item.id_data, start_frame(item), moment) for moment in (row.first, row.last))
    whose = next((person.name for person in item.people if person.person_id == row.person_id), "")
    when = f"frame {first}" if first == last else f"frames {first} to {last}"
    text = f"{readable(row.nearer)} in front of {readable(row.farther)}, {when}"
    return f"{whose}: {text}" if whose else text


class VIDEO_MOCAP_OT_add_in_front(bpy.types.Operator):  # noqa: N801, Blender's convention
    """Say that a joint of the active person is nearer to the camera than another one; Refine Again then keeps to it"""

    bl_idname = "video_mocap.add_in_front"
    bl_label = "Say What Is in Front"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    nearer: EnumProperty(name="Nearer", description="Is nearer to the camera", items=_JOINTS, default="left_wrist")
    farther: EnumProperty(name="Farther", description="Is farther from the camera", items=_JOINTS, default="thorax")
    first: IntProperty(name="From Frame", description="Since which frame of the scene", options={"SKIP_SAVE"})
    last: IntProperty(name="To Frame", description="Until which frame of the scene", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is somebody, and the take may be changed."""
        return allowed(cls, person_refusal(context.scene))

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask; the preview range, if there is one, else the current frame is what it begins with."""
        scene = context.scene
        preview = scene.use_preview_range
        self.first = scene.frame_preview_start if preview else scene.frame_current
        self.last = scene.frame_preview_end if preview else scene.frame_current
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it into the list."""
        from ..capture import orders
        from ..capture.texts import Order

        scene, item = context.scene, active_take(context.scene)
        second = scene.render.fps_base / scene.render.fps
        first, last = (max(0.0, (frame - start_frame(item)) * second) for frame in (self.first, self.last))
        if self.nearer == self.farther or self.last < self.first:
            self.report({"ERROR"}, "Choose two joints, and a last frame that is not before the first")
            return {"CANCELLED"}
        orders.add(item, Order(self.nearer, self.farther, first, last, active_person(item).person_id))
        return {"FINISHED"}


class VIDEO_MOCAP_OT_remove_in_front(bpy.types.Operator):  # noqa: N801
    """Take this out of the list"""

    bl_idname = "video_mocap.remove_in_front"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    number: IntProperty(name="Number", min=0, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The take may be changed."""
        return allowed(cls, take_refusal(context.scene, shown=False))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it."""
        active_take(context.scene).in_front.remove(self.number)
        return {"FINISHED"}


CLASSES = (VIDEO_MOCAP_OT_add_in_front, VIDEO_MOCAP_OT_remove_in_front)
PANELS = for_sidebars(InFront)
