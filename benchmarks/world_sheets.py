# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures of validation motion with the truth beside them, to be looked at: a sheet of `take_sheets.py` per clip.

    python benchmarks/world_sheets.py MOTION_LIBRARY OUTPUT_FOLDER [--clips 24] [--camera static panning]
                                      [--focal unknown] [--frames 8] [--lifter NAME]

Clips, noise, cameras and what is told of the lens are those of `world.py`. Beside each sheet lie the keypoints, the
take and the truth, so that a clip can be looked at more closely.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from take_sheets import chosen_rows, of_take, sheet
from video_mocap.backend.keypoints import write_keypoints
from video_mocap.backend.pipeline import CaptureOptions, lift, write_take
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.take import Take
from world import told
from world_clips import FPS, Clip, load_clips


def truth_take(clip: Clip) -> Take:
    """The clip as a capture without an error would have it."""
    joints, seen = clip.joints[None], clip.keypoints
    return Take(
        FPS, seen.times, np.array(seen.image_size), clip.camera.intrinsics, clip.camera.matrices, TAKE.names,
        TAKE.parents, np.array([1]), joints, np.isfinite(joints).all(-1).astype(float), seen.keypoint_names,
        seen.keypoints, np.zeros((1, len(seen.times), 4)),
    )  # fmt: skip


def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description="Sheets of pictures of captured validation motion beside the truth.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--camera", nargs="+", default=("static", "panning"), choices=("static", "panning"))
    parser.add_argument("--focal", default="unknown", help="right, unknown, or a factor on the true one")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--lifter", default="default")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for camera in arguments.camera:
        for clip in load_clips(arguments.motion, arguments.clips, camera == "panning"):
            name = f"{camera}_{clip.kind}_{clip.name}".replace(" ", "_").replace("#", "_")
            keypoints = told(clip, camera, arguments.focal)
            take, truth = lift(keypoints, CaptureOptions(lifter=arguments.lifter)), truth_take(clip)
            write_keypoints(arguments.output / f"{name}.keypoints.npz", keypoints)
            write_take(arguments.output / f"{name}.take.npz", take)
            write_take(arguments.output / f"{name}.truth.take.npz", truth)
            image = sheet(take, chosen_rows(take, arguments.frames, None, 0), {}, of_take(truth))
            cv2.imwrite(str(arguments.output / f"{name}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            print(name, flush=True)


if __name__ == "__main__":
    main()
