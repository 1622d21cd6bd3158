# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that stand, stand still on the target too.

The person's feet stand where they stand; on legs of other proportions the same turns put them elsewhere and let them
slide. So the feet are locked after the transfer, in the target's own proportions (retargeting specification 3.8, item
8): soles are levelled, the least correction of hips and legs over the whole clip is found with which feet stand still
on the floor (`corrections`), and each leg is bent to where its ankle then is, its knee in its plane and calm.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..vectors import smoothstep
from .contacts import FOOT_ROWS, find_contacts, standing
from .corrections import Legs, correct
from .footholds import Foot, hold, lift
from .limbs import bend, held_back, reach, settled
from .soles import clear_floor, foot_points, foot_slide, hold_soles
from .transfer import Source, Transfer, person_leg

__all__ = ["foot_points", "foot_slide", "lock_feet"]

#: The last fiftieth of a leg's length is reached ever slower.
_SOFT = 0.02
_LOOSE = 0.05  # how much the way of a foot in swing counts against that of one that stands


def contacts_of(source: Source) -> np.ndarray:
    """(F, 4) the source's contacts, found in its motion where it has none. Raises ValueError as `person_leg`."""
    if source.contacts is not None:
        return source.contacts
    return find_contacts(source.joints, source.times, person_leg(source))


def lock_feet(moved: Transfer, source: Source, slots: Mapping[str, str]) -> np.ndarray:
    """Correct hips, legs and feet of `moved` in place. Returns (F, 2): is the left, the right foot locked."""
    times, floor, frames = source.times, moved.anatomy.floor, len(source.times)
    stands = standing(contacts_of(source), times)
    locked = np.stack([stands[:, :2].any(1), stands[:, 2:].any(1)], 1)
    rise = moved.scale * np.nan_to_num(source.joints[:, FOOT_ROWS, 2])
    for number, side in enumerate("LR"):
        hold_soles(moved, slots, side, stands[:, 2 * number : 2 * number + 2].all(1), times)
    found = correct(_legs(moved, slots, stands, rise, times), times, rounds=1)
    for number, side in enumerate("LR"):
        clear_floor(moved, slots, side, moved.anatomy.leg * (found[:, 0] + found[:, 1 + number]), floor, times)
    found = moved.anatomy.leg * correct(_legs(moved, slots, stands, rise, times), times, found)
    for number, side in enumerate("LR"):
        foot = _foot(moved, slots, side, stands, rise)
        found[:, 1 + number, 2] += lift(foot, found[:, 0] + found[:, 1 + number], times, floor)
    firm = np.where(locked, 1.0, np.maximum(_near_floor(moved, slots, found[:, :1] + found[:, 1:]), _LOOSE))
    _move_hips(moved, slots, found[:, 0])
    ankles = _joints(moved, slots, "foot", frames) + found[:, 1:]
    for number, side in enumerate("LR"):
        _place(moved, slots, side, ankles[:, number], firm[:, number], times)
    return locked


def _legs(moved: Transfer, slots: Mapping[str, str], stands: np.ndarray, rise: np.ndarray, times: np.ndarray) -> Legs:
    """The legs as they are now, and what their feet want, as parts of the leg."""
    floor, leg = moved.anatomy.floor, moved.anatomy.leg
    feet = [_foot(moved, slots, side, stands, rise) for side in "LR"]
    hips, knees, ankles = (_joints(moved, slots, part, len(stands)) for part in ("thigh", "shin", "foot"))
    bones = np.stack([np.linalg.norm(knees - hips, axis=-1), np.linalg.norm(ankles - knees, axis=-1)], -1)
    return Legs(
        way=(ankles - hips) / leg,
        bones=bones / leg,
        held=np.stack([hold(foot, times, floor, leg) for foot in feet], 1) / leg,
        firm=np.stack([foot.stands.any(1) for foot in feet], 1).astype(float),
        above=np.stack([foot.lowest - floor for foot in feet], 1) / leg,
    )


def _foot(moved: Transfer, slots: Mapping[str, str], side: str, stands: np.ndarray, rise: np.ndarray) -> Foot:
    heel, toe = (np.broadcast_to(point, (len(stands), 3)) for point in foot_points(moved, slots, side))
    number = 2 * "LR".index(side)
    part = slice(number, number + 2)
    return Foot(heel, toe, stands[:, part], rise[:, part])


