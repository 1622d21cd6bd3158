# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators with which the user shows what is upright and what is floor, by tracks of the footage."""

from __future__ import annotations

import bpy

from ..rights import refusal
from .running import allowed, report


class _FromTracks:
    """Takes two selected tracks of a clip editor."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip editor, in a scene that can be changed."""
        problem = refusal(context.scene)
        if not problem and (context.space_data is None or context.space_data.type != "CLIP_EDITOR"):
            problem = "Tracks are selected in a clip editor: open the footage in one"
        return allowed(cls, problem)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take them."""
        from ..capture.tracks import selected_pair

        try:
            self.take(context.scene.video_mocap, selected_pair(context.scene, context.space_data.clip))
        except ValueError as error:
            return report(self, error)
        return {"FINISHED"}


class VIDEO_MOCAP_OT_vertical_from_tracks(_FromTracks, bpy.types.Operator):  # noqa: N801, Blender's convention
    """The line through the two selected tracks is vertical in the world: the edge of a door, a lamp post"""

    bl_idname = "video_mocap.vertical_from_tracks"
    bl_label = "Add Selected Tracks"

    def take(self, settings, points: str) -> None:
        """Add a line."""
        settings.vertical = ";".join(part for part in (settings.vertical.strip(), points) if part)


class VIDEO_MOCAP_OT_floor_from_tracks(_FromTracks, bpy.types.Operator):  # noqa: N801
    """The two selected tracks are points of the floor; set their distance below"""

    bl_idname = "video_mocap.floor_from_tracks"
    bl_label = "Use Selected Tracks"

    def take(self, settings, points: str) -> None:
        """Set the points."""
        settings.floor = points


CLASSES = (VIDEO_MOCAP_OT_vertical_from_tracks, VIDEO_MOCAP_OT_floor_from_tracks)
