# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A skeleton as a Blender armature."""

from __future__ import annotations

import bpy
from mathutils import Vector

from ..skeleton import Skeleton

#: Colours of the theme for the bones of the middle, the left and the right: yellow, blue, orange red.
_COLOURS = {"": "THEME09", "L": "THEME04", "R": "THEME02"}


def build_armature(skeleton: Skeleton, name: str, collection: bpy.types.Collection | None) -> bpy.types.Object:
    """A new armature object at the origin whose rest pose is the skeleton's.

    Roll: a bone's local x is its hinge and points as in `rigging.rotations`, so that turning a knee or an elbow about
    its x bends it. Every pose bone is in quaternion mode. The object is linked to `collection`, if there is one. Mode,
    active object and selection of the user's scenes stay as they are.
    """
    data = bpy.data.armatures.new(name)
    # Sticks in front: octahedra would hide the footage and the person behind them.
    data.display_type = "STICK"
    rig = bpy.data.objects.new(name, data)
    rig.show_in_front = True
    _edit(rig, skeleton)
    for bone in rig.pose.bones:
        bone.rotation_mode = "QUATERNION"
    _group_bones(data)
    if collection is not None:
        collection.objects.link(rig)
    return rig


def _edit(rig: bpy.types.Object, skeleton: Skeleton) -> None:
    """Make the bones. They need edit mode, and that an active object: both in a scene that nobody sees."""
    aside = bpy.data.scenes.new("Video Mocap")
    try:
        aside.collection.objects.link(rig)
        layer = aside.view_layers[0]
        layer.update()
        layer.objects.active = rig
        with bpy.context.temp_override(scene=aside, view_layer=layer, active_object=rig, object=rig):
            bpy.ops.object.mode_set(mode="EDIT")
            try:
                _add_bones(rig.data, skeleton)
            finally:
                bpy.ops.object.mode_set(mode="OBJECT")
        # A pose is built by evaluation; without one, an action crashes Blender 4.5 and 5.2.
        layer.update()
    finally:
        bpy.data.scenes.remove(aside)


def _add_bones(data: bpy.types.Armature, skeleton: Skeleton) -> None:
    for row, name in enumerate(skeleton.names):
        bone = data.edit_bones.new(name)
        bone.head = Vector(skeleton.heads[row])
        bone.tail = Vector(skeleton.tails[row])
        bone.align_roll(Vector(skeleton.frames[row, :, 2]))
        parent = skeleton.parents[row]
        if parent >= 0:
            bone.parent = data.edit_bones[skeleton.names[parent]]
            bone.use_connect = (bone.parent.tail - bone.head).length < 1e-5


def _group_bones(data: bpy.types.Armature) -> None:
    """Put the bones into bone collections by limb and colour them by side, as the body is."""
    for bone in data.bones:
        kind, _, side = bone.name.partition(".")
        if not side:
            group = "Torso"
        elif kind in ("thigh", "shin", "foot", "toe"):
            group = f"Leg.{side}"
        else:
            group = f"Arm.{side}"
        bone.color.palette = _COLOURS[side]
        (data.collections.get(group) or data.collections.new(group)).assign(bone)
