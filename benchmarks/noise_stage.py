# SPDX-License-Identifier: GPL-3.0-or-later
"""Clothes, rooms and light of the made footage for `noise_scenes.py`, drawn at random, by Blender's Workbench."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


def posed_vertices(body: Any) -> np.ndarray:
    """(V, 3) metres, world, as the skin lies now."""
    skin = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(len(skin.data.vertices) * 3, np.float32)
    skin.data.vertices.foreach_get("co", flat)
    matrix = np.array(skin.matrix_world)
    return flat.reshape(-1, 3).astype(float) @ matrix[:3, :3].T + matrix[:3, 3]


def _rest(body: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rest positions (V, 3) of the skin, middle of the left eye's front (3,), its faces' own materials."""
    flat = np.empty(len(body.data.vertices) * 3, np.float32)
    body.data.vertices.foreach_get("co", flat)
    own = [slot.material.name for slot in body.material_slots]
    parts = [own[face.material_index] for face in body.data.polygons]
    centres = np.array([face.center for face, part in zip(body.data.polygons, parts, strict=True) if part == "eye"])
    left = centres[centres[:, 0] > 0]
    return flat.reshape(-1, 3).astype(float), left.mean(0), parts


def face_vertices(body: Any) -> dict[str, np.ndarray]:
    """Rows of the skin's vertices whose mean is each of COCO's face points. Blender's world is at rest: face to -Y."""
    vertices, eye, parts = _rest(body)
    of_eye = {
        row for face, part in zip(body.data.polygons, parts, strict=True) if part == "eye" for row in face.vertices
    }
    eyes = np.array(sorted(of_eye))
    front = eyes[vertices[eyes, 1] < eye[1]]
    x, y, z = vertices.T
    nose = np.flatnonzero((np.abs(x) < 0.01) & (z > eye[2] - 0.07) & (z < eye[2] - 0.02))
    found = {"nose": nose[[np.argmin(y[nose])]]}
    for side, sign in (("left", 1), ("right", -1)):
        ear = (sign * x > 0) & (z > eye[2] - 0.035) & (z < eye[2] + 0.005) & (np.abs(y - eye[1] - 0.075) < 0.02)
        ear = np.flatnonzero(ear)
        found[f"{side}_eye"] = front[sign * x[front] > 0]
        found[f"{side}_ear"] = ear[[np.argmax(sign * x[ear])]]
    return found


def dress(body: Any, random: np.random.Generator) -> None:
    """Skin, hair, lips, a shirt with short or long sleeves, trousers or shorts, shoes, all of random colours."""
    vertices, eye, parts = _rest(body)
    tall = vertices[:, 2].max()
    tone = np.array([0.62, 0.36, 0.25]) * random.uniform(0.25, 1.25)
    colours = {
        "skin": tone, "lips": tone * [0.8, 0.5, 0.55], "eye": np.full(3, 0.8), "iris": np.full(3, 0.03),
        "hair": random.choice([[0.03, 0.02, 0.02], [0.12, 0.07, 0.04], [0.5, 0.36, 0.16], [0.35, 0.34, 0.33]]),
        "shirt": random.uniform(0, 0.8, 3), "trousers": random.uniform(0, 0.5, 3), "shoes": random.uniform(0, 0.8, 3),
    }  # fmt: skip
    short_sleeves, shorts = random.random() < 0.5, random.random() < 0.25
    names = list(colours)
    faces = [(part, np.array(face.center)) for face, part in zip(body.data.polygons, parts, strict=True)]
    body.data.materials.clear()
    for name in names:
        body.data.materials.append(material(name, colours[name]))
    for face, (part, centre) in zip(body.data.polygons, faces, strict=True):
        face.material_index = names.index(_garment(part, centre, eye, tall, short_sleeves, shorts))
        face.use_smooth = True


