# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to find where a person is, on validation motion with focal lengths that are told right and wrong.

    python benchmarks/roots.py MOTION_LIBRARY [--clips 96] [--focal 0.7 0.85 1 1.2 1.4] [--noise measured|none]

MOTION_LIBRARY has a folder `val`: people and motion that the lifter was not trained on. Each clip is 3 s at 30 frames a
second before a random still camera, with the measured noise of a detector; the lifter and the root are told so many
times the true focal length. Every frame for itself, as the root gives it; a capture smooths it afterwards. Over the
frames in which the person was detected:

- distance: root mean square error of the logarithm of the distance, in per cent. Through a lens told 1.4 times too long
  everybody is 1.4 times too far away, whoever looks; "scaled" is the error that is left after one factor per clip;
- path: mean error of the root's path after one similarity per clip, mm;
- steps: mean change of the distance's error from frame to frame, in per cent of the distance;
- lost: frames for which there is no root; and seconds of one core for a thousand frames.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from motion import FPS, recording
from video_mocap.backend import pipeline
from video_mocap.backend.evaluation.metrics import mean, path_error
from video_mocap.backend.lifting.lifter import Lifter
from video_mocap.backend.lifting.training.motion import load_motion
from video_mocap.backend.lifting.training.samples import film
from video_mocap.backend.lifting.training.settings import DataSettings
from video_mocap.backend.refinement.body import keypoint_rows
from video_mocap.backend.root.table import ROOTS, find_root
from video_mocap.rigging.joints import COCO17

SECONDS = 3


@dataclass(frozen=True)
class Seen:
    """A lifted clip as a root is told of it: root-relative joints, pixels, weights, intrinsics, the lifter's own root;
    the true root (F, 3) metres in camera axes, NaN where nobody was detected."""

    told: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]
    truth: np.ndarray


def seen(points: np.ndarray, truth: np.ndarray, factor: float, lifter: Lifter) -> Seen:
    """A clip of `film`, (F, 17, 3) tangents and confidence, lifted through a lens told `factor` times too long."""
    keypoints = recording(points)
    assert keypoints.intrinsics is not None
    intrinsics = keypoints.intrinsics * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]])
    found = keypoints.keypoints[0]
    lifted = lifter.lift(found, COCO17.names, keypoints.times, intrinsics, keypoints.image_size)
    rows, joints, looseness = keypoint_rows(COCO17.names)
    weights = np.nan_to_num(found[:, rows, 2]) / looseness**2
    detected = (weights > 0).any(-1) & np.isfinite(lifted.joints).all((1, 2))
    told = lifted.joints[:, joints], found[:, rows, :2], weights, intrinsics, lifted.root
    return Seen(told, np.where(detected[:, None], truth, np.nan))


def errors(root: np.ndarray, truth: np.ndarray) -> list[float]:
    """Squared error of the distance's logarithm, the same less its mean, path in mm, step, share of frames lost."""
    detected = np.isfinite(truth[:, 2])
    with np.errstate(invalid="ignore"):
        ratio = np.log(root[:, 2] / truth[:, 2])
    return [
        mean(ratio**2),
        mean((ratio - mean(ratio)) ** 2),
        1000 * path_error(np.where(detected[:, None], root, np.nan), truth, with_scale=True)[0],
        mean(np.abs(np.diff(ratio))),
        float(np.isnan(ratio[detected]).mean()),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Ways to find where a person is, compared.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--focal", type=float, nargs="+", default=(0.7, 0.85, 1.0, 1.2, 1.4))
    parser.add_argument("--noise", default="measured", choices=("measured", "none"))
    parser.add_argument("--lifter", default="default", help="a name or weights that know the root")
    arguments = parser.parse_args()
    data = DataSettings(fps=FPS, shape=0.0, tempo=0.0, arms=0.0, down=0.0, noise=arguments.noise)
    motion, frames = load_motion(arguments.motion / "val"), round(FPS * SECONDS)
    scene = film(motion, arguments.clips, frames, torch.Generator().manual_seed(11), data)
    people = list(zip(scene.keypoints.numpy(), scene.joints.numpy()[:, :, 0].astype(np.float64), strict=True))
    lifter = pipeline.open_lifter(pipeline.CaptureOptions(lifter=arguments.lifter))
    print("| focal length | root | distance | scaled | path | steps | lost | s / 1000 frames |")
    print("|---|---|---|---|---|---|---|---|")
    for factor in arguments.focal:
        clips = [seen(points, truth, factor, lifter) for points, truth in people]
        found, seconds = defaultdict(list), defaultdict(float)
        for clip in clips:
            for name in ROOTS:
                started = time.process_time()
                root = find_root(name, *clip.told)
                seconds[name] += time.process_time() - started
                found[name].append(errors(root, clip.truth))
        for name in ROOTS:
            squared, scaled, path, step, lost = np.nanmean(found[name], axis=0)
            cost = 1000 * seconds[name] / (frames * len(clips))
            off = f"{100 * np.sqrt(squared):.1f} % | {100 * np.sqrt(scaled):.1f} % | {path:.0f} mm"
            print(f"| {factor:g} | {name} | {off} | {100 * step:.2f} % | {100 * lost:.1f} % | {cost:.2f} |", flush=True)


if __name__ == "__main__":
    main()
