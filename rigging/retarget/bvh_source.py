# SPDX-License-Identifier: GPL-3.0-or-later
"""A BVH file as a source of motion: whatever its axes, units, names and rest pose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..joints import TAKE
from ..vectors import perpendicular
from .anatomy import Anatomy, find_anatomy
from .body import body_joints, needed_bones
from .bvh_read import Bvh, about, read_bvh
from .rig import Bone, Rig
from .transfer import Source
from .turns import read_turns, turning_bones

#: Units that files come in, in metres; legs of people are between these lengths.
_UNITS = (1.0, 0.01, 0.0254, 0.001, 0.056444)
_LEGS = (0.55, 1.25)
_ADULT_LEG = 0.9
#: Legs whose ankles are less than this part of their length below the hips belong to no rest pose that people stand in.
_STANDING = 0.8
#: Of a figure's height: feet this near to zero stand on the floor.
_AT_ZERO = 0.15
_FLOOR = ("left_heel", "left_toe", "right_heel", "right_toe")

MapBones = Callable[[Rig], Mapping[str, str]]


def bvh_source(text: str, file: str, map_bones: MapBones) -> Source:
    """The motion of a BVH file, in metres, Z up, feet on the floor.

    map_bones: finds slot -> bone name for a rig, as `mapping.map_rig` does. Raises ValueError, in one sentence, for a
    broken file or a skeleton that is no body.
    """
    bvh = read_bvh(text, file)
    rig, turns = _standing_rig(bvh, file, map_bones)
    slots = map_bones(rig)
    names = list(dict.fromkeys([*needed_bones(rig, slots), *turning_bones(slots)]))
    poses = {name: _pose(bvh, rig, turns, bvh.names.index(name)) for name in names}
    joints = body_joints(rig, slots, poses)
    anatomy = find_anatomy(rig, slots)
    joints *= _metres(anatomy.leg)
    soles = joints[:, [TAKE.index(name) for name in _FLOOR], 2].min(1)
    joints[..., 2] -= np.percentile(soles, 2)
    seen = np.isfinite(joints).all(-1).astype(np.float64)
    return Source(joints, seen, bvh.times, neutral=anatomy.joints, turns=read_turns(rig, slots, poses))


def _standing_rig(bvh: Bvh, file: str, map_bones: MapBones) -> tuple[Rig, np.ndarray]:
    """(skeleton in a rest pose that somebody stands in, its (B, 3, 3) turns): the file's own, else that of a frame."""
    problem: ValueError | None = None
    up = _up(bvh)
    for places, turns in _rest_poses(bvh, up):
        rig = _rig(bvh, file, places, turns, up)
        try:
            slots = map_bones(rig)
            if _stands(find_anatomy(rig, slots)):
                return rig, turns
        except ValueError as error:
            problem = problem or error
    raise problem or ValueError(f"the skeleton of {file} never stands upright, so nothing says how it is built")


def _rest_poses(bvh: Bvh, up: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(B, 3) places and (B, 3, 3) turns that may be a rest pose: the file's own, put upright, then a few frames."""
    places = _rest_places(bvh)
    stood = np.eye(3) if _tall(places[None, _body(bvh)]) == up else about(0, np.array([np.pi / 2 * (2 * up - 3)]))[0]
    yield places @ stood.T, np.tile(stood, (len(places), 1, 1))
    height = np.ptp(bvh.places[..., up], axis=1)
    for frame in (0, int(height.argmax())):
        yield bvh.places[frame], bvh.turns[frame]


def _stands(anatomy: Anatomy) -> bool:
    below = []
    for prefix in ("left_", "right_"):
        hip, knee, ankle = (anatomy.joint(prefix + name) for name in ("hip", "knee", "ankle"))
        length = np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)
        below.append(float((hip - ankle) @ anatomy.up / max(length, 1e-9)))
    return min(below) > _STANDING and anatomy.up[2] > 0.5


def _up(bvh: Bvh) -> int:
    """1 or 2: the axis that is up. Files have Y up as a rule, some Z, and some Y at rest and Z in the motion.

    The rest pose is believed, unless the figure of the motion is tall along the other axis and stands at its zero:
    somebody who lies all the time is tall along it, too, but anywhere.
    """
    rest, moved = _rest_places(bvh)[None, _body(bvh)], bvh.places[:, _body(bvh)]
    first, second = _tall(rest), _tall(moved)
    if first == second:
        return first
    along = moved[..., second]
    tall = float(np.median(np.ptp(along, axis=1)))
    return second if abs(float(np.percentile(along.min(1), 5))) < _AT_ZERO * tall else first


def _body(bvh: Bvh) -> list[int]:
    """Rows without a root that only carries another."""
    return [row for row, parent in enumerate(bvh.parents) if parent >= 0 or bvh.parents.count(row) != 1]


def _tall(places: np.ndarray) -> int:
    """1 or 2: the axis along which a figure (F, B, 3) is taller."""
    spread = np.median(np.ptp(places, axis=1), axis=0)
    return 1 if spread[1] >= spread[2] else 2


def _rest_places(bvh: Bvh) -> np.ndarray:
    places = np.zeros((len(bvh.names), 3))
    for row, parent in enumerate(bvh.parents):
        places[row] = bvh.offsets[row] + (places[parent] if parent >= 0 else 0.0)
    return places


def _rig(bvh: Bvh, file: str, places: np.ndarray, turns: np.ndarray, up: int) -> Rig:
    bones = []
    for row, (name, parent) in enumerate(zip(bvh.names, bvh.parents, strict=True)):
        ends = [places[child] for child, above in enumerate(bvh.parents) if above == row]
        if np.isfinite(bvh.tips[row]).all():
            ends.append(places[row] + turns[row] @ bvh.tips[row])
        away = np.mean(ends, 0) - places[row] if ends else np.zeros(3)
        length = float(np.linalg.norm(away))
        matrix = np.eye(4)
        if length > 1e-6:
            along = away / length
            helper = np.eye(3)[np.abs(along).argmin()]
            across = perpendicular(helper, along)
            matrix[:3, :3] = np.stack([across, along, np.cross(across, along)], -1)
        matrix[:3, 3] = places[row]
        bones.append(Bone(name, parent, matrix, length))
    world = np.eye(4)
    if up == 1:
        world[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    return Rig(file, tuple(bones), world)


def _pose(bvh: Bvh, rig: Rig, rest: np.ndarray, row: int) -> np.ndarray:
    """(F, 4, 4) of a bone, in the file's axes. rest: (B, 3, 3) turns of the rest pose."""
    turns = bvh.turns[:, row] @ rest[row].T
    pose = np.tile(np.eye(4), (len(turns), 1, 1))
    pose[:, :3, :3] = turns @ rig.bones[row].rest[:3, :3]
    pose[:, :3, 3] = bvh.places[:, row]
    return pose


def _metres(leg: float) -> float:
    """What a file's unit is in metres, by the length of a leg."""
    fitting = [unit_ for unit_ in _UNITS if _LEGS[0] <= leg * unit_ <= _LEGS[1]]
    return fitting[0] if fitting else _ADULT_LEG / leg
