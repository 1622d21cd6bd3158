# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of joints, soft and optional: how far a limb swings and how far it turns about its own line.

Swing and twist are limited one by one, against a T-pose and in the body's own axes, so that neither bone rolls nor rest
poses matter (retargeting specification 3.8, item 6). A limit is approached ever slower, and what is well within it is
not touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .. import quaternions
from ..rotations import SEGMENT_PARENTS, SEGMENTS, rest_frame
from .slots import chain
from .transfer import Transfer

_SOFT = 0.15  # the last part of a limit, approached ever slower
_TOLD = 0.1  # degrees from which on a frame counts as limited


@dataclass(frozen=True)
class Limit:
    """Degrees. swing: away from the T-pose. twist: about the segment's own line, least and most."""

    swing: float
    twist: tuple[float, float]


#: Generous for healthy adults: what is beyond is a mistake of the capture, not a stretch.
HUMAN: dict[str, Limit] = {
    "neck": Limit(60.0, (-80.0, 80.0)),
    "head": Limit(60.0, (-80.0, 80.0)),
    **{f"hand.{side}": Limit(95.0, (-100.0, 100.0)) for side in "LR"},
    **{f"thigh.{side}": Limit(150.0, (-75.0, 75.0)) for side in "LR"},
    **{f"foot.{side}": Limit(75.0, (-60.0, 60.0)) for side in "LR"},
    **{f"forearm.{side}": Limit(165.0, (-110.0, 110.0)) for side in "LR"},
    **{f"shin.{side}": Limit(165.0, (-60.0, 60.0)) for side in "LR"},
}


def limited(turns: np.ndarray, limit: Limit, line: np.ndarray) -> np.ndarray:
    """(F, 3, 3) turns against the rest pose with swing and twist about unit `line` (3,) within the limit."""
    q = quaternions.from_matrix(turns)
    along = q[:, 1:] @ line
    size = np.hypot(q[:, 0], along)
    twist = np.where(size > 1e-9, 2 * np.arctan2(along, q[:, 0]), 0.0)
    twist = (twist + np.pi) % (2 * np.pi) - np.pi
    pure = np.concatenate([np.cos(twist / 2)[:, None], np.sin(twist / 2)[:, None] * line], 1)
    swing = quaternions.from_matrix(turns @ np.swapaxes(quaternions.to_matrix(pure), 1, 2))
    angle = 2 * np.arctan2(np.linalg.norm(swing[:, 1:], axis=1), swing[:, 0])
    axis = swing[:, 1:] / np.maximum(np.linalg.norm(swing[:, 1:], axis=1, keepdims=True), 1e-12)
    low, high = np.radians(limit.twist)
    twist = np.where(twist >= 0, soft_limit(twist, high), -soft_limit(-twist, -low))
    return _turn(axis, soft_limit(angle, np.radians(limit.swing))) @ _turn(np.broadcast_to(line, axis.shape), twist)


def soft_limit(angles: np.ndarray, most: float) -> np.ndarray:
    """Angles from 0 on that stay below `most`: as they are up to `_SOFT` before it, then ever slower."""
    room = max(_SOFT * most, 1e-9)
    beyond = np.maximum(angles - (most - room), 0.0)
    return np.where(beyond > 0, most - room * np.exp(-beyond / room), angles)


def limit_joints(
    moved: Transfer, slots: Mapping[str, str], limits: Mapping[str, Limit] = HUMAN
) -> tuple[Transfer, dict[str, tuple[int, float]]]:
    """`moved` with joints within their limits, and slot -> (frames that were limited, by how many degrees at most).

    What hangs from a joint goes along. To be called after the transfer.
    """
    rig, poser = moved.poser.rig, moved.poser
    wanted, told = dict(moved.wanted), {}
    was: dict[int, np.ndarray] = {}
    now: dict[int, np.ndarray] = {}
    for segment, name in enumerate(SEGMENTS):
        above = SEGMENT_PARENTS[segment]
        row = rig.rows.get(slots.get(name, ""), -1)
        if row not in wanted:
            if above >= 0 and above in was:
                was[segment], now[segment] = was[above], now[above]
            continue
        rest = rig.bones[row].rest[:3, :3]
        was[segment] = rig.turn @ moved.wanted[row] @ rest.T @ rig.turn.T
        carried = now[above] @ np.swapaxes(was[above], 1, 2) if above in was else np.eye(3)[None]
        turn = carried @ was[segment]
        if name in limits and above in now:
            within = _within(moved, name, SEGMENTS[above], turn, now[above], limits[name])
            degrees = np.degrees(_angles_between(within, turn))
            if (degrees > _TOLD).any():
                told[name] = (int((degrees > _TOLD).sum()), float(degrees.max()))
            turn = within
        now[segment] = turn
        wanted[row] = rig.turn.T @ turn @ rig.turn @ rest
    if "neck" in told:
        neck = SEGMENTS.index("neck")
        along = rig.turn.T @ now[neck] @ np.swapaxes(was[neck], 1, 2) @ rig.turn
        wanted |= {row: along @ wanted[row] for row in _links(moved, slots) if row in wanted}
    for row in moved.order:
        if row in wanted:
            poser.turn_to(row, wanted[row])
    return replace(moved, wanted=wanted), told


def _links(moved: Transfer, slots: Mapping[str, str]) -> list[int]:
    """Rows of the neck's further bones, which go along with its first."""
    return [moved.poser.rig.rows[slots[link]] for link in chain(slots, "neck")[1:]]


def _angles_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(F,) radians between rotations (F, 3, 3)."""
    trace = np.einsum("fij,fij->f", first, second)
    return np.arccos(np.clip((trace - 1) / 2, -1.0, 1.0))


def _within(moved: Transfer, name: str, above: str, turn: np.ndarray, parent: np.ndarray, limit: Limit) -> np.ndarray:
    """(F, 3, 3) world turn out of the rest pose of a segment, within the limit against its parent's."""
    frames = moved.anatomy.frames
    base, own = parent @ frames[above], turn @ frames[name]
    zero = rest_frame(name, above)
    against = zero.T @ np.swapaxes(base, 1, 2) @ own
    return base @ zero @ limited(against, limit, np.array([0.0, 1, 0])) @ np.swapaxes(frames[name], 1, 2)


def _turn(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    half = angle[:, None] / 2
    return quaternions.to_matrix(np.concatenate([np.cos(half), np.sin(half) * axis], -1))
