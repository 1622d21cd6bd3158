# SPDX-License-Identifier: GPL-3.0-or-later
"""The body inside a rig: where a take's joints lie in a mapped rig's rest pose, and the segments' rest frames.

Joints come from the bones' heads; half of all rigs came through a file format that knows neither tails nor axes
(retargeting specification 3.8, item 4; `extremities` for what lies beyond the last head).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..joints import TAKE
from ..rotations import SegmentRotations, complete_rest_pose, segment_rotations
from ..vectors import swing, unit
from .extremities import Stance, find_palms, find_toes
from .rig import Rig
from .slots import REQUIRED, chain, in_words

#: A rest pose whose trunk leans less than this stands upright: trunks are curved, bones lie in front or behind.
_UPRIGHT = np.cos(np.radians(25.0))
#: Neutral trunk, neck and head over the pelvis, (to the left, up, to the front) as fractions of pelvis to thorax:
#: those of the person's own rest pose (`rigging.skeleton`), because how a spine is curved says nothing of posture.
_NEUTRAL = {
    "pelvis": (0.0, 0.0, 0.0),
    "spine": (0.0, 0.445, 0.0),
    "thorax": (0.0, 1.0, 0.0),
    "neck": (0.0, 1.188, 0.0),
    "head_top": (0.0, 1.754, 0.039),
    "left_ear": (0.156, 1.475, 0.056),
    "right_ear": (-0.156, 1.475, 0.056),
    "nose": (0.0, 1.433, 0.313),
}


#: Cosine to the vertical from which a figure stands; part of the leg by which its origin may be off its soles.
_STANDS, _FAR = 0.9, 0.25


@dataclass(frozen=True)
class Anatomy:
    """A mapped rig's body in the rest pose, world.

    joints: (26, 3) as `joints.TAKE`, in the units of the world. frames: the segments' rest frames (F = 1).
    up: (3,) unit, the way the figure stands. leg: thigh + shin + height of the ankle, both sides averaged.
    floor: height of the floor that it walks on, along the world's Z.
    """

    joints: np.ndarray
    frames: SegmentRotations
    up: np.ndarray
    leg: float
    floor: float

    def joint(self, name: str) -> np.ndarray:
        """(3,) one joint."""
        return self.joints[TAKE.index(name)]


def find_anatomy(rig: Rig, slots: Mapping[str, str]) -> Anatomy:
    """The body of a rig. slots: slot -> bone name.

    Raises ValueError, in one sentence, if a required slot is missing, names no bone, or the body has no size.
    """
    missing = [slot for slot in REQUIRED if slot not in slots]
    if missing:
        raise ValueError(f"{rig.name} has no bone for {', '.join(in_words(missing))}")
    unknown = [name for name in slots.values() if name not in rig.rows]
    if unknown:
        raise ValueError(f"{rig.name} has no bone called {', '.join(unknown)}")
    joints = np.full((len(TAKE), 3), np.nan)

    def put(name: str, place: np.ndarray) -> None:
        joints[TAKE.index(name)] = place

    def head(slot: str) -> np.ndarray:
        return rig.heads[rig.rows[slots[slot]]]

    for side, prefix in (("L", "left_"), ("R", "right_")):
        for joint, slot in (
            ("hip", "thigh"), ("knee", "shin"), ("ankle", "foot"),
            ("shoulder", "upper_arm"), ("elbow", "forearm"), ("wrist", "hand"),
        ):  # fmt: skip
            put(prefix + joint, head(f"{slot}.{side}"))
    pelvis = (head("thigh.L") + head("thigh.R")) / 2
    collar = (head("upper_arm.L") + head("upper_arm.R")) / 2
    up = _upright(unit(collar - pelvis))
    if not np.isfinite(up).all():
        raise ValueError(f"{rig.name} has hips and shoulders in one place: its bones are mapped wrongly")
    height = float((collar - pelvis) @ up)
    front = unit(np.cross(head("thigh.L") - head("thigh.R"), up))
    left = np.cross(up, front)
    for name, (aside, above, ahead) in _NEUTRAL.items():
        put(name, pelvis + height * (aside * left + above * up + ahead * front))
    stance = Stance(up, front, left, float((pelvis - (head("foot.L") + head("foot.R")) / 2) @ up), rig.world[:3, 3])
    palms, toes = find_palms(rig, slots, stance), find_toes(rig, slots, stance)
    for side, prefix in (("L", "left_"), ("R", "right_")):
        put(prefix + "hand", palms[side])
        put(prefix + "toe", toes[side])
    joints = _complete(joints, up)
    leg = np.mean([_leg(joints, prefix, up) for prefix in ("left_", "right_")])
    if not leg > 0:
        raise ValueError(f"{rig.name} has legs of no length: its bones are mapped wrongly")
    floor = _floor(joints, up, float(leg), float(rig.world[2, 3]))
    return Anatomy(joints, segment_rotations(joints[None]), up, float(leg), floor)


def trunk_height(anatomy: Anatomy, point: np.ndarray) -> float:
    """How far up the trunk a point is: 0 at the hip joints, 1 at the shoulders."""
    pelvis, thorax = anatomy.joint("pelvis"), anatomy.joint("thorax")
    return float((point - pelvis) @ anatomy.up / max((thorax - pelvis) @ anatomy.up, 1e-9))


def _upright(trunk: np.ndarray) -> np.ndarray:
    return np.array([0.0, 0, 1]) if trunk[2] > _UPRIGHT else trunk


def _complete(joints: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Heels, found standing on the floor and brought back to where the rig is."""
    turn = swing(up, np.array([0.0, 0, 1]))
    standing = (turn @ joints.T).T
    return (turn.T @ complete_rest_pose(standing).T).T


def _floor(joints: np.ndarray, up: np.ndarray, leg: float, origin: float) -> float:
    """The height of the object's origin; where a figure that stands has it elsewhere than at its feet, in its hips say,
    the height of its soles."""
    soles = min(
        float(joints[TAKE.index(f"{side}_{part}"), 2]) for side in ("left", "right") for part in ("heel", "toe")
    )
    return soles if up[2] > _STANDS and abs(soles - origin) > _FAR * leg else origin


def _leg(joints: np.ndarray, prefix: str, up: np.ndarray) -> float:
    hip, knee, ankle, toe = (joints[TAKE.index(prefix + name)] for name in ("hip", "knee", "ankle", "toe"))
    above = max(float((ankle - toe) @ up), 0.0)
    return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee) + above)


def chain_shares(rig: Rig, slots: Mapping[str, str], anatomy: Anatomy) -> dict[str, float]:
    """How far up the trunk the middle of each link of the spine lies, 0 at the hips, 1 at the shoulders."""
    links = chain(slots, "spine")
    ends = [*links[1:], "chest"] if "chest" in slots else links[1:]
    shares = {}
    for number, link in enumerate(links):
        start = trunk_height(anatomy, rig.heads[rig.rows[slots[link]]])
        following = ends[number] if number < len(ends) else None
        end = trunk_height(anatomy, rig.heads[rig.rows[slots[following]]]) if following else 1.0
        shares[link] = float(np.clip((start + end) / 2, 0.0, 1.0))
    return shares
