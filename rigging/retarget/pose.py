# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Blender will put the bones of a rig: the pose from the channels, for all frames at once.

A pose matrix is (parent's pose) (parent's rest)^-1 (rest) (channels), with the flags that take rotation or location
out of it, and then the bone's constraints. Of these the ones are modelled by which control rigs carry their controls
(copy rotation, location, transforms; armature). Bones without channels keep the pose that they have now.
"""

from __future__ import annotations

import numpy as np

from .. import quaternions
from .rig import Bone, Constraint, Rig


class Poser:
    """The pose of a rig over F frames, as channels are added bone by bone, parents first.

    Matrices are (F, 4, 4) or (1, 4, 4), armature space, without scale.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._channels: dict[int, np.ndarray] = {}
        self._posed: dict[int, np.ndarray] = {}
        self._busy: set[int] = set()

    def pose(self, row: int) -> np.ndarray:
        """The pose matrices of a bone."""
        if row not in self._posed:
            if row in self._busy:  # constraints in a ring: Blender cuts it somewhere, too
                return self.rig.bones[row].rest[None]
            self._busy.add(row)
            matrix = self._compose(row, self.channel(row))
            for constraint in self.rig.bones[row].constraints:
                matrix = self._constrained(row, matrix, constraint)
            self._busy.discard(row)
            self._posed[row] = matrix
        return self._posed[row]

    def axes(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (F, 3, 3) that a bone's rotation channels start from, and the matrix (F, 4, 4) its location does."""
        bone = self.rig.bones[row]
        if bone.parent < 0:
            location = bone.rest[None].copy()
            if not bone.local_location:
                location[:, :3, :3] = np.eye(3)
            return bone.rest[None, :3, :3], location
        parent = self.pose(bone.parent)
        carried = parent @ (np.linalg.inv(self.rig.bones[bone.parent].rest) @ bone.rest)
        rotation = carried[:, :3, :3] if bone.inherit_rotation else bone.rest[None, :3, :3]
        location = carried.copy()
        if not bone.local_location:
            location[:, :3, :3] = parent[:, :3, :3]
        return rotation, location

    def turn_to(self, row: int, rotation: np.ndarray) -> np.ndarray:
        """Give a bone the rotation channels that turn it to `rotation` (F, 3, 3), armature space; returns them,
        (F, 3, 3). Location channels are kept."""
        start, _ = self.axes(row)
        channel = np.swapaxes(start, -1, -2) @ rotation
        basis = np.broadcast_to(self.channel(row), (len(channel), 4, 4)).copy()
        basis[:, :3, :3] = channel
        self._set(row, basis)
        return channel

    def move_to(self, row: int, head: np.ndarray) -> np.ndarray:
        """Give a bone the location channels that put its head at `head` (F, 3), armature space; returns them, (F, 3).

        Bones whose parent's tail they are connected to cannot move in Blender; the caller knows.
        """
        _, start = self.axes(row)
        offset = np.swapaxes(start[:, :3, :3], -1, -2) @ (head - start[:, :3, 3])[..., None]
        channel = offset[..., 0]
        basis = np.broadcast_to(self.channel(row), (len(channel), 4, 4)).copy()
        basis[:, :3, 3] = channel
        self._set(row, basis)
        return channel

    def put(self, row: int, rotation: np.ndarray | None, location: np.ndarray | None = None) -> None:
        """Give a bone channels as they are: rotation (F, 3, 3), location (F, 3); None keeps what it has."""
        frames = max(len(given) for given in (rotation, location, self.channel(row)) if given is not None)
        basis = np.broadcast_to(self.channel(row), (frames, 4, 4)).copy()
        if rotation is not None:
            basis[:, :3, :3] = rotation
        if location is not None:
            basis[:, :3, 3] = location
        self._set(row, basis)

    def _set(self, row: int, basis: np.ndarray) -> None:
        self._channels[row] = basis
        # What hangs from it by parenthood or by constraints is somewhere else now.
        todo = [row]
        while todo:
            if self._posed.pop(moved := todo.pop(), None) is not None or moved == row:
                todo += self.rig.dependants[moved]

    def channel(self, row: int) -> np.ndarray:
        """(F or 1, 4, 4) the channels of a bone: given here, else as its pose is now."""
        if row in self._channels:
            return self._channels[row]
        now = self.rig.bones[row].basis
        return np.eye(4)[None] if now is None else now[None]

    def _compose(self, row: int, basis: np.ndarray) -> np.ndarray:
        rotation, location = self.axes(row)
        frames = max(len(rotation), len(basis))
        matrix = np.tile(np.eye(4), (frames, 1, 1))
        matrix[:, :3, :3] = rotation @ basis[:, :3, :3]
        matrix[:, :3, 3] = location[:, :3, 3] + (location[:, :3, :3] @ basis[:, :3, 3:])[..., 0]
        return matrix

    def _constrained(self, row: int, own: np.ndarray, constraint: Constraint) -> np.ndarray:
        if constraint.influence <= 0:
            return own
        if constraint.kind == "ARMATURE":
            return _mixed(own, self._carried(own, constraint), constraint.influence)
        target = constraint.targets[0][0]
        local_target = constraint.target_space == "LOCAL"
        other = self._local(target, self.pose(target)) if local_target else self.pose(target)
        local = constraint.owner_space == "LOCAL"
        mine = self._local(row, own) if local else own
        wanted = mine.copy() if len(mine) >= len(other) else np.broadcast_to(mine, other.shape).copy()
        if constraint.kind in ("COPY_ROTATION", "COPY_TRANSFORMS"):
            turned = {
                "REPLACE": other[:, :3, :3],
                "BEFORE": other[:, :3, :3] @ mine[:, :3, :3],
                "AFTER": mine[:, :3, :3] @ other[:, :3, :3],
            }
            wanted[:, :3, :3] = turned[constraint.mix]
        if constraint.kind in ("COPY_LOCATION", "COPY_TRANSFORMS"):
            moved = other[:, :3, 3] if constraint.mix == "REPLACE" else mine[:, :3, 3] + other[:, :3, 3]
            wanted[:, :3, 3] = moved
        mixed = _mixed(mine, wanted, constraint.influence)
        return self._compose(row, mixed) if local else mixed

    def _local(self, row: int, pose: np.ndarray) -> np.ndarray:
        """The channels that would give this pose."""
        rotation, location = self.axes(row)
        frames = max(len(rotation), len(pose))
        basis = np.tile(np.eye(4), (frames, 1, 1))
        basis[:, :3, :3] = np.swapaxes(rotation, -1, -2) @ pose[:, :3, :3]
        away = (pose[:, :3, 3] - location[:, :3, 3])[..., None]
        basis[:, :3, 3] = (np.swapaxes(location[:, :3, :3], -1, -2) @ away)[..., 0]
        return basis

    def _carried(self, own: np.ndarray, constraint: Constraint) -> np.ndarray:
        total = sum(weight for _, weight in constraint.targets)
        if total <= 0:
            return own
        moved = [
            weight / total * (self.pose(target) @ np.linalg.inv(self.rig.bones[target].rest))
            for target, weight in constraint.targets
            if weight > 0
        ]
        if not self.rig.bones[0].name:  # the object as a bone (`riding`), in whose space Blender does this
            own = np.linalg.inv(self.pose(0)) @ own
        matrix = sum(np.broadcast_to(m, (max(map(len, moved)), 4, 4)) for m in moved) @ own
        u, _, vt = np.linalg.svd(matrix[:, :3, :3])
        matrix[:, :3, :3] = u @ vt
        return matrix


def _mixed(start: np.ndarray, end: np.ndarray, influence: float) -> np.ndarray:
    if influence >= 1:
        return end
    frames = max(len(start), len(end))
    start, end = np.broadcast_to(start, (frames, 4, 4)), np.broadcast_to(end, (frames, 4, 4))
    a, b = quaternions.from_matrix(start[:, :3, :3]), quaternions.from_matrix(end[:, :3, :3])
    mixed = np.tile(np.eye(4), (frames, 1, 1))
    mixed[:, :3, :3] = quaternions.to_matrix(quaternions.slerp(a, b, np.full(frames, influence)))
    mixed[:, :3, 3] = (1 - influence) * start[:, :3, 3] + influence * end[:, :3, 3]
    return mixed


def parents_first(rig: Rig, rows: list[int]) -> list[int]:
    """Rows in the order in which channels must be given: what moves a bone comes before it, constraints too."""
    order: list[int] = []
    seen: set[int] = set()
    wanted = set(rows)

    def visit(row: int) -> None:
        if row in seen:  # done, or a ring of constraints, which the pose cuts, too
            return
        seen.add(row)
        bone: Bone = rig.bones[row]
        if bone.parent >= 0:
            visit(bone.parent)
        for constraint in bone.constraints:
            for target, _ in constraint.targets:
                visit(target)
        if row in wanted:
            order.append(row)

    for row in rows:
        visit(row)
    return order
