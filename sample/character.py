# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample's character: its rig, where the joints of a take lie in it, and posing it.

Everything here is for `mpfb_game_engine.blend`, a MakeHuman body on the rig of a game engine, 1.79 m tall.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion
from video_mocap.rigging import quaternions
from video_mocap.rigging.joints import COCO17, TAKE

_BONE = {"hips": "pelvis", "chest": "spine_03", "neck": "neck_01", "head": "head"}
_SIDED = {
    "shoulder": "clavicle",
    "upper_arm": "upperarm",
    "forearm": "lowerarm",
    "hand": "hand",
    "thigh": "thigh",
    "shin": "calf",
    "foot": "foot",
    "toe": "ball",
}
#: (bone, segment of rigging.rotations that turns it); other bones follow their parent.
BONE_SEGMENTS: tuple[tuple[str, str], ...] = (
    *((bone, segment) for segment, bone in _BONE.items()),
    ("spine_01", "spine"),
    ("spine_02", "spine"),
    *((f"{bone}_{side.lower()}", f"{segment}.{side}") for segment, bone in _SIDED.items() for side in "LR"),
)

#: Joints that are the head of a bone.
_HEADS = {"spine": "spine_03", "neck": "neck_01"} | {
    f"{side}_{joint}": f"{bone}_{side[0]}"
    for side in ("left", "right")
    for joint, bone in {
        "shoulder": "upperarm",
        "elbow": "lowerarm",
        "wrist": "hand",
        "hand": "middle_01",  # the middle finger's knuckle
        "hip": "thigh",
        "knee": "calf",
        "ankle": "foot",
    }.items()
}
#: Points of the skin, metres at rest, of the middle and the left: the nearest vertex (right: its mirror) is followed.
#: Heel and toe are the ends of the foot at the height where the toe is longest, so that they lie level at rest.
_SKIN = {
    "head_top": (0.0, -0.060, 1.790),
    "nose": (0.0, -0.171, 1.634),
    "left_eye": (0.030, -0.146, 1.675),
    "left_ear": (0.073, -0.060, 1.655),  # the tragus
    "left_heel": (0.200, 0.050, 0.0184),
    "left_toe": (0.201, -0.221, 0.0184),
}
#: Fixed to spine_03: on the line of the spine at the height of the collar bones' inner ends.
_THORAX = (0.0, 0.0105, 1.458)


@dataclass(frozen=True)
class Character:
    """An armature with its skin, both at the world's origin.

    rest: bone name -> (4, 4) rest matrix. skin: landmark name -> row of its vertex. vertices: (V, 3) metres at rest.
    """

    armature: Any
    body: Any
    rest: dict[str, np.ndarray]
    skin: dict[str, int]
    vertices: np.ndarray


def load_character(blend: Path) -> Character:
    """Open a file that has one armature and one mesh, as the whole scene."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    body = next(item for item in bpy.data.objects if item.type == "MESH")
    rest = {bone.name: np.array(bone.matrix_local) for bone in armature.data.bones}
    vertices = _positions(body.data)
    places = dict(_SKIN)
    for name, (x, y, z) in _SKIN.items():
        if name.startswith("left_"):
            places["right_" + name[5:]] = (-x, y, z)
    skin = {name: int(np.argmin(((vertices - place) ** 2).sum(-1))) for name, place in places.items()}
    return Character(armature, body, rest, skin, vertices)


def bone_bases(
    character: Character, rotations: dict[str, np.ndarray], pelvis: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What to write into the pose bones for the bones to be turned as wanted.

    rotations: bone -> (F, 3, 3) turn from its rest orientation to the wanted one, both in the world. pelvis: (F, 3)
    wanted world position of the pelvis bone's head. Returns (F, 4) quaternions by bone, and (F, 3) pelvis locations.
    """
    bases: dict[str, np.ndarray] = {}
    still = np.broadcast_to(np.eye(3), next(iter(rotations.values())).shape)
    for name, turn in rotations.items():
        parent = character.armature.data.bones[name].parent
        above = rotations.get(parent.name, still) if parent else still
        axes = character.rest[name][:3, :3]
        bases[name] = quaternions.continuous(quaternions.from_matrix(axes.T @ np.swapaxes(above, -1, -2) @ turn @ axes))
    matrix = character.rest["pelvis"]
    return bases, (pelvis - matrix[:3, 3]) @ matrix[:3, :3]


def pose(character: Character, bases: dict[str, np.ndarray], locations: np.ndarray, frame: int) -> None:
    """Put the character into one frame of what `bone_bases` gave."""
    bones = character.armature.pose.bones
    for name, turns in bases.items():
        bones[name].rotation_mode = "QUATERNION"
        bones[name].rotation_quaternion = Quaternion(turns[frame])
    bones["pelvis"].location = locations[frame]
    bpy.context.view_layer.update()


def landmarks(character: Character) -> dict[str, np.ndarray]:
    """World position (3,), metres, of every joint of a take and of the eyes, in the pose the character is in."""
    matrices = {bone.name: np.array(bone.matrix) for bone in character.armature.pose.bones}
    found = {name: matrices[bone][:3, 3] for name, bone in _HEADS.items()}
    found["pelvis"] = (found["left_hip"] + found["right_hip"]) / 2
    turn = matrices["spine_03"] @ np.linalg.inv(character.rest["spine_03"])
    found["thorax"] = turn[:3, :3] @ np.array(_THORAX) + turn[:3, 3]
    posed = _positions(character.body.evaluated_get(bpy.context.evaluated_depsgraph_get()).data)
    found |= {name: posed[row] for name, row in character.skin.items()}
    missing = (set(TAKE.names) | set(COCO17.names)) - found.keys()
    if missing:
        raise ValueError(f"the character has no {', '.join(sorted(missing))}")
    return found


def sole_vertices(character: Character, side: str) -> np.ndarray:
    """(V, 3) rest positions of the vertices of the left or right foot below the ankle."""
    low = character.vertices[character.vertices[:, 2] < 0.06]
    return low[low[:, 0] > 0] if side == "left" else low[low[:, 0] < 0]


def _positions(mesh: Any) -> np.ndarray:
    """(V, 3) float64 positions of a mesh's vertices."""
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)
