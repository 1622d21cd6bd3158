# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""Operators of the preferences: set up, cancel, check, remove, try the line to another machine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import StringProperty

from .. import PACKAGE, session
from ..engine import Address
from ..setup.diagnosis import Diagnosis, diagnose
from ..setup.files import SetupError
from ..setup.plan import description, plan
from ..setup.removal import folder_size, remove
from ..setup.resolve import EXISTING, existing_place, remote_problem
from ..setup.service import stop_service, try_connection
from . import setup_draw, setup_state

if TYPE_CHECKING:
    from ..preferences import VideoMocapPreferences

Result = set[str]
#: Not found by searching for operators: they belong to the preferences.
INTERNAL = {"INTERNAL"}


def _preferences(context: bpy.types.Context) -> VideoMocapPreferences:
    return context.preferences.addons[PACKAGE].preferences


def _idle(operator: type[bpy.types.Operator]) -> bool:
    if setup_state.view.setup.running:
        operator.poll_message_set("A set-up is running")
        return False
    if setup_state.view.errand:
        operator.poll_message_set(f"{setup_state.view.errand}...")
        return False
    return True


class SetUp(bpy.types.Operator):
    """Install the capture engine into a folder of its own, or go on with it; a dialog says what that takes"""

    bl_idname = "video_mocap.set_up"
    bl_label = "Set Up Engine"
    bl_options = INTERNAL

    label: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, default="Set Up Engine")

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return _idle(cls)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> Result:
        preferences = _preferences(context)
        self._plan = plan(preferences.folders().environment, preferences.offline())
        manager = context.window_manager
        return manager.invoke_props_dialog(self, width=560, title="Set Up the Capture Engine", confirm_text=self.label)

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        for heading, text in description(self._plan):
            split = column.split(factor=0.14)
            split.label(text=heading)
            setup_draw.paragraph(split, text, 460 * context.preferences.system.ui_scale, whole=True)
        preferences = _preferences(context)
        online = None if preferences.offline() is not None else preferences.online_problem()
        for problem in (self._plan.problem, online):
            if problem is not None:
                setup_draw.paragraph(column, problem, 540 * context.preferences.system.ui_scale, "ERROR")
        if online is not None:
            column.operator("screen.userpref_show", text="Open Preferences > System").section = "SYSTEM"

    def execute(self, context: bpy.types.Context) -> Result:
        preferences = _preferences(context)
        offline = preferences.offline()
        wanted = plan(preferences.folders().environment, offline)
        problem = wanted.problem
        if problem is None and offline is None:
            problem = preferences.online_problem()
        if problem is not None:
            self.report({"ERROR"}, problem)
            return {"CANCELLED"}
        # What runs from the environment must not run while it changes, nor be started again.
        session.close()
        service = preferences.folders().service
        setup_state.send("Starting", lambda _stop: stop_service(service), lambda _: _start(offline, wanted.python_path))
        return {"FINISHED"}


def _start(offline: Path | None, base: str | None) -> None:
    try:
        setup_state.setup().start(offline, base)
    except SetupError as error:
        setup_state.tell((str(error),), good=False)


class CancelSetUp(bpy.types.Operator):
    """End the set-up; it can be continued later"""

    bl_idname = "video_mocap.cancel_set_up"
    bl_label = "Cancel"
    bl_options = INTERNAL

    def execute(self, _context: bpy.types.Context) -> Result:
        setup_state.setup().cancel()
        return {"FINISHED"}


class OpenLog(bpy.types.Operator):
    """Open the log of the set-up"""

    bl_idname = "video_mocap.open_log"
    bl_label = "Open the Log"
    bl_options = INTERNAL

    def execute(self, context: bpy.types.Context) -> Result:
        log = _preferences(context).folders().log
        if not log.is_file():
            self.report({"WARNING"}, "There is no log yet: nothing was set up here")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(log))
        return {"FINISHED"}


class CheckEngine(bpy.types.Operator):
    """Let the capture engine examine itself and say in words what is missing"""

    bl_idname = "video_mocap.check_engine"
    bl_label = "Check"
    bl_options = INTERNAL

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return _idle(cls)

    def execute(self, context: bpy.types.Context) -> Result:
        preferences = _preferences(context)
        place = preferences.folders().environment
        ours = preferences.engine != EXISTING
        if not ours:
            if not preferences.existing.strip():
                self.report({"ERROR"}, "Choose the folder of an environment, or its Python, first")
                return {"CANCELLED"}
            place = existing_place(preferences)

        def work(stop: threading.Event) -> tuple[Diagnosis, int | None]:
            return diagnose(place, stop, ours=ours), folder_size(place, stop.is_set) if ours else None

        setup_state.send("Checking", work, _checked)
        return {"FINISHED"}


def _checked(found: tuple[Diagnosis, int | None]) -> None:
    diagnosis, size = found
    setup_state.view.size = size
    setup_state.tell(diagnosis.sentences, diagnosis.ok and not diagnosis.outdated)


class RemoveEngine(bpy.types.Operator):
    """Remove the capture engine from this computer; takes and .blend files stay"""

    bl_idname = "video_mocap.remove_engine"
    bl_label = "Remove"
    bl_options = INTERNAL

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return _idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        message = f"{_preferences(context).folders().environment} is removed; takes and .blend files stay."
        manager = context.window_manager
        return manager.invoke_confirm(self, event, title="Remove the capture engine?", message=message)

    def execute(self, context: bpy.types.Context) -> Result:
        folders = _preferences(context).folders()

        def work(_stop: threading.Event) -> None:
            stop_service(folders.service)
            remove(folders.environment)

        session.close()
        setup_state.send("Removing", work, _removed)
        return {"FINISHED"}


def _removed(_: None) -> None:
    setup_state.view.size = None
    try:
        setup_state.setup().forget()
    except SetupError as error:
        setup_state.tell((str(error),), good=False)
    else:
        setup_state.tell(("The capture engine was removed.",), good=True)


class TestConnection(bpy.types.Operator):
    """Ask the service on the other machine whether it is there"""

    bl_idname = "video_mocap.test_connection"
    bl_label = "Test Connection"
    bl_options = INTERNAL

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return _idle(cls)

    def execute(self, context: bpy.types.Context) -> Result:
        preferences = _preferences(context)
        problem = remote_problem(preferences)
        if problem is not None:
            self.report({"ERROR"}, problem)
            return {"CANCELLED"}
        address = Address(preferences.url.strip().rstrip("/"), preferences.token.strip())
        setup_state.send(
            "Connecting",
            lambda _stop: try_connection(address),
            lambda found: setup_state.tell((found[1],), good=found[0]),
        )
        return {"FINISHED"}


classes = (SetUp, CancelSetUp, OpenLog, CheckEngine, RemoveEngine, TestConnection)
