# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures for `evaluated.py`: one body with the axes, rolls, rotation modes, flags and parents that rigs have."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

#: Joints of the middle and the left side of a person of 1.75 m in an A-pose, metres, facing -Y.
JOINTS: dict[str, tuple[float, float, float]] = {
    "hips": (0, 0.01, 0.95), "spine": (0, 0.01, 1.05), "chest": (0, 0.01, 1.28), "neck": (0, 0.01, 1.47),
    "head": (0, -0.01, 1.56), "crown": (0, -0.02, 1.75), "shoulder": (0.03, 0, 1.42), "upper_arm": (0.18, 0.01, 1.43),
    "forearm": (0.374, 0.01, 1.2145), "hand": (0.507, -0.157, 1.066), "finger": (0.553, -0.215, 1.015),
    "thigh": (0.09, 0, 0.92), "shin": (0.09, -0.012, 0.5), "foot": (0.09, 0.005, 0.09), "toe": (0.09, -0.11, 0.02),
    "tip": (0.09, -0.18, 0.01),
}  # fmt: skip
#: (bone, parent, where it ends).
MIDDLE = (
    ("hips", "", "spine"), ("spine", "hips", "chest"), ("chest", "spine", "neck"), ("neck", "chest", "head"),
    ("head", "neck", "crown"),
)  # fmt: skip
SIDES = (
    ("shoulder", "chest", "upper_arm"), ("upper_arm", "shoulder", "forearm"), ("forearm", "upper_arm", "hand"),
    ("hand", "forearm", "finger"), ("thigh", "hips", "shin"), ("shin", "thigh", "foot"), ("foot", "shin", "toe"),
    ("toe", "foot", "tip"),
)  # fmt: skip
MODES = ("QUATERNION", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE")
#: What the rigs differ in: none of it may change where a joint goes.
KINDS: dict[str, dict] = {
    "along the bones": {}, "connected": {"connected": True}, "random rolls": {"rolls": True, "seed": 1},
    "x along the bones": {"axes": "x"}, "z along the bones": {"axes": "z"}, "all axes up": {"axes": "up"},
    "random axes": {"axes": "random", "seed": 2}, "random rotation modes": {"modes": True, "seed": 3},
    "nothing inherited": {"axes": "random", "modes": True, "flags": True, "seed": 4},
    "scaled and turned parent": {"rolls": True, "seed": 5, "parent": True},
}  # fmt: skip


def legs(factor: float) -> dict[str, tuple[float, float, float]]:
    """The joints with legs so many times as long."""
    hip, found = JOINTS["thigh"][2], {}
    for name, (x, y, z) in JOINTS.items():
        lower = name in ("thigh", "shin", "foot", "toe", "tip")
        found[name] = (x, y, z * factor if lower else z + (factor - 1) * hip)
    return found


def make_rig(
    axes: str = "y",
    rolls: bool = False,
    connected: bool = False,
    modes: bool = False,
    flags: bool = False,
    parent: bool = False,
    seed: int = 0,
    joints: dict[str, tuple[float, float, float]] | None = None,
) -> bpy.types.Object:
    """An armature in a new file; bones are named as their slots."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, chance = bpy.context.scene, np.random.default_rng(seed)
    armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, above, end, side in _bones():
        mirror = np.array([-1.0 if side == "R" else 1.0, 1, 1])
        head, tail = (np.array((joints or JOINTS)[joint]) * mirror for joint in (name, end))
        bone = armature.data.edit_bones.new(f"{name}.{side}" if side else name)
        bone.head, bone.tail = head, tail
        if axes != "y":
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = _frame(axes, tail - head, chance), head
            bone.matrix = Matrix(matrix.tolist())
            bone.length = 0.05 if axes == "up" else float(np.linalg.norm(tail - head))
        if rolls:
            bone.roll = float(chance.uniform(-np.pi, np.pi))
        if above:
            bone.parent = armature.data.edit_bones[above]
            bone.use_connect = connected and (bone.parent.tail - bone.head).length < 1e-5
    bpy.ops.object.mode_set(mode="OBJECT")
    for number, bone in enumerate(armature.pose.bones):
        if modes:
            bone.rotation_mode = MODES[int(chance.integers(len(MODES)))]
        if flags:
            bone.bone.use_inherit_rotation = number % 3 != 1
            bone.bone.use_local_location = number % 4 != 0
    if parent:
        carrier = bpy.data.objects.new("carrier", None)
        scene.collection.objects.link(carrier)
        carrier.matrix_world = Matrix.LocRotScale(Vector((1, 2, 0.5)), Euler((0, 0, 1.2)), Vector((2, 2, 2)))
        armature.parent = carrier
        armature.matrix_basis = Matrix.LocRotScale(Vector((0.3, 0, 0)), Euler((0, 0, 0.7)), Vector((0.5, 0.5, 0.5)))
    bpy.context.view_layer.update()
    return armature


def _bones() -> list[tuple[str, str, str, str]]:
    """(bone, name of the parent, where it ends, side)."""
    found = [(name, above, end, "") for name, above, end in MIDDLE]
    middle = {name for name, _, _ in MIDDLE}
    for side in "LR":
        found += [(name, above if above in middle else f"{above}.{side}", end, side) for name, above, end in SIDES]
    return found


def _frame(axes: str, way: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """(3, 3) axes of a bone that goes that way."""
    if axes == "up":
        return np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    if axes == "random":
        frame = np.linalg.qr(chance.normal(size=(3, 3)))[0]
        return frame * [np.sign(np.linalg.det(frame)), 1, 1]
    along = way / np.linalg.norm(way)
    across = np.cross(along, [0.3, 0.5, 0.8])
    across /= np.linalg.norm(across)
    last = np.cross(along, across)
    return np.stack([along, across, last] if axes == "x" else [across, last, along], -1)
