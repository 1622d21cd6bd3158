# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keypoints are hidden from a lifter to see how well it guesses them: whole limbs, for a while.

A single hidden point would be read off its neighbours in time, and a wrist off its elbow; only a limb that is gone for
most of a second has to be known from how this person moves and is built.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Seconds that a limb is hidden. Shorter gaps are bridged by a straight line nearly without an error.
BLOCK = 0.7
_LIMBS = (("elbow", "wrist"), ("knee", "ankle"))


def limbs(names: Sequence[str]) -> list[list[int]]:
    """Columns of the lower arms and legs among `names`, a list each; without those that are not there."""
    sides = [[f"{side}_{joint}" for joint in limb] for limb in _LIMBS for side in ("left", "right")]
    found = [[names.index(name) for name in limb if name in names] for limb in sides]
    return [columns for columns in found if columns]


def draw_blocks(names: Sequence[str], times: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """(F, K) numbers: 0 for what is shown, else the number of the block in which a limb is hidden, from 1 on.

    names: (K,). times: (F,) seconds. share: of the blocks of every limb.
    """
    blocks = np.zeros((len(times), len(names)), dtype=np.int64)
    number = 0
    for columns in limbs(names):
        which = np.floor((times - times[0]) / BLOCK + generator.random()).astype(np.int64)
        there = np.unique(which)
        for block in generator.permutation(there)[: round(share * len(there))]:
            number += 1
            blocks[np.ix_(which == block, columns)] = number
    return blocks
