# SPDX-License-Identifier: GPL-3.0-or-later
"""Twist bones: what turns about a limb's own line is shared along it, so that skin does not wring at one joint.

They are found by geometry, not by name: bones without a slot that hang from an upper arm, forearm, thigh or shin and
lie along it (lowerarm_twist_01_l), or that continue it in its line (upperarm01, upperarm02). Upper limbs turn against
the trunk: near it a twist bone turns little, at the elbow with the arm. Lower limbs turn at their end: a twist bone
near the wrist turns as the hand does. No joint moves (retargeting specification 3.8, item 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .. import quaternions
from ..vectors import smoothstep, unit
from .pose import parents_first
from .rig import Rig
from .transfer import Transfer

#: (limb, slot at its end, whether it is an upper one).
_LIMBS = (("upper_arm", "forearm", True), ("forearm", "hand", False), ("thigh", "shin", True), ("shin", "foot", False))
_ASIDE = 0.06  # of the limb's length that a twist bone may lie beside its line
_ALONG = np.cos(np.radians(25.0))
_SHORTEST = 0.05  # of the limb; what is shorter is a marker, not a twist bone
_VAGUE = (0.05, 0.25)  # cosine of half the swing below which a twist cannot be told from a swing


@dataclass(frozen=True)
class TwistBones:
    """Of one limb: `row`, the bone of the `limb`, `end`, the bone that follows, `upper`: near the trunk.

    beside: rows of bones that hang from it with the part 0..1 of the twist that each takes. links: rows of the bones
    that continue it in its line, in order, with their parts; `part`: its own, if they take theirs.
    """

    row: int
    end: int
    upper: bool
    beside: tuple[tuple[int, float], ...]
    links: tuple[tuple[int, float], ...]
    part: float


def find_twist_bones(rig: Rig, slots: Mapping[str, str]) -> tuple[TwistBones, ...]:
    """The limbs that have any. slots: slot -> bone name."""
    mapped = {rig.rows[name] for name in slots.values() if name in rig.rows}
    found = []
    for limb, end, upper in _LIMBS:
        for side in "LR":
            if f"{limb}.{side}" in slots and f"{end}.{side}" in slots:
                row, after = rig.rows[slots[f"{limb}.{side}"]], rig.rows[slots[f"{end}.{side}"]]
                found.append(_of_limb(rig, row, after, upper, mapped))
    return tuple(one for one in found if one.beside or one.links)


def share(moved: Transfer, slots: Mapping[str, str], links: bool = False) -> Transfer:
    """`moved` with twist bones turned; to be called between the transfer and the feet.

    links: also share along bones that continue an upper limb in its line. Then the limb's own bone no longer turns as
    the limb does, which suits its skin and not whoever reads the elbow's hinge from it.
    """
    found = find_twist_bones(moved.poser.rig, slots)
    turned: list[int] = []
    wanted = dict(moved.wanted)
    for limb in found:
        # Lower limbs share what turns at their end: their own bone stays as it is.
        through = bool(limb.links) and (links or not limb.upper)
        if not limb.beside and not through:
            continue
        twist = _twist(moved, limb)
        if through:
            turned += _along_links(moved, limb, twist, wanted)
        turned += _beside(moved, limb, twist, links)
    if not turned:
        return moved
    rig = moved.poser.rig
    for row in moved.order:
        moved.poser.turn_to(row, wanted[row])
    return replace(moved, wanted=wanted, order=tuple(parents_first(rig, [*moved.order, *turned])))


def _of_limb(rig: Rig, row: int, end: int, upper: bool, mapped: set[int]) -> TwistBones:
    start, way = rig.heads[row], rig.heads[end] - rig.heads[row]
    length = float(np.linalg.norm(way))
    line = way / max(length, 1e-9)

    def place(bone: int) -> tuple[float, bool]:
        """Where along the limb (0..1) a bone's middle lies, and whether it lies along it."""
        head, tail = rig.heads[bone] - start, rig.tails[bone] - start
        at, to = float(head @ line) / length, float(tail @ line) / length
        aside = float(np.linalg.norm(head - (head @ line) * line)) / length
        along = abs(float(unit(tail - head) @ line)) > _ALONG and abs(to - at) > _SHORTEST
        return (at + min(to, 1.0)) / 2 if to > at else at, along and aside < _ASIDE and -0.05 < at < 0.99

    path = [bone for bone in reversed(rig.ancestors(end)) if row in rig.ancestors(bone)]
    links = [(bone, place(bone)[0]) for bone in path if bone not in mapped and _free(rig, bone) and place(bone)[1]]
    if len(links) != len(path):
        links = []
    spots = [(child, *place(child)) for child in rig.children[row] if child not in mapped and child not in path]
    beside = tuple(
        (child, float(np.clip(at, 0.0, 1.0)))
        for child, at, lies in spots
        if lies and _free(rig, child) and not _carries(rig, child, mapped)
    )
    first = float(np.linalg.norm(rig.heads[links[0][0]] - start)) / length / 2 if links else 1.0
    return TwistBones(row, end, upper, beside, tuple(links), first)


