# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones that are scaled in the pose, as files bring them: a skeleton's first bone at a hundred times its size.

Poses are reckoned without scale. What is scaled evenly as a whole is the same as a larger object; what is scaled
otherwise is taken at its rest size. A bone does not scale its own location, so that such a bone is no root to be keyed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .pose import Poser
from .rig import Rig

_SAME = 1e-3
#: A bone that carries this part of all bones carries the figure.
_MOST = 0.6


def unscaled(rig: Rig) -> Rig:
    """The rig with poses that turn and move only; an even scale of the whole figure is the world's instead."""
    scales = {row: scale for row, bone in enumerate(rig.bones) if (scale := _scale(bone.basis)) is not None}
    if not scales:
        return rig
    bones = [replace(b, basis=_rigid(b.basis), scaled=True) if row in scales else b for row, b in enumerate(rig.bones)]
    plain = replace(rig, bones=tuple(bones))
    poser, world = Poser(plain), rig.world
    below = np.zeros(len(bones), int)
    for row in range(len(bones)):
        for above in (row, *rig.ancestors(row)):
            below[above] += 1
    for row, scale in scales.items():  # parents first, so that each is scaled in the space of the one before
        if below[row] >= _MOST * len(bones) and np.ptp(scale) < 0.02 * scale.max():
            fixed = np.eye(4)
            fixed[:3, :3] *= float(scale.mean())
            head = poser.pose(row)[0, :3, 3]
            fixed[:3, 3] = head - fixed[:3, :3] @ head
            world = world @ fixed
    return replace(plain, world=world)


def _scale(basis: np.ndarray | None) -> np.ndarray | None:
    """(3,) the scale in a pose, None if there is none to speak of."""
    if basis is None:
        return None
    scale = np.linalg.norm(basis[:3, :3], axis=0)
    return scale if np.abs(scale - 1).max() > _SAME and scale.min() > 1e-9 else None


def _rigid(basis: np.ndarray | None) -> np.ndarray | None:
    if basis is None:
        return None
    u, _, vt = np.linalg.svd(basis[:3, :3])
    kept = basis.copy()
    kept[:3, :3] = u @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))]) @ vt
    return kept
