# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sample is filmed: a room, a dressed character, a camera held by hand height, Blender's Workbench."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from character import Character
from mathutils import Euler

#: Skin, hair and clothes, linear RGB.
_COLOURS = {
    "skin": (0.62, 0.36, 0.25),
    "lips": (0.46, 0.20, 0.17),
    "hair": (0.055, 0.035, 0.025),
    "eye": (0.80, 0.80, 0.78),
    "iris": (0.05, 0.03, 0.02),
    "shirt": (0.55, 0.10, 0.08),
    "trousers": (0.07, 0.10, 0.18),
    "shoes": (0.60, 0.60, 0.58),
}
_PLANKS = ((0.36, 0.24, 0.15), (0.40, 0.27, 0.17), (0.33, 0.21, 0.13), (0.43, 0.30, 0.20))


@dataclass(frozen=True)
class CameraPlan:
    """A camera on a tripod.

    size: width, height in pixels. focal: pixels. location: metres. pitch_degrees: up is positive. roll_degrees: how
    far the camera is turned clockwise about its line of sight. It looks along +Y.
    """

    size: tuple[int, int]
    focal: float
    location: tuple[float, float, float]
    pitch_degrees: float
    roll_degrees: float

    @property
    def intrinsics(self) -> np.ndarray:
        """(3, 3) pixels, the principal point in the middle."""
        width, height = self.size
        return np.array([[self.focal, 0, width / 2], [0, self.focal, height / 2], [0, 0, 1.0]])


def build_room() -> None:
    """A floor of planks at z = 0, a wall behind, a picture and a chest of drawers on it."""
    planks = [material(f"plank{row}", colour) for row, colour in enumerate(_PLANKS)]
    random = np.random.default_rng(0)
    for row in range(-14, 15):
        start = -4.0 - random.uniform(0, 1.2)
        while start < 4.0:
            length = random.uniform(0.9, 1.6)
            middle = (start + length / 2, 0.2 * row - 0.5, -0.01)
            _box("plank", middle, (length - 0.006, 0.194, 0.02), planks[random.integers(len(planks))])
            start += length
    wall, white, wood = (
        material("wall", (0.50, 0.55, 0.50)),
        material("white", (0.80, 0.79, 0.75)),
        material("wood", (0.30, 0.19, 0.11)),
    )
    _box("wall", (0, 2.15, 1.5), (10, 0.1, 3.4), wall)
    _box("skirting", (0, 2.09, 0.06), (10, 0.03, 0.12), white)
    _box("frame", (-1.15, 2.08, 1.75), (0.75, 0.04, 0.55), wood)
    _box("picture", (-1.15, 2.055, 1.75), (0.64, 0.02, 0.44), white)
    _box("chest", (1.75, 1.82, 0.40), (0.90, 0.45, 0.80), wood)
    for row in range(3):
        _box("drawer", (1.75, 1.59, 0.15 + 0.25 * row), (0.82, 0.02, 0.21), white)


def dress(character: Character) -> None:
    """Give the body skin, hair, lips, a shirt, trousers and shoes, by where each face lies at rest."""
    mesh = character.body.data
    own = [slot.material.name for slot in character.body.material_slots]
    names = list(_COLOURS)
    faces = [(own[face.material_index], np.array(face.center)) for face in mesh.polygons]
    mesh.materials.clear()
    for name in names:
        mesh.materials.append(material(name, _COLOURS[name]))
    for face, (part, centre) in zip(mesh.polygons, faces, strict=True):
        face.material_index = names.index(_garment(part, centre))
        face.use_smooth = True


def _garment(part: str, centre: np.ndarray) -> str:
    """What covers a face of the body; part: its own material, centre: (3,) metres at rest."""
    x, y, z = centre
    if part == "eye":
        return "iris" if y < -0.143 else "eye"
    if part == "suit":
        return "shoes" if z < 0.10 else "trousers" if z < 1.02 and abs(x) < 0.35 else "shirt"
    if z < 1.5:
        return "skin"
    brow = 1.687 < z < 1.697 and 0.010 < abs(x) < 0.055 and y < -0.12
    lips = 1.590 < z < 1.608 and abs(x) < 0.026 and y < -0.135
    ear = abs(x) > 0.062 and z < 1.70 and -0.08 < y < -0.02
    hair = z > max(1.60, 1.735 - 0.5 * max(0.0, y + 0.13)) and not ear
    return "lips" if lips else "hair" if hair or brow else "skin"


def place_camera(plan: CameraPlan) -> np.ndarray:
    """Add the camera to the scene; returns world_to_camera (4, 4), OpenCV axes."""
    scene = bpy.context.scene
    width, height = plan.size
    data = bpy.data.cameras.new("Camera")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
    data.lens = plan.focal * data.sensor_width / width
    camera = bpy.data.objects.new("Camera", data)
    camera.location = plan.location
    roll = Euler((0, 0, -radians(plan.roll_degrees))).to_matrix()
    camera.rotation_euler = (Euler((radians(90 + plan.pitch_degrees), 0, 0)).to_matrix() @ roll).to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    bpy.context.view_layer.update()
    # Blender's camera looks along -Z with Y up; OpenCV's along Z with Y down.
    return np.diag([1.0, -1, -1, 1]) @ np.linalg.inv(np.array(camera.matrix_world))


def set_up_workbench() -> None:
    """A cheap renderer that needs no GPU: studio light, shadows, dark creases."""
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.exposure = 0.6
    scene.display.render_aa = "8"
    scene.display.light_direction = (-0.35, 0.45, 0.82)
    scene.display.shadow_shift = 0.1
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_shadows, shading.shadow_intensity = True, 0.45
    shading.show_cavity, shading.cavity_type = True, "BOTH"


def render(path: Path) -> None:
    """Write the scene as it is now to a PNG."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def material(name: str, colour: tuple[float, float, float]) -> Any:
    """A matt material of one colour, linear RGB."""
    made = bpy.data.materials.new(name)
    made.diffuse_color = (*colour, 1.0)
    made.roughness = 0.8
    return made


def _box(name: str, middle: tuple[float, float, float], size: tuple[float, float, float], look: Any) -> None:
    corners = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([tuple(np.array(corner) * size + middle) for corner in corners], [], sides)
    mesh.materials.append(look)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))
