# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators on the takes of a scene.

What they do is imported when it is done: Blender starts with the panels only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, FloatProperty

from .. import readiness, session
from ..capture import request
from ..chores import sentence
from ..overlay.source import moment_frame
from ..properties import active_take, start_frame
from ..rights import is_in_scene, take_refusal
from .running import allowed, finish_capture, follow, report

if TYPE_CHECKING:
    from ..capture.origin import Origin


def origin_of_item(item, path: Path) -> Origin:
    """Where a take of the list is wanted when it is made anew with its file at `path`."""
    from ..capture.origin import Origin

    origin = Origin(
        item.name,
        path,
        footage=str(request.absolute(item.footage)) if item.footage else "",
        clip=item.clip,
        names={person.person_id: person.name for person in item.people},
    )
    if item.collection is not None:
        origin.start_frame = int(item.collection.get("video_mocap_start_frame", 1))
    origin.take_scene(item.id_data)
    return origin


class VIDEO_MOCAP_OT_delete_take(bpy.types.Operator):  # noqa: N801, Blender's convention
    """Remove this take from the scene, with its objects"""

    bl_idname = "video_mocap.delete_take"
    bl_label = "Delete Take"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    delete_file: BoolProperty(
        name="Delete the file too",
        description="Delete the take's file from disk; this cannot be undone",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take that may be removed."""
        return allowed(cls, take_refusal(context.scene, shown=False))

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove objects, entry, and the file if that was ticked."""
        from ...rigging.blender.parts import remove_take

        settings = context.scene.video_mocap
        item = active_take(context.scene)
        path = request.absolute(item.filepath) if item.filepath else None
        try:
            if item.collection is not None:
                remove_take(item.collection)
            if self.delete_file and path is not None:
                path.unlink(missing_ok=True)
        except (ValueError, OSError) as error:
            return report(self, error)
        settings.takes.remove(settings.active_take)
        settings.active_take = max(0, min(settings.active_take, len(settings.takes) - 1))
        return {"FINISHED"}


class _Again:
    """Make a new take from the keypoints of this one."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take, and an engine."""
        return allowed(cls, take_refusal(context.scene, shown=False) or readiness.problem())

    def again(self, context: bpy.types.Context, keep_lifter: bool) -> set[str]:
        """Ask the engine; in background mode wait for it."""
        from ..capture import start

        try:
            tag = start.again(context.scene, active_take(context.scene), keep_lifter)
        except (session.NotReadyError, ValueError, OSError) as error:
            return report(self, error)
        return finish_capture(self, tag)


class VIDEO_MOCAP_OT_lift_again(_Again, bpy.types.Operator):  # noqa: N801
    """Make a new take of the same keypoints with the camera, the world and the options chosen above"""

    bl_idname = "video_mocap.lift_again"
    bl_label = "Lift Again"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it."""
        return self.again(context, keep_lifter=False)


class VIDEO_MOCAP_OT_refine_again(_Again, bpy.types.Operator):  # noqa: N801
    """Make a new take of the same keypoints and lifter with the choices above, and what was said to be in front"""

    bl_idname = "video_mocap.refine_again"
    bl_label = "Refine Again"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it."""
        return self.again(context, keep_lifter=True)


class VIDEO_MOCAP_OT_add_take(bpy.types.Operator):  # noqa: N801
    """Bring a take whose objects were deleted back into this scene"""

    bl_idname = "video_mocap.add_take"
    bl_label = "Add to Scene"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The active take shows nothing in this scene."""
        problem = take_refusal(context.scene, shown=False)
        if not problem and is_in_scene(active_take(context.scene), context.scene):
            problem = "This take is in the scene"
        return allowed(cls, problem)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build it anew, in its old place in the list."""
        from ..capture import arrival
        from ..capture.collect import Entry

        item = active_take(context.scene)
        origin = origin_of_item(item, request.absolute(item.filepath))
        return follow(self, arrival.bring_back(origin, Entry.of(item)))


class _OnShownTake:
    """An operator that needs a take that is in the scene."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take with objects."""
        return allowed(cls, take_refusal(context.scene))


class VIDEO_MOCAP_OT_match_scene(_OnShownTake, bpy.types.Operator):  # noqa: N801
    """Give the scene the footage's frame rate, size, range and camera; the views stay as they are"""

    bl_idname = "video_mocap.match_scene"
    bl_label = "Match Scene"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it; keys of all takes move to stay in step."""
        from ..capture import matching

        try:
            return follow(self, matching.match(context.scene, active_take(context.scene)))
        except ValueError as error:
            self.report({"ERROR"}, sentence(error))
            return {"CANCELLED"}


class VIDEO_MOCAP_OT_go_to(bpy.types.Operator):  # noqa: N801
    """Go to the frame that shows this moment of the footage"""

    bl_idname = "video_mocap.go_to"
    bl_label = "Go There"

    moment: FloatProperty(name="Moment", description="Seconds from the footage's first frame", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take."""
        return active_take(context.scene) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it."""
        scene = context.scene
        scene.frame_set(moment_frame(scene, start_frame(active_take(scene)), self.moment))
        return {"FINISHED"}


class VIDEO_MOCAP_OT_follow_rate(_OnShownTake, bpy.types.Operator):  # noqa: N801
    """Move the keys of all takes to their true times at the scene's frame rate"""

    bl_idname = "video_mocap.follow_rate"
    bl_label = "Follow Frame Rate"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it."""
        from ..capture import matching

        return follow(self, matching.follow_rate(context.scene))


CLASSES = (
    VIDEO_MOCAP_OT_delete_take,
    VIDEO_MOCAP_OT_lift_again,
    VIDEO_MOCAP_OT_refine_again,
    VIDEO_MOCAP_OT_add_take,
    VIDEO_MOCAP_OT_match_scene,
    VIDEO_MOCAP_OT_follow_rate,
    VIDEO_MOCAP_OT_go_to,
)
