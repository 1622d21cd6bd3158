# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns at random for clothes and rooms of made pictures: without them a detector learns that people are plain."""

from __future__ import annotations

from typing import Any

import bpy
import cv2
import numpy as np

_SIDE = 256
#: Materials that stay plain.
_PLAIN = ("skin", "lips", "eye", "iris")


def pattern(colour: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(S, S, 3) float32 linear RGB about `colour`, (3,): stripes, checks, spots or clouds, more or less strong."""
    kind = random.choice(["stripes", "checks", "clouds", "spots"], p=[0.2, 0.15, 0.45, 0.2])
    other = random.uniform(0, 0.8, 3) if random.random() < 0.5 else colour * random.uniform(0.3, 1.6)
    y, x = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    if kind == "clouds":
        share = _clouds(random)
    elif kind == "spots":
        share = (_clouds(random) > random.uniform(0.5, 0.75)).astype(float)
    else:
        count, wide = 2 ** int(random.integers(1, 6)), random.uniform(0.15, 0.6)
        lines = [(axis * count) % 1 < wide for axis in ((x, y) if random.random() < 0.5 else (y, x))]
        share = (lines[0] ^ lines[1] if kind == "checks" else lines[0]).astype(float)
    share = share[..., None] * random.uniform(0.2, 1.0)
    grain = 1 + random.uniform(0, 0.3) * random.standard_normal((_SIDE, _SIDE, 1))
    return np.clip((colour * (1 - share) + other * share) * grain, 0, 1).astype(np.float32)


def _clouds(random: np.random.Generator) -> np.ndarray:
    """(S, S) in 0 to 1: noise of several sizes, the larger the stronger."""
    fall = random.uniform(0.4, 0.9)
    total = np.zeros((_SIDE, _SIDE))
    for octave in range(1, 8):
        coarse = random.standard_normal((2**octave, 2**octave)).astype(np.float32)
        total += fall**octave * cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    return (total - total.min()) / np.ptp(total)


def paint(thing: Any, share: float, reach: tuple[float, float], random: np.random.Generator) -> None:
    """Give some of a mesh object's materials a pattern, as large as lies within `reach`, metres.

    share: of the materials. Needs the mesh at rest in metres; its faces are looked at along the axis they face most.
    """
    mesh = thing.data
    scales = np.ones(len(mesh.materials))
    for row, each in enumerate(mesh.materials):
        if each.name.partition(".")[0] not in _PLAIN and random.random() < share:
            scales[row] = 1 / np.exp(random.uniform(*np.log(reach)))
            _show(each, pattern(np.array(each.diffuse_color[:3]), random))
    project(mesh, scales)


def scatter(looks: Any, eye: np.ndarray, random: np.random.Generator) -> Any:
    """Heaps of small triangles behind the middle of the scene as seen from `eye`, (3,) metres: leaves, litter, shelves.

    What is behind people is rarely plain; a detector that has seen plain rooms only takes every texture for somebody.
    looks: materials, of which each heap takes a few. Returns the mesh object.
    """
    away = -eye[:2] / np.linalg.norm(eye[:2])
    across = np.array([-away[1], away[0]])
    corners, rows = [], []
    for _ in range(random.integers(4, 20)):
        count = int(random.integers(100, 700))
        middle = np.r_[away * random.uniform(1.5, 5) + across * random.uniform(-6, 6), random.uniform(0, 2.5)]
        size = random.uniform(0.3, 2.5, 3)
        own = random.integers(len(looks), size=int(random.integers(1, 5)))
        places = middle + size * random.uniform(-1, 1, (count, 1, 3))
        corners.append(places + np.exp(random.uniform(*np.log((0.03, 0.5)))) * random.normal(size=(count, 3, 3)))
        rows.append(own[random.integers(len(own), size=count)])
    points = np.concatenate(corners).reshape(-1, 3)
    behind = points[:, :2] @ away
    points[:, :2] += np.maximum(0.8 - behind, 0)[:, None] * away  # nobody is hidden
    mesh = bpy.data.meshes.new("heaps")
    mesh.from_pydata(points.tolist(), [], np.arange(len(points)).reshape(-1, 3).tolist())
    for look in looks:
        mesh.materials.append(look)
    mesh.polygons.foreach_set("material_index", np.concatenate(rows).astype(np.int32))
    thing = bpy.data.objects.new("heaps", mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def project(mesh: Any, scales: np.ndarray) -> None:
    """Lay the texture's plane on every face, along the axis that it faces most. scales: of each material, 1/metres."""
    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", places)
    corners, faces = np.empty(len(mesh.loops), np.int32), len(mesh.polygons)
    mesh.loops.foreach_get("vertex_index", corners)
    normals, totals, rows = np.empty(3 * faces, np.float32), np.empty(faces, np.int32), np.empty(faces, np.int32)
    mesh.polygons.foreach_get("normal", normals)
    mesh.polygons.foreach_get("loop_total", totals)
    mesh.polygons.foreach_get("material_index", rows)
    facing = np.repeat(np.abs(normals.reshape(-1, 3)).argmax(1), totals)
    points = places.reshape(-1, 3)[corners]
    across = np.where(facing == 0, points[:, 1], points[:, 0])
    up = np.where(facing == 2, points[:, 1], points[:, 2])
    layer = mesh.uv_layers.new(name="pattern")
    flat = np.stack([across, up], 1) * np.repeat(scales[rows], totals)[:, None]
    layer.data.foreach_set("uv", flat.astype(np.float32).ravel())


def _show(look: Any, colours: np.ndarray) -> None:
    """Let Workbench draw the material with a picture, (S, S, 3) linear RGB."""
    picture = bpy.data.images.new("pattern", _SIDE, _SIDE, float_buffer=True)
    picture.colorspace_settings.name = "Linear Rec.709"
    picture.pixels.foreach_set(np.concatenate([colours, np.ones((_SIDE, _SIDE, 1), np.float32)], 2).ravel())
    picture.update()
    look.use_nodes = True
    nodes = look.node_tree.nodes
    node = nodes.new("ShaderNodeTexImage")
    node.image = picture
    nodes.active = node
