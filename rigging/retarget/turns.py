# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animated rig says beyond where its joints are: how trunk, neck, head, shoulders and feet turn, and how
forearms and hands turn about themselves.

Frames are those of `rigging.rotations`: a bone that has turned by T out of its rest pose carries its segment's rest
frame F with it, T F. Rolls are against what the same recipe makes of the directions alone, so that a source whose
elbows are no hinges still gives forearms that are not wrung.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from .. import quaternions
from ..rotations import SEGMENTS, SegmentRotations
from ..vectors import dot, swing, unit
from .anatomy import Anatomy, chain_shares, find_anatomy
from .rig import Rig
from .slots import segment_of

#: Segments that turn as their bone does; shoulders in the axes of the chest, whose rest they share.
_WHOLE = ("hips", "chest", "neck", "head", *(f"{part}.{side}" for part in ("foot", "toe") for side in "LR"))
_ROLLED = tuple(
    (f"{part}.{side}", f"{base}.{side}")
    for side in "LR"
    for part, base in (("forearm", "upper_arm"), ("hand", "forearm"))
)

#: Sine of the bend from which an elbow shows its hinge, and 1 - cosine of what a hinge may be off (25 degrees).
_BENT, _TRUE = 0.5, 0.1


@dataclass(frozen=True)
class BodyTurns:
    """Turns of a source's bones over F frames, world.

    frames: segment -> (F, 3, 3). shoulders: `shoulder.L` .. -> (F, 3, 3) the chest's rest frame as the shoulder carries
    it. trunk: (how far up, 0 hips, 1 shoulders, (F, 3, 3) the trunk's frame there), from below. rolls: segment -> (F,)
    radians about its own line.
    """

    frames: Mapping[str, np.ndarray]
    shoulders: Mapping[str, np.ndarray]
    trunk: tuple[tuple[float, np.ndarray], ...]
    rolls: Mapping[str, np.ndarray]

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> BodyTurns:
        """A copy with `change` applied to every array, whose first axis is the frames."""
        return replace(
            self,
            frames={name: change(values) for name, values in self.frames.items()},
            shoulders={name: change(values) for name, values in self.shoulders.items()},
            trunk=tuple((share, change(values)) for share, values in self.trunk),
            rolls={name: change(values) for name, values in self.rolls.items()},
        )


def turning_bones(slots: Mapping[str, str]) -> list[str]:
    """Names of the bones whose poses `read_turns` wants."""
    return list(dict.fromkeys(name for slot, name in slots.items() if segment_of(slot) in SEGMENTS and slot != "root"))


def read_turns(rig: Rig, slots: Mapping[str, str], poses: Mapping[str, np.ndarray]) -> BodyTurns:
    """The turns of a rig's bones. poses: (F, 4, 4) matrices of the bones `turning_bones`, armature space, no scale."""
    anatomy = find_anatomy(rig, slots)

    def carried(slot: str, rest: np.ndarray) -> np.ndarray:
        name = slots[slot]
        turn = poses[name][:, :3, :3] @ rig.bones[rig.rows[name]].rest[:3, :3].T
        return rig.turn @ turn @ rig.turn.T @ rest

    own = {name: carried(name, anatomy.frames[name][0]) for name in _WHOLE if name in slots}
    limbs = {name: carried(name, anatomy.frames[name][0]) for pair in _ROLLED for name in pair}
    for side in "LR":
        if _bends_truer(limbs[f"forearm.{side}"], limbs[f"upper_arm.{side}"]):
            own[f"forearm.{side}"] = limbs[f"forearm.{side}"]
    shares = {"hips": 0.0, **chain_shares(rig, slots, anatomy)}
    knots = [(share, carried(slot, anatomy.frames["hips"][0])) for slot, share in shares.items()]
    if "chest" in slots:
        knots.append((1.0, carried("chest", anatomy.frames["hips"][0])))
    shoulders = [f"shoulder.{side}" for side in "LR" if f"shoulder.{side}" in slots]
    return BodyTurns(
        frames=own,
        shoulders={name: carried(name, anatomy.frames["chest"][0]) for name in shoulders},
        trunk=tuple(sorted(knots, key=lambda knot: knot[0])),
        rolls={name: _roll(limbs[base], limbs[name]) for name, base in _ROLLED if name not in own},
    )


