# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the limits of a take's report come from: its numbers on people's own motion, and what they say of errors.

    python benchmarks/reports.py people MOTION_LIBRARY
    python benchmarks/reports.py captures MOTION_LIBRARY [--clips 16]

people: the numbers of validation motion as it was recorded, each clip of at least 2 s, with contacts as captures find
them; and the jitter after noise was added to every joint of every frame. captures: validation motion through the whole
chain after detection, exactly seen and with a detector's measured noise, as in `motion.py`; frames by how far they are
off the picture and by confidence, with the error of the joints from the pelvis, mm.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from motion import FPS, SECONDS, recording
from retargeting import library
from video_mocap.backend import pipeline
from video_mocap.backend.camera import to_camera
from video_mocap.backend.lifting.training.motion import load_motion
from video_mocap.backend.lifting.training.samples import film
from video_mocap.backend.lifting.training.settings import DataSettings
from video_mocap.backend.world.contacts import FOOT_ROWS, contact_probability
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.report.measure import report
from video_mocap.rigging.report.picture import misfit
from video_mocap.rigging.take import Take

_NUMBERS = ("jitter_mm", "jitter_ratio", "foot_slide_mm_s", "below_floor_99_mm", "bone_variation_percent")
_FIT = (0, 0.5, 1, 1.5, 2, 3, 4, 6, 100)
_SURE = (0, 0.4, 0.5, 0.6, 0.7, 0.8, 1.01)


def recorded(joints: np.ndarray, fps: float) -> Take:
    """A take of one person's own motion (F, 26, 3), seen by nobody."""
    times = np.arange(len(joints)) / fps
    contacts = contact_probability(joints[:, FOOT_ROWS], times, np.array([0.0, 0, 1]), 0.0)
    frames = len(times)
    return Take(
        fps, times, np.array([100, 100]), np.diag([100.0, 100, 1]), np.eye(4)[None], TAKE.names, TAKE.parents,
        np.array([1]), joints[None], np.ones((1, frames, 26)), (), np.zeros((1, frames, 0, 3)), contacts[None],
    )  # fmt: skip


def people(folder: Path) -> None:
    """Print percentiles over clips."""
    reader, random = library(folder), np.random.default_rng(0)
    rows = [reader.JOINT_INDEX[name] for name in TAKE.names]
    clips = [reader.resample(clip, FPS) for clip in reader.load_library(folder / "val")]
    clips = [clip.positions[:, rows].astype(float) for clip in clips if len(clip.positions) >= 2 * FPS]
    print(f"{len(clips)} clips | 5 % | 50 % | 95 % | most")
    for noise in (0, 1, 2, 5):
        noisy = [joints + random.normal(0, noise / 1000, joints.shape) for joints in clips]
        found = [report(recorded(joints, FPS))["persons"]["1"] for joints in noisy]
        for key in _NUMBERS if not noise else _NUMBERS[:2]:
            values = np.array([each[key] for each in found if each[key] is not None])
            cells = " | ".join(f"{value:.2f}" for value in np.percentile(values, [5, 50, 95, 100]))
            print(f"{key}{f', noise of {noise} mm' if noise else ''} | {cells}", flush=True)


def captures(folder: Path, clips: int) -> None:
    """Print what the frames' fit and confidence say of their errors."""
    motion = load_motion(folder / "val")
    for noise in ("none", "measured"):
        data = DataSettings(fps=FPS, shape=0.0, tempo=0.0, arms=0.0, down=0.0, noise=noise)
        scene = film(motion, clips, round(FPS * SECONDS), torch.Generator().manual_seed(7), data)
        found = []
        truths = scene.joints.numpy().astype(float)
        for points, truth in zip(scene.keypoints.numpy(), truths, strict=True):
            take = pipeline.lift(recording(points), pipeline.CaptureOptions())
            joints = to_camera(take.joints[0].astype(float), take.world_to_camera)
            error = np.linalg.norm((joints - joints[:, :1]) - (truth - truth[:, :1]), axis=-1).mean(-1)
            fit, sure = 100 * misfit(take, 0).frames(), take.joints_confidence[0].mean(-1)
            known = np.isfinite(fit) & np.isfinite(error)
            found.append(np.stack([fit, sure, 1000 * error])[:, known])
        fit, sure, error = np.concatenate(found, 1)
        for what, values, edges in (("off the picture, %", fit, _FIT), ("confidence", sure, _SURE)):
            for low, high in pairwise(edges):
                inside = (values >= low) & (values < high)
                if inside.sum() >= 10:
                    quarters = " / ".join(f"{value:.0f}" for value in np.percentile(error[inside], [25, 50, 75]))
                    print(f"{noise} | {what} {low:g} to {high:g} | {inside.sum()} frames | {quarters} mm", flush=True)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description="Where the limits of a take's report come from.")
    parser.add_argument("what", choices=["people", "captures"])
    parser.add_argument("motion", type=Path)
    parser.add_argument("--clips", type=int, default=16)
    arguments = parser.parse_args()
    if arguments.what == "people":
        people(arguments.motion)
    else:
        captures(arguments.motion, arguments.clips)


if __name__ == "__main__":
    main()
