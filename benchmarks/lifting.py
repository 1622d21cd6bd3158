# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifters alone, on validation motion before random cameras: people, motion and cameras that they were not trained on.

    python benchmarks/lifting.py MOTION_LIBRARY [--lifter NAME_OR_WEIGHTS ...] [--plot PICTURE.png]

For each of the weights (the shipped ones by default), with exact keypoints and with those of the measured detector:
MPJPE over the 17 joints of Human3.6M, root-relative, and after Procrustes; both again where the trunk lies, more than
60 degrees off the vertical (floor work, lying, hanging); MPJPE of all 26 joints; error of a joint's step from frame to
frame; tilt. 30 frames a second, focal length known, everybody of one size. For weights that tell their errors: how
often joints are within 10 cm of the truth, by their confidence, and the expected calibration error; --plot draws it for
the last of the weights. How steady lifters are, and captures: `motion.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from reliability import draw
from torch import Tensor
from video_mocap.backend.evaluation.metrics import calibration_error, reliability
from video_mocap.backend.lifting.checkpoint import build_model, load_checkpoint, read_weights
from video_mocap.backend.lifting.linear import FIRST, load_linear
from video_mocap.backend.lifting.training.export import NEAR
from video_mocap.backend.lifting.training.motion import MotionSet, load_motion
from video_mocap.backend.lifting.training.settings import OUTPUTS, NetworkSettings, Settings
from video_mocap.backend.lifting.training.validation import sampled_errors, score
from video_mocap.backend.models import find_lifter
from video_mocap.rigging.joints import TAKE

Lift = Callable[[Tensor], tuple[Tensor, Tensor]]


def table(lifter: str, motion: MotionSet, plot: Path | None) -> None:
    """Print the lines of one lifter, a name or weights."""
    path = find_lifter(lifter)
    single = read_weights(path)[0].keys() >= {FIRST}
    checkpoint = load_linear(path) if single else load_checkpoint(path)
    model = build_model(checkpoint).float()
    architecture = model.architecture
    network = NetworkSettings(kind="linear", causal=architecture.causal)
    if not single:
        network = NetworkSettings(widths=architecture.widths, causal=architecture.causal)
    settings = Settings(network=network)
    given = architecture.joints_out

    def lift(x: Tensor) -> tuple[Tensor, Tensor]:
        if architecture.error_outputs:
            return model.with_errors(x)
        out = model(x)
        lacking = out.new_zeros(*out.shape[:2], len(OUTPUTS) - given, 3)
        return torch.cat([out, lacking], dim=2), out.new_zeros(*out.shape[:2], len(TAKE))

    name = Path(lifter).stem
    for noise in ("none", "measured"):
        s = score(lift, motion, settings, noise)
        depth = f"{s.depth:.1f}" if given == len(OUTPUTS) else "-"
        print(
            f"| {name} | {noise} | everything | {s.mpjpe:.1f} / {s.p_mpjpe:.1f} | {s.take:.1f} | {s.velocity:.1f} | "
            f"{s.tilt:.1f} | {depth} |"
        )
        print(f"| {name} | {noise} | trunk lies | {s.lying:.1f} / {s.p_lying:.1f} | | | | |", flush=True)
    if checkpoint.sidecar.confidence_knots:
        told, errors = sampled_errors(lift, motion, settings, seed=3)
        confidence = np.interp(told, checkpoint.sidecar.confidence_knots, checkpoint.sidecar.confidence_values)
        print_reliability(confidence, errors < NEAR)
        if plot is not None:
            draw(plot, confidence, errors < NEAR, name)


def print_reliability(confidence: np.ndarray, near: np.ndarray) -> None:
    """Print by tenths of confidence how many joints there are, and how many of them are near the truth."""
    for share, told, true in reliability(confidence, near):
        print(f"confidence {told:.2f}: {share:.1%} of joints, {true:.2f} of them near")
    print(f"expected calibration error {calibration_error(confidence, near):.3f}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy of lifters on validation motion.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--lifter", action="append", help="a name or weights; several times for several")
    parser.add_argument("--plot", type=Path, help="the picture to draw, of the last weights that tell their errors")
    arguments = parser.parse_args()
    motion = load_motion(arguments.motion / "val")
    print("| weights | noise | of | MPJPE / P-MPJPE, mm | 26 joints | step | tilt, degrees | depth, % |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.lifter or ["default"]:
        table(name, motion, arguments.plot)


if __name__ == "__main__":
    main()