def with_turns(solved: SegmentRotations, turns: BodyTurns) -> SegmentRotations:
    """The segments as the source's bones have them; directions of limbs stay those of the joints."""
    rotations, observed, twist = (array.copy() for array in (solved.rotations, solved.observed, solved.twist))
    for name, frames in turns.frames.items():
        row = SEGMENTS.index(name)
        rotations[:, row], observed[:, row], twist[:, row] = frames, True, 1.0
    for name, base in _ROLLED:
        if name not in turns.rolls:
            continue
        row, above = SEGMENTS.index(name), SEGMENTS.index(base)
        frame = rotations[:, row]
        if name.startswith("hand"):
            frame = swing(rotations[:, above, :, 1], frame[:, :, 1]) @ rotations[:, above]
        half = turns.rolls[name][:, None] / 2
        spin = np.concatenate([np.cos(half), np.sin(half) * frame[:, :, 1]], -1)
        rotations[:, row], twist[:, row] = quaternions.to_matrix(spin) @ frame, 1.0
    return SegmentRotations(rotations, observed, twist)


def own_turns(turns: BodyTurns, anatomy: Anatomy) -> dict[str, np.ndarray]:
    """Segment -> (F, 3, 3) world turn out of the rest pose of another rig, of those that turn as the source's bones."""
    found = {name: frames @ anatomy.frames[name][0].T for name, frames in turns.frames.items()}
    return found | {name: frames @ anatomy.frames["chest"][0].T for name, frames in turns.shoulders.items()}


def trunk_turn(turns: BodyTurns, anatomy: Anatomy, share: float) -> np.ndarray:
    """(F, 3, 3) world turn out of the rest pose of another rig, so far up its trunk."""
    shares = np.array([knot for knot, _ in turns.trunk])
    above = int(np.clip(np.searchsorted(shares, share), 1, len(shares) - 1)) if len(shares) > 1 else 0
    low, high = turns.trunk[max(above - 1, 0)], turns.trunk[above]
    part = float(np.clip((share - low[0]) / max(high[0] - low[0], 1e-9), 0.0, 1.0))
    a, b = quaternions.from_matrix(low[1]), quaternions.from_matrix(high[1])
    frame = quaternions.to_matrix(quaternions.slerp(a, b, np.full(len(a), part)))
    return frame @ anatomy.frames["hips"][0].T


def _bends_truer(forearm: np.ndarray, upper: np.ndarray) -> bool:
    """Whether the hinge that a forearm (F, 3, 3) carries is that of its bends while that of the upper arm is not.

    The upper arms of control rigs are often chains of bones, of which the first does not turn about itself.
    """
    normal = np.cross(upper[:, :, 1], forearm[:, :, 1])
    bent = np.linalg.norm(normal, axis=-1) > _BENT
    if not bent.any():
        return False
    off = [np.median(1 - dot(unit(normal[bent]), frame[bent, :, 0])) for frame in (forearm, upper)]
    return bool(off[0] < off[1] - 1e-4 and off[0] < _TRUE)


def _roll(base: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """(F,) radians, without jumps, by which frames are turned about their y against a swing out of `base`."""
    plain = swing(base[:, :, 1], frame[:, :, 1]) @ base
    x = frame[:, :, 0]
    angles = np.unwrap(np.arctan2(-dot(x, plain[:, :, 2]), dot(x, plain[:, :, 0])))
    return angles - 2 * np.pi * np.round(np.median(angles) / (2 * np.pi))
