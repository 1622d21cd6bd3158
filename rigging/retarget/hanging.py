# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a body that do not hang from the body, and hips that cannot be moved.

A rig that was steered by constraints and came without them through a file has feet that hang from the root, or thighs
beside the hips. The motion is worked out on a rig on which they hang where they belong; then they get keys of their own
that take them there. Hips that are connected to the bone above them are carried by that bone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .. import quaternions
from .controls_by_shape import is_control_rig
from .editing import posed
from .pose import Poser, parents_first
from .rig import Rig
from .slots import chain
from .transfer import Channels

_LIMBS = (("shoulder", "upper_arm", "forearm", "hand"), ("thigh", "shin", "foot", "toe"))


def hung(rig: Rig, slots: Mapping[str, str]) -> Rig:
    """The rig with every part of the body on the body, the same rig if it is. slots: slot -> bone name.

    The bones keep their rows, so that parents no longer come before their children.
    """
    if is_control_rig(rig):  # whose constraints carry the controls
        return rig
    limbs = {rig.rows[bone] for slot, bone in slots.items() if slot.partition(".")[0] in (*_LIMBS[0], *_LIMBS[1])}
    carriers = _carriers(rig, slots)
    moved = {
        row: carrier
        for row, carrier in carriers.items()
        if not rig.bones[row].connected and not _follows(rig, row, carrier, limbs)
    }
    if not moved:
        return rig
    bones = list(rig.bones)
    for row, carrier in moved.items():
        # Where an earlier action left the bone says nothing: it gets a place of its own.
        bones[row] = replace(bones[row], parent=carrier[0], inherit_rotation=True, local_location=True, basis=None)
    return replace(rig, bones=tuple(bones))


def freed(channels: Channels, body: Rig, rig: Rig) -> Channels:
    """The channels that make `rig` stand as `body` (`hung`) does with these."""
    moved = [row for row, bone in enumerate(rig.bones) if bone.parent != body.bones[row].parent]
    stuck = [name for name in channels.locations if name in rig.rows and rig.bones[rig.rows[name]].connected]
    if not moved and not stuck:
        return channels
    known = {name for name in {**channels.rotations, **channels.locations} if name in rig.rows}
    inside = Channels(
        channels.times,
        {name: turned for name, turned in channels.rotations.items() if name in known},
        {name: place for name, place in channels.locations.items() if name in known},
    )
    wanted, poser = posed(body, inside), Poser(rig)
    rotations, locations = dict(channels.rotations), dict(channels.locations)
    frames = len(channels.times)
    for row in parents_first(rig, [*{*moved, *(rig.rows[name] for name in known)}]):
        name = rig.bones[row].name
        if row not in moved:
            turned, place = inside.rotations.get(name), inside.locations.get(name)
            poser.put(row, None if turned is None else quaternions.to_matrix(turned), None if name in stuck else place)
            if name in stuck:
                carrier = next(above for above in rig.ancestors(row) if not rig.bones[above].connected)
                away = wanted.pose(row)[:, :3, 3] - poser.pose(row)[:, :3, 3]
                del locations[name]
                locations[rig.bones[carrier].name] = poser.move_to(carrier, poser.pose(carrier)[:, :3, 3] + away)
            continue
        pose = np.broadcast_to(wanted.pose(row), (frames, 4, 4))
        turned = poser.turn_to(row, pose[:, :3, :3])
        rotations[name] = quaternions.continuous(quaternions.from_matrix(turned))
        locations[name] = poser.move_to(row, pose[:, :3, 3])
    return Channels(channels.times, rotations, locations)


def _carriers(rig: Rig, slots: Mapping[str, str]) -> dict[int, tuple[int, ...]]:
    """Row of every part of the body -> rows of which one must carry it, the nearest first."""
    column = [
        rig.rows[slots[slot]]
        for slot in ("hips", "pelvis", *chain(slots, "spine"), "chest", *chain(slots, "neck"), "head")
        if slot in slots
    ]
    found: dict[int, tuple[int, ...]] = {row: tuple(column[:at][::-1]) for at, row in enumerate(column) if at}
    trunk = [rig.rows[slots[slot]] for slot in ("hips", "pelvis", *chain(slots, "spine"), "chest") if slot in slots]
    for side in "LR":
        for parts in _LIMBS:
            rows = [rig.rows[slots[f"{part}.{side}"]] for part in parts if f"{part}.{side}" in slots]
            for number, row in enumerate(rows):
                if number:
                    found[row] = (rows[number - 1],)
                else:
                    # Arms may hang from the neck, too.
                    found[row] = tuple(trunk[::-1] if parts is _LIMBS[0] else trunk[:2]) + tuple(column)
    return found


def _follows(rig: Rig, row: int, carriers: tuple[int, ...], limbs: set[int]) -> bool:
    """Whether a part hangs where it belongs, or from another limb, which is a mapping to be seen and not mended."""
    return not (limbs | set(carriers)).isdisjoint(rig.ancestors(row))
