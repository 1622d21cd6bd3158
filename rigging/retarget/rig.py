# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature as numbers: what retargeting has to know of a rig, without Blender.

Matrices are Blender's: 4x4, columns are axes, a bone's y runs from its head to its tail. "Armature space" is that of
the armature object; `Rig.world` takes it to the world. Lengths in armature space are in Blender units of the armature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Constraint:
    """A constraint of a bone, as far as it decides where other bones' parents are.

    kind: Blender's type (COPY_ROTATION, COPY_TRANSFORMS, COPY_LOCATION, ARMATURE). targets: (bone, weight).
    influence: 0..1, as it is now. owner_space, target_space: WORLD, POSE or LOCAL. mix: REPLACE, BEFORE, AFTER.
    """

    kind: str
    targets: tuple[tuple[int, float], ...]
    influence: float = 1.0
    owner_space: str = "WORLD"
    target_space: str = "WORLD"
    mix: str = "REPLACE"


@dataclass(frozen=True)
class Bone:
    """One bone.

    parent: row, -1 for none; parents come before their children. rest: (4, 4) rest matrix, armature space.
    length: head to tail. inherit_rotation, local_location: Blender's flags. rotation_mode: the pose bone's.
    basis: (4, 4) its pose now, which it keeps unless it is keyed. constraints: those that are not muted.
    unknown: types of further constraints that are not modelled. deform: moves skin. hidden: not offered to animators.
    connected: to its parent's tail, so that it cannot be moved. scaled: in its pose, with all below it (`posed_scale`).
    """

    name: str
    parent: int
    rest: np.ndarray
    length: float
    inherit_rotation: bool = True
    local_location: bool = True
    rotation_mode: str = "QUATERNION"
    basis: np.ndarray | None = None
    constraints: tuple[Constraint, ...] = ()
    unknown: tuple[str, ...] = ()
    deform: bool = True
    hidden: bool = False
    connected: bool = False
    scaled: bool = False


@dataclass(frozen=True)
class PoleIk:
    """How a pole turns a chain of two bones: the first bone's x, by `angle` radians towards its z, looks at the pole.

    first, second: bone names. hinge: the second bends about its x only.
    """

    first: str
    second: str
    angle: float
    hinge: bool


@dataclass(frozen=True)
class Seat:
    """How the armature object's own channels put it in the world: world = start @ (location, turn @ rotation, scale).

    start: (4, 4) parents and whatever else comes before. basis: (4, 4) what the channels are now. turn: (3, 3) delta
    rotation. rotation_mode: the object's.
    """

    start: np.ndarray
    basis: np.ndarray
    turn: np.ndarray
    rotation_mode: str = "XYZ"


@dataclass(frozen=True)
class Rig:
    """An armature.

    name: the object's. bones: parents before children. world: (4, 4) the object's matrix; may scale, also mirror.
    seat: how the object's channels make it, or None where nobody asked. poles: what bones that are poles turn.
    """

    name: str
    bones: tuple[Bone, ...]
    world: np.ndarray
    seat: Seat | None = None
    poles: Mapping[str, PoleIk] = field(default_factory=dict)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of every bone by name."""
        return {bone.name: row for row, bone in enumerate(self.bones)}

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Rows of every bone's children."""
        lists: list[list[int]] = [[] for _ in self.bones]
        for row, bone in enumerate(self.bones):
            if bone.parent >= 0:
                lists[bone.parent].append(row)
        return tuple(tuple(rows) for rows in lists)

    @cached_property
    def dependants(self) -> tuple[tuple[int, ...], ...]:
        """Rows of the bones that each bone moves directly: its children, and those whose constraints look at it."""
        lists = [list(rows) for rows in self.children]
        for row, bone in enumerate(self.bones):
            for constraint in bone.constraints:
                for target, _ in constraint.targets:
                    lists[target].append(row)
        return tuple(tuple(rows) for rows in lists)

    @cached_property
    def heads(self) -> np.ndarray:
        """(B, 3) rest heads, world."""
        return self.to_world(np.array([bone.rest[:3, 3] for bone in self.bones]).reshape(-1, 3))

    @cached_property
    def tails(self) -> np.ndarray:
        """(B, 3) rest tails, world."""
        ends = [bone.rest[:3, 3] + bone.length * bone.rest[:3, 1] for bone in self.bones]
        return self.to_world(np.array(ends).reshape(-1, 3))

    @cached_property
    def turn(self) -> np.ndarray:
        """(3, 3) the rotation of `world`, its scale taken out (of a mirrored object: of its mirror image)."""
        u, _, vt = np.linalg.svd(self.world[:3, :3])
        return u @ vt * (1.0 if np.linalg.det(u @ vt) > 0 else -1.0)

    @cached_property
    def size(self) -> float:
        """World length of one unit of armature space."""
        return float(np.cbrt(abs(np.linalg.det(self.world[:3, :3]))))

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) armature space to world."""
        return points @ self.world[:3, :3].T + self.world[:3, 3]

    def to_armature(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) world to armature space."""
        return (points - self.world[:3, 3]) @ np.linalg.inv(self.world[:3, :3]).T

    def ancestors(self, row: int) -> list[int]:
        """Rows from the parent up."""
        found = []
        while (row := self.bones[row].parent) >= 0:
            found.append(row)
        return found
