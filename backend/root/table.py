# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to find a person's root that a capture can choose from. A new one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .agreed import agreed_root
from .closed_forms import mehta_root, ratio_root, rootnet_root, search_root
from .linear import depth_spread, linear_root
from .pnp import pnp_root

#: Root-relative joints (F, J, 3), pixels (F, J, 2), confidence (F, J) and intrinsics (3, 3) to roots (F, 3), metres in
#: camera axes, NaN where unknown.
ClosedForm = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

CLOSED_FORMS: Mapping[str, ClosedForm] = {
    "linear": linear_root,
    "mehta": mehta_root,
    "ratio": ratio_root,
    "search": search_root,
    "rootnet": rootnet_root,
    "pnp": pnp_root,
}
#: Linear least squares and, where the lifter knows the root, that too; and the lifter's alone.
DEFAULT, NETWORK = "agreed", "network"
ROOTS = (DEFAULT, *CLOSED_FORMS, NETWORK)


def find_root(
    name: str,
    joints: np.ndarray,
    pixels: np.ndarray,
    confidence: np.ndarray,
    intrinsics: np.ndarray,
    learned: np.ndarray | None,
) -> np.ndarray:
    """The root (F, 3) of lifted joints by the method `name` of `ROOTS`, metres in camera axes, NaN where unknown.

    joints, pixels, confidence, intrinsics: as of `linear_root`. learned: (F, 3) of the lifter, or None if it does not
    know: the default is then the linear root alone. Raises KeyError for another name, ValueError for `NETWORK` without.
    """
    seen = joints, pixels, confidence, intrinsics
    if name == NETWORK:
        if learned is None:
            raise ValueError("the lifter does not know the root")
        return learned
    if name != DEFAULT:
        return CLOSED_FORMS[name](*seen)
    linear = linear_root(*seen)
    return linear if learned is None else agreed_root(linear, depth_spread(*seen, linear), learned)
