# SPDX-License-Identifier: GPL-3.0-or-later
"""Shoulders: how far they are raised from where this person has them, not from where the rig has them.

Where a thorax lies between the shoulders is each capture's own definition: people of one library stand with shoulders
20 degrees above it, of another 20 below. Taken at its word that makes every character shrug or droop.
"""

from __future__ import annotations

import numpy as np

from ..rotations import SEGMENTS, SegmentRotations, segment_rotations
from ..vectors import swing, unit

#: Arms that hang within this angle of straight down leave the shoulders where they are at rest.
_HANGING = np.cos(np.radians(50.0))
_LEAST = 5  # frames
_MIRROR = np.array([-1.0, 1, 1])


def collar_turns(
    solved: SegmentRotations, rest: SegmentRotations, neutral: np.ndarray | None
) -> dict[str, np.ndarray] | None:
    """`shoulder.L`, `shoulder.R` -> (F, 3, 3) world turns out of the rest pose; None if nothing says what is at rest.

    rest: the rig's (one frame). neutral: (26, 3) joints of the source's own rest pose; without one it is where the
    shoulders are while the arms hang, the same on both sides.
    """
    own = _habit(solved) if neutral is None else _directions(segment_rotations(neutral[None]))
    if own is None:
        return None
    now = _directions(solved)
    raised = {side: swing(np.broadcast_to(own[side], now[side].shape), now[side]) for side in "LR"}
    return {f"shoulder.{side}": solved["chest"] @ raised[side] @ rest["chest"][0].T for side in "LR"}


def _directions(solved: SegmentRotations) -> dict[str, np.ndarray]:
    """(F, 3) directions of the shoulders in the chest's axes."""
    chest = np.swapaxes(solved["chest"], -1, -2)
    return {side: (chest @ solved[f"shoulder.{side}"][:, :, 1, None])[..., 0] for side in "LR"}


def _habit(solved: SegmentRotations) -> dict[str, np.ndarray] | None:
    """(1, 3) directions of this person's shoulders at rest."""
    found = []
    for side, directions in _directions(solved).items():
        hanging = -(solved["chest"][:, :, 1] * solved[f"upper_arm.{side}"][:, :, 1]).sum(-1) > _HANGING
        rows = [SEGMENTS.index(f"{part}.{side}") for part in ("shoulder", "upper_arm")]
        hanging &= solved.observed[:, rows].all(1)
        if hanging.sum() >= _LEAST:
            found.append(np.median(directions[hanging], 0) * (1.0 if side == "L" else _MIRROR))
    if not found:
        return None
    left = unit(np.mean(found, 0))
    return {"L": left[None], "R": (left * _MIRROR)[None]}
