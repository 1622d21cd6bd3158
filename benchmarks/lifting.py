# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifters alone, on validation motion before random cameras: people, motion and cameras that they were not trained on.

    python benchmarks/lifting.py MOTION_LIBRARY [WEIGHTS.safetensors ...]

For each weights (the shipped ones by default), with exact keypoints and with those of the measured detector: MPJPE
over the 17 joints of Human3.6M, root-relative, and after Procrustes; both again where the trunk lies; MPJPE of all 26
joints; error of a joint's step from frame to frame; tilt. 30 frames a second, focal length known, everybody of one
size. For weights that tell their errors: how often joints are within 10 cm of the truth, by their confidence.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from video_mocap.backend.lifting.checkpoint import build_model, load_checkpoint
from video_mocap.backend.lifting.training.export import NEAR
from video_mocap.backend.lifting.training.motion import MotionSet, load_motion
from video_mocap.backend.lifting.training.settings import OUTPUTS, NetworkSettings, Settings
from video_mocap.backend.lifting.training.validation import sampled_errors, score
from video_mocap.backend.models import DEFAULT_WEIGHTS
from video_mocap.rigging.joints import TAKE


def table(weights: Path, motion: MotionSet) -> None:
    """Print the lines of one file."""
    checkpoint = load_checkpoint(weights)
    model = build_model(checkpoint).float()
    architecture = model.architecture
    settings = Settings(network=NetworkSettings(widths=architecture.widths, causal=architecture.causal))
    given = architecture.joints_out

    def lift(x: Tensor) -> tuple[Tensor, Tensor]:
        if architecture.error_outputs:
            return model.with_errors(x)
        out = model(x)
        lacking = out.new_zeros(*out.shape[:2], len(OUTPUTS) - given, 3)
        return torch.cat([out, lacking], dim=2), out.new_zeros(*out.shape[:2], len(TAKE))

    for noise in ("none", "measured"):
        s = score(lift, motion, settings, noise)
        depth = f"{s.depth:.1f}" if given == len(OUTPUTS) else "-"
        print(
            f"| {checkpoint.sidecar.name} {checkpoint.sidecar.version} | {noise} | {s.mpjpe:.1f} / {s.p_mpjpe:.1f} | "
            f"{s.lying:.1f} / {s.p_lying:.1f} | {s.take:.1f} | {s.velocity:.1f} | {s.tilt:.1f} | {depth} |"
        )
    if checkpoint.sidecar.confidence_knots:
        reliability(lift, checkpoint.sidecar.confidence_knots, checkpoint.sidecar.confidence_values, motion, settings)


def reliability(
    lift: Callable[[Tensor], tuple[Tensor, Tensor]],
    knots: tuple[float, ...],
    values: tuple[float, ...],
    motion: MotionSet,
    settings: Settings,
) -> None:
    """Print by tenths of confidence how many joints there are, and how many of them are near the truth."""
    told, errors = sampled_errors(lift, motion, settings, seed=3)
    confidence = np.interp(told, knots, values)
    for tenth in range(10):
        inside = (confidence >= tenth / 10) & ((confidence < (tenth + 1) / 10) | (tenth == 9))
        if inside.any():
            near = 100 * float((errors[inside] < NEAR).mean())
            share = f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}: {inside.mean():.1%} of joints"
            print(f"confidence {share}, {near:.0f} % near")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy of lifters on validation motion.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("weights", type=Path, nargs="*", default=[DEFAULT_WEIGHTS])
    arguments = parser.parse_args()
    motion = load_motion(arguments.motion / "val")
    print("| weights | noise | MPJPE / P-MPJPE, mm | trunk lies | 26 joints | step | tilt, degrees | depth, % |")
    print("|---|---|---|---|---|---|---|---|")
    for weights in arguments.weights:
        table(weights, motion)


if __name__ == "__main__":
    main()
