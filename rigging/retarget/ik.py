# SPDX-License-Identifier: GPL-3.0-or-later
"""IK controls that give the pose a rig already has: targets at hands and feet, poles where elbows and knees point.

A target moves with the hand or foot as if it were glued on. A pole lies in the plane of the limb, in front of the
middle joint; where a limb is straight, its rest hinge, carried by the pose, says where in front is, so that a pole
never flips (retargeting specification 3.8, item 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .. import quaternions
from ..vectors import dot, perpendicular, smoothstep, unit
from .pose import parents_first
from .rig import PoleIk, Rig
from .transfer import Transfer

#: Pole -> the limb's slots: its bones and its end.
_POLES = {"elbow_pole": ("upper_arm", "forearm", "hand"), "knee_pole": ("thigh", "shin", "foot")}
_STRAIGHT = (0.004, 0.016)  # sine of the bend below which a limb does not say in which plane it bends
_FAR = 1.0  # of the upper bone's length: how far in front of the middle joint a pole is


@dataclass(frozen=True)
class IkChannels:
    """Quaternions (F, 4) and locations (F, 3) of IK controls by bone name, in Blender's channel space."""

    rotations: dict[str, np.ndarray] = field(default_factory=dict)
    locations: dict[str, np.ndarray] = field(default_factory=dict)


def ik_channels(moved: Transfer, slots: Mapping[str, str], controls: Mapping[str, str], frames: int) -> IkChannels:
    """Channels of the controls for the pose of `moved`, over `frames` frames.

    controls: `hand.L`, `foot.L`, `elbow_pole.L`, `knee_pole.L` .. -> bone. Controls that name no bone or whose limb is
    not mapped are left out. The poser of `moved` gets these channels, too.
    """
    poser, rig = moved.poser, moved.poser.rig
    wanted: dict[int, tuple[np.ndarray | None, np.ndarray]] = {}
    for control, bone in controls.items():
        stem, _, side = control.partition(".")
        if bone not in rig.rows:
            continue
        row = rig.rows[bone]
        if stem in _POLES and all(f"{part}.{side}" in slots for part in _POLES[stem]):
            wanted[row] = (None, rig.to_armature(pole(moved, slots, stem, side, frames, bone)))
        elif control in slots:
            carried = rig.rows[slots[control]]
            pose = np.broadcast_to(poser.pose(carried), (frames, 4, 4))
            glued = pose @ np.linalg.inv(rig.bones[carried].rest) @ rig.bones[row].rest
            wanted[row] = (glued[:, :3, :3], glued[:, :3, 3])
    found = IkChannels()
    for row in parents_first(rig, list(wanted)):
        turned, head = wanted[row]
        name = rig.bones[row].name
        if turned is not None:
            found.rotations[name] = quaternions.continuous(quaternions.from_matrix(poser.turn_to(row, turned)))
        found.locations[name] = poser.move_to(row, head)
    return found


def pole(moved: Transfer, slots: Mapping[str, str], kind: str, side: str, frames: int, control: str = "") -> np.ndarray:
    """(F, 3) world: where the pole of a limb lies.

    kind: `elbow_pole` or `knee_pole`. control: the pole's bone; what is known of its IK decides on which side it lies.
    """
    rig, upper = moved.poser.rig, f"{_POLES[kind][0]}.{side}"
    places = []
    for part in _POLES[kind]:
        head = moved.poser.pose(rig.rows[slots[f"{part}.{side}"]])[:, :3, 3]
        places.append(rig.to_world(np.broadcast_to(head, (frames, 3))))
    row = rig.rows[slots[upper]]
    turned = np.broadcast_to(moved.poser.pose(row)[:, :3, :3], (frames, 3, 3))
    rest_hinge = moved.anatomy.frames[upper][0, :, 0]
    hinge = (rig.turn @ turned @ rig.bones[row].rest[:3, :3].T @ rig.turn.T) @ rest_hinge
    known = rig.poles.get(control)
    if known is None:
        return pole_of(places[0], places[1], places[2], hinge)
    return _known_pole(rig, known, places[0], places[1], places[2], hinge)


