# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person is, by two witnesses: the linear root of the lifted joints, and the lifter's own root.

Measured on validation motion with version 2 of the shipped weights (160 clips of 3 s): with exact keypoints the linear
root's distance is off by 3.1 % (root mean square), the lifter's by 3.4; with keypoints as a detector gives them by 7.9
and 5.1. The linear root tells by how badly its equations fit which of the two it is: where its standard error is below
0.7 % it is off by 1.9 % with exact keypoints, the lifter's by 2.1; where it is above 8.5 % by 32 with detected ones,
the lifter's by 14. Weighed by that, both together are off by 3.2 and 5.2 %, and nearly as steady as the lifter's own:
steps of 0.46 % a frame with detected keypoints, where the linear root has 1.16. The constants hardly matter: with a
third or twice of `_EQUAL` no number changes by more than 0.1 %.
"""

from __future__ import annotations

import numpy as np

#: Standard error of the linear root's distance, in parts of it, at which both count the same.
_EQUAL = 0.006
#: How far apart (a logarithm) the two may be before the lifter loses its pull: beyond three times what is usual, which
#: is 2 % and more where the linear root is uncertain.
_APART, _APART_BY_SPREAD = 0.12, 8.5


def agreed_root(linear: np.ndarray, spread: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """One root (F, 3) of two, metres in camera axes.

    linear: (F, 3) and spread: (F,), of `linear_root` and `depth_spread`. learned: (F, 3) of the lifter. NaN where
    unknown; where only one is known it is that one. The line of sight is the linear root's: keypoints show it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.log(learned[:, 2]) - np.log(linear[:, 2])
        share = spread**2 / (spread**2 + _EQUAL**2)
        reach = np.hypot(_APART, _APART_BY_SPREAD * spread)
        both = linear * np.exp(share * apart / (1 + (apart / reach) ** 2) ** 2)[:, None]
    both = np.where(np.isfinite(both), both, linear)
    return np.where(np.isfinite(both), both, learned)
