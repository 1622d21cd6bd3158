# SPDX-License-Identifier: GPL-3.0-or-later
"""A figure that its armature object carries: the object as one more bone of the rig, and as curves of its own.

The bone has no name and every other hangs from it, so that whatever judges or edits a pose sees the figure where it is
in the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .. import quaternions
from .curves import Curve, rotation_curve
from .rig import Bone, Constraint, Rig, Seat
from .transfer import Channels

#: Name of the object among bones.
OBJECT = ""


def ridden(rig: Rig) -> Rig:
    """The rig with its object as the first bone."""
    bones = tuple(
        replace(bone, parent=bone.parent + 1, constraints=tuple(_shifted(one) for one in bone.constraints))
        for bone in rig.bones
    )
    return replace(rig, bones=(Bone(OBJECT, -1, np.eye(4), 1.0, deform=False), *bones))


def _shifted(constraint: Constraint) -> Constraint:
    return replace(constraint, targets=tuple((row + 1, weight) for row, weight in constraint.targets))


def with_object(channels: Channels, rig: Rig, worlds: np.ndarray) -> Channels:
    """The channels with those of the bone that is the object. worlds: (F, 4, 4) where the object is."""
    away = np.linalg.inv(rig.world) @ worlds
    u, _, vt = np.linalg.svd(away[:, :3, :3])
    return Channels(
        channels.times,
        {**channels.rotations, OBJECT: quaternions.continuous(quaternions.from_matrix(u @ vt))},
        {**channels.locations, OBJECT: away[:, :3, 3]},
    )


def without_object(channels: Channels) -> Channels:
    """The channels of real bones."""
    rotations, locations = (
        {name: values for name, values in kept.items() if name != OBJECT}
        for kept in (channels.rotations, channels.locations)
    )
    return Channels(channels.times, rotations, locations)


def object_curves(channels: Channels, rig: Rig) -> list[Curve]:
    """Location and rotation of the armature object, as its own rotation mode has them."""
    seat = _seat(rig)
    worlds = rig.world @ _matrices(channels)
    back = np.linalg.inv(seat.start)
    location = (back @ worlds)[:, :3, 3]
    # How far it turned from where it is now; scale, parents and deltas stay what they are.
    steps = back[:3, :3] @ (worlds[:, :3, :3] @ np.linalg.inv(rig.world[:3, :3])) @ seat.start[:3, :3]
    turned = _rotation(steps) @ _rotation(seat.basis[None, :3, :3])
    own = quaternions.from_matrix(seat.turn.T @ turned)
    return [Curve(OBJECT, "location", location), rotation_curve(OBJECT, own, seat.rotation_mode)]


def object_pose(values: Mapping[str, np.ndarray], curve: Curve, rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3, 3) and (F, 3) channels of the bone that is the object, from values (F, C) of the object's own curves.

    values: by path. curve: the one of the rotation.
    """
    seat = _seat(rig)
    turned = seat.turn @ curve.rotations(values[curve.path])
    steps = turned @ _rotation(seat.basis[None, :3, :3]).swapaxes(1, 2)
    linear = seat.start[:3, :3] @ steps @ np.linalg.inv(seat.start[:3, :3]) @ rig.world[:3, :3]
    places = values["location"] @ seat.start[:3, :3].T + seat.start[:3, 3]
    u, _, vt = np.linalg.svd(np.linalg.inv(rig.world[:3, :3]) @ linear)
    return u @ vt, rig.to_armature(places)


def object_size(rig: Rig) -> float:
    """Metres in the world of one unit of the object's own location."""
    return float(np.cbrt(abs(np.linalg.det(_seat(rig).start[:3, :3]))))


def _seat(rig: Rig) -> Seat:
    return rig.seat or Seat(np.eye(4), rig.world, np.eye(3))


def _matrices(channels: Channels) -> np.ndarray:
    matrices = np.tile(np.eye(4), (len(channels.times), 1, 1))
    matrices[:, :3, :3] = quaternions.to_matrix(channels.rotations[OBJECT])
    matrices[:, :3, 3] = channels.locations[OBJECT]
    return matrices


def _rotation(matrices: np.ndarray) -> np.ndarray:
    """(F, 3, 3) the rotation in a matrix that may scale and mirror."""
    u, _, vt = np.linalg.svd(matrices)
    turned = u @ vt
    return turned * np.sign(np.linalg.det(turned))[:, None, None]
