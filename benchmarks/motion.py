# SPDX-License-Identifier: GPL-3.0-or-later
"""Accuracy on validation motion: people and cameras the lifter was not trained on, exact and noisy 2D.

    python benchmarks/motion.py MOTION_LIBRARY [--clips 24]

MOTION_LIBRARY has a folder `val`. Each clip is 5 s at 30 frames a second before a random still camera, seen as COCO-17,
with the true focal length. "lifted" is the lifter alone, "refined" the whole chain after detection.
Errors are over the take's 26 joints; P-MPJPE aligns every frame by a similarity, N-MPJPE by a scale.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from video_mocap.backend import pipeline
from video_mocap.backend.evaluation.metrics import jitter, mean, n_mpjpe, p_mpjpe
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.training.motion import MotionSet, load_motion
from video_mocap.backend.lifting.training.samples import film
from video_mocap.rigging.joints import COCO17

FPS, SECONDS, WIDTH = 30.0, 5, 1000


def recording(points: np.ndarray) -> Keypoints:
    """Tangents and confidence (F, 17, 3) as the keypoints of one person in a picture `WIDTH` pixels wide and high."""
    keypoints = points.astype(np.float64)
    keypoints[..., :2] = (keypoints[..., :2] + 0.5) * WIDTH
    keypoints[keypoints[..., 2] <= 0] = (np.nan, np.nan, 0)
    intrinsics = np.array([[WIDTH, 0, WIDTH / 2], [0, WIDTH, WIDTH / 2], [0, 0, 1.0]])
    times = np.arange(len(keypoints)) / FPS
    return Keypoints(FPS, times, (WIDTH, WIDTH), COCO17.names, np.array([1]), keypoints[None], intrinsics)


def errors(predicted: np.ndarray, truth: np.ndarray) -> list[float]:
    """P-MPJPE and N-MPJPE in mm, jitter's ratio to the truth's; both (F, 26, 3) metres, camera axes."""
    a, b = predicted - predicted[:, :1], truth - truth[:, :1]
    return [1000 * mean(p_mpjpe(a, b)), 1000 * mean(n_mpjpe(a, b)), jitter(a, FPS) / jitter(b, FPS)]


def measure(motion: MotionSet, clips: int, noise: bool) -> np.ndarray:
    """(2, 3) mean errors of the lifter alone and of the whole chain, and the tilt in degrees beside them: (2, 4)."""
    scene = film(motion, clips, round(FPS * SECONDS), FPS, torch.Generator().manual_seed(7), noise)
    options = pipeline.CaptureOptions()
    lifter = pipeline.open_lifter(options)
    rows = []
    for points, joints, rotation in zip(scene.keypoints, scene.joints, scene.rotation, strict=True):
        keypoints, truth, up = recording(points.numpy()), joints.numpy().astype(np.float64), rotation.numpy()[:, 2]
        assert keypoints.intrinsics is not None
        lifted = lifter.lift(
            keypoints.keypoints[0], COCO17.names, keypoints.times, keypoints.intrinsics, keypoints.image_size
        )
        take = pipeline.lift(keypoints, options)
        camera = take.world_to_camera[0]
        refined = take.joints[0].astype(np.float64) @ camera[:3, :3].T
        votes = np.zeros((0, 3)) if lifted.up is None else lifted.up
        tilts = [np.median(np.degrees(np.arccos(np.clip(votes @ up, -1, 1))))]
        tilts.append(np.degrees(np.arccos(np.clip(camera[:3, 2] @ up, -1, 1))))
        rows.append([[*errors(j, truth), t] for j, t in zip((lifted.joints, refined), tilts, strict=True)])
    return np.nanmean(np.array(rows), axis=0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy on validation motion.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--clips", type=int, default=24)
    arguments = parser.parse_args()
    motion = load_motion(arguments.motion / "val")
    print("| 2D | stage | P-MPJPE, mm | N-MPJPE, mm | jitter, ratio to the truth's | tilt, degrees |")
    print("|---|---|---|---|---|---|")
    for name, noise in (("exact", False), ("noisy", True)):
        for stage, values in zip(("lifted", "refined"), measure(motion, arguments.clips, noise), strict=True):
            print(f"| {name} | {stage} | " + " | ".join(f"{value:.2f}" for value in values) + " |")


if __name__ == "__main__":
    main()
