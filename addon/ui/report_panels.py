# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panel that says how good the active take is, what was guessed and where to look."""

from __future__ import annotations

import bpy

from .. import session
from ..overlay.source import take_file
from ..properties import TakeItem, active_person, active_take
from ..take_report import PersonReport, TakeReport
from .layout import Layout, for_sidebars, sentence

#: The grade of a number that is drawn in red.
_POOR = 2


class Report:
    """How good this take is, and where to look."""

    key = "report"
    parent = "takes"
    bl_label = "Report"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a take to tell of."""
        return active_take(context.scene) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        item, layout = active_take(context.scene), self.layout
        found = session.read_take(take_file(item))
        if found is None:
            layout.label(text="Reading the take...")
        elif found.report is None:
            sentence(layout, context, found.problem or "", "ERROR")
        else:
            draw_people(layout, context, item, found.report)
            for text in found.report.guessed:
                sentence(layout, context, text, "QUESTION")
            sentence(layout, context, found.report.sources, "INFO")


def draw_people(layout: Layout, context: bpy.types.Context, item: TakeItem, report: TakeReport) -> None:
    """A verdict on everybody, and more on the active person."""
    active = active_person(item)
    for person in item.people:
        told = report.people.get(person.person_id)
        if told is None:
            continue
        icon = "CHECKMARK" if told.is_good else "ERROR"
        sentence(layout, context, f"{person.name}: {told.verdict}", icon)
        if active is not None and person.person_id == active.person_id:
            draw_person(layout.box(), told)


def draw_person(layout: Layout, told: PersonReport) -> None:
    """The numbers of a person, and a button for each place where to look."""
    for what, value, grade in told.rows:
        row = layout.row()
        row.scale_y = 0.8
        row.alert = grade == _POOR
        parts = row.split(factor=0.45)
        parts.label(text=what)
        parts.label(text=value)
    column = layout.column(align=True)
    for place in told.places:
        column.operator("video_mocap.go_to", text=place.text, icon="VIEWZOOM").moment = place.moment


def draw_suggestions(layout: Layout, context: bpy.types.Context, item: TakeItem) -> None:
    """Pairs of people who may be one, each with a button that makes them one."""
    found = session.read_take(take_file(item))
    names = {person.person_id: person.name for person in item.people}
    for first, second, sure in found.report.suggestions if found is not None and found.report is not None else ():
        if first in names and second in names:
            box = layout.box()
            sentence(box, context, f"{names[first]} and {names[second]} may be one person ({sure:.0%})", "QUESTION")
            box.operator("video_mocap.merge_people", text="Merge Them").persons = (first, second)


PANELS = for_sidebars(Report)
