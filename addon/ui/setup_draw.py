# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""How the preferences look. Nothing here looks at files or the network: see setup_state.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..setup.plan import LICENCES, YOURS, size
from ..setup.resolve import EXISTING, LOCAL, is_unencrypted
from . import setup_state
from .wrapping import wrapped

if TYPE_CHECKING:
    from ..preferences import VideoMocapPreferences

Layout = Any
#: Pixels at interface scale 1: of an icon, beside a label's text, of the narrowest text.
_ICON, _PADDING, _NARROWEST = 20.0, 16.0, 200.0


def paragraph(layout: Layout, text: str, width: float, icon: str = "NONE", whole: bool = False) -> None:
    """Text over as many lines as it needs. width: in pixels. whole: also paths to their last letter."""
    scale = bpy.context.preferences.system.ui_scale or 1.0  # 0 without a window
    column = layout.column(align=True)
    room = width / scale - (_ICON if icon != "NONE" else 0.0) - _PADDING
    for number, line in enumerate(wrapped(text, max(_NARROWEST, room), whole)):
        indented = "BLANK1" if icon != "NONE" else "NONE"
        column.label(text=line, icon=icon if number == 0 else indented)


def draw(preferences: VideoMocapPreferences, context: bpy.types.Context) -> None:
    """The whole of the preferences."""
    setup_state.watch()
    layout = preferences.layout
    width = (context.region.width if context.region else 600) - 80.0
    layout.row().prop(preferences, "engine", expand=True)
    box = layout.box()
    if preferences.engine == LOCAL:
        _local(box, preferences, width)
    elif preferences.engine == EXISTING:
        box.prop(preferences, "existing")
        _check(box.row())
    else:
        _remote(box, preferences, width)
    _results(box, width)
    _licences(layout, preferences, width)


def _local(box: Layout, preferences: VideoMocapPreferences, width: float) -> None:
    view = setup_state.view
    if not view.known:
        box.label(text="Looking...")
    elif view.setup.running:
        _running(box, preferences)
    elif view.setup.error:
        paragraph(box, view.setup.error, width, "ERROR")
        _source(box, preferences)
        row = box.row()
        row.operator("video_mocap.set_up", text="Continue", icon="PLAY").label = "Continue"
        row.operator("video_mocap.open_log")
        row.operator("video_mocap.remove_engine")
        _log(box, preferences)
    elif not view.usable:
        paragraph(box, view.problem or "", width, "INFO")
        _source(box, preferences)
        row = box.row()
        label = "Repair Engine" if view.removable else "Set Up Engine"
        row.operator("video_mocap.set_up", text=f"{label}...", icon="IMPORT").label = label
        if view.removable:
            row.operator("video_mocap.remove_engine")
    else:
        _ready(box, preferences, width)


def _running(box: Layout, preferences: VideoMocapPreferences) -> None:
    state = setup_state.view.setup
    step = f"Step {state.step} of {state.steps}: {state.name}" if state.step else state.name or "Starting"
    known = state.fraction is not None
    text = f"{step} ({state.fraction:.0%})" if known else step
    box.progress(factor=state.fraction or 0.0, type="BAR", text=text)
    row = box.row()
    row.operator("video_mocap.cancel_set_up", icon="X")
    row.operator("video_mocap.open_log")
    box.label(text="You can go on working; it goes on when Blender is closed.")
    _log(box, preferences)


def _ready(box: Layout, preferences: VideoMocapPreferences, width: float) -> None:
    view = setup_state.view
    counted = f", {size(view.size)}" if view.size is not None else ""
    box.label(text=f"Version {view.version}{counted}", icon="CHECKMARK")
    paragraph(box, str(view.folder), width, "FILE_FOLDER", whole=True)
    if view.problem:
        paragraph(box, view.problem, width, "ERROR")
    _check(box.row())
    _source(box, preferences)
    row = box.row()
    label = "Update Engine" if view.problem else "Repair Engine"
    row.operator("video_mocap.set_up", text=f"{label}...", icon="FILE_REFRESH").label = label
    row.operator("video_mocap.open_log")
    row.operator("video_mocap.remove_engine")


def _remote(box: Layout, preferences: VideoMocapPreferences, width: float) -> None:
    box.prop(preferences, "url")
    box.prop(preferences, "token")
    text = (
        "On the other machine, 'video-mocap serve --host ADDRESS --allow-remote' starts the service and says where "
        "its token lies. Footage is sent to that machine."
    )
    paragraph(box, text, width, "INFO")
    if is_unencrypted(preferences.url):
        text = "Footage and token travel unencrypted: only in a network that you trust, else through an SSH tunnel."
        paragraph(box, text, width, "UNLOCKED")
    row = box.row()
    row.enabled = not setup_state.view.errand
    row.operator("video_mocap.test_connection", icon="LINKED")


def _check(row: Layout) -> None:
    row.enabled = not setup_state.view.errand
    row.operator("video_mocap.check_engine", icon="VIEWZOOM")


def _source(box: Layout, preferences: VideoMocapPreferences) -> None:
    box.row().prop(preferences, "source", expand=True)
    if preferences.source == "FOLDER":
        box.prop(preferences, "offline_folder")


def _results(box: Layout, width: float) -> None:
    view = setup_state.view
    if view.errand:
        box.label(text=f"{view.errand}...", icon="SORTTIME")
    for number, sentence in enumerate(view.results):
        icon = ("CHECKMARK" if view.good else "ERROR") if number == 0 else "DOT"
        paragraph(box, sentence, width, icon)


def _log(box: Layout, preferences: VideoMocapPreferences) -> None:
    if _disclosed(box, preferences, "show_log"):
        column = box.column(align=True)
        for line in setup_state.view.setup.lines:
            column.label(text=line[:200])


def _disclosed(layout: Layout, preferences: VideoMocapPreferences, name: str) -> bool:
    """A heading that shows and hides what is below it."""
    shown = bool(getattr(preferences, name))
    row = layout.row()
    row.alignment = "LEFT"
    row.prop(preferences, name, icon="DISCLOSURE_TRI_DOWN" if shown else "DISCLOSURE_TRI_RIGHT", emboss=False)
    return shown


def _licences(layout: Layout, preferences: VideoMocapPreferences, width: float) -> None:
    if _disclosed(layout, preferences, "show_licences"):
        box = layout.box()
        paragraph(box, YOURS, width, "CHECKMARK")
        column = box.column(align=True)
        for what, licence in LICENCES:
            split = column.split(factor=0.4)
            split.label(text=what)
            split.label(text=licence)