def pole_of(start: np.ndarray, middle: np.ndarray, end: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """(F, 3) a point in the plane of start, middle and end, on the middle joint's side of the line from start to end.

    hinge: (F, 3) unit axis about which the limb bends: where it is straight, or bent the wrong way, this decides.
    """
    line = _line(start, middle, end)
    front = np.cross(line, perpendicular(_axis(start, middle, end, hinge), line))
    # On the line itself a limb's middle lies where the bones' lengths say; the pole is in front of that.
    return middle + _FAR * np.linalg.norm(middle - start, axis=-1, keepdims=True) * front


def _line(start: np.ndarray, middle: np.ndarray, end: np.ndarray) -> np.ndarray:
    line = unit(end - start)
    return np.where(np.isfinite(line), line, unit(middle - start))


def _axis(start: np.ndarray, middle: np.ndarray, end: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """(F, 3) about which the limb is bent; `hinge` where that cannot be seen."""
    crossed = np.cross(unit(middle - start), unit(end - middle))
    bent = smoothstep(dot(crossed, hinge), *_STRAIGHT)[:, None]
    return unit(bent * np.nan_to_num(unit(crossed)) + (1 - bent) * hinge)


def _known_pole(
    rig: Rig, known: PoleIk, start: np.ndarray, middle: np.ndarray, end: np.ndarray, hinge: np.ndarray
) -> np.ndarray:
    """(F, 3) the pole that makes a chain of two bones bend just so.

    A rig's pole need not lie in the plane of the limb: its IK turns an axis of the first bone to it. So the first bone
    is worked out as the chain will have it, from how the second hangs from it at rest, and the axis is followed.
    """
    first, second = (rig.bones[rig.rows[name]].rest[:3, :3] for name in (known.first, known.second))
    along, way, axis = np.array([0.0, 1, 0]), first.T @ second[:, 1], first.T @ second[:, 0]
    plane = np.cross(along, way)
    if not known.hinge and np.linalg.norm(plane) > 1e-3:
        axis = plane / np.linalg.norm(plane)
    upper, lower = unit(middle - start), unit(end - middle)
    bent = _bent(along, way, axis, dot(upper, lower))
    normal = np.cross(along, bent)
    side = np.sign(float(np.median(normal @ axis))) or 1.0
    normal = np.where(np.linalg.norm(normal, axis=-1, keepdims=True) > 1e-3, normal, side * axis)
    local = _frame(np.broadcast_to(along, bent.shape), normal)
    turned = _frame(upper, _axis(start, middle, end, hinge)) @ np.swapaxes(local, 1, 2)
    looks = turned @ np.array([np.cos(known.angle), 0.0, np.sin(known.angle)])
    front = perpendicular(looks, _line(start, middle, end))
    return middle + _FAR * np.linalg.norm(middle - start, axis=-1, keepdims=True) * front


def _bent(along: np.ndarray, way: np.ndarray, axis: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """(F, 3) `way` turned about `axis` until it has this cosine (F,) to `along`, bending to the side it bends to."""
    still = axis * (axis @ way)
    even, odd = along @ (way - still), along @ np.cross(axis, way)
    straight = np.arctan2(odd, even)
    angle = np.arccos(np.clip((cosine - along @ still) / max(np.hypot(even, odd), 1e-9), -1, 1))
    turn = straight + np.where(straight > 0, -1.0, 1.0) * angle
    return still + np.cos(turn)[:, None] * (way - still) + np.sin(turn)[:, None] * np.cross(axis, way)


def _frame(along: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(F, 3, 3) columns: along, the normal made square to it, and both crossed."""
    across = perpendicular(normal, along)
    return np.stack([along, across, np.cross(along, across)], -1)