def _garment(part: str, centre: np.ndarray, eye: np.ndarray, tall: float, short_sleeves: bool, shorts: bool) -> str:
    """What covers a face of the skin whose centre at rest is given; eye: the left one's middle; tall: metres."""
    x, y, z = centre
    dy, dz = y - eye[1], z - eye[2]
    if part == "eye":
        return "iris" if dy < -0.012 else "eye"
    if part == "suit":
        if z < 0.055 * tall:
            return "shoes"
        if z < 0.57 * tall and abs(x) < 0.19 * tall:
            return "skin" if shorts and z < 0.3 * tall else "trousers"
        return "skin" if short_sleeves and abs(x) > 0.17 * tall else "shirt"
    if dz < -0.17:
        return "skin"
    brow = 0.012 < dz < 0.022 and 0.010 < abs(x) < 0.055 and dy < 0.01
    lips = -0.085 < dz < -0.067 and abs(x) < 0.026 and dy < -0.006
    ear = abs(x) > 0.062 and dz < 0.025 and 0.05 < dy < 0.11
    hair = dz > max(-0.075, 0.06 - 0.5 * max(0.0, dy + 0.0)) and not ear
    return "lips" if lips else "hair" if hair or brow else "skin"


def build_room(random: np.random.Generator, eye: np.ndarray) -> None:
    """A floor of tiles at z = 0, walls, and a clutter of boxes behind and beside the person; eye: the camera, (3,).

    All of it is one mesh: hundreds of objects would make every picture dear.
    """
    looks = [material(f"look{row}", random.uniform(0.02, 0.8, 3)) for row in range(14)]
    base = random.uniform(0.1, 0.6, 3)
    looks += [material(f"tile{row}", (base * random.uniform(0.8, 1.2)).clip(0, 1)) for row in range(3)]
    step = random.uniform(0.3, 1.2)
    boxes = [((0, 0, -0.03), (120, 120, 0.02), 0.0, 14)]
    for i in range(-12, 13):
        for j in range(-12, 13):
            size = (0.99 * step, 0.99 * step, 0.02)
            boxes.append(((i * step, j * step, -0.01), size, 0.0, 14 + int(random.integers(3))))
    away = -eye[:2] / np.linalg.norm(eye[:2])
    if random.random() < 0.7:
        turn = np.arctan2(away[1], away[0]) + random.uniform(-0.5, 0.5)
        far = random.uniform(2.5, 7)
        boxes.append(((far * np.cos(turn), far * np.sin(turn), 3), (0.1, 60, 8), turn, 0))
    for _ in range(random.integers(20, 90)):
        place = random.uniform(-12, 12, 2)
        if np.linalg.norm(place) < 1.8 or place @ away < 0.5:  # not in front of the person
            continue
        size = random.uniform(0.1, 1.0, 3) * (1, 1, random.uniform(0.5, 2.5))
        low = 0.0 if random.random() < 0.7 else random.uniform(0, 2)
        boxes.append(((*place, low + size[2] / 2), size, random.uniform(0, 6), int(random.integers(14))))
    _add_boxes(boxes, looks)


def set_up(random: np.random.Generator) -> None:
    """Workbench: studio light or flat, shadows, dark creases, all of random strength."""
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    scene.render.image_settings.compression = 0
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.exposure = random.uniform(0.0, 1.5)
    scene.world = bpy.data.worlds.new("World")
    scene.world.color = random.uniform(0.05, 0.9) * random.uniform(0.6, 1.0, 3)
    scene.display.render_aa = "FXAA"
    light = random.normal(size=3) * (0.5, 0.5, 0) + (0, 0, 0.7)
    scene.display.light_direction = light / np.linalg.norm(light)
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_shadows, shading.shadow_intensity = bool(random.random() < 0.3), random.uniform(0.1, 0.6)
    shading.show_cavity, shading.cavity_type = True, "SCREEN"


def material(name: str, colour: Any) -> Any:
    """A matt material of one colour, linear RGB."""
    made = bpy.data.materials.new(name)
    made.diffuse_color = (*np.asarray(colour, float).tolist(), 1.0)
    made.roughness = 0.8
    return made


def _add_boxes(boxes: list[tuple[Any, Any, float, int]], looks: list[Any]) -> None:
    """Boxes as one mesh: middle, size, turn about the vertical in radians, row of `looks`."""
    corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    sides = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])
    vertices, faces, rows = [], [], []
    for number, (middle, size, turn, row) in enumerate(boxes):
        rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        vertices += ((corners * size) @ rotation.T + middle).tolist()
        faces += (sides + 8 * number).tolist()
        rows += [row] * len(sides)
    mesh = bpy.data.meshes.new("room")
    mesh.from_pydata(vertices, [], faces)
    for look in looks:
        mesh.materials.append(look)
    mesh.polygons.foreach_set("material_index", np.array(rows, np.int32))
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("room", mesh))