def _free(rig: Rig, row: int) -> bool:
    """Nothing else turns it: a rig's own twist bones have constraints."""
    bone = rig.bones[row]
    return bone.deform and bone.inherit_rotation and not bone.constraints and not bone.unknown


def _carries(rig: Rig, row: int, mapped: set[int]) -> bool:
    return any(child in mapped or _carries(rig, child, mapped) for child in rig.children[row])


def _twist(moved: Transfer, limb: TwistBones) -> np.ndarray:
    """(F,) radians by which the limb (an upper one) or what follows it is turned about its line, against rest."""
    rig, poser = moved.poser.rig, moved.poser
    row = limb.row if limb.upper else limb.end
    base = rig.bones[limb.row].parent if limb.upper else limb.row
    turn = poser.pose(row)[:, :3, :3] @ rig.bones[row].rest[:3, :3].T
    carrier = np.eye(3)[None] if base < 0 else poser.pose(base)[:, :3, :3] @ rig.bones[base].rest[:3, :3].T
    line = unit(rig.bones[limb.end].rest[:3, 3] - rig.bones[limb.row].rest[:3, 3])
    return twist_about(np.swapaxes(carrier, 1, 2) @ turn, line)


def twist_about(turns: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(F,) radians of turns (F, 3, 3) about unit `line` (3,) (swing-twist), without jumps.

    Where the swing is nearly half a turn there is no telling; there the twist fades to none.
    """
    q = quaternions.continuous(quaternions.from_matrix(turns))
    along = q[:, 1:] @ line
    angle = np.unwrap(2 * np.arctan2(along, q[:, 0]))
    angle -= 2 * np.pi * np.round(np.median(angle) / (2 * np.pi))
    return angle * smoothstep(np.hypot(q[:, 0], along), *_VAGUE)


def _about(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    half = angles[:, None] / 2
    return quaternions.to_matrix(np.concatenate([np.cos(half), np.sin(half) * axes], -1))


def _turn(moved: Transfer, row: int, end: int, angles: np.ndarray) -> np.ndarray:
    """Turn a bone by `angles` (F,) about the line from its head to the head of `end`; returns its rotations."""
    poser = moved.poser
    pose, far = np.broadcast_arrays(poser.pose(row), poser.pose(end))
    if len(pose) != len(angles):
        pose, far = (np.broadcast_to(one, (len(angles), 4, 4)) for one in (pose, far))
    turned = _about(unit(far[:, :3, 3] - pose[:, :3, 3]), angles) @ pose[:, :3, :3]
    poser.turn_to(row, turned)
    return turned


def _along_links(moved: Transfer, limb: TwistBones, twist: np.ndarray, wanted: dict[int, np.ndarray]) -> list[int]:
    last = 0.0
    if limb.upper:  # the limb's bone has all of the twist so far
        wanted[limb.row] = _turn(moved, limb.row, limb.end, (limb.part - 1.0) * twist)
        last = limb.part
    for row, part in limb.links:
        _turn(moved, row, limb.end, (part - last) * twist)
        last = part
    return [row for row, _ in limb.links]


def _beside(moved: Transfer, limb: TwistBones, twist: np.ndarray, links: bool) -> list[int]:
    """Bones that hang from the limb's own: it has all of an upper limb's twist, and none of a lower one's end."""
    own = (limb.part if links and limb.links else 1.0) if limb.upper else 0.0
    poser = moved.poser
    pose, far = np.broadcast_arrays(poser.pose(limb.row), poser.pose(limb.end))
    line = unit(far[:, :3, 3] - pose[:, :3, 3])
    for row, part in limb.beside:
        angles = (part - own) * twist
        lines = np.broadcast_to(line, (len(angles), 3))
        poser.turn_to(row, _about(lines, angles) @ np.broadcast_to(poser.pose(row)[:, :3, :3], (len(angles), 3, 3)))
    return [row for row, _ in limb.beside]