def _shortened(away: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(F, 3) the way from hip to ankle made `kept` (F,) long: a steep leg's foot gives way upwards, not sideways."""
    length = np.maximum(np.linalg.norm(away, axis=-1), 1e-9)
    straight = away * (kept / length)[:, None]
    down = np.sqrt(np.maximum(kept**2 - (away[:, :2] ** 2).sum(-1), 0.0))
    upright = np.concatenate([away[:, :2], -down[:, None]], -1)
    steep = smoothstep(down / length, 0.5, 0.8) * (away[:, 2] < 0)
    mixed = straight + steep[:, None] * (upright - straight)
    return mixed * (kept / np.maximum(np.linalg.norm(mixed, axis=-1), 1e-9))[:, None]


def _near_floor(moved: Transfer, slots: Mapping[str, str], shifts: np.ndarray) -> np.ndarray:
    """(F, 2) 1 for a foot on the floor, 0 for one that is well above it."""
    floor, leg = moved.anatomy.floor, moved.anatomy.leg
    points = [np.minimum(*(point[:, 2] for point in foot_points(moved, slots, side))) for side in "LR"]
    return 1 - smoothstep((np.stack(points, 1) + shifts[..., 2] - floor) / leg, 0.0, 0.05)


def _joints(moved: Transfer, slots: Mapping[str, str], part: str, frames: int) -> np.ndarray:
    """(F, 2, 3) the left and the right head of a part's bones, world."""
    rig = moved.poser.rig
    heads = [moved.poser.pose(rig.rows[slots[f"{part}.{side}"]])[:, :3, 3] for side in "LR"]
    return rig.to_world(np.stack([np.broadcast_to(head, (frames, 3)) for head in heads], 1))


def _lengths(moved: Transfer, slots: Mapping[str, str], frames: int) -> np.ndarray:
    """(2,) thigh + shin of both legs as the rig is posed, world."""
    hip, knee, ankle = (_joints(moved, slots, part, frames) for part in ("thigh", "shin", "foot"))
    return np.median(np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1), axis=0)


def _move_hips(moved: Transfer, slots: Mapping[str, str], way: np.ndarray) -> None:
    if not way.any():
        return
    rig, row = moved.poser.rig, moved.poser.rig.rows[slots["hips"]]
    place = rig.to_world(np.broadcast_to(moved.poser.pose(row)[:, :3, 3], way.shape))
    moved.poser.move_to(row, rig.to_armature(place + way))


def _place(
    moved: Transfer, slots: Mapping[str, str], side: str, ankle: np.ndarray, firm: np.ndarray, times: np.ndarray
) -> None:
    """Turn thigh and shin so that the ankle is at `ankle` (F, 3), world; foot and toes keep their turn.

    firm: (F,) how much it matters that it is there rather than that the knee turns calmly.
    """
    poser, rig, number = moved.poser, moved.poser.rig, "LR".index(side)
    thigh, shin = (rig.rows[slots[f"{part}.{side}"]] for part in ("thigh", "shin"))
    hip, knee, now = (_joints(moved, slots, part, len(ankle))[:, number] for part in ("thigh", "shin", "foot"))
    away = ankle - hip
    distance = np.linalg.norm(away, axis=-1)
    # What was reached before stays in reach: only what the correction asks for more is softened.
    kept = held_back(distance, _lengths(moved, slots, len(ankle))[number], np.linalg.norm(now - hip, axis=-1), _SOFT)
    lengths = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(now - knee, axis=-1)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    kept = settled(kept, lengths, bend(hip, knee, now), firm, step)
    target = hip + _shortened(away, kept)
    upper, lower = reach(hip, knee, now, target, moved.solved[f"thigh.{side}"][:, :, 0])
    for row, turned in ((thigh, upper), (shin, lower)):
        local = rig.turn.T @ turned @ rig.turn
        poser.turn_to(row, local @ np.broadcast_to(moved.wanted[row], local.shape))
        moved.wanted[row] = poser.pose(row)[:, :3, :3]
    for slot in (f"foot.{side}", f"toe.{side}"):
        if slot in slots:
            poser.turn_to(rig.rows[slots[slot]], moved.wanted[rig.rows[slots[slot]]])
