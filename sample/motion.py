# SPDX-License-Identifier: GPL-3.0-or-later
"""One stretch of motion capture as joints of a take, standing where the sample's camera looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.vectors import unit


def read_clip(path: Path, name: str, start: int, frames: int, fps: float) -> np.ndarray:
    """(F, 26, 3) joints of one clip of a motion library file, metres, Z up, rows as `rigging.joints.TAKE`.

    path: an `.npz` with all clips one after the other: `root` (N, 3) metres and `relative_step` (N, 28, 3) int16, the
    other joints minus the root in 0.1 mm as differences along time within a clip. start, frames: at `fps`, which must
    divide the clip's own rate. Raises ValueError if the file has no such clip or the clip is too short.
    """
    with np.load(path, allow_pickle=False) as data:
        clips = [str(clip) for clip in data["clip_name"]]
        if name not in clips:
            raise ValueError(f"{path} has no clip {name}")
        row = clips.index(name)
        first, length = int(data["clip_start"][row]), int(data["clip_length"][row])
        step = float(data["clip_fps"][row]) / fps
        if step != round(step):
            raise ValueError(f"{name} has {data['clip_fps'][row]} frames a second, no multiple of {fps}")
        names = [str(joint) for joint in data["joint_names"]]
        root = data["root"][first : first + length].astype(np.float64)
        relative = np.cumsum(data["relative_step"][first : first + length], axis=0, dtype=np.int16)
    joints = np.concatenate([root[:, None], root[:, None] + relative * 1e-4], axis=1)
    joints = joints[:: round(step)][start : start + frames]
    if len(joints) < frames:
        raise ValueError(f"{name} has no {frames} frames from frame {start} on")
    return joints[:, [names.index(joint) for joint in TAKE.names]]


def face_camera(joints: np.ndarray, turn_degrees: float) -> np.ndarray:
    """Turn and move a clip on the floor: its middle over the origin, looking on average along -Y, then turned left.

    joints: (F, 26, 3). turn_degrees: counter-clockwise seen from above.
    """
    left = unit((joints[:, TAKE.index("left_hip")] - joints[:, TAKE.index("right_hip")])[:, :2]).mean(0)
    angle = np.radians(turn_degrees) - np.arctan2(left[1], left[0])
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turned = joints @ rotation.T
    pelvis = turned[:, TAKE.index("pelvis"), :2]
    turned[..., :2] -= (pelvis.min(0) + pelvis.max(0)) / 2
    return turned
