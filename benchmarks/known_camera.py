# SPDX-License-Identifier: GPL-3.0-or-later
"""What a known camera is worth: validation motion filmed by a camera that stands still, and by one that moves.

    python benchmarks/known_camera.py MOTION_LIBRARY [--clips 12] [--lifter NAME_OR_WEIGHTS]

MOTION_LIBRARY has a folder `val`. Each clip is up to 5 s at 30 frames a second, seen 4.5 m away in exact 2D with 1.5
pixels of noise, with the true focal length. The moving camera walks around the person at 1.1 m/s, sways, and follows
them with its view. "known" is the mean distance of the take's 26 joints to the truth, as it is; "fitted" after the best
rotation and translation of the whole clip, without which a capture that is not told the camera cannot be compared: it
cannot know the truth's axes. "nearer": how much nearer to the camera than the truth the pelvis is on average, as it is.
Medians over the clips.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.files import save_arrays
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.training.motion import load_motion
from video_mocap.backend.pipeline import CaptureOptions, lift
from video_mocap.rigging.camera_path import CameraPath, camera_arrays
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from world_clips import floor_height

FPS, FRAMES = 30.0, 150
SIZE = (1280, 720)
K = np.array([[1100.0, 0, 640], [0, 1100, 360], [0, 0, 1]])
PARTS = {name: row for row, name in enumerate(KEYPOINTS.names) if name in TAKE}


def cameras(joints: np.ndarray, speed: float) -> np.ndarray:
    """(F, 4, 4) world to camera; speed: 0 stands still, 1 moves."""
    times = np.arange(len(joints)) / FPS
    path = joints[:, 0] * [1, 1, 0]
    angle = 1.0 + 0.25 * times * speed
    eye = np.stack([4.5 * np.cos(angle), 4.5 * np.sin(angle), 1.5 + 0.3 * np.sin(times) * speed], axis=-1)
    eye += path.mean(0) + speed * 0.02 * np.sin(np.outer(times, [7.0, 6.0, 9.0]))
    forward = path.mean(0) + 0.7 * speed * (path - path.mean(0)) + [0, 0, 0.9] - eye
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, [0.0, 0, 1])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    out = np.tile(np.eye(4), (len(joints), 1, 1))
    out[:, :3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    out[:, :3, 3] = -(out[:, :3, :3] @ eye[..., None])[..., 0]
    return out


def filmed(joints: np.ndarray, matrices: np.ndarray) -> Keypoints:
    """What the camera sees of joints (F, 26, 3)."""
    rng = np.random.default_rng(5)
    pixels = project(to_camera(joints, matrices), K)
    points = np.full((1, len(joints), len(KEYPOINTS), 3), np.nan, np.float32)
    points[..., 2] = 0
    for name, row in PARTS.items():
        points[0, :, row, :2] = pixels[:, TAKE.index(name)] + rng.normal(0, 1.5, (len(joints), 2))
        points[0, :, row, 2] = np.isfinite(points[0, :, row, 0])
    times = np.arange(len(joints)) / FPS
    return Keypoints(FPS, times, SIZE, KEYPOINTS.names, np.array([1]), points, K)


def distance(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean, mm."""
    return float(1000 * np.linalg.norm(found - truth, axis=-1).mean())


def fitted(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Moved onto the truth by the best rotation and translation (Kabsch)."""
    a, b = found.reshape(-1, 3), truth.reshape(-1, 3)
    u, _, v = np.linalg.svd((a - a.mean(0)).T @ (b - b.mean(0)))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
    return ((a - a.mean(0)) @ turn + b.mean(0)).reshape(found.shape)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy with a known camera.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--lifter", default="default", help="a name or weights")
    arguments = parser.parse_args()
    clips = load_clips(arguments.motion, arguments.clips)
    options = CaptureOptions(lifter=arguments.lifter)
    print("| camera | known, mm | nearer, mm | known, fitted, mm | not told, fitted, mm |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, speed in (("stands still", 0.0), ("moves", 1.0)):
            rows = [measure(joints, speed, Path(folder) / "x.camera.npz", options) for joints in clips]
            print(f"| {name} | " + " | ".join(f"{value:.0f}" for value in np.median(rows, axis=0)) + " |")


def measure(joints: np.ndarray, speed: float, file: Path, options: CaptureOptions) -> tuple[float, ...]:
    """Errors in mm: known, how much nearer the pelvis is, known after the fit, not told after the fit."""
    matrices = cameras(joints, speed)
    keypoints = filmed(joints, matrices)
    save_arrays(file, camera_arrays(CameraPath(keypoints.times, SIZE, K, matrices)))
    known = lift(replace(keypoints, intrinsics=None), replace(options, camera=str(file)))
    free = lift(keypoints, options)
    fits = (distance(fitted(take.joints[0], joints), joints) for take in (known, free))
    depths = (to_camera(each[:, :1], matrices)[..., 2].mean() for each in (joints, known.joints[0].astype(float)))
    true_depth, depth = depths
    return distance(known.joints[0], joints), 1000 * float(true_depth - depth), *fits


def load_clips(library: Path, count: int) -> list[np.ndarray]:
    """Clips (F, 26, 3), metres, with their own feet on z = 0, spread over the validation motion."""
    motion = load_motion(library / "val")
    rows = motion.rows(TAKE.names)
    clips = []
    for clip in np.linspace(0, len(motion.start) - 1, 3 * count).astype(int):
        step = max(1, round(float(motion.fps[clip]) / FPS))
        first, length = int(motion.start[clip]), int(motion.length[clip])
        joints = motion.positions[first : first + length : step][:FRAMES, rows].numpy().astype(np.float64)
        if len(joints) > FPS and np.isfinite(joints).all() and round(float(motion.fps[clip])) == round(step * FPS):
            clips.append(joints - [0, 0, floor_height(joints)])
    return clips[:: max(1, len(clips) // count)][:count]


if __name__ == "__main__":
    main()
