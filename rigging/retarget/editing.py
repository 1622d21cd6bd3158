# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a motion after the transfer: another place; other times, less influence, a loop.

What changes a place works on the transfer itself, what changes channels gives new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .. import quaternions
from ..vectors import smoothstep
from .pose import Poser
from .rig import Rig
from .transfer import Channels, Transfer

_SEAM = 0.5  # seconds on either side over which a loop is closed, at most a quarter of the motion


def scaled_path(moved: Transfer, slots: Mapping[str, str], factor: float) -> None:
    """The way over the floor longer or shorter, seen from the armature object; to be called before the feet."""
    if factor != 1.0:
        home = moved.poser.rig.world[:3, 3]
        _move_hips(moved, slots, lambda place: home + (place - home) * [factor, factor, 1.0])


def moved_by(moved: Transfer, slots: Mapping[str, str], offset: np.ndarray) -> None:
    """The whole figure elsewhere. offset: (3,) metres, world; to be called after the feet, which know the floor."""
    if offset.any():
        _move_hips(moved, slots, lambda place: place + offset)


def _move_hips(moved: Transfer, slots: Mapping[str, str], place: Callable[[np.ndarray], np.ndarray]) -> None:
    rig, row = moved.poser.rig, moved.poser.rig.rows[slots["hips"]]
    now = rig.to_world(moved.poser.pose(row)[:, :3, 3])
    moved.poser.move_to(row, rig.to_armature(place(now)))


def posed(rig: Rig, channels: Channels) -> Poser:
    """The rig with these channels."""
    poser = Poser(rig)
    for name in {**channels.rotations, **channels.locations}:
        turned, moved = channels.rotations.get(name), channels.locations.get(name)
        poser.put(rig.rows[name], None if turned is None else quaternions.to_matrix(turned), moved)
    return poser


def resampled(channels: Channels, times: np.ndarray, known: np.ndarray) -> Channels:
    """At times (G,), seconds: rotations by slerp, locations linearly, between the frames `known` (F,)."""
    at = channels.times[known]

    def line(values: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(times, at, column) for column in values[known].T], -1)

    return Channels(
        times,
        {name: quaternions.resample(values[known], at, times) for name, values in channels.rotations.items()},
        {name: line(values) for name, values in channels.locations.items()},
    )


def influenced(channels: Channels, rig: Rig, slots: Mapping[str, str], influence: Callable[[str], float]) -> Channels:
    """Mixed with the pose that the rig has now; bones at 0 are left out. influence: of a slot, 0..1.

    Bones without a slot (twist bones) go with the nearest bone above them that has one.
    """
    shares = {name: influence(slot) for slot, name in slots.items()}
    for name in [name for name in channels.rotations if name not in shares and name in rig.rows]:
        above = (rig.bones[row].name for row in rig.ancestors(rig.rows[name]))
        shares[name] = next((shares[parent] for parent in above if parent in shares), 1.0)
    rotations, locations = {}, {}
    for name, turned in channels.rotations.items():
        share = shares.get(name, 1.0)
        if share > 0:
            now = quaternions.from_matrix(_pose_now(rig, name)[:3, :3])
            start = np.broadcast_to(now, turned.shape)
            rotations[name] = turned if share >= 1 else quaternions.continuous(quaternions.slerp(start, turned, share))
    for name, moved in channels.locations.items():
        share = shares.get(name, 1.0)
        if share > 0:
            locations[name] = moved if share >= 1 else (1 - share) * _pose_now(rig, name)[:3, 3] + share * moved
    return Channels(channels.times, rotations, locations)


def _pose_now(rig: Rig, name: str) -> np.ndarray:
    basis = rig.bones[rig.rows[name]].basis
    return np.eye(4) if basis is None else basis


def looped(channels: Channels, keep: Mapping[str, np.ndarray]) -> Channels:
    """The last frame like the first: what is between them is shared out, half to the end and half to the start.

    keep: of a bone, the unit axes (N, 3) of its location channels along which it travels, which are not closed.
    """
    times = channels.times
    if len(times) < 3:
        return channels
    seam = min(_SEAM, (times[-1] - times[0]) / 4)
    ending = 0.5 * smoothstep(times, times[-1] - seam, times[-1])
    starting = 0.5 * (1 - smoothstep(times, times[0], times[0] + seam))
    rotations = {}
    for name, turned in channels.rotations.items():
        step = quaternions.to_matrix(turned[0]) @ quaternions.to_matrix(turned[-1]).T
        missing = quaternions.from_matrix(step)
        share = np.stack([_part(missing, weight) for weight in (ending - starting)])
        closed = quaternions.to_matrix(share) @ quaternions.to_matrix(turned)
        rotations[name] = quaternions.continuous(quaternions.from_matrix(closed))
    locations = {}
    for name, moved in channels.locations.items():
        missing = moved[0] - moved[-1]
        for axis in keep.get(name, ()):
            missing = missing - (missing @ axis) * axis
        locations[name] = moved + (ending - starting)[:, None] * missing
    return Channels(times, rotations, locations)


def _part(turn: np.ndarray, share: float) -> np.ndarray:
    """(4,) `share` (which may be negative) of a turn (4,)."""
    still = np.array([1.0, 0, 0, 0])
    part = quaternions.slerp(still, turn, abs(share))
    return part * [1, -1, -1, -1] if share < 0 else part
