# SPDX-License-Identifier: GPL-3.0-or-later
"""Heels and toes that stand: where keys are left out they may be a little off in height, but must not slide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .pose import Poser
from .soles import foot_points
from .transfer import Transfer

#: Metres by which keys that are left out may move a foot that stands over the ground: in a tenth of a second and back
#: it then slides by 15 mm/s.
_OFF = 0.00075


@dataclass(frozen=True)
class Still:
    """A heel or toe over F frames. row: of the bone that carries it. point: (3,) in its axes. weight: (F,) how much its
    way over the ground counts against that of any other joint. ground: (3, 3) armature space to its shadow, world."""

    row: int
    point: np.ndarray
    weight: np.ndarray
    ground: np.ndarray

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows that say where it is."""
        return (self.row,)

    def place(self, poser: Poser) -> np.ndarray:
        """(F, 3) over the ground, as long as it counts."""
        pose = poser.pose(self.row)
        return self.weight[:, None] * ((pose[:, :3, :3] @ self.point + pose[:, :3, 3]) @ self.ground.T)


def still_points(
    moved: Transfer, slots: Mapping[str, str], controls: Mapping[str, str], stands: np.ndarray, bound: float
) -> list[Still]:
    """Heels and toes of feet that follow IK controls.

    moved: with all channels, those of the controls, too. controls: `foot.L` .. -> bone; feet without one are carried by
    bones of the leg, whose keys cannot be so exact one by one. stands: (F, 4). bound: metres by which any joint may be
    off.
    """
    rig, found = moved.poser.rig, []
    ground = np.diag([1.0, 1.0, 0.0]) @ rig.turn
    for number, side in enumerate("LR"):
        points = [rig.to_armature(point) for point in foot_points(moved, slots, side)]
        row = rig.rows.get(controls.get(f"foot.{side}", ""), -1)
        if row < 0:
            continue
        pose = moved.poser.pose(row)
        for point, on in zip(points, stands[:, 2 * number : 2 * number + 2].T, strict=True):
            local = np.swapaxes(pose[:, :3, :3], 1, 2) @ (point - pose[:, :3, 3])[..., None]
            weight = np.where(on, max(bound / _OFF, 1.0), 0.0)
            found.append(Still(row, np.median(local[..., 0], axis=0), weight, ground))
    return found
