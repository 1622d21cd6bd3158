# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators that clean the keys of a person; none needs the capture engine."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty

from .. import clean
from ..clean_keys import RAW, Change, restore
from ..clean_keys import clean as clean_rig
from ..properties import active_person, active_take
from ..rights import person_refusal
from .running import allowed, follow, report


class _OnRig:
    """An operator on the keys of the active person."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is an armature whose keys may be changed."""
        return allowed(cls, person_refusal(context.scene) or _rig_refusal(_rig(context)))

    def change(self, context: bpy.types.Context, change: Change, undo: str, every_frame: bool = False) -> set[str]:
        """Change the keys of the person."""
        try:
            return follow(
                self, clean_rig(_rig(context), active_take(context.scene).collection, change, undo, every_frame)
            )
        except ValueError as error:
            return report(self, error)


def _rig(context: bpy.types.Context) -> bpy.types.Object | None:
    item = active_take(context.scene)
    person = active_person(item) if item is not None else None
    return person.rig if person is not None else None


def _rig_refusal(rig: bpy.types.Object | None) -> str:
    if rig is None:
        return "This person's armature was deleted"
    if rig.library is not None or rig.override_library is not None:
        return "This armature comes from another file: make the change there"
    if rig.animation_data is None or rig.animation_data.action is None:
        return "This person's armature has no action"
    if rig.animation_data.action.library is not None:
        return "This action is linked from another file: make the change there"
    return ""


class VIDEO_MOCAP_OT_smooth_keys(_OnRig, bpy.types.Operator):  # noqa: N801, Blender's convention
    """Smooth the person's keys; the captured ones are kept"""

    bl_idname = "video_mocap.smooth_keys"
    bl_label = "Smooth..."

    width: FloatProperty(
        name="Width", description="Over how many frames, to either side", min=0.3, soft_max=10, max=100, default=1.5
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask how much."""
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Smooth."""
        width = self.width
        return self.change(context, lambda tracks: clean.smoothed(tracks, width), "Smooth Keys")


class VIDEO_MOCAP_OT_reduce_keys(_OnRig, bpy.types.Operator):  # noqa: N801
    """Keep as few keys as the motion needs, with smooth curves between them; the captured ones are kept beside"""

    bl_idname = "video_mocap.reduce_keys"
    bl_label = "Reduce..."

    tolerance: FloatProperty(
        name="Tolerance",
        description="How far a joint may be from where it was, in millimetres",
        min=0.1,
        soft_max=50,
        max=1000,
        default=5,
        precision=1,
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask how much."""
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Reduce."""
        from ...rigging.blender.retarget import metric_rig

        tolerance = self.tolerance
        try:
            rig = metric_rig(_rig(context))
        except ValueError as error:
            return report(self, error)
        return self.change(context, lambda tracks: clean.fewer(tracks, rig, tolerance), "Reduce Keys")


class VIDEO_MOCAP_OT_bake_keys(_OnRig, bpy.types.Operator):  # noqa: N801
    """Put a key on every frame"""

    bl_idname = "video_mocap.bake_keys"
    bl_label = "Key Every Frame"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Bake."""
        return self.change(context, clean.unit, "Key Every Frame", every_frame=True)


class VIDEO_MOCAP_OT_restore_keys(_OnRig, bpy.types.Operator):  # noqa: N801
    """Go back to the captured keys; the cleaned ones are removed"""

    bl_idname = "video_mocap.restore_keys"
    bl_label = "Back to Captured Keys"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The keys were cleaned."""
        if not super().poll(context):
            return False
        rig = _rig(context)
        if rig is None or rig.get(RAW) is None:
            cls.poll_message_set("This person's keys are as they were captured")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Restore."""
        try:
            restore(_rig(context))
        except ValueError as error:
            return report(self, error)
        return {"FINISHED"}


CLASSES = (
    VIDEO_MOCAP_OT_smooth_keys,
    VIDEO_MOCAP_OT_reduce_keys,
    VIDEO_MOCAP_OT_bake_keys,
    VIDEO_MOCAP_OT_restore_keys,
)
