# SPDX-License-Identifier: GPL-3.0-or-later
"""Dressed characters in captured motion whose keypoints are known: what scenes, cut-outs and training pictures show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from noise_stage import face_vertices, posed_vertices
from retargeting import mapped
from video_mocap.rigging.blender.character import find_armature, open_character
from video_mocap.rigging.blender.retarget import retarget_onto
from video_mocap.rigging.joints import COCO17
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.transfer import Source

CHARACTERS = ("mpfb_default", "mpfb_game_engine", "mpfb_mixamo", "mpfb_rigify")
FPS = 30.0
_LIMBS = {
    "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand", "hip": "thigh", "knee": "shin", "ankle": "foot"
}  # fmt: skip


@dataclass
class Figure:
    """A character in the scene. bones: by COCO's names. face: rows of the skin's vertices. stature: metres."""

    armature: Any
    body: Any
    bones: dict[str, str]
    face: dict[str, np.ndarray]
    stature: float

    def points(self) -> np.ndarray:
        """(17, 3) COCO-17 in the world, metres, as the character stands now."""
        skin = posed_vertices(self.body)
        found = {name: skin[rows].mean(0) for name, rows in self.face.items()}
        for name, bone in self.bones.items():
            found[name] = np.array(self.armature.matrix_world @ self.armature.pose.bones[bone].head)
        return np.array([found[name] for name in COCO17.names])


def entries(characters: Path) -> dict[str, dict[str, Any]]:
    """What `characters.json` says of each, by name."""
    said = json.loads((characters / "characters.json").read_text())
    return {entry["name"]: entry for entry in (said.get("characters", said) if isinstance(said, dict) else said)}


def open_figure(entry: dict[str, Any], characters: Path, source: Source) -> Figure:
    """Open the file of a character, which empties the scene, and let it move as `source`."""
    armature = open_character(characters / entry["file"])
    figure = animated(entry, armature, bpy.data.objects[entry["meshes"][0]], source)
    figure.armature = find_armature(Path(entry["file"]), None)
    figure.armature.hide_render = True
    return figure


def animated(entry: dict[str, Any], armature: Any, body: Any, source: Source) -> Figure:
    """Let a character that is in the scene move as `source`."""
    deform = entry.get("control_rig", {}).get("deform", entry["map"])
    sides = (("left", "L"), ("right", "R"))
    bones = {f"{side}_{joint}": deform[f"{slot}.{s}"] for joint, slot in _LIMBS.items() for side, s in sides}
    face = face_vertices(body)
    mapping, controls = mapped(armature)
    retarget_onto(armature, source, Options(scene_fps=FPS, start_frame=0), mapping.slots, controls)
    armature.hide_render = True
    return Figure(armature, body, bones, face, entry["height_m"])
