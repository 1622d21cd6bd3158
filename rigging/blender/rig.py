# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""An armature object as a `retarget.rig.Rig`. Reads only; the object is not touched."""

from __future__ import annotations

import bpy
import numpy as np

from ..retarget.posed_scale import unscaled
from ..retarget.rig import Bone, Constraint, PoleIk, Rig, Seat

#: Constraints that are modelled. Scale changes nothing that is keyed here.
_KNOWN = {"COPY_ROTATION", "COPY_TRANSFORMS", "COPY_LOCATION", "ARMATURE"}
_HARMLESS = {"COPY_SCALE", "MAINTAIN_VOLUME", "LIMIT_SCALE"}
_SPACES = {"WORLD": "WORLD", "POSE": "WORLD", "LOCAL": "LOCAL", "LOCAL_OWNER_ORIENT": "LOCAL"}
_MIXES = {"REPLACE": "REPLACE", "BEFORE_FULL": "BEFORE", "BEFORE": "BEFORE", "BEFORE_SPLIT": "BEFORE"}
_MIXES |= {"AFTER_FULL": "AFTER", "AFTER": "AFTER", "AFTER_SPLIT": "AFTER", "ADD": "AFTER"}


def read_rig(armature: bpy.types.Object) -> Rig:
    """What retargeting needs to know of an armature object, as it is evaluated now.

    Raises ValueError, in one sentence, if the object is no armature or has no bones.
    """
    if armature.type != "ARMATURE":
        raise ValueError(f"{armature.name} is no armature")
    if not armature.data.bones:
        raise ValueError(f"{armature.name} has no bones")
    ordered = sorted(armature.data.bones, key=lambda bone: len(bone.parent_recursive))
    rows = {bone.name: row for row, bone in enumerate(ordered)}
    bones = []
    for bone in ordered:
        posed = armature.pose.bones[bone.name]
        constraints, unknown = _constraints(armature, posed, rows)
        bones.append(
            Bone(
                name=bone.name,
                parent=rows[bone.parent.name] if bone.parent else -1,
                rest=np.array(bone.matrix_local),
                length=float(bone.length),
                inherit_rotation=bone.use_inherit_rotation,
                local_location=bone.use_local_location,
                rotation_mode=posed.rotation_mode,
                basis=np.array(posed.matrix_basis),
                constraints=constraints,
                unknown=unknown,
                deform=bone.use_deform,
                hidden=_hidden(bone),
                connected=bone.use_connect and bone.parent is not None,
            )
        )
    world = np.array(armature.matrix_world)
    return unscaled(Rig(armature.name, tuple(bones), world, _seat(armature), _poles(armature)))


def _poles(armature: bpy.types.Object) -> dict[str, PoleIk]:
    found = {}
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            pair = constraint.type == "IK" and constraint.chain_count == 2 and constraint.use_tail and bone.parent
            if pair and constraint.pole_target == armature and constraint.pole_subtarget:
                hinge = bone.lock_ik_y and bone.lock_ik_z
                angle = float(constraint.pole_angle)
                found[constraint.pole_subtarget] = PoleIk(bone.parent.name, bone.name, angle, hinge)
    return found


def _seat(armature: bpy.types.Object) -> Seat:
    basis = np.array(armature.matrix_basis)  # deltas included
    start = np.array(armature.matrix_world) @ np.linalg.pinv(basis)
    start[:3, 3] += start[:3, :3] @ np.array(armature.delta_location)
    quaternion = armature.rotation_mode == "QUATERNION"
    delta = armature.delta_rotation_quaternion.normalized() if quaternion else armature.delta_rotation_euler
    return Seat(start, basis, np.array(delta.to_matrix()), armature.rotation_mode)


def _hidden(bone: bpy.types.Bone) -> bool:
    collections = list(bone.collections)
    return bone.hide or (bool(collections) and not any(collection.is_visible for collection in collections))


def _constraints(
    armature: bpy.types.Object, posed: bpy.types.PoseBone, rows: dict[str, int]
) -> tuple[tuple[Constraint, ...], tuple[str, ...]]:
    known, unknown = [], []
    for constraint in posed.constraints:
        if constraint.mute or constraint.influence <= 0 or constraint.type in _HARMLESS:
            continue
        found = _constraint(armature, constraint, rows) if constraint.type in _KNOWN else None
        if found is None:
            unknown.append(constraint.type)
        else:
            known.append(found)
    return tuple(known), tuple(unknown)


def _constraint(
    armature: bpy.types.Object, constraint: bpy.types.Constraint, rows: dict[str, int]
) -> Constraint | None:
    if constraint.type == "ARMATURE":
        targets = [(t.subtarget, t.weight) for t in constraint.targets if t.target == armature and t.weight > 0]
        pairs = tuple((rows[name], float(weight)) for name, weight in targets if name in rows)
        return Constraint("ARMATURE", pairs, float(constraint.influence)) if pairs else None
    if constraint.target != armature or constraint.subtarget not in rows:
        return None
    owner, target = _SPACES.get(constraint.owner_space), _SPACES.get(constraint.target_space)
    # Copy Location has an offset instead of a mix; copying only some axes is not modelled.
    mix = _MIXES.get(getattr(constraint, "mix_mode", "REPLACE"))
    axes = [getattr(constraint, f"use_{axis}", True) for axis in "xyz"]
    inverted = any(getattr(constraint, f"invert_{axis}", False) for axis in "xyz")
    if owner is None or target is None or mix is None or not all(axes) or inverted:
        return None
    targets = ((rows[constraint.subtarget], 1.0),)
    return Constraint(constraint.type, targets, float(constraint.influence), owner, target, mix)
