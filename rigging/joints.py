# SPDX-License-Identifier: GPL-3.0-or-later
"""Joint sets: which points a detector gives, a lifter takes, a take holds.

A joint set is an object with names, parents and left/right pairs; it is stored by name list with every array and every
checkpoint, because the shape of an array does not say what its rows mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class JointSet:
    """Named points of a body.

    name: identifier of the set.
    names: (J,) joint names; sides are prefixes `left_` and `right_` and are the person's own.
    parents: (J,) row of the parent joint, -1 for the root.
    """

    name: str
    names: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.parents):
            raise ValueError(f"joint set {self.name}: {len(self.names)} names but {len(self.parents)} parents")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Row of the joint called `name`; KeyError if the set has none."""
        return self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def mirror(self) -> np.ndarray:
        """(J,) int: the row of each joint's counterpart on the other side (itself for joints of the middle)."""
        return mirror_rows(self.names)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent row, child row) of every joint that has a parent."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)


def mirror_rows(names: Sequence[str]) -> np.ndarray:
    """(J,) int: for each name the row of its left/right counterpart, or its own row where there is none."""
    rows = {name: row for row, name in enumerate(names)}

    def other(name: str) -> str:
        if name.startswith("left_"):
            return "right_" + name[5:]
        if name.startswith("right_"):
            return "left_" + name[6:]
        return name

    return np.array([rows.get(other(name), row) for row, name in enumerate(names)], dtype=np.int64)


def _joint_set(name: str, tree: Sequence[tuple[str, str]]) -> JointSet:
    rows = {child: row for row, (child, _) in enumerate(tree)}
    return JointSet(name, tuple(child for child, _ in tree), tuple(rows.get(parent, -1) for _, parent in tree))


#: The joints of a take (stable): Human3.6M's 17 first, then what turns feet, hands and head.
TAKE = _joint_set(
    "take-26",
    [
        ("pelvis", ""),
        ("right_hip", "pelvis"),
        ("right_knee", "right_hip"),
        ("right_ankle", "right_knee"),
        ("left_hip", "pelvis"),
        ("left_knee", "left_hip"),
        ("left_ankle", "left_knee"),
        ("spine", "pelvis"),
        ("thorax", "spine"),
        ("neck", "thorax"),
        ("head_top", "neck"),
        ("left_shoulder", "thorax"),
        ("left_elbow", "left_shoulder"),
        ("left_wrist", "left_elbow"),
        ("right_shoulder", "thorax"),
        ("right_elbow", "right_shoulder"),
        ("right_wrist", "right_elbow"),
        ("left_heel", "left_ankle"),
        ("right_heel", "right_ankle"),
        ("left_toe", "left_ankle"),
        ("right_toe", "right_ankle"),
        ("left_hand", "left_wrist"),
        ("right_hand", "right_wrist"),
        ("nose", "head_top"),
        ("left_ear", "head_top"),
        ("right_ear", "head_top"),
    ],
)

_COCO17_TREE = [
    ("nose", ""),
    ("left_eye", "nose"),
    ("right_eye", "nose"),
    ("left_ear", "left_eye"),
    ("right_ear", "right_eye"),
    ("left_shoulder", "nose"),
    ("right_shoulder", "nose"),
    ("left_elbow", "left_shoulder"),
    ("right_elbow", "right_shoulder"),
    ("left_wrist", "left_elbow"),
    ("right_wrist", "right_elbow"),
    ("left_hip", "left_shoulder"),
    ("right_hip", "right_shoulder"),
    ("left_knee", "left_hip"),
    ("right_knee", "right_hip"),
    ("left_ankle", "left_knee"),
    ("right_ankle", "right_knee"),
]

#: What most detectors give.
COCO17 = _joint_set("coco-17", _COCO17_TREE)

#: COCO-17 with feet and hands: the 2D set of the pipeline. A detector without feet leaves those rows missing.
KEYPOINTS = _joint_set(
    "keypoints-23",
    [
        *_COCO17_TREE,
        ("left_heel", "left_ankle"),
        ("right_heel", "right_ankle"),
        ("left_toe", "left_ankle"),
        ("right_toe", "right_ankle"),
        ("left_hand", "left_wrist"),
        ("right_hand", "right_wrist"),
    ],
)

#: Human3.6M in VideoPose3D's order, under the take's names: what published checkpoints give.
H36M17 = JointSet("h36m-17", TAKE.names[:17], TAKE.parents[:17])

JOINT_SETS: dict[str, JointSet] = {joints.name: joints for joints in (TAKE, COCO17, KEYPOINTS, H36M17)}
