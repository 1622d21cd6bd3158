# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs for tests, made of a person's joints: any rest pose, any bone roll and axis convention, any object transform."""

from __future__ import annotations

import numpy as np
from video_mocap.rigging import quaternions
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.rotations import SEGMENT_PARENTS, SEGMENTS, segment_rotations
from video_mocap.rigging.skeleton import Motion, Skeleton, rest_skeleton
from video_mocap.rigging.solve import forward_kinematics

#: Slot -> bone of the rigs made here.
SLOTS = {name: f"b_{name}" for name in SEGMENTS}


def adult() -> Skeleton:
    """A person of 1.75 m in a T-pose."""
    nobody = np.full((1, 26, 3), np.nan)
    return rest_skeleton(nobody, segment_rotations(nobody))


def turn(axis: str, degrees: float) -> np.ndarray:
    """(3, 3) rotation about a coordinate axis."""
    half = np.radians(degrees) / 2
    vector = np.eye(3)["xyz".index(axis)] * np.sin(half)
    return quaternions.to_matrix(np.array([np.cos(half), *vector]))


def make_rig(
    seed: int | None = None,
    arms_down: float = 0.0,
    elbows: float = 0.0,
    knees: float = 0.0,
    scale: float = 1.0,
    leg_scale: float = 1.0,
    world: np.ndarray | None = None,
    without: tuple[str, ...] = (),
    axes: str = "blender",
) -> Rig:
    """A humanoid.

    seed: of random rolls (axes "blender") or wholly random bone axes (axes "random"); None: as the skeleton has them.
    arms_down, elbows, knees: degrees in the rest pose. world: (4, 4) of the object. without: slots left out, whose
    children hang from the next bone up.
    """
    person = adult()
    turns = np.tile([1.0, 0, 0, 0], (1, len(SEGMENTS), 1))
    for side, sign in (("L", -1.0), ("R", 1.0)):
        bends = {"upper_arm": ("z", sign * arms_down), "forearm": ("x", elbows), "shin": ("x", knees)}
        for part, (axis, degrees) in bends.items():
            turns[0, SEGMENTS.index(f"{part}.{side}")] = quaternions.from_matrix(turn(axis, degrees))
    motion = Motion(1, person, 30.0, np.zeros(1), turns, np.zeros((1, 3)), np.ones(1, bool))
    heads, turned = forward_kinematics(motion)
    tails = heads[0] + (turned[0] @ (person.tails - person.heads)[..., None])[..., 0]
    starts, ends = heads[0].copy(), tails.copy()
    if leg_scale != 1.0:
        _stretch_legs(starts, ends, leg_scale)
    chance = np.random.default_rng(seed)
    kept = [row for row, name in enumerate(SEGMENTS) if name not in without]
    bones: list[Bone] = []
    places = {}
    for row in kept:
        parent = SEGMENT_PARENTS[row]
        while parent >= 0 and parent not in places:
            parent = SEGMENT_PARENTS[parent]
        rest = np.eye(4)
        frame = turned[0, row] @ person.frames[row]
        if seed is not None and axes == "blender":
            frame = frame @ turn("y", chance.uniform(-180, 180))
        elif seed is not None:
            frame = np.linalg.qr(chance.normal(size=(3, 3)))[0]
            frame[:, 0] *= np.sign(np.linalg.det(frame))
        rest[:3, :3], rest[:3, 3] = frame, scale * starts[row]
        length = scale * float(np.linalg.norm(ends[row] - starts[row]))
        places[row] = len(bones)
        bones.append(Bone(SLOTS[SEGMENTS[row]], places.get(parent, -1), rest, length))
    return Rig("test rig", tuple(bones), np.eye(4) if world is None else world)


def _stretch_legs(starts: np.ndarray, ends: np.ndarray, factor: float) -> None:
    """Legs longer or shorter, the rest of the body moved up or down with them."""
    hip = starts[SEGMENTS.index("thigh.L"), 2]
    for places in (starts, ends):
        above = places[:, 2] > hip - 1e-6
        legs = [row for row, name in enumerate(SEGMENTS) if name.split(".")[0] in ("thigh", "shin", "foot", "toe")]
        mask = np.zeros(len(places), bool)
        mask[legs] = True
        places[mask, 2] *= factor
        places[~mask & above, 2] += (factor - 1) * hip
