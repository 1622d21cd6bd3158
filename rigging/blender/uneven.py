# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What is refused of armature objects that are scaled unevenly, with the object whose scale it is."""

from __future__ import annotations

import bpy
import numpy as np

from ..retarget.options import Options
from ..retarget.rig import Rig
from ..retarget.stretch import EVEN, is_even, keeps_level, stretch_of


def check_stretch(armature: bpy.types.Object, rig: Rig, options: Options) -> np.ndarray:
    """(3, 3) how the object stretches its figure (`retarget.stretch`).

    Raises ValueError, in one sentence, where that makes the motion impossible.
    """
    stretch = stretch_of(rig)
    if is_even(stretch):
        return stretch
    whose = _uneven(armature)
    remedy = f"apply the scale of {whose} (Ctrl+A) or make it even"
    if not keeps_level(stretch):
        raise ValueError(f"{whose} is scaled unevenly and aslant, so that the figure leans; {remedy}")
    if options.root == "object":
        raise ValueError(f"an object that is scaled unevenly cannot carry the motion; {remedy}, or choose another root")
    return stretch


def _uneven(armature: bpy.types.Object) -> str:
    """Name of the object, of the armature and its parents, whose own scale is not the same in all directions."""
    one = armature
    while one is not None:
        sizes = np.abs(np.array(one.matrix_basis.to_scale()))
        if sizes.max() >= (1 + EVEN) * sizes.min():
            return one.name
        one = one.parent
    return armature.name
