# SPDX-License-Identifier: GPL-3.0-or-later
"""A person of a take -> motion on their own skeleton, and back to positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import quaternions
from .joints import TAKE
from .rotations import rotation_differences, segment_rotations
from .skeleton import Motion, Skeleton, rest_skeleton
from .take import Take


def take_joints(take: Take, person: int) -> tuple[np.ndarray, np.ndarray]:
    """Joints (F, 26, 3) and confidence (F, 26) of a person, rows as `joints.TAKE`; NaN and 0 for what is missing.

    Raises ValueError, in one sentence, if the take has no such person.
    """
    ids = [int(number) for number in take.person_ids]
    if person not in ids:
        raise ValueError(f"the take has no person {person}; it has {', '.join(map(str, ids)) or 'nobody'}")
    row = ids.index(person)
    frames = len(take.times)
    joints, confidence = np.full((frames, len(TAKE), 3), np.nan), np.zeros((frames, len(TAKE)))
    for column, name in enumerate(take.joint_names):
        if name in TAKE:
            joints[:, TAKE.index(name)] = take.joints[row, :, column]
            confidence[:, TAKE.index(name)] = take.joints_confidence[row, :, column]
    confidence = np.where(np.isfinite(joints).all(-1), confidence, 0.0)
    return joints, confidence


def solve(take: Take, person: int) -> Motion:
    """The motion of one person on a skeleton with their own bone lengths.

    Raises ValueError, in one sentence, if the take has no such person or the person's pelvis was never seen.
    """
    joints, confidence = take_joints(take, person)
    seen = confidence[:, TAKE.index("pelvis")] > 0
    if not seen.any():
        raise ValueError(f"person {person} has no frame with a known pelvis")
    solved = segment_rotations(joints, confidence)
    skeleton = rest_skeleton(joints, solved, confidence)
    differences = rotation_differences(solved, segment_rotations(skeleton.joints[None]))
    pelvis = joints[:, TAKE.index("pelvis")]
    path = np.stack([np.interp(take.times, take.times[seen], pelvis[seen, axis]) for axis in range(3)], -1)
    return Motion(
        person=person,
        skeleton=skeleton,
        fps=float(take.fps),
        times=np.asarray(take.times, np.float64),
        rotations=quaternions.continuous(quaternions.from_matrix(_local(skeleton, differences))),
        root_translation=path - skeleton.heads[0],
        observed=seen,
    )


def _local(skeleton: Skeleton, differences: np.ndarray) -> np.ndarray:
    """(F, B, 3, 3) world turns out of the rest pose -> turns relative to the parent, in each bone's rest axes.

    Specification 3.8, item 5: (P_rest^-1 B_rest)^-1 (P_pose^-1 B_pose) with B_pose = D B_rest.
    """
    relative = differences.copy()
    for bone, parent in enumerate(skeleton.parents):
        if parent >= 0:
            relative[:, bone] = np.swapaxes(differences[:, parent], -1, -2) @ differences[:, bone]
    return np.swapaxes(skeleton.frames, -1, -2) @ relative @ skeleton.frames


def forward_kinematics(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Heads (F, B, 3), metres, and turns out of the rest pose (F, B, 3, 3) of all bones, in the world."""
    skeleton = motion.skeleton
    local = skeleton.frames @ quaternions.to_matrix(motion.rotations) @ np.swapaxes(skeleton.frames, -1, -2)
    turns = local.copy()
    heads = np.empty((*motion.rotations.shape[:2], 3))
    for bone, parent in enumerate(skeleton.parents):
        if parent < 0:
            heads[:, bone] = skeleton.heads[bone] + motion.root_translation
            continue
        turns[:, bone] = turns[:, parent] @ local[:, bone]
        heads[:, bone] = heads[:, parent] + turns[:, parent] @ (skeleton.heads[bone] - skeleton.heads[parent])
    return heads, turns


def posed_joints(motion: Motion) -> np.ndarray:
    """(F, 26, 3) metres, world: the joints of a take as the skeleton carries them."""
    skeleton = motion.skeleton
    heads, turns = forward_kinematics(motion)
    joints = np.empty((len(heads), len(TAKE), 3))
    for row, name in enumerate(TAKE.names):
        bone = skeleton.names.index(_CARRIER[name])
        offset = skeleton.joints[row] - skeleton.heads[bone]
        joints[:, row] = heads[:, bone] + turns[:, bone] @ offset
    return joints


def _carriers() -> dict[str, str]:
    """The bone that each joint of a take is fixed to."""
    carriers = {"pelvis": "hips", "spine": "spine", "thorax": "chest", "neck": "chest"}
    carriers |= dict.fromkeys(("head_top", "nose", "left_ear", "right_ear"), "head")
    for side, prefix in (("L", "left_"), ("R", "right_")):
        for joint, bone in (
            ("hip", "hips"), ("knee", "thigh"), ("ankle", "shin"), ("heel", "foot"), ("toe", "foot"),
            ("shoulder", "shoulder"), ("elbow", "upper_arm"), ("wrist", "forearm"), ("hand", "hand"),
        ):  # fmt: skip
            carriers[prefix + joint] = bone if bone == "hips" else f"{bone}.{side}"
    return carriers


_CARRIER = _carriers()


def resample(motion: Motion, times: np.ndarray) -> Motion:
    """The motion at other times (G,), seconds: rotations by slerp, the root linearly, held beyond the ends."""
    root = np.stack([np.interp(times, motion.times, motion.root_translation[:, axis]) for axis in range(3)], -1)
    middles = (motion.times[1:] + motion.times[:-1]) / 2
    nearest = np.searchsorted(middles, np.asarray(times, np.float64))
    return replace(
        motion,
        times=np.asarray(times, np.float64),
        rotations=quaternions.resample(motion.rotations, motion.times, np.asarray(times, np.float64)),
        root_translation=root,
        observed=motion.observed[nearest],
    )
