# SPDX-License-Identifier: GPL-3.0-or-later
"""People of the motion library before virtual cameras: keypoints with their truth, and what counts as a pop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from motion_samples import camera_at, walk
from scipy.ndimage import maximum_filter1d
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.lifter import Lifter
from video_mocap.backend.lifting.training.motion import load_motion
from video_mocap.backend.lifting.training.samples import film
from video_mocap.backend.lifting.training.settings import DataSettings
from video_mocap.rigging.joints import COCO17, TAKE

LIBRARY = Path(__file__).resolve().parents[2] / "shared" / "motion" / "val"
WIDTH = 1000
CAMERA = np.array([[WIDTH, 0, WIDTH / 2], [0, WIDTH, WIDTH / 2], [0, 0, 1.0]])
MISSING = (np.nan, np.nan, 0.0)
#: Seconds before and after a moment in which the truth's own movement excuses a movement then.
_NEARBY = 0.2


@dataclass(frozen=True)
class Filmed:
    """One person before a camera that stands still.

    fps: Hz. keypoints: (F, 17, 3) pixels and confidence. joints: (F, 26, 3) metres, camera axes, the truth.
    """

    fps: float
    keypoints: np.ndarray
    joints: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """(F,) seconds."""
        return np.arange(len(self.keypoints)) / self.fps

    def recording(self) -> Keypoints:
        """As detection gives it, with the camera's lens."""
        return Keypoints(
            self.fps, self.times, (WIDTH, WIDTH), COCO17.names, np.array([1]), self.keypoints[None], CAMERA
        )


def film_people(count: int, seconds: float, fps: float, seed: int, noise: str = "none") -> list[Filmed]:
    """`count` people of validation motion, each for `seconds`. noise: of `settings.NOISES`.

    Skips the test where the library is not there.
    """
    if not LIBRARY.is_dir():
        pytest.skip("the motion library is not there")
    data = DataSettings(fps=fps, shape=0.0, tempo=0.0, arms=0.0, down=0.0, noise=noise)
    scene = film(load_motion(LIBRARY), count, round(seconds * fps), torch.Generator().manual_seed(seed), data)
    people = []
    for points, joints in zip(scene.keypoints.numpy(), scene.joints.numpy(), strict=True):
        keypoints = points.astype(np.float64)
        keypoints[..., :2] = (keypoints[..., :2] + 0.5) * WIDTH
        keypoints[keypoints[..., 2] <= 0] = MISSING
        people.append(Filmed(fps, keypoints, joints.astype(np.float64)))
    return people


def lifted(lifter: Lifter, keypoints: np.ndarray, fps: float) -> np.ndarray:
    """(F, 26, 3) metres relative to the pelvis, camera axes, of keypoints (F, 17, 3)."""
    times = np.arange(len(keypoints)) / fps
    return lifter.lift(keypoints, COCO17.names, times, CAMERA, (WIDTH, WIDTH)).joints


def relative(joints: np.ndarray) -> np.ndarray:
    """(F, 26, 3) from the pelvis."""
    return joints - joints[:, :1]


def pops(joints: np.ndarray, truth: np.ndarray, fps: float) -> np.ndarray:
    """(F - 1, J) metres: how much further a joint goes in a thirtieth of a second than the person's ever did nearby.

    joints, truth: (F, J, 3) in the same axes. A motion that is too slow, late or smooth has no pops; one that jumps
    has, wherever the person is.
    """
    step, own = (np.linalg.norm(np.diff(each, axis=0), axis=-1) * fps / 30 for each in (joints, truth))
    excused = maximum_filter1d(own, 2 * round(_NEARBY * fps) + 1, axis=0)
    return np.maximum(step - excused, 0.0)


def someone_walking(seconds: float, fps: float) -> Filmed:
    """Somebody made of sines, who walks past; exact at every rate, and there without the library."""
    joints = walk(round(seconds * fps), fps)
    middle = np.array([0.0, -0.6 * seconds, 0.9])
    seen = to_camera(joints, camera_at(middle + np.array([6.0, -6.0, 0.4]), middle))
    places = {name: seen[:, row] for row, name in enumerate(TAKE.names)}
    for side in ("left", "right"):
        places[f"{side}_eye"] = 0.6 * places["nose"] + 0.4 * places[f"{side}_ear"]
    keypoints = np.ones((len(joints), len(COCO17), 3))
    keypoints[..., :2] = project(np.stack([places[name] for name in COCO17.names], axis=1), CAMERA)
    return Filmed(fps, keypoints, seen)
