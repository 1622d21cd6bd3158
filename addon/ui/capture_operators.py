# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators that start captures and steer them.

What they do is imported when it is done: Blender starts with the panels only.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from .. import PACKAGE, pump, readiness, session
from ..capture import request
from ..rights import refusal
from .running import finish, follow, report

#: Seconds that operators in background mode wait for the engine, and for a whole capture.
_SHORT, _LONG = 60.0, 24 * 3600.0


class VIDEO_MOCAP_OT_capture(bpy.types.Operator):  # noqa: N801, Blender's convention
    """Find the people in the footage and bring their motion into this scene"""

    bl_idname = "video_mocap.capture"
    bl_label = "Capture"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The scene can be changed, and the choices make sense."""
        problem = refusal(context.scene) or request.problem(context.scene.video_mocap)
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the capture; in background mode also wait for it."""
        from ..capture import start

        try:
            tag = start.capture(context.scene)
        except (session.NotReadyError, ValueError, OSError) as error:
            return report(self, error)
        state = session.get()
        return finish(self, lambda: state.is_over(tag), _LONG, lambda: tag not in state.origins)


class _OnJob:
    """An operator on one capture."""

    job: StringProperty(name="Capture", description="The capture's id", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """There is an engine that knows the capture."""
        if session.get().engine is None:
            cls.poll_message_set("The capture engine is not connected")
            return False
        return True


class VIDEO_MOCAP_OT_cancel(_OnJob, bpy.types.Operator):  # noqa: N801
    """Stop this capture; it can be resumed"""

    bl_idname = "video_mocap.cancel"
    bl_label = "Cancel"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the engine to stop it."""
        state, identity = session.get(), self.job
        session.engine().cancel(identity)
        return finish(self, lambda: all(job["id"] != identity for job in state.live()), _SHORT)


class VIDEO_MOCAP_OT_resume(_OnJob, bpy.types.Operator):  # noqa: N801
    """Go on with this capture where it stopped; the take comes into this scene"""

    bl_idname = "video_mocap.resume"
    bl_label = "Resume"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let the engine go on, and wait for the take."""
        from ..capture import arrival

        if problem := refusal(context.scene):
            return report(self, ValueError(problem))
        arrival.expect(self.job, context.scene)
        session.engine().resume(self.job)
        return _until_added(self, self.job)


class VIDEO_MOCAP_OT_collect(_OnJob, bpy.types.Operator):  # noqa: N801
    """Bring the take of this finished capture into this scene"""

    bl_idname = "video_mocap.collect"
    bl_label = "Add to Scene"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fetch the take, then add it."""
        from ..capture import arrival

        if problem := refusal(context.scene):
            return report(self, ValueError(problem))
        origin = arrival.expect(self.job, context.scene)
        session.engine().collect(self.job, origin.take_path)
        return _until_added(self, self.job)


def _until_added(operator: bpy.types.Operator, identity: str) -> set[str]:
    state = session.get()
    tag = state.tag_of(identity)
    return finish(operator, lambda: state.is_over(tag), _LONG, lambda: tag not in state.origins)


class VIDEO_MOCAP_OT_discard(_OnJob, bpy.types.Operator):  # noqa: N801
    """Delete this capture from the engine; a take that is in a scene stays"""

    bl_idname = "video_mocap.discard"
    bl_label = "Discard"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Let the engine forget it."""
        state, identity = session.get(), self.job
        session.discard({identity})
        return finish(self, lambda: identity not in state.jobs, _SHORT)


class VIDEO_MOCAP_OT_discard_all(bpy.types.Operator):  # noqa: N801
    """Delete all captures that failed or were cancelled from the engine; finished ones stay"""

    bl_idname = "video_mocap.discard_all"
    bl_label = "Discard All"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """There are such captures, and an engine that knows them."""
        problem = "The capture engine is not connected" if session.get().engine is None else ""
        if not problem and not session.get().given_up():
            problem = "No capture failed or was cancelled"
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Let the engine forget them."""
        state = session.get()
        gone = {job["id"] for job in state.given_up()}
        session.discard(gone)
        return finish(self, lambda: not gone & set(state.jobs), _SHORT)


class VIDEO_MOCAP_OT_add_arrived(bpy.types.Operator):  # noqa: N801
    """Bring this take into this scene, though another file asked for it"""

    bl_idname = "video_mocap.add_arrived"
    bl_label = "Add to Scene"

    number: IntProperty(name="Number", min=0, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A take waits, and the scene can be changed."""
        problem = refusal(context.scene) or ("" if session.get().arrived else "No take waits")
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read and add it."""
        from ..capture import arrival

        state = session.get()
        if self.number >= len(state.arrived):
            return {"CANCELLED"}
        origin = state.arrived.pop(self.number)
        origin.take_scene(context.scene)
        chore = arrival.add_to_scene(origin)
        return finish(self, lambda: chore.ended, _LONG)


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


class VIDEO_MOCAP_OT_find_captures(bpy.types.Operator):  # noqa: N801
    """Start the capture engine and show captures that were interrupted or finished earlier"""

    bl_idname = "video_mocap.find_captures"
    bl_label = "Find Captures"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """There is an engine."""
        problem = readiness.problem()
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Connect and list."""
        state = session.get()
        state.listed = False
        try:
            session.engine().refresh()
        except session.NotReadyError as error:
            return report(self, error)
        return finish(self, lambda: state.listed or bool(state.problem), _SHORT)


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
        problem = refusal(context.scene)
        if problem:
            cls.poll_message_set(problem)
        return not problem

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
    VIDEO_MOCAP_OT_cancel,
    VIDEO_MOCAP_OT_resume,
    VIDEO_MOCAP_OT_collect,
    VIDEO_MOCAP_OT_discard,
    VIDEO_MOCAP_OT_discard_all,
    VIDEO_MOCAP_OT_add_arrived,
    VIDEO_MOCAP_OT_forget_arrived,
    VIDEO_MOCAP_OT_find_captures,
    VIDEO_MOCAP_OT_open_take,
    VIDEO_MOCAP_OT_open_preferences,
    VIDEO_MOCAP_OT_dismiss,
)
