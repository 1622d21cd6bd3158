# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture makes of the background's movement: how the camera turned, its focal length, and what to say of both.

Axes: those of the camera in the first frame stand for the world until its level and floor are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..background.movement import BackgroundMotion
from ..background.turning import misfits, rotations, turning_focal
from ..keypoints import Keypoints
from .lifting import Lens

#: Of a focal length that the turning camera itself told.
TURNED = "estimated from the camera's turning"
#: What a user can choose.
CHOICES = ("auto", "still", "turning")
#: Beyond this no turn explains how the background moved: in longer sides (a pan leaves 0.0002, through a focal length
#: that is 15 % wrong 0.001 to 0.006), and share of the corners that agree. Both were chosen on one made room.
_MISFIT, _AGREEING = 0.0025, 0.7
#: Turns in longer sides from which on a misfit would show.
_SHOWING = 0.03

_NOBODY_LOOKED = (
    "how the camera turned is not known of these keypoints, so it is taken as standing still; "
    "capture the footage again to find out"
)
_TOO_LITTLE = "too little background is to be seen to tell whether the camera moves; it is taken as standing still"
_TRAVELS = (
    "the camera does not only turn, it also moves through the scene, or zooms, or its focal length is wrong: only "
    "turning is taken out; give the solved camera (--camera) for a path that is right"
)


@dataclass(frozen=True)
class Turning:
    """motion: of the background, if the camera turned; None if it stood still. kind: "still", "turning" or "unknown".
    warnings: one sentence each."""

    motion: BackgroundMotion | None
    kind: str
    warnings: tuple[str, ...] = ()

    def matrices(self, intrinsics: np.ndarray) -> np.ndarray | None:
        """(F, 4, 4) first camera axes to every frame's through this lens; None if the camera stood still."""
        if self.motion is None:
            return None
        out = np.tile(np.eye(4), (len(self.motion), 1, 1))
        out[:, :3, :3] = rotations(self.motion, intrinsics)
        return out

    def complaints(self, intrinsics: np.ndarray, image_size: tuple[int, int]) -> list[str]:
        """What to tell the user once the lens is known."""
        found = list(self.warnings)
        if self.motion is not None and _travels(self.motion, intrinsics, max(image_size)):
            found.append(_TRAVELS)
        return found


def how_it_turned(keypoints: Keypoints, choice: str) -> Turning:
    """Whether the camera turned, by what the user chose: one of `CHOICES`."""
    if choice == "still":
        return Turning(None, "still")
    if keypoints.background is None:
        return Turning(None, "unknown", (_NOBODY_LOOKED,) if choice == "turning" else ())
    moved = keypoints.background.moved(keypoints.image_size)
    if moved is None:
        return Turning(None, "unknown", (_TOO_LITTLE,))
    return Turning(keypoints.background, "turning") if moved or choice == "turning" else Turning(None, "still")


def turned_lens(lens: Lens, turning: Turning, image_size: tuple[int, int]) -> Lens:
    """The lens, or the one that the turning camera tells, if that is surer."""
    if lens.uncertainty is None or turning.motion is None:
        return lens
    focal = turning_focal(turning.motion, image_size)
    if focal is None or focal.uncertainty > lens.uncertainty:
        return lens
    intrinsics = lens.intrinsics.copy()
    intrinsics[0, 0] = intrinsics[1, 1] = focal.pixels
    return Lens(intrinsics, TURNED, round(focal.uncertainty, 3))


def _travels(motion: BackgroundMotion, intrinsics: np.ndarray, longer: float) -> bool:
    points, there = motion.samples()
    far = np.median(np.linalg.norm(np.nan_to_num(there - points), axis=-1), axis=-1)
    showing = (far > _SHOWING * longer) & (motion.quality > 0)
    if not showing.any():
        return False
    misfit = float(np.median(misfits(motion, intrinsics)[showing]))
    return misfit > _MISFIT * longer or float(np.median(motion.quality[showing])) < _AGREEING
