# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's motion as channels of a rig: rotations of every mapped bone and the way of the hips.

Every bone turns out of its rest pose as the person's segment turns out of the same anatomical rest: D(t) =
F_person(t) F_rest^T, and the bone's pose is D(t) R_rest. Rolls, axes and the kind of rest pose cancel (retargeting
specification 3.8, items 1 to 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .. import quaternions
from ..joints import TAKE
from ..rotations import SEGMENTS, SegmentRotations, rotation_differences, segment_rotations
from ..vectors import dot, unit
from .anatomy import Anatomy, chain_shares, find_anatomy
from .collars import collar_turns
from .pose import Poser, parents_first
from .rig import Rig
from .slots import chain, segment_of
from .turns import BodyTurns, own_turns, trunk_turn, with_turns

#: Where along the trunk (0 hips, 1 shoulders) the person's hips, spine and chest turn.
_TRUNK = ((0.0, "hips"), (0.25, "spine"), (0.65, "chest"))


@dataclass(frozen=True)
class Source:
    """A person's motion as positions.

    joints: (F, 26, 3) metres, world, Z up, floor at 0, NaN where missing. confidence: (F, 26). times: (F,) seconds.
    contacts: (F, 4) probability that left heel, left toe, right heel, right toe stand, or None.
    neutral: (26, 3) joints of the rest pose that the motion is told from, or None where there is none (people).
    turns: how an animated rig's bones turn, or None (people).
    """

    joints: np.ndarray
    confidence: np.ndarray
    times: np.ndarray
    contacts: np.ndarray | None = None
    neutral: np.ndarray | None = None
    turns: BodyTurns | None = None


@dataclass(frozen=True)
class Channels:
    """What is keyed: quaternions (F, 4) and locations (F, 3) of bones by name, in Blender's channel space.

    Quaternions go without sign flips; whoever writes converts them to the bone's rotation mode.
    """

    times: np.ndarray
    rotations: dict[str, np.ndarray] = field(default_factory=dict)
    locations: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Transfer:
    """A rig that follows a person, before anything is corrected.

    poser: the rig's pose with all channels. wanted: (F, 3, 3) rotations, armature space, of every keyed row.
    scale: of the person's path. order: keyed rows, parents first.
    """

    poser: Poser
    anatomy: Anatomy
    solved: SegmentRotations
    wanted: dict[int, np.ndarray]
    pelvis: np.ndarray
    scale: float
    order: tuple[int, ...]


def transfer(source: Source, rig: Rig, slots: Mapping[str, str]) -> Transfer:
    """The rig's rotations and the way of its hips.

    slots: slot -> bone name. The figure walks in the world as the person does, by its own leg length, from where the
    armature object stands. Raises ValueError, in one sentence, if the mapping is no body or the person was never seen.
    """
    anatomy = find_anatomy(rig, slots)
    solved = segment_rotations(source.joints, source.confidence)
    if source.turns is not None:
        solved = with_turns(solved, source.turns)
    pelvis = _pelvis(source)
    turns = dict(zip(SEGMENTS, np.moveaxis(rotation_differences(solved, anatomy.frames), 1, 0), strict=True))
    turns |= collar_turns(solved, anatomy.frames, source.neutral) or {}
    if source.turns is not None:
        turns |= own_turns(source.turns, anatomy)
    wanted = {
        rig.rows[slots[slot]]: _in_armature(rig, rig.rows[slots[slot]], turn)
        for slot, turn in _slot_turns(rig, slots, anatomy, turns, source.turns).items()
    }
    poser = Poser(rig)
    order = parents_first(rig, list(wanted))
    for row in order:
        poser.turn_to(row, wanted[row])
    scale = anatomy.leg / person_leg(source)
    origin = np.array([*rig.world[:2, 3], anatomy.floor])
    _move_hips(poser, slots, origin + scale * pelvis)
    return Transfer(poser, anatomy, solved, wanted, pelvis, scale, tuple(order))


def person_leg(source: Source) -> float:
    """Thigh + shin + height of the ankle over the sole, metres, medians of both sides. Raises ValueError."""
    seen = np.where((source.confidence > 0)[..., None], source.joints, np.nan)

    def between(a: str, b: str) -> list[float]:
        found = []
        for prefix in ("left_", "right_"):
            length = np.linalg.norm(seen[:, TAKE.index(prefix + a)] - seen[:, TAKE.index(prefix + b)], axis=-1)
            found += [float(np.median(length[np.isfinite(length)]))] if np.isfinite(length).any() else []
        return found

    parts = [between("hip", "knee"), between("knee", "ankle")]
    if not all(parts):
        raise ValueError("the person's legs were never seen, so nothing says how large the person is")
    thigh, shin = (float(np.mean(part)) for part in parts)
    above = _ankle_heights(seen)
    return thigh + shin + (float(np.mean(above)) if above else 0.08 * (thigh + shin))


