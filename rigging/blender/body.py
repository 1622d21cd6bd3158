# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A light body for an armature, so that renders show the person: one rounded rod per bone, moved by vertex groups."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import bpy
import numpy as np

from ..joints import TAKE
from ..skeleton import Skeleton

_SIDES = 10
#: Colours of the middle, the left and the right of the body.
_COLOURS = {"": (0.55, 0.55, 0.58, 1.0), "L": (0.20, 0.45, 0.80, 1.0), "R": (0.80, 0.42, 0.18, 1.0)}

#: Custom property of our materials: which of them it is.
MATERIAL = "video_mocap_body"

#: In the viewport the footage must be seen through the body; renders show it solid.
_VIEWPORT_ALPHA = 0.4


@dataclass(frozen=True)
class _Rod:
    """A capsule along a bone: from `start` to `end` (fractions of the bone) with two radii in metres on a 1.75 m adult;
    `flat` stretches it along the bone's x."""

    start: float
    end: float
    first: float
    last: float
    flat: float = 1.0


_RODS = {
    "hips": _Rod(0.0, 1.0, 0.088, 0.085, 1.65),
    "spine": _Rod(0.45, 1.0, 0.084, 0.090, 1.6),
    "chest": _Rod(0.0, 0.80, 0.092, 0.100, 1.65),
    "neck": _Rod(-0.4, 0.8, 0.055, 0.050),
    "head": _Rod(0.22, 0.55, 0.072, 0.080),
    "shoulder": _Rod(0.4, 0.95, 0.045, 0.048),
    "upper_arm": _Rod(0.0, 1.0, 0.047, 0.037),
    "forearm": _Rod(0.0, 1.0, 0.036, 0.025),
    "hand": _Rod(0.1, 1.7, 0.022, 0.016, 1.6),
    "thigh": _Rod(0.0, 1.0, 0.075, 0.050),
    "shin": _Rod(0.0, 1.0, 0.048, 0.032),
    "foot": _Rod(-0.1, 1.0, 0.036, 0.026, 1.3),
    "toe": _Rod(0.0, 0.8, 0.025, 0.016, 1.6),
}


def build_body(rig: bpy.types.Object, skeleton: Skeleton, collection: bpy.types.Collection | None) -> bpy.types.Object:
    """A mesh object that follows the armature `rig` made of `skeleton`; its child, linked to `collection` if given."""
    size = float(skeleton.joints[TAKE.index("head_top"), 2]) / 1.75
    vertices: list[np.ndarray] = []
    faces: list[tuple[int, ...]] = []
    groups: dict[str, list[int]] = {}
    materials: list[int] = []
    slots = list(_COLOURS)
    for row, name in enumerate(skeleton.names):
        kind, _, side = name.partition(".")
        pieces = [_rod(skeleton, row, _RODS[kind], size)]
        if name == "head":
            pieces.append(_nose(skeleton, row, size))
        for points in pieces:
            first = sum(len(found) for found in vertices)
            found_faces = [tuple(first + corner for corner in face) for face in _faces(len(points))]
            vertices.append(points)
            faces += found_faces
            materials += [slots.index(side)] * len(found_faces)
            groups.setdefault(name, []).extend(range(first, first + len(points)))

    mesh = bpy.data.meshes.new(f"{rig.name} body")
    mesh.from_pydata(np.concatenate(vertices).tolist(), [], faces)
    for side, colour in _COLOURS.items():
        mesh.materials.append(_material(f"Body {side}".strip(), colour))
    mesh.polygons.foreach_set("material_index", np.array(materials, np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    mesh.update()
    body = bpy.data.objects.new(mesh.name, mesh)
    for name, rows in groups.items():
        body.vertex_groups.new(name=name).add(rows, 1.0, "REPLACE")
    body.modifiers.new("Armature", "ARMATURE").object = rig
    body.parent = rig
    body.show_transparent = True
    if collection is not None:
        collection.objects.link(body)
    return body


def _rod(skeleton: Skeleton, row: int, rod: _Rod, size: float) -> np.ndarray:
    bone = skeleton.tails[row] - skeleton.heads[row]
    start, end = skeleton.heads[row] + rod.start * bone, skeleton.heads[row] + rod.end * bone
    return _capsule(start, end, skeleton.frames[row], rod.first * size, rod.last * size, rod.flat)


def _nose(skeleton: Skeleton, row: int, size: float) -> np.ndarray:
    tip = skeleton.joints[TAKE.index("nose")]
    x, y, z = skeleton.frames[row].T
    return _capsule(tip - 0.08 * size * z, tip, np.stack([x, z, -y], 1), 0.025 * size, 0.010 * size, 1.0)


def _capsule(
    start: np.ndarray, end: np.ndarray, frame: np.ndarray, first: float, last: float, flat: float
) -> np.ndarray:
    """(V, 3) a pole, four rings of `_SIDES` points and a pole, along y of `frame`."""
    angles = 2 * np.pi * np.arange(_SIDES) / _SIDES
    circle = flat * np.cos(angles)[:, None] * frame[:, 0] + np.sin(angles)[:, None] * frame[:, 2]
    along = frame[:, 1]
    rings = [(start, -0.65, 0.75, first), (start, 0.0, 1.0, first), (end, 0.0, 1.0, last), (end, 0.65, 0.75, last)]
    points = [start - first * along]
    points += [
        centre + radius * (shift * along + width * row) for centre, shift, width, radius in rings for row in circle
    ]
    points.append(end + last * along)
    return np.array(points)


def _faces(count: int) -> list[tuple[int, ...]]:
    """Faces of a capsule of `count` vertices, normals outwards."""
    ring = [[1 + _SIDES * row + corner for corner in range(_SIDES)] for row in range(4)]
    faces: list[tuple[int, ...]] = []
    for corner in range(_SIDES):
        after = (corner + 1) % _SIDES
        faces.append((0, ring[0][corner], ring[0][after]))
        for low, high in pairwise(ring):
            faces.append((low[corner], high[corner], high[after], low[after]))
        faces.append((count - 1, ring[3][after], ring[3][corner]))
    return faces


def _material(name: str, colour: tuple[float, float, float, float]) -> bpy.types.Material:
    for found in bpy.data.materials:
        # All bodies share ours; a material of the user's with the same name is not ours to change.
        if found.get(MATERIAL) == name and found.library is None:
            return found
    material = bpy.data.materials.new(name)
    material[MATERIAL] = name
    material.diffuse_color = (*colour[:3], _VIEWPORT_ALPHA)
    if material.node_tree is None:  # always there from Blender 5 on
        material.use_nodes = True
    tree: Any = material.node_tree
    shader = tree.nodes.get("Principled BSDF")
    if shader is not None:
        shader.inputs["Base Color"].default_value = colour
        shader.inputs["Roughness"].default_value = 0.8
    return material
