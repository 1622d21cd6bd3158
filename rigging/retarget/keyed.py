# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig as its keys pose it: what is left of a motion where keys were left out, not what was meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .pose import Poser
from .reduce import Keys
from .riding import OBJECT, object_pose
from .rig import Rig
from .soles import foot_points, foot_slide
from .transfer import Transfer


def posed_by(keys: Sequence[Keys], rig: Rig, frames: np.ndarray) -> Poser:
    """The rig at frames (F,) as its keys pose it. rig: where the object itself has keys, `riding.ridden`."""
    poser = Poser(rig)
    values = {(key.curve.bone, key.curve.path): key.evaluate(frames) for key in keys}
    for key in keys:
        bone, path = key.curve.bone, key.curve.path
        if bone == OBJECT:
            if path != "location":
                own = {"location": values[OBJECT, "location"], path: values[bone, path]}
                poser.put(rig.rows[OBJECT], *object_pose(own, key.curve, rig))
        elif path == "location":
            poser.put(rig.rows[bone], None, values[bone, path])
        else:
            poser.put(rig.rows[bone], key.curve.rotations(values[bone, path]))
    return poser


def keyed_slide(
    moved: Transfer,
    keyed: Poser,
    slots: Mapping[str, str],
    targets: Mapping[str, str],
    stands: np.ndarray,
    times: np.ndarray,
) -> float:
    """mm/s of heels and toes that stand, as keys pose them.

    moved: as the motion was worked out, at the same times (F,). keyed: `posed_by`. targets: `foot.L` .. -> the IK
    control that carries the foot, if any. stands: (F, 4).
    """
    both, rig = [], keyed.rig
    for number, side in enumerate("LR"):
        row = rig.rows[targets.get(f"foot.{side}", slots[f"foot.{side}"])]
        step = keyed.pose(row) @ np.linalg.inv(moved.poser.pose(row))
        heel, toe = (
            np.broadcast_to(rig.to_world(_carried(step, rig.to_armature(point))), (len(times), 3))
            for point in foot_points(moved, slots, side)
        )
        both.append(foot_slide(heel, toe, stands[:, 2 * number : 2 * number + 2], times))
    return float(np.mean(both))


def _carried(step: np.ndarray, points: np.ndarray) -> np.ndarray:
    return (step[..., :3, :3] @ points[..., None])[..., 0] + step[..., :3, 3]
