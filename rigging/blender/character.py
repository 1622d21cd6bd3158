# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""An animator's character from a file of theirs, and the files it goes to. For a process of our own, not the add-on."""

from __future__ import annotations

from pathlib import Path

import bpy

SUFFIXES = (".blend", ".fbx", ".glb", ".gltf", ".bvh")


def open_character(path: Path, name: str | None = None) -> bpy.types.Object:
    """Make the file of a character the current one and return its armature; scripts in it are not run.

    name: of the armature object, needed where there are several. Raises ValueError, in one sentence.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path.name} is no character: its name must end in {', '.join(SUFFIXES)}")
    try:
        _open(path, suffix)
    except RuntimeError as error:
        reason = " ".join(str(error).split()).removeprefix("Error: ")
        raise ValueError(f"Blender cannot read {path.name}: {reason}") from None
    return find_armature(path, name)


def _open(path: Path, suffix: str) -> None:
    if suffix == ".blend":
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
        return
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    elif suffix == ".bvh":
        # BVH files are in centimetres as a rule, and do not say it.
        bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01)
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))


def find_armature(path: Path, name: str | None) -> bpy.types.Object:
    """The armature object called `name`, or the only one. Raises ValueError, in one sentence."""
    scene = bpy.context.scene
    found = sorted((thing for thing in scene.objects if thing.type == "ARMATURE"), key=lambda thing: thing.name)
    names = ", ".join(thing.name for thing in found)
    if not found:
        raise ValueError(f"{path.name} has no armature in its scene {scene.name}; add one, or choose another file")
    if name is not None:
        chosen = next((thing for thing in found if thing.name == name), None)
        if chosen is None:
            raise ValueError(f"{path.name} has no armature called {name}; it has {names}")
        return chosen
    if len(found) > 1:
        raise ValueError(f"{path.name} has several armatures ({names}); choose one with --armature")
    return found[0]


def select_character(armature: bpy.types.Object) -> None:
    """Select an armature and what it moves, and nothing else, for exporters."""
    layer = bpy.context.view_layer
    for thing in layer.objects:
        thing.select_set(thing == armature or armature in _carriers(thing))
    layer.objects.active = armature


def _carriers(thing: bpy.types.Object) -> list[bpy.types.Object]:
    by_modifier = [one.object for one in thing.modifiers if one.type == "ARMATURE"]
    return [thing.parent, *by_modifier]