def _ankle_heights(seen: np.ndarray) -> list[float]:
    """How far the ankles are from the line of the sole, of each side that was seen; as an anatomy measures its legs."""
    found = []
    for prefix in ("left_", "right_"):
        ankle, heel, toe = (seen[:, TAKE.index(prefix + name)] for name in ("ankle", "heel", "toe"))
        sole = unit(toe - heel)
        across = ankle - heel - dot(ankle - heel, sole)[:, None] * sole
        height = np.linalg.norm(across, axis=-1)
        found += [float(np.median(height[np.isfinite(height)]))] if np.isfinite(height).any() else []
    return found


def _pelvis(source: Source) -> np.ndarray:
    row = TAKE.index("pelvis")
    seen = (source.confidence[:, row] > 0) & np.isfinite(source.joints[:, row]).all(-1)
    if not seen.any():
        raise ValueError("the person was never seen in this take")
    path = source.joints[seen, row]
    return np.stack([np.interp(source.times, source.times[seen], path[:, axis]) for axis in range(3)], -1)


def _slot_turns(
    rig: Rig, slots: Mapping[str, str], anatomy: Anatomy, turns: dict[str, np.ndarray], own: BodyTurns | None
) -> dict[str, np.ndarray]:
    """(F, 3, 3) world turns out of the rest pose of every slot that is keyed. own: of the source's bones."""
    found = {}
    shares = chain_shares(rig, slots, anatomy)
    if len(shares) == 1 and "chest" in slots and own is None:
        # A trunk of the person's own three parts: the middle one is theirs, wherever it begins.
        shares = dict.fromkeys(shares, _TRUNK[1][0])
    necks = chain(slots, "neck")
    for slot in slots:
        if slot == "root" or segment_of(slot) not in SEGMENTS:
            continue
        if slot in shares:
            share = shares[slot]
            found[slot] = _along_trunk(share, turns) if own is None else trunk_turn(own, anatomy, share)
        elif slot in necks[1:]:
            found[slot] = _between(turns["neck"], turns["head"], necks.index(slot) / len(necks))
        else:
            found[slot] = turns[segment_of(slot)]
    return found


def _along_trunk(share: float, turns: dict[str, np.ndarray]) -> np.ndarray:
    for (low, first), (high, second) in pairwise(_TRUNK):
        if share <= high:
            return _between(turns[first], turns[second], (share - low) / (high - low))
    return turns["chest"]


def _between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    a, b = quaternions.from_matrix(first), quaternions.from_matrix(second)
    return quaternions.to_matrix(quaternions.slerp(a, b, np.full(len(a), share)))


def _in_armature(rig: Rig, row: int, turn: np.ndarray) -> np.ndarray:
    """(F, 3, 3) pose rotation, armature space, of a bone that turns by `turn` in the world."""
    return rig.turn.T @ turn @ rig.turn @ rig.bones[row].rest[:3, :3]


def hip_joints(poser: Poser, slots: Mapping[str, str]) -> np.ndarray:
    """(F, 3) world: the middle of the hip joints as the rig is posed."""
    heads = [poser.pose(poser.rig.rows[slots[f"thigh.{side}"]])[:, :3, 3] for side in "LR"]
    return poser.rig.to_world((heads[0] + heads[1]) / 2)


def _move_hips(poser: Poser, slots: Mapping[str, str], wanted: np.ndarray) -> None:
    """Move the hips' bone so that the hip joints' middle is at `wanted` (F, 3), world."""
    rig, row = poser.rig, poser.rig.rows[slots["hips"]]
    away = rig.to_armature(wanted) - rig.to_armature(hip_joints(poser, slots))
    poser.move_to(row, poser.pose(row)[:, :3, 3] + away)


def channels(moved: Transfer, source: Source, slots: Mapping[str, str]) -> Channels:
    """What to key."""
    rig = moved.poser.rig
    frames = len(source.times)
    rotations = {
        rig.bones[row].name: quaternions.continuous(
            quaternions.from_matrix(np.broadcast_to(moved.poser.channel(row)[:, :3, :3], (frames, 3, 3)))
        )
        for row in moved.order
    }
    hips = slots["hips"]
    location = np.broadcast_to(moved.poser.channel(rig.rows[hips])[:, :3, 3], (frames, 3))
    return Channels(source.times, rotations, {hips: location})
