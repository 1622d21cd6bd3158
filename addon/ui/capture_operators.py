# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators that start captures and bring takes into the scene.

What they do is imported when it is done: Blender starts with the panels only.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from .. import PACKAGE, pump, session
from ..capture import request
from ..rights import refusal
from .running import LONG, allowed, finish, finish_capture, follow, report


class VIDEO_MOCAP_OT_capture(bpy.types.Operator):  # noqa: N801, Blender's convention
    """Find the people in the footage and bring their motion into this scene"""

    bl_idname = "video_mocap.capture"
    bl_label = "Capture"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The scene can be changed, and the choices make sense."""
        return allowed(cls, refusal(context.scene) or request.problem(context.scene.video_mocap))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the capture; in background mode also wait for it."""
        from ..capture import start

        try:
            tag = start.capture(context.scene)
        except (session.NotReadyError, ValueError, OSError) as error:
            return report(self, error)
        return finish_capture(self, tag)


class VIDEO_MOCAP_OT_add_arrived(bpy.types.Operator):  # noqa: N801
    """Bring this take into this scene, though another file asked for it"""

    bl_idname = "video_mocap.add_arrived"
    bl_label = "Add to Scene"

    number: IntProperty(name="Number", min=0, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A take waits, and the scene can be changed."""
        return allowed(cls, refusal(context.scene) or ("" if session.get().arrived else "No take waits"))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read and add it."""
        from ..capture import arrival

        state = session.get()
        if self.number >= len(state.arrived):
            return {"CANCELLED"}
        origin = state.arrived.pop(self.number)
        origin.take_scene(context.scene)
        chore = arrival.add_to_scene(origin)
        return finish(self, lambda: chore.ended, LONG)


class VIDEO_MOCAP_OT_forget_arrived(bpy.types.Operator):  # noqa: N801
    """Take this finished capture out of the list; its file stays"""

    bl_idname = "video_mocap.forget_arrived"
    bl_label = "Dismiss"

    number: IntProperty(name="Number", min=0, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """A take waits."""
        if not session.get().arrived:
            cls.poll_message_set("No take waits")
        return bool(session.get().arrived)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget it."""
        state = session.get()
        if self.number < len(state.arrived):
            origin = state.arrived.pop(self.number)
            state.origins = {tag: known for tag, known in state.origins.items() if known is not origin}
        pump.redraw()
        return {"FINISHED"}


class VIDEO_MOCAP_OT_open_take(bpy.types.Operator):  # noqa: N801
    """Bring a take file into this scene; needs no capture engine"""

    bl_idname = "video_mocap.open_take"
    bl_label = "Open a Take..."

    filepath: StringProperty(name="File", description="A .take.npz file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    with_footage: BoolProperty(
        name="Footage", description="Show the footage that the take was made from, if it is found", default=True
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The scene can be changed."""
        return allowed(cls, refusal(context.scene))

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read and add it."""
        from ..capture import arrival
        from ..capture.origin import Origin

        path = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not path.is_file():
            return report(self, ValueError("Choose a .take.npz file"))
        origin = Origin(arrival.name_of(path), path, look_for_footage=self.with_footage)
        origin.take_scene(context.scene)
        return follow(self, arrival.add_to_scene(origin))


class VIDEO_MOCAP_OT_open_preferences(bpy.types.Operator):  # noqa: N801
    """Open the preferences of Video Mocap, where the capture engine is set up"""

    bl_idname = "video_mocap.open_preferences"
    bl_label = "Set up the capture engine..."

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Show them."""
        if bpy.app.background:
            return report(self, ValueError("There is no window to show the preferences in"))
        bpy.ops.preferences.addon_show(module=PACKAGE)
        return {"FINISHED"}


class VIDEO_MOCAP_OT_dismiss(bpy.types.Operator):  # noqa: N801
    """Take this message away"""

    bl_idname = "video_mocap.dismiss"
    bl_label = "Dismiss"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget it."""
        state = session.get()
        state.problem = state.note = None
        pump.redraw()
        return {"FINISHED"}


CLASSES = (
    VIDEO_MOCAP_OT_capture,
    VIDEO_MOCAP_OT_add_arrived,
    VIDEO_MOCAP_OT_forget_arrived,
    VIDEO_MOCAP_OT_open_take,
    VIDEO_MOCAP_OT_open_preferences,
    VIDEO_MOCAP_OT_dismiss,
)
