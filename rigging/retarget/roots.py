# SPDX-License-Identifier: GPL-3.0-or-later
"""What carries the figure through space: its hips, a root bone, the object, or nothing (in place).

The carrier goes over the ground where the hips go and looks where they look; bounce, sway and lean stay on the hips
(retargeting specification 3.8, item 7). What is seen does not change, except in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .. import quaternions
from .pose import parents_first
from .smoothing import butterworth
from .transfer import Transfer, hip_joints

_HEADING, _PATH = 0.5, 0.7  # Hz: steps swing the hips faster than this, the carrier goes straight
_UPRIGHT = 0.35  # cosine of half the hips' lean, below which they look nowhere


@dataclass(frozen=True)
class Carried:
    """A figure with its carrier.

    moved: with the carrier's rotations. locations: (F, 3) channels of a root bone by name. object: (F, 4, 4) world
    matrices of the armature object, or None where it stays. With an object, `moved` is posed as seen from it.
    """

    moved: Transfer
    locations: dict[str, np.ndarray] = field(default_factory=dict)
    object: np.ndarray | None = None


def carry(moved: Transfer, slots: Mapping[str, str], times: np.ndarray, mode: str) -> Carried:
    """Split the way of the hips between them and a carrier; to be called last, after the feet.

    times: (F,) seconds. mode: "hips", "root" (the bone of slot `root`), "object" or "in place". Poses of `moved` are
    changed in place. Raises ValueError, in one sentence, if there is no root bone that carries the hips.
    """
    if mode == "hips":
        return Carried(moved)
    if mode == "in place":
        path, _ = ground_path(moved, slots, times)
        _shift_hips(moved, slots, len(times), path[:1] - path)
        return Carried(moved)
    if mode not in ("root", "object"):
        raise ValueError(f"there is no root motion called {mode!r}; choose one of hips, root, object, in place")
    steps = _steps(moved, slots, times)
    if mode == "object":
        return _by_object(moved, slots, steps)
    return _by_root(moved, slots, steps)


def ground_path(moved: Transfer, slots: Mapping[str, str], times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3) metres, world, over the floor (z 0), and (F,) radians, the heading about Z against the rest pose; both
    smooth and without jumps. Where the hips are upside down or level the heading goes on from before to after."""
    rig, row = moved.poser.rig, moved.poser.rig.rows[slots["hips"]]
    frames = len(times)
    path = butterworth(np.broadcast_to(hip_joints(moved.poser, slots), (frames, 3)) * [1.0, 1, 0], times, _PATH)
    pose = np.broadcast_to(moved.poser.pose(row)[:, :3, :3], (frames, 3, 3))
    turns = rig.turn @ pose @ rig.bones[row].rest[:3, :3].T @ rig.turn.T
    q = quaternions.continuous(quaternions.from_matrix(turns))
    known = np.hypot(q[:, 0], q[:, 3]) > _UPRIGHT
    if not known.any():
        return path, np.zeros(frames)
    angle = np.unwrap(2 * np.arctan2(q[known, 3], q[known, 0]))
    angle -= 2 * np.pi * np.round(angle[0] / (2 * np.pi))
    heading = np.interp(times, times[known], angle)
    return path, butterworth(heading[:, None], times, _HEADING)[:, 0]


def _steps(moved: Transfer, slots: Mapping[str, str], times: np.ndarray) -> np.ndarray:
    """(F, 4, 4) world: where the carrier is taken from the rest pose, about the ground under the hips at rest."""
    path, heading = ground_path(moved, slots, times)
    start = (moved.anatomy.joint("left_hip") + moved.anatomy.joint("right_hip")) / 2 * [1, 1, 0]
    steps = np.tile(np.eye(4), (len(times), 1, 1))
    steps[:, 0, 0] = steps[:, 1, 1] = np.cos(heading)
    steps[:, 1, 0], steps[:, 0, 1] = np.sin(heading), -np.sin(heading)
    steps[:, :3, 3] = path - (steps[:, :3, :3] @ start)
    return steps


def _by_root(moved: Transfer, slots: Mapping[str, str], steps: np.ndarray) -> Carried:
    poser, rig = moved.poser, moved.poser.rig
    hips = rig.rows[slots["hips"]]
    root = rig.rows.get(slots.get("root", ""), -1)
    if root < 0:
        raise ValueError(f"{rig.name} has no bone mapped as root; choose another kind of root motion or map one")
    if root not in _carriers(moved, hips):
        raise ValueError(f"{rig.bones[root].name} does not carry {slots['hips']}; map the bone that does as root")
    place = np.broadcast_to(poser.pose(hips)[:, :3, 3], (len(steps), 3)).copy()
    rest = rig.bones[root].rest
    local = rig.turn.T @ steps[:, :3, :3] @ rig.turn
    poser.turn_to(root, local @ rest[:3, :3])
    head = rig.to_world(rest[None, :3, 3])
    location = poser.move_to(root, rig.to_armature((steps[:, :3, :3] @ head[..., None])[..., 0] + steps[:, :3, 3]))
    wanted = {**moved.wanted, root: local @ rest[:3, :3]}
    _turn_again(moved, wanted)
    poser.move_to(hips, place)
    order = tuple(parents_first(rig, [root, *moved.order]))
    return Carried(replace(moved, wanted=wanted, order=order), {rig.bones[root].name: location})


def _carriers(moved: Transfer, row: int) -> set[int]:
    """Every bone whose pose takes `row` along: parents, and targets of constraints of control rigs."""
    rig = moved.poser.rig
    found, todo = set(), [row]
    while todo:
        bone = rig.bones[todo.pop()]
        above = [bone.parent, *(target for one in bone.constraints for target, _ in one.targets)]
        todo += [one for one in above if one >= 0 and one not in found]
        found.update(one for one in above if one >= 0)
    return found


def _by_object(moved: Transfer, slots: Mapping[str, str], steps: np.ndarray) -> Carried:
    poser, rig = moved.poser, moved.poser.rig
    hips = rig.rows[slots["hips"]]
    back = np.swapaxes(steps[:, :3, :3], 1, 2)
    place = rig.to_world(np.broadcast_to(poser.pose(hips)[:, :3, 3], (len(steps), 3)))
    local = rig.turn.T @ back @ rig.turn
    wanted = {row: local @ turned for row, turned in moved.wanted.items()}
    _turn_again(moved, wanted)
    poser.move_to(hips, rig.to_armature((back @ (place - steps[:, :3, 3])[..., None])[..., 0]))
    return Carried(replace(moved, wanted=wanted), {}, steps @ rig.world)


def _turn_again(moved: Transfer, wanted: Mapping[int, np.ndarray]) -> None:
    for row in moved.order:
        if row in wanted:
            moved.poser.turn_to(row, wanted[row])


def _shift_hips(moved: Transfer, slots: Mapping[str, str], frames: int, way: np.ndarray) -> None:
    poser, rig, row = moved.poser, moved.poser.rig, moved.poser.rig.rows[slots["hips"]]
    place = rig.to_world(np.broadcast_to(poser.pose(row)[:, :3, 3], (frames, 3)))
    poser.move_to(row, rig.to_armature(place + way))
