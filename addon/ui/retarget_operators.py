# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators that put a motion on the animator's own character; none needs the capture engine.

What they do is imported when it is done: Blender starts with the panels only.
"""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import pump, session
from ..retarget import checks, rows
from .running import allowed, follow, report


class _OnCharacter:
    """An operator on the character that is chosen."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is one that can be used."""
        return allowed(cls, checks.target_problem(context.scene))


class VIDEO_MOCAP_OT_map_bones(_OnCharacter, bpy.types.Operator):  # noqa: N801, Blender's convention
    """Find out which of the character's bones is which part of the body"""

    bl_idname = "video_mocap.map_bones"
    bl_label = "Map Bones"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look, in a thread."""
        from ..retarget import mapping

        return _mapped(self, context, mapping.find_bones(context.scene))


def _mapped(operator: bpy.types.Operator, context: bpy.types.Context, chore) -> set[str]:
    result = follow(operator, chore)
    problem = context.scene.video_mocap.retarget.mapping_problem
    if pump.synchronous and result == {"FINISHED"} and problem:
        return report(operator, ValueError(problem))
    return result


class VIDEO_MOCAP_OT_use_active_bone(_OnCharacter, bpy.types.Operator):  # noqa: N801
    """Take the character's active bone for this part of the body"""

    bl_idname = "video_mocap.use_active_bone"
    bl_label = "Use Active Bone"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    slot: StringProperty(name="Part", description="The part of the body", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take it."""
        settings = context.scene.video_mocap.retarget
        active = settings.target.data.bones.active
        item = settings.slots.get(self.slot)
        if item is None:
            return report(self, ValueError("Choose a part of the body in the list"))
        if active is None:
            return report(self, ValueError(f"Choose a bone of {settings.target.name} in Pose Mode first"))
        item.bone = active.name
        return {"FINISHED"}


class VIDEO_MOCAP_OT_save_preset(_OnCharacter, bpy.types.Operator):  # noqa: N801
    """Keep this choice of bones for characters with the same names"""

    bl_idname = "video_mocap.save_preset"
    bl_label = "Save Preset..."

    title: StringProperty(name="Name", description="What the preset is called", maxlen=60, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the name."""
        self.title = self.title or context.scene.video_mocap.retarget.target.name
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it."""
        from ..retarget import presets

        settings = context.scene.video_mocap.retarget
        problem = rows.problem(settings)
        if problem:
            return report(self, ValueError(problem))
        try:
            path = presets.save(self.title, rows.chosen(settings), settings.preset)
        except (ValueError, OSError) as error:
            return report(self, error)
        settings.preset, settings.preset_title = path.stem, self.title
        self.report({"INFO"}, f"Saved as {path}")
        return {"FINISHED"}


def _items(_operator: object, _context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    from ..retarget import presets

    return presets.listed()[0]


def _own_items(_operator: object, _context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    from ..retarget import presets

    return presets.listed()[1]


class VIDEO_MOCAP_OT_load_preset(_OnCharacter, bpy.types.Operator):  # noqa: N801
    """Find the character's bones by a certain table of names"""

    bl_idname = "video_mocap.load_preset"
    bl_label = "Load Preset..."
    bl_property = "preset"

    preset: EnumProperty(name="Preset", description="The table of names", items=_items, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask which."""
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read it, and look for its names."""
        from ..retarget import mapping, presets

        try:
            found = presets.find(self.preset)
        except (ValueError, OSError) as error:
            return report(self, error)
        return _mapped(self, context, mapping.find_bones(context.scene, found))


class VIDEO_MOCAP_OT_delete_preset(bpy.types.Operator):  # noqa: N801
    """Delete one of your own presets"""

    bl_idname = "video_mocap.delete_preset"
    bl_label = "Delete Preset..."
    bl_property = "preset"

    preset: EnumProperty(name="Preset", description="The one to delete", items=_own_items, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask which."""
        if not _own_items(self, context):
            return report(self, ValueError("There is no preset of yours"))
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Delete it."""
        from ..retarget import presets

        try:
            presets.delete(self.preset)
        except (ValueError, OSError) as error:
            return report(self, error)
        return {"FINISHED"}


class VIDEO_MOCAP_OT_retarget(bpy.types.Operator):  # noqa: N801
    """Put the motion on the character"""

    bl_idname = "video_mocap.retarget"
    bl_label = "Retarget"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There are a motion and a character whose bones are known."""
        return allowed(cls, checks.problem(context.scene))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start; in background mode also wait for the end."""
        from ..retarget import run

        try:
            return follow(self, run.start(context.scene))
        except (ValueError, OSError) as error:
            return report(self, error)


class VIDEO_MOCAP_OT_cancel_retarget(bpy.types.Operator):  # noqa: N801
    """Stop; the character stays as it was"""

    bl_idname = "video_mocap.cancel_retarget"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Something goes on."""
        if not session.get().chores_of("retarget"):
            cls.poll_message_set("Nothing goes on")
            return False
        return True

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Take back what was made so far."""
        for chore in session.get().chores_of("retarget"):
            chore.give_up()
        pump.redraw()
        return {"FINISHED"}


CLASSES = (
    VIDEO_MOCAP_OT_map_bones,
    VIDEO_MOCAP_OT_use_active_bone,
    VIDEO_MOCAP_OT_save_preset,
    VIDEO_MOCAP_OT_load_preset,
    VIDEO_MOCAP_OT_delete_preset,
    VIDEO_MOCAP_OT_retarget,
    VIDEO_MOCAP_OT_cancel_retarget,
)
