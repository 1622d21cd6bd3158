# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators on captures that the engine knows: those that run, wait, failed or were finished earlier.

What they do is imported when it is done: Blender starts with the panels only.
"""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import readiness, session
from ..rights import refusal
from .running import SHORT, allowed, finish, finish_capture, report


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
        return finish(self, lambda: all(job["id"] != identity for job in state.live()), SHORT)


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
        return finish_capture(self, session.get().tag_of(self.job))


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
        return finish_capture(self, session.get().tag_of(self.job))


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
        return finish(self, lambda: identity not in state.jobs, SHORT)


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
        return allowed(cls, problem)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Let the engine forget them."""
        state = session.get()
        gone = {job["id"] for job in state.given_up()}
        session.discard(gone)
        return finish(self, lambda: not gone & set(state.jobs), SHORT)


class VIDEO_MOCAP_OT_find_captures(bpy.types.Operator):  # noqa: N801
    """Start the capture engine and show captures that were interrupted or finished earlier"""

    bl_idname = "video_mocap.find_captures"
    bl_label = "Find Captures"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """There is an engine."""
        return allowed(cls, readiness.problem())

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Connect and list."""
        state = session.get()
        state.listed = False
        try:
            session.engine().refresh()
        except session.NotReadyError as error:
            return report(self, error)
        return finish(self, lambda: state.listed or bool(state.problem), SHORT)


CLASSES = (
    VIDEO_MOCAP_OT_cancel,
    VIDEO_MOCAP_OT_resume,
    VIDEO_MOCAP_OT_collect,
    VIDEO_MOCAP_OT_discard,
    VIDEO_MOCAP_OT_discard_all,
    VIDEO_MOCAP_OT_find_captures,
)
