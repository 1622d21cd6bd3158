# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Which scene of which file asked for something: kept by name, so that undo, reload and deletion cannot break it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import bpy


@dataclass(eq=False)
class Origin:
    """Where a take is wanted.

    name: of the take. take_path: where its file goes. footage: what was captured, as a path. clip: name of the movie
    clip that was captured, if it was one. names: that the user gave to people, by their ids. look_for_footage:
    in the take and beside it. scene, scene_uid: who asked. file: the .blend, empty if it was never saved.
    lost: that file is not open any more.
    """

    name: str
    take_path: Path
    footage: str = ""
    clip: str = ""
    start_frame: int = 1
    names: dict[int, str] = field(default_factory=dict)
    look_for_footage: bool = False
    scene: str = ""
    scene_uid: int = 0
    file: str = ""
    lost: bool = False

    def take_scene(self, scene: bpy.types.Scene) -> None:
        """Let the take go to `scene`, of the file that is open now."""
        self.scene, self.scene_uid = scene.name, scene.session_uid
        self.file, self.lost = bpy.data.filepath, False

    def is_here(self) -> bool:
        """Whether the file that asked is the one that is open."""
        return not self.lost and self.file == bpy.data.filepath

    def find_scene(self) -> bpy.types.Scene:
        """The scene that asked, or the current one if it is gone."""
        for scene in bpy.data.scenes:
            if scene.session_uid == self.scene_uid and scene.library is None:
                return scene
        found = bpy.data.scenes.get(self.scene)
        return found if found is not None and found.library is None else bpy.context.scene

    def find_footage(self) -> Path | bpy.types.MovieClip | None:
        """What to show behind the take: the clip that was captured if it is still there, else the file."""
        clip = bpy.data.movieclips.get(self.clip) if self.clip else None
        if clip is not None:
            return clip
        return Path(self.footage) if self.footage else None

    def left(self) -> None:
        """The open file is being closed: an unsaved one never comes back."""
        if not self.file:
            self.lost = True
        # Other data-blocks may get its number.
        self.scene_uid = 0
