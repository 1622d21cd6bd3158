# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints under other names and in another order, on the pipeline's own set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...rigging.joints import JOINT_SETS, KEYPOINTS, JointSet
from ..errors import UserError
from ..keypoints import Keypoints
from .base import rows_of

_ALIASES = {"big_toe": "toe", "foot_index": "toe", "foot": "ankle"}


def to_keypoints_set(keypoints: Keypoints) -> Keypoints:
    """The same people on the `KEYPOINTS` set: reordered by name, what the source lacks missing (NaN, NaN, 0).

    Raises UserError if the source has fewer than 4 of the set's names.
    """
    if keypoints.keypoint_names == KEYPOINTS.names:
        return keypoints
    rows = rows_of([_common_name(name) for name in keypoints.keypoint_names], KEYPOINTS.names)
    if (rows >= 0).sum() < 4:
        known = ", ".join(KEYPOINTS.names)
        raise UserError(f"these keypoints are not of a person: fewer than 4 of their names are among {known}")
    values = keypoints.keypoints[:, :, rows].astype(np.float32)
    values[:, :, rows < 0] = (np.nan, np.nan, 0)
    return replace(keypoints, keypoint_names=KEYPOINTS.names, keypoints=values)


def joint_set_of(names: Sequence[str]) -> JointSet:
    """The joint set with exactly these names; else one made of them, with `KEYPOINTS`' parents where it has them."""
    names = tuple(names)
    for joints in JOINT_SETS.values():
        if joints.names == names:
            return joints
    rows = {name: row for row, name in enumerate(names)}
    parents = {child: KEYPOINTS.names[parent] for child, parent in zip(KEYPOINTS.names, KEYPOINTS.parents, strict=True)}
    return JointSet("detector", names, tuple(rows.get(parents.get(name, ""), -1) for name in names))


def _common_name(name: str) -> str:
    """`LEFT_FOOT_INDEX` and `left foot index` to `left_toe`."""
    name = name.strip().lower().replace(" ", "_").replace("-", "_")
    for side in ("left_", "right_"):
        if name.startswith(side):
            return side + _ALIASES.get(name.removeprefix(side), name.removeprefix(side))
    return name
