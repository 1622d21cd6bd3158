# SPDX-License-Identifier: GPL-3.0-or-later
"""What the refinement is given: the evidence of one person's motion, and how much each kind of it counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...rigging.camera_path import camera_centres
from ..camera import to_camera
from .body import Links, given_joints
from .order import InFront


@dataclass(frozen=True)
class Options:
    """Standard deviations that the terms are divided by.

    pixels: of a keypoint, as a fraction of the person's size in the picture. direction: metres.
    contact: speed of a foot that stands, m/s; slide: beyond which it is let go. floor, found_floor: its height above a
    known floor, and above one that feet have shown, metres.
    acceleration, ray_acceleration, root_ray_acceleration: m/s^2 across and along the line of sight, and for the
    pelvis along it.
    root_depth: of the root, as a fraction of the distance (measured: `root.agreed`); without it, errors of the lifted
    directions, which all shorten a bone in the picture, would pull the person towards the camera. At half of this,
    what is wrong with the root's path shows: 70 instead of 66 mm of it after a rigid fit. floor_root_depth: likewise
    where standing on a known floor has said how far the person is, which is surer.
    limit: metres beyond what joints do.
    outlier: reprojection error, in standard deviations, beyond which a keypoint loses its pull.
    in_front: which joints the user says are nearer than others. rounds: of reweighting. window, overlap: frames solved
    at once, and shared by neighbouring windows.
    """

    pixels: float = 0.015
    direction: float = 0.04
    contact: float = 0.01
    slide: float = 0.2
    floor: float = 0.03
    found_floor: float = 0.02
    acceleration: float = 40.0
    ray_acceleration: float = 16.0
    root_ray_acceleration: float = 3.0
    root_depth: float = 0.04
    floor_root_depth: float = 0.02
    limit: float = 0.01
    outlier: float = 3.0
    in_front: tuple[InFront, ...] = ()
    rounds: int = 4
    window: int = 240
    overlap: int = 40


@dataclass(frozen=True)
class Floor:
    """A floor: up . x = level.

    up: (3,) unit. level: metres. sure: somebody measured it, so that it says how far people are who stand on it.
    """

    up: np.ndarray
    level: float
    sure: bool = False


@dataclass(frozen=True)
class Evidence:
    """What holds one uninterrupted stretch of one person's motion.

    times: (F,) seconds. keypoints: (F, K, 3) pixels and confidence. names: (K,). intrinsics: (3, 3).
    lifted: (F, 26, 3) root-relative, camera axes, metres; NaN for joints that the lifter does not give: they stay
    missing. trust: (F, 26) 0..1 of the lifted joints.
    links: the person's lengths. contacts: (F, 4) probability that heels and toes stand, or None.
    camera: (F, 4, 4) world to camera: positions and `lifted` are then in world axes. None: everything is in the axes of
    a camera that stands still. floor: where it is in those axes, None if nobody knows.
    on_floor: (F, 4) probability that what heels and toes stand on is the floor; None: it is whenever they stand.
    in_front: what the user says of this person.
    """

    times: np.ndarray
    keypoints: np.ndarray
    names: tuple[str, ...]
    intrinsics: np.ndarray
    lifted: np.ndarray
    trust: np.ndarray
    links: Links
    contacts: np.ndarray | None = None
    camera: np.ndarray | None = None
    floor: Floor | None = None
    on_floor: np.ndarray | None = None
    in_front: tuple[InFront, ...] = ()

    def part(self, rows: slice) -> Evidence:
        """The same for some of the frames."""
        return replace(
            self,
            times=self.times[rows],
            keypoints=self.keypoints[rows],
            lifted=self.lifted[rows],
            trust=self.trust[rows],
            contacts=None if self.contacts is None else self.contacts[rows],
            camera=None if self.camera is None else self.camera[rows],
            on_floor=None if self.on_floor is None else self.on_floor[rows],
        )

    def seen(self, x: np.ndarray) -> np.ndarray:
        """Positions (F, J, 3) in camera axes."""
        return x if self.camera is None else to_camera(x, self.camera)

    @property
    def given(self) -> np.ndarray:
        """(26,) bool: the joints that the lifter gives."""
        return given_joints(self.lifted)

    @property
    def eye(self) -> np.ndarray | float:
        """Where the camera stands: (F, 1, 3)."""
        return 0.0 if self.camera is None else camera_centres(self.camera)[:, None]
