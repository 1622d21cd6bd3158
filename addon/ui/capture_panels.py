# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The panel with the Capture button, what is under way, and what waits for the user."""

from __future__ import annotations

from typing import Any

import bpy

from .. import readiness, session
from ..chores import Chore
from .layout import Layout, bar, duration, for_sidebars, sentence

#: Stages of a capture in an animator's words.
STAGES = {
    "footage": "Opening footage",
    "detection": "Finding people",
    "lifting": "Lifting to 3D",
    "refinement": "Refining motion",
}
_ICONS = {"failed": "ERROR", "cancelled": "CANCEL", "done": "CHECKMARK"}


class Capture:
    """Start captures and watch them."""

    key = "capture"
    bl_label = "Capture"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        state = session.get()
        missing = readiness.problem()
        if missing:
            sentence(layout, context, missing, "INFO")
            layout.operator("video_mocap.open_preferences", icon="PREFERENCES")
        row = layout.row()
        row.scale_y = 1.4
        row.enabled = not missing
        row.operator("video_mocap.capture", icon="REC")
        for job in state.live():
            draw_job(layout, job)
        for chore in state.chores_of("capture"):
            draw_chore(layout, context, chore)
        if state.problem:
            message(layout, context, state.problem, "ERROR")
        elif state.note:
            message(layout, context, state.note, "INFO")
        draw_ended(layout, context)
        row = layout.row(align=True)
        row.operator("video_mocap.open_take", icon="FILE_FOLDER")
        if state.status is None and not missing:
            row.operator("video_mocap.find_captures", icon="FILE_REFRESH")


def draw_chore(layout: Layout, context: bpy.types.Context, chore: Chore) -> None:
    """A change to the file that goes on."""
    if chore.waiting:
        sentence(layout, context, f"{chore.title}: goes on when you leave this mode", "INFO")
    else:
        bar(layout, chore.progress, chore.title)


def message(layout: Layout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A sentence with a button that takes it away."""
    row = layout.row()
    sentence(row, context, text, icon)
    row.operator("video_mocap.dismiss", text="", icon="X", emboss=False)


def draw_job(layout: Layout, job: dict[str, Any]) -> None:
    """A job that waits or runs."""
    box = layout.box()
    row = box.row(align=True)
    row.label(text=job["label"] or job["footage"]["name"])
    row.operator("video_mocap.cancel", text="", icon="X").job = job["id"]
    bar(box, job.get("fraction") or 0.0, headline(job))
    details = progress_text(job)
    if details:
        box.label(text=details)


def headline(job: dict[str, Any]) -> str:
    """What happens to a job at the moment."""
    if job["state"] == "uploading":
        return "Sending footage"
    if job["state"] == "queued":
        ahead = job.get("position") or 0
        return f"Waiting for {ahead} other{'s' if ahead > 1 else ''}" if ahead else "Waiting"
    return STAGES.get(job.get("stage") or "", job.get("stage") or "Starting")


def progress_text(job: dict[str, Any]) -> str:
    """How far a stage is, how fast it goes and how long all of it will take."""
    parts = []
    unit = job.get("unit") or ""
    if unit == "steps":
        # How a stage counts its own work says nothing to an animator.
        unit, job = "", {**job, "total": None, "done": 0, "rate": None}
    if job.get("total"):
        parts.append(f"{job['done']} of {job['total']} {unit}".rstrip())
    elif job.get("done"):
        parts.append(f"{job['done']} {unit}".rstrip())
    if job.get("rate"):
        short = "fps" if unit.startswith("frame") else f"{unit}/s"
        parts.append(f"{job['rate']:.1f} {short}")
    if job.get("seconds_left") is not None:
        parts.append(f"{duration(job['seconds_left'])} left")
    return ", ".join(parts)


def draw_ended(layout: Layout, context: bpy.types.Context) -> None:
    """Captures that were interrupted, failed, or finished while nobody waited."""
    state = session.get()
    for job in state.ended():
        box = layout.box()
        box.label(text=job["label"] or job["footage"]["name"], icon=_ICONS.get(job["state"], "QUESTION"))
        if job["state"] != "done":
            sentence(box, context, job.get("message") or "Cancelled")
        row = box.row(align=True)
        if job["state"] == "done":
            row.operator("video_mocap.collect").job = job["id"]
        else:
            row.operator("video_mocap.resume").job = job["id"]
        row.operator("video_mocap.discard").job = job["id"]
    if sum(job["state"] != "done" for job in state.ended()) > 1:
        layout.operator("video_mocap.discard_all", icon="TRASH")
    for number, origin in enumerate(state.arrived):
        box = layout.box()
        box.label(text=origin.name, icon="CHECKMARK")
        row = box.row(align=True)
        row.operator("video_mocap.add_arrived").number = number
        row.operator("video_mocap.forget_arrived").number = number


PANELS = for_sidebars(Capture)
