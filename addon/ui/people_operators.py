# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators that mend who is who. Each writes the take as a new file, so that Undo leads back to the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, IntVectorProperty

from .. import session
from ..capture import request
from ..overlay.source import scene_moment
from ..properties import active_person, active_take, start_frame
from ..rights import person_refusal
from .running import allowed, follow
from .take_operators import origin_of_item

if TYPE_CHECKING:
    from ..capture.collect import Edit

#: Blender forgets the texts of a dynamic list unless somebody holds them.
_held: list[tuple[str, str, str]] = []


def _others(_operator: bpy.types.Operator, context: bpy.types.Context) -> list[tuple[str, str, str]]:
    item = active_take(context.scene) if context is not None else None
    active = active_person(item) if item is not None else None
    _held[:] = [
        (str(person.person_id), person.name, f"{person.confidence:.0%} confidence")
        for person in (item.people if item is not None else ())
        if active is None or person.person_id != active.person_id
    ] or [("0", "Nobody", "There is nobody else")]
    return _held


class _OnPerson:
    """An operator on the active person of the active take."""

    needs_others = False

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is somebody to change, and the change is allowed."""
        return allowed(cls, person_refusal(context.scene, cls.needs_others))

    def rewrite(self, context: bpy.types.Context, edit: Edit, undo: str) -> set[str]:
        """Write the edited take and show it in the place of this one."""
        from ..capture import collect

        item = active_take(context.scene)
        path = request.new_take_path(item.name, session.get().promised())
        origin = origin_of_item(item, path)
        source = request.absolute(item.filepath)
        return follow(self, collect.rewrite(origin, source, edit, collect.Entry.of(item), undo))


class _WithOther(_OnPerson):
    """Asks for the other person first, where there are several."""

    needs_others = True

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask."""
        if len(active_take(context.scene).people) == 2:
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self)


class VIDEO_MOCAP_OT_merge_people(_WithOther, bpy.types.Operator):  # noqa: N801, Blender's convention
    """Make one person of this one and another: somebody who was lost and found again"""

    bl_idname = "video_mocap.merge_people"
    bl_label = "Merge"

    other: EnumProperty(name="With", description="Who becomes a part of the active person", items=_others)
    persons: IntVectorProperty(
        name="People",
        description="Who becomes one, by their numbers; none: the active person",
        size=2,
        default=(-1, -1),
        min=-1,
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask with whom, unless that was said."""
        return self.execute(context) if self.persons[0] >= 0 else super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Merge."""
        from ...rigging import people

        first, second = self.persons
        if first < 0:
            first, second = active_person(active_take(context.scene)).person_id, int(self.other)
        return self.rewrite(context, lambda take: people.merge_persons(take, first, second), "Merge People")


class VIDEO_MOCAP_OT_swap_people(_WithOther, bpy.types.Operator):  # noqa: N801
    """Exchange this person and another from the current frame on: two who crossed and were mixed up"""

    bl_idname = "video_mocap.swap_people"
    bl_label = "Swap from Here"

    other: EnumProperty(name="With", description="Who the active person is exchanged with", items=_others)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Swap."""
        from ...rigging import people

        first, second, moment = active_person(active_take(context.scene)).person_id, int(self.other), _moment(context)
        return self.rewrite(context, lambda take: people.swap_persons(take, first, second, moment), "Swap People")


class VIDEO_MOCAP_OT_split_person(_OnPerson, bpy.types.Operator):  # noqa: N801
    """Make somebody new of this person from the current frame on: two who were taken for one"""

    bl_idname = "video_mocap.split_person"
    bl_label = "Split Here"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Split."""
        from ...rigging import people

        person, moment = active_person(active_take(context.scene)).person_id, _moment(context)
        return self.rewrite(context, lambda take: people.split_person(take, person, moment), "Split Person")


class VIDEO_MOCAP_OT_delete_person(_OnPerson, bpy.types.Operator):  # noqa: N801
    """Remove this person from the take"""

    bl_idname = "video_mocap.delete_person"
    bl_label = "Delete"
    needs_others = True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete."""
        from ...rigging import people

        person = active_person(active_take(context.scene)).person_id
        return self.rewrite(context, lambda take: people.delete_person(take, person), "Delete Person")


def _moment(context: bpy.types.Context) -> float:
    """Seconds from the footage's first frame, a little early: a frame that lies on the moment belongs to it."""
    item = active_take(context.scene)
    return scene_moment(context.scene, start_frame(item)) - (0.02 / item.fps if item.fps > 0 else 0.0)


CLASSES = (
    VIDEO_MOCAP_OT_merge_people,
    VIDEO_MOCAP_OT_swap_people,
    VIDEO_MOCAP_OT_split_person,
    VIDEO_MOCAP_OT_delete_person,
)
