# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""The add-on's preferences: which capture engine is used, and setting it up.

This part registers the operators of ui/setup_operators.py too, which nothing else needs.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from . import PACKAGE
from .setup.folders import Folders
from .setup.resolve import ALLOW, EXISTING, LOCAL, NOT_ALLOWED, REMOTE
from .ui import setup_draw, setup_operators, setup_state

ENGINES = (
    (LOCAL, "On this computer", "An engine of its own, set up by Video Mocap"),
    (EXISTING, "An existing environment", "An engine on this computer that was set up with build.py or pip"),
    (REMOTE, "Another machine", "A service that runs on another machine, such as one with a graphics card"),
)
SOURCES = (
    ("REGISTRY", "Internet", "From the registry of Python packages, pypi.org"),
    ("FOLDER", "Folder (offline)", "From a folder of packages that was filled on a computer with a connection"),
)


def _forget_results(preferences: VideoMocapPreferences, _context: bpy.types.Context) -> None:
    setup_state.forget_results()
    # Preferences belong to no .blend: a path relative to one is of no use here.
    if preferences.existing.startswith("//"):
        preferences.existing = bpy.path.abspath(preferences.existing)


class VideoMocapPreferences(bpy.types.AddonPreferences):
    """Kept with Blender's own preferences."""

    bl_idname = PACKAGE

    engine: EnumProperty(name="Engine", description="Where footage is captured", items=ENGINES, update=_forget_results)
    source: EnumProperty(name="Install from", description="Where the engine's packages come from", items=SOURCES)
    offline_folder: StringProperty(
        name="Folder", description="The folder that holds the packages (wheels)", subtype="DIR_PATH"
    )
    existing: StringProperty(
        name="Environment",
        description="The folder of a Python environment in which Video Mocap is installed, or its Python",
        subtype="FILE_PATH",
        update=_forget_results,
    )
    url: StringProperty(name="Address", description="Such as http://192.168.1.20:8000", update=_forget_results)
    token: StringProperty(
        name="Token",
        description="What the service on the other machine asks for; kept as plain text in Blender's preferences",
        subtype="PASSWORD",
        update=_forget_results,
    )
    show_log: BoolProperty(name="Log", description="Show the last lines of the set-up's log")
    show_licences: BoolProperty(name="Licences", description="Under which terms everything may be used")

    def folders(self) -> Folders:
        """Where the extension's files lie; nothing is made."""
        return Folders(Path(bpy.utils.extension_path_user(PACKAGE)))

    def offline(self) -> Path | None:
        """The folder to install from; None for the registry."""
        if self.source != "FOLDER":
            return None
        return Path(bpy.path.abspath(self.offline_folder)) if self.offline_folder else Path()

    def online_problem(self) -> str | None:
        """Why the network may not be used, in a sentence that says how to allow it; None if it may."""
        if bpy.app.online_access:
            return None
        # Some versions' documentation spells it with one r less.
        fixed = getattr(bpy.app, "online_access_override", getattr(bpy.app, "online_access_overriden", False))
        return NOT_ALLOWED if fixed else ALLOW

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what setup_state knows; looks at nothing itself."""
        setup_draw.draw(self, context)


def find(context: bpy.types.Context | None = None) -> VideoMocapPreferences:
    """The add-on's preferences. Raises KeyError while it is disabled."""
    return (context or bpy.context).preferences.addons[PACKAGE].preferences


classes = (VideoMocapPreferences, *setup_operators.classes)


def register() -> None:
    """Declare the preferences and the operators of the set-up."""
    for each in classes:
        bpy.utils.register_class(each)


def unregister() -> None:
    """Take them back. A set-up that runs goes on; a check that runs is given up."""
    setup_state.reset()
    for each in reversed(classes):
        bpy.utils.unregister_class(each)
