# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lifter is: a 2D track of one person in, root-relative 3D joints out. `table.py` lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class LifterInfo:
    """What a lifter needs and gives, and its terms.

    name: in the table of lifters. weights: name and version of its weights; sha256: their hash.
    needs: names of the 2D joints it takes, pixels with confidence. fps: the rate it works at, Hz (tracks of any rate
    are resampled). needs_camera: whether the intrinsics change the result.
    gives: names of its 3D joints, metres, relative to the pelvis, camera axes. gives_up: whether it knows world up.
    licence, acknowledgements: of the weights. warnings: what had to be assumed about them, one sentence each.
    """

    name: str
    weights: str
    sha256: str
    needs: tuple[str, ...]
    fps: float
    needs_camera: bool
    gives: tuple[str, ...]
    gives_up: bool
    licence: str
    acknowledgements: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lifted:
    """One person in 3D over F frames.

    joint_names: (J,). joints: (F, J, 3) metres in camera axes (OpenCV: x right, y down, z forward) relative to the
    pelvis, which is exactly 0; NaN in frames too far from any observation. confidence: (F, J), 0..1.
    up: (F, 3) unit vector of world up in camera axes (NaN as the joints), or None if the lifter does not know it.
    warnings: one sentence each, for the user.
    root: (F, 3) the pelvis, metres in camera axes, through the lens that the lifter was told (NaN as the joints), or
    None if the lifter does not know it.
    adaptation: what became of fitting the lifter to this person (`adaptation.Report`), None if nobody asked for it.
    """

    joint_names: tuple[str, ...]
    joints: np.ndarray
    confidence: np.ndarray
    up: np.ndarray | None
    warnings: tuple[str, ...] = ()
    root: np.ndarray | None = None
    adaptation: Mapping[str, object] | None = None


class Lifter(Protocol):
    """Anything that lifts a track. Deterministic: the same track gives the same joints."""

    @property
    def info(self) -> LifterInfo:
        """What it needs and gives."""
        ...

    def lift(
        self,
        keypoints: np.ndarray,
        names: tuple[str, ...],
        times: np.ndarray,
        intrinsics: np.ndarray,
        image_size: tuple[int, int],
    ) -> Lifted:
        """Lift one person.

        keypoints: (F, K, 3) x, y in pixels and confidence 0..1; a missing point is NaN, NaN, 0. names: (K,).
        times: (F,) seconds, increasing, of any spacing. intrinsics: (3, 3) pixels. image_size: width, height.
        Raises UserError if the keypoints lack joints that the lifter cannot do without.
        """
        ...
