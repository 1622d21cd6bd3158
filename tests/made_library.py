# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion library made for tests: somebody who walks off, and somebody who walks off and swings an arm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from video_mocap.backend.lifting.training.motion import MotionSet

#: A person who stands, arms out, feet forward (x), in the joints of a motion library; metres.
STANDING = {
    "pelvis": (0, 0, 0.95), "spine": (0, 0, 1.2), "thorax": (0, 0, 1.42), "neck": (-0.03, 0, 1.5),
    "head": (0, 0, 1.58), "head_top": (0, 0, 1.74), "nose": (0.13, 0, 1.58), "left_eye": (0.09, 0.03, 1.62),
    "right_eye": (0.09, -0.03, 1.62), "left_ear": (0, 0.07, 1.6), "right_ear": (0, -0.07, 1.6),
    "left_shoulder": (0, 0.18, 1.42), "right_shoulder": (0, -0.18, 1.42), "left_elbow": (0, 0.46, 1.4),
    "right_elbow": (0, -0.46, 1.4), "left_wrist": (0, 0.71, 1.38), "right_wrist": (0, -0.71, 1.38),
    "left_hand": (0, 0.8, 1.37), "right_hand": (0, -0.8, 1.37), "left_hip": (0, 0.1, 0.93),
    "right_hip": (0, -0.1, 0.93), "left_knee": (0.02, 0.1, 0.5), "right_knee": (0.02, -0.1, 0.5),
    "left_ankle": (0, 0.1, 0.08), "right_ankle": (0, -0.1, 0.08), "left_heel": (-0.05, 0.1, 0.02),
    "right_heel": (-0.05, -0.1, 0.02), "left_toe": (0.18, 0.1, 0.02), "right_toe": (0.18, -0.1, 0.02),
}  # fmt: skip


def motion(seconds: float = 4.0, fps: float = 60.0) -> MotionSet:
    """Two clips of somebody who walks off along x and swings the arms."""
    names = tuple(STANDING)
    frames = round(seconds * fps)
    pose = np.array(list(STANDING.values()), np.float32)
    clips = np.repeat(np.repeat(pose[None], frames, 0)[None], 2, 0)
    time = np.arange(frames, dtype=np.float32) / fps
    clips[..., 0] += time[None, :, None]
    clips[1, :, names.index("left_wrist"), 2] += 0.2 * np.sin(5 * time)
    count = torch.tensor([frames, frames])
    return MotionSet(torch.from_numpy(clips.reshape(-1, 29, 3)), names, count.cumsum(0) - count, count, 0 * count + fps)


def write_library(folder: Path) -> Path:
    """The same motion in the files of a motion library."""
    made = motion()
    for part in ("train", "val"):
        (folder / part).mkdir(parents=True)
        joints = made.positions.numpy()
        relative = np.round((joints - joints[:, :1])[:, 1:] * 1e4).astype(np.int16)
        steps = relative.copy()
        for first, count in zip(made.start.tolist(), made.length.tolist(), strict=True):
            steps[first + 1 : first + count] = np.diff(relative[first : first + count], axis=0)
        np.savez(
            folder / part / "someone.npz",
            joint_names=np.array(made.names),
            root=joints[:, 0],
            relative_step=steps,
            clip_start=made.start.numpy(),
            clip_length=made.length.numpy(),
            clip_fps=made.fps.numpy(),
        )
    return folder


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
