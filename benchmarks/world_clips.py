# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation motion before virtual cameras that stand still or turn after the person, as a detector sees it.

The windows below are picked from the library's folder `val` (people that the lifter has not seen) so that every kind of
motion is there. It holds nobody who sits on a chair; low stances and floor work stand in. Everybody has the size that a
capture assumes, since one view cannot tell it; the floor is where this window's feet rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.training.camera import sample_cameras
from video_mocap.backend.lifting.training.detector_noise import add_noise, occluded
from video_mocap.backend.lifting.training.motion import MotionSet, load_motion, proportions, windows
from video_mocap.rigging.joints import COCO17, TAKE

FPS, SECONDS = 30.0, 8.0
#: Pixels of the longer side of the picture, and of the shorter.
LONG, SHORT = 1920, 1080
#: Kind of motion, clip of the library, second at which the window begins. The first of every kind come first, so that a
#: few clips show as many kinds as possible.
SHOTS = (
    ("walk", "tilling_s23_depressed", 0.0),
    ("away and back", "vsports_s_008_2_1#1", 8.0),
    ("jump", "vsports_s_008_1_1#1", 0.0),
    ("floor", "martial_s_024_2_2", 12.0),
    ("low", "cmu_135_11", 8.0),
    ("run", "vsports_s_008_3_1#0", 4.0),
    ("fight", "cmu_135_07", 0.0),
    ("stand", "tilling_s23_Take06", 8.0),
    ("walk", "vsports_s_008_1_3", 28.0),
    ("away and back", "cmu_135_10", 4.0),
    ("jump", "cmu_135_02", 32.0),
    ("floor", "martial_s_024_2_3#1", 4.0),
    ("low", "cmu_135_11", 0.0),
    ("run", "vsports_s_008_4_1", 20.0),
    ("fight", "martial_s_024_2_4", 0.0),
    ("stand", "vsports_s_008_4_2", 24.0),
    ("walk", "vsports_s_008_2_4", 0.0),
    ("away and back", "vsports_s_008_1_2", 12.0),
    ("jump", "vsports_s_008_3_3#0", 8.0),
    ("floor", "martial_s_024_2_1#1", 0.0),
    ("low", "tilling_s23_Take01", 12.0),
    ("run", "vsports_s_008_2_2", 16.0),
    ("fight", "cmu_135_06", 12.0),
    ("stand", "cmu_127_02", 0.0),
)
#: Kinds that a panning camera has something to follow in.
MOVING = ("walk", "away and back", "jump", "run")
_FEET = [TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")]
#: Metres: a limb's half thickness, a standing person's height as far as keypoints see it, the nearest depth.
_LIMB, _HEIGHT, _NEAR = 0.07, 1.65, 0.3
#: Cameras tried for one in whose picture the person stays, and the share of their keypoints that has to.
_TRIES, _INSIDE = 40, 0.93


@dataclass(frozen=True)
class Camera:
    """(F, 3, 3) world to camera, OpenCV axes; position (3,) metres, world; focal length and (width, height) pixels."""

    rotation: np.ndarray
    position: np.ndarray
    focal: float
    size: tuple[int, int]

    @property
    def matrices(self) -> np.ndarray:
        """(F, 4, 4) world to camera."""
        out = np.tile(np.eye(4), (len(self.rotation), 1, 1))
        out[:, :3, :3] = self.rotation
        out[:, :3, 3] = -self.rotation @ self.position
        return out

    @property
    def intrinsics(self) -> np.ndarray:
        """(3, 3) pixels."""
        return np.array([[self.focal, 0, self.size[0] / 2], [0, self.focal, self.size[1] / 2], [0, 0, 1.0]])


@dataclass(frozen=True)
class Clip:
    """joints: (F, 26, 3) metres, world, Z up, floor at 0. keypoints: without intrinsics; those of `camera` are true."""

    name: str
    kind: str
    joints: np.ndarray
    camera: Camera
    keypoints: Keypoints

    @property
    def detected(self) -> np.ndarray:
        """(F,) bool: whether the detector saw anything of the person."""
        return (self.keypoints.keypoints[0, ..., 2] > 0).any(-1)


def load_clips(library: Path, count: int, panning: bool) -> list[Clip]:
    """The first `count` of `SHOTS`, or of those of a kind that moves, filmed; the same in every run."""
    motion = load_motion(library / "val")
    # In the order of `load_motion`.
    names = [name for path in sorted((library / "val").glob("*.npz")) for name in np.load(path)["clip_name"].tolist()]
    clips = []
    for number, (kind, name, start) in enumerate(SHOTS):
        if (panning and kind not in MOVING) or len(clips) == count:
            continue
        generator = torch.Generator().manual_seed(100 + number)
        joints, seen = _window(motion, names.index(name), start, generator)
        film = _panning if panning else _static
        camera = _first_that_holds(lambda film=film, joints=joints, g=generator: film(joints, g), seen)
        clips.append(Clip(f"{name}+{start:g}", kind, joints, camera, _detected(seen, camera, generator)))
    return clips


def _window(motion: MotionSet, clip: int, start: float, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Joints of a take (F, 26, 3) and keypoints (F, 17, 3), metres, standing on z = 0."""
    rate = float(motion.fps[clip]) / FPS
    frames = int(min(SECONDS * FPS, (int(motion.length[clip]) - 1) / rate - start * FPS))
    centre = torch.tensor([(start * FPS + frames // 2) * rate])
    positions = windows(motion, torch.tensor([clip]), centre, torch.tensor([rate]), frames)
    matrix = proportions(positions[:, 0], motion.names, generator, 0.0)[0].numpy().astype(np.float64)
    positions = matrix @ positions[0].numpy().astype(np.float64)
    joints, seen = positions[:, motion.rows(TAKE.names)], positions[:, motion.rows(COCO17.names)]
    floor = np.array([0, 0, floor_height(joints)])
    return joints - floor, seen - floor


def floor_height(joints: np.ndarray) -> float:
    """How high heels and toes of (F, 26, 3), metres, Z up, are while they rest; of nobody who rests, the lowest.

    The library's floor is that of a session: in single clips standing feet are 0 to 9 cm above it.
    """
    feet = joints[:, _FEET]
    resting = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * FPS < 0.15
    return float(np.percentile(feet[resting, 2], 25) if resting.any() else np.percentile(feet[..., 2], 2))


def _first_that_holds(draw: Callable[[], Camera], seen: np.ndarray) -> Camera:
    """The first of some cameras in whose picture the person stays, else the one in which they stay the most."""
    best, most = draw(), -1.0
    for _ in range(_TRIES):
        camera = draw()
        image, depth = _image(seen, camera)
        half = 0.5 * np.array(camera.size) / camera.focal
        share = float(((np.abs(image) < half).all(-1) & (depth > 1.0)).mean())
        if share > most:
            best, most = camera, share
        if share >= _INSIDE:
            break
    return best


def _static(joints: np.ndarray, generator: torch.Generator) -> Camera:
    """As people film: the cameras that the lifter is trained with, in pixels."""
    drawn = sample_cameras(torch.from_numpy(joints[None, :, 0]).float(), generator)
    focal, half = float(drawn.focal[0]) * LONG, drawn.half_size[0].numpy()
    size = (LONG, SHORT) if half[0] > half[1] else (SHORT, LONG)
    rotation = drawn.rotation[0].numpy().astype(np.float64)
    return Camera(np.tile(rotation, (len(joints), 1, 1)), drawn.position[0].numpy().astype(np.float64), focal, size)


def _panning(joints: np.ndarray, generator: torch.Generator) -> Camera:
    """On a tripod, turned by hand after the person: a third of a second late, with a slow sway."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=generator))

    path = joints[:, 0]
    middle = path.mean(0)
    reach = np.linalg.norm(path - middle, axis=-1).max()
    distance, azimuth = max(np.exp(uniform(np.log(3), np.log(9))), 2.0 + reach), uniform(-np.pi, np.pi)
    position = np.array([*middle[:2], 0]) + distance * np.array([np.cos(azimuth), np.sin(azimuth), 0])
    position[2] = uniform(0.9, 1.9)
    # A person of 1.7 m fills so much of the picture's height at the middle of the path.
    focal = uniform(0.4, 0.65) * SHORT * distance / 1.7
    late = np.maximum(np.arange(len(path)) - round(FPS / 3), 0)
    aim = gaussian_filter1d(path, 0.3 * FPS, axis=0, mode="nearest")[late] - position
    sway = np.radians(0.5) * np.sin(np.outer(np.arange(len(path)) / FPS, [1.3, 0.9]) + uniform(0, 6))
    yaw = np.unwrap(np.arctan2(aim[:, 1], aim[:, 0])) + sway[:, 0]
    pitch = np.arctan2(aim[:, 2], np.linalg.norm(aim[:, :2], axis=-1)) + sway[:, 1]
    roll = np.radians(uniform(-2, 2))
    forward = np.stack([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)], axis=-1)
    right = np.stack([np.sin(yaw), -np.cos(yaw), np.zeros_like(yaw)], axis=-1)
    down = np.cross(forward, right)
    turned = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
    return Camera(np.stack([*turned, forward], axis=1), position, float(focal), (LONG, SHORT))


def _image(points: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Tangents (F, K, 2) and depths (F, K)."""
    seen = (points - camera.position) @ camera.rotation.swapaxes(-1, -2)
    depth = np.maximum(seen[..., 2], _NEAR)
    return seen[..., :2] / depth[..., None], depth


def _detected(seen: np.ndarray, camera: Camera, generator: torch.Generator) -> Keypoints:
    """True keypoints (F, 17, 3), world, as a detector gives them."""
    tangents, depths = _image(seen, camera)
    image, depth = torch.from_numpy(tangents).float()[None], torch.from_numpy(depths).float()[None]
    pelvis = depth[:, :, 11:13].mean(2)
    half = torch.tensor(camera.size) / (2 * camera.focal)
    size = _HEIGHT / pelvis
    points = add_noise(
        image,
        size,
        occluded(image, depth, _LIMB / pelvis),
        (image.abs() > half).any(-1),
        FPS,
        generator,
        pixels=camera.focal * size.median(1).values,
    )[0]
    keypoints = points.numpy().astype(np.float64)
    keypoints[..., :2] = keypoints[..., :2] * camera.focal + 0.5 * np.array(camera.size)
    keypoints[keypoints[..., 2] <= 0] = (np.nan, np.nan, 0)
    times = np.arange(len(seen)) / FPS
    return Keypoints(FPS, times, camera.size, COCO17.names, np.array([1]), keypoints[None])
