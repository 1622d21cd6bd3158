# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""The choices for capture and retargeting to and from a TOML file, which `video-mocap ... --settings` takes."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from .. import session
from ..capture import request, settings_file
from ..chores import Chore
from ..retarget import choices
from ..rights import refusal
from .running import allowed, follow, report


class _SettingsFile:
    """Asks for a .toml file."""

    filepath: StringProperty(name="File", description="A .toml file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.toml", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the file."""
        self.filepath = self.filepath or "capture.toml"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class VIDEO_MOCAP_OT_save_settings(_SettingsFile, bpy.types.Operator):  # noqa: N801, Blender's convention
    """Write the choices for captures and for retargeting to a file that the command line takes too"""

    bl_idname = "video_mocap.save_settings"
    bl_label = "Save..."

    # Blender's own question whether the file may be replaced.
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The choices make sense."""
        return allowed(cls, request.problem(context.scene.video_mocap))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it."""
        path = Path(bpy.path.abspath(self.filepath)).with_suffix(".toml")
        scene = context.scene.name
        try:
            options = request.options(context.scene.video_mocap)
            options["retarget"] = choices.table(context.scene)
        except ValueError as error:
            return report(self, error)

        def build(_nothing: None) -> Generator[Any, Any, None]:
            from ..capture.known_camera import known_camera

            camera = yield from known_camera(bpy.data.scenes[scene], None, path)
            settings_file.write_settings(path, options | ({"camera": str(camera)} if camera is not None else {}))

        def finished(problem: str | None) -> None:
            state = session.get()
            state.problem, state.note = problem, None if problem else f"Wrote {path}"

        chore = Chore("Saving the settings", "", lambda: None, build, finished=finished)
        session.do(chore)
        return follow(self, chore)


class VIDEO_MOCAP_OT_load_settings(_SettingsFile, bpy.types.Operator):  # noqa: N801
    """Read the choices for captures and for retargeting from a file"""

    bl_idname = "video_mocap.load_settings"
    bl_label = "Load..."
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The scene can be changed."""
        return allowed(cls, refusal(context.scene))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read it; nothing changes unless all of it is good."""
        try:
            chosen = settings_file.read_settings(Path(bpy.path.abspath(self.filepath)))
        except settings_file.SettingsError as error:
            return report(self, error)
        request.apply_options(context.scene.video_mocap, chosen)
        if "retarget" in chosen:
            choices.apply_table(context.scene, chosen["retarget"])
        return {"FINISHED"}


CLASSES = (VIDEO_MOCAP_OT_save_settings, VIDEO_MOCAP_OT_load_settings)
