# SPDX-License-Identifier: GPL-3.0-or-later
"""The joint set of a detector, by the names of its keypoints."""

from __future__ import annotations

from collections.abc import Sequence

from ...rigging.joints import JOINT_SETS, KEYPOINTS, JointSet


def joint_set_of(names: Sequence[str]) -> JointSet:
    """The joint set with exactly these names; else one made of them, with `KEYPOINTS`' parents where it has them."""
    names = tuple(names)
    for joints in JOINT_SETS.values():
        if joints.names == names:
            return joints
    rows = {name: row for row, name in enumerate(names)}
    parents = {child: KEYPOINTS.names[parent] for child, parent in zip(KEYPOINTS.names, KEYPOINTS.parents, strict=True)}
    return JointSet("detector", names, tuple(rows.get(parents.get(name, ""), -1) for name in names))
