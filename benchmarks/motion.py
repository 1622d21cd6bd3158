# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures of validation motion: accuracy and steadiness of the lifter alone and of the whole chain after detection.

    python benchmarks/motion.py MOTION_LIBRARY [--clips 16] [--lifter NAME_OR_WEIGHTS ...]

MOTION_LIBRARY has a folder `val`: people and motion that the lifter was not trained on. Each clip is 4 s at 30 frames a
second before a random still camera, seen as COCO-17, exactly or with the measured noise of a detector, with the true
focal length. "lifted" is the lifter alone, "refined" what a capture gives. Over the take's 26 joints, from the pelvis:

- MPJPE and P-MPJPE, mm;
- jitter (third difference) and acceleration (second difference), mean lengths over those of the truth: of all clips
  together, and behind it of the median clip; much less than 1 is motion lost, more is motion invented;
- acceleration error: mean length of the difference of accelerations over the truth's own acceleration;
- tilt, degrees; and how wrong confidences are as probabilities of being within 10 cm of the truth (expected
  calibration error over ten bins).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from video_mocap.backend import pipeline
from video_mocap.backend.camera import to_camera
from video_mocap.backend.evaluation.metrics import (
    acceleration,
    acceleration_error,
    calibration_error,
    jitter,
    mean,
    p_mpjpe,
)
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.training.export import NEAR
from video_mocap.backend.lifting.training.motion import MotionSet, load_motion
from video_mocap.backend.lifting.training.samples import film
from video_mocap.backend.lifting.training.settings import DataSettings
from video_mocap.rigging.joints import COCO17

FPS, SECONDS, WIDTH = 30.0, 4, 1000
STAGES = ("lifted", "refined")


@dataclass(frozen=True)
class Pose:
    """What a stage gives of a clip: (F, 26, 3) metres from the pelvis in camera axes, (F, 26), and degrees."""

    joints: np.ndarray
    confidence: np.ndarray
    tilt: float


def recording(points: np.ndarray) -> Keypoints:
    """Tangents and confidence (F, 17, 3) as the keypoints of one person in a picture `WIDTH` pixels wide and high."""
    keypoints = points.astype(np.float64)
    keypoints[..., :2] = (keypoints[..., :2] + 0.5) * WIDTH
    keypoints[keypoints[..., 2] <= 0] = (np.nan, np.nan, 0)
    intrinsics = np.array([[WIDTH, 0, WIDTH / 2], [0, WIDTH, WIDTH / 2], [0, 0, 1.0]])
    times = np.arange(len(keypoints)) / FPS
    return Keypoints(FPS, times, (WIDTH, WIDTH), COCO17.names, np.array([1]), keypoints[None], intrinsics)


def tilts(ups: np.ndarray, up: np.ndarray) -> float:
    """Median angle in degrees between directions (N, 3) and the true one."""
    return float(np.median(np.degrees(np.arccos(np.clip(ups @ up, -1, 1))))) if len(ups) else float("nan")


def poses(points: np.ndarray, up: np.ndarray, options: pipeline.CaptureOptions) -> tuple[Pose, Pose]:
    """Lifted and refined. points: (F, 17, 3) of `film`; up: (3,) world's in camera axes."""
    keypoints = recording(points)
    assert keypoints.intrinsics is not None
    lifted = pipeline.open_lifter(options).lift(
        keypoints.keypoints[0], COCO17.names, keypoints.times, keypoints.intrinsics, keypoints.image_size
    )
    take = pipeline.lift(keypoints, options)
    refined = to_camera(take.joints[0].astype(np.float64), take.world_to_camera)
    votes = np.zeros((0, 3)) if lifted.up is None else lifted.up
    return (
        Pose(lifted.joints, lifted.confidence, tilts(votes, up)),
        Pose(refined - refined[:, :1], take.joints_confidence[0], tilts(take.world_to_camera[:, :3, 2], up)),
    )


def measures(pose: Pose, truth: np.ndarray) -> list[float]:
    """Lengths in mm, then jitter, acceleration and its error in units of the footage's frames, then degrees."""
    errors = 1000 * np.linalg.norm(pose.joints - truth, axis=-1)
    steadiness = [jitter(pose.joints, 1), acceleration(pose.joints), acceleration_error(pose.joints, truth, 1)]
    return [mean(errors), 1000 * mean(p_mpjpe(pose.joints, truth)), *steadiness, pose.tilt]


def line(found: list[Pose], truths: list[np.ndarray]) -> str:
    """The cells of a stage."""
    values = np.array([measures(pose, truth) for pose, truth in zip(found, truths, strict=True)])
    own = np.array([[jitter(truth, 1), acceleration(truth), acceleration(truth)] for truth in truths])
    together, each = values[:, 2:5].mean(0) / own.mean(0), np.median(values[:, 2:5] / own, axis=0)
    ratios = [f"{a:.2f}, {b:.2f}" for a, b in zip(together, each, strict=True)]
    errors = [np.linalg.norm(pose.joints - truth, axis=-1) for pose, truth in zip(found, truths, strict=True)]
    near = np.stack(errors)[..., 1:] < NEAR
    confidence = np.stack([pose.confidence[:, 1:] for pose in found])
    wrong = calibration_error(confidence.ravel(), near.ravel())
    return " | ".join([f"{values[:, 0].mean():.1f} / {values[:, 1].mean():.1f}", *ratios]) + (
        f" | {np.nanmean(values[:, 5]):.1f} | {wrong:.2f}"
    )


def measure(name: str, motion: MotionSet, clips: int) -> None:
    """Print the lines of one lifter."""
    options = pipeline.CaptureOptions(lifter=name)
    for noise in ("none", "measured"):
        data = DataSettings(fps=FPS, shape=0.0, tempo=0.0, arms=0.0, down=0.0, noise=noise)
        scene = film(motion, clips, round(FPS * SECONDS), torch.Generator().manual_seed(7), data)
        truths = [joints - joints[:, :1] for joints in scene.joints.numpy().astype(np.float64)]
        people = zip(scene.keypoints.numpy(), scene.rotation.numpy()[:, :, 2], strict=True)
        found = [poses(points, up, options) for points, up in people]
        for stage, of_clips in zip(STAGES, zip(*found, strict=True), strict=True):
            seen = {"none": "exact", "measured": "measured noise"}[noise]
            print(f"| {Path(name).stem} | {seen} | {stage} | {line(list(of_clips), truths)} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy and steadiness on validation motion.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--lifter", action="append", help="a name or weights; several times for several")
    arguments = parser.parse_args()
    motion = load_motion(arguments.motion / "val")
    print("| weights | 2D | stage | MPJPE / P-MPJPE, mm | jitter | acceleration | its error | tilt | calibration |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in arguments.lifter or ["default"]:
        measure(name, motion, arguments.clips)


if __name__ == "__main__":
    main()
