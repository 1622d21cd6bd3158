# SPDX-License-Identifier: GPL-3.0-or-later
"""A posed rig as the joints of a take: the way back from bones to positions.

Legs and arms are where the bones are. Trunk, neck and head are those of the rest pose's anatomy, each turned as the
bone of its part turns out of the rest pose: where a rig has its pivots, and how its spine is curved, is its own affair
(`anatomy`), and the shoulders come along.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..joints import TAKE
from ..rotations import skull_base
from .anatomy import Anatomy, chain_shares, find_anatomy
from .rig import Rig
from .slots import chain

_SIDES = (("L", "left_"), ("R", "right_"))
#: How far up the trunk (0 hips, 1 shoulders) the bone lies that turns the trunk's lower half.
_LOW = 0.22


def needed_bones(rig: Rig, slots: Mapping[str, str]) -> list[str]:
    """Names of the bones whose poses `body_joints` wants. Raises ValueError as it does."""
    parts = _parts(rig, slots, find_anatomy(rig, slots))
    return list(dict.fromkeys(slots[slot] for slot in parts.values()))


def body_joints(rig: Rig, slots: Mapping[str, str], poses: Mapping[str, np.ndarray]) -> np.ndarray:
    """(F, 26, 3) world: the joints of a take.

    slots: slot -> bone name. poses: (F, 4, 4) matrices of the bones `needed_bones`, armature space, without scale.
    What a rig does not show (a face, heels) is an adult's. Raises ValueError, in one sentence, if the mapping is no
    body.
    """
    anatomy = find_anatomy(rig, slots)
    parts = _parts(rig, slots, anatomy)
    frames = len(next(iter(poses.values())))
    found: dict[str, np.ndarray] = {}
    rest = dict(zip(TAKE.names, anatomy.joints, strict=True))
    rest["skull"] = skull_base(anatomy.joints[None], anatomy.frames["head"])[0]

    def head(part: str) -> np.ndarray:
        return rig.to_world(poses[slots[parts[part]]][:, :3, 3])

    def turned(joint: str, origin: str, part: str) -> None:
        """Put a joint where the bone of `part` turns it about `origin`."""
        name = slots[parts[part]]
        turn = poses[name][:, :3, :3] @ rig.bones[rig.rows[name]].rest[:3, :3].T
        found[joint] = found[origin] + (rig.turn @ turn @ rig.turn.T @ (rest[joint] - rest[origin])[:, None])[..., 0]

    for side, prefix in _SIDES:
        for joint, part in (("hip", "thigh"), ("knee", "shin"), ("ankle", "foot")):
            found[prefix + joint] = head(f"{part}.{side}")
        for end in ("heel", "toe"):
            turned(prefix + end, prefix + "ankle", f"foot.{side}")
    found["pelvis"] = (found["left_hip"] + found["right_hip"]) / 2
    turned("spine", "pelvis", "low")
    turned("thorax", "spine", "top")
    turned("neck", "thorax", "top")
    turned("skull", "neck", "neck")
    for joint in ("head_top", "nose", "left_ear", "right_ear"):
        turned(joint, "skull", "head")
    for side, prefix in _SIDES:
        turned(prefix + "shoulder", "thorax", f"shoulder.{side}")
        arm = [head(f"{part}.{side}") for part in ("upper_arm", "forearm", "hand")]
        found[prefix + "elbow"] = found[prefix + "shoulder"] + arm[1] - arm[0]
        found[prefix + "wrist"] = found[prefix + "elbow"] + arm[2] - arm[1]
        turned(prefix + "hand", prefix + "wrist", f"hand.{side}")
    return np.stack([np.broadcast_to(found[name], (frames, 3)) for name in TAKE.names], 1)


def _parts(rig: Rig, slots: Mapping[str, str], anatomy: Anatomy) -> dict[str, str]:
    """Part of the body -> slot of the bone that turns it."""
    links, necks = chain(slots, "spine"), chain(slots, "neck")
    shares = chain_shares(rig, slots, anatomy)
    top = "chest" if "chest" in slots else (links[-1] if links else "hips")
    low = min(["hips", *links], key=lambda link: abs(shares.get(link, 0.0) - _LOW))
    neck = necks[0] if necks else top
    found = {"low": low, "top": top, "neck": neck, "head": "head" if "head" in slots else (necks[-1] if necks else top)}
    for side, _ in _SIDES:
        found[f"shoulder.{side}"] = f"shoulder.{side}" if f"shoulder.{side}" in slots else top
        for part in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot"):
            found[f"{part}.{side}"] = f"{part}.{side}"
    return found
