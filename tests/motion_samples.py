# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes for tests: a walk made of sines, and clips of the motion library where it is there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging import quaternions
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.rotations import SEGMENTS, segment_rotations
from video_mocap.rigging.skeleton import Motion, rest_skeleton
from video_mocap.rigging.solve import posed_joints
from video_mocap.rigging.take import Take

LIBRARY = Path(__file__).resolve().parents[2] / "shared" / "motion"


def camera_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(4, 4) world to camera, OpenCV axes, for a level camera at `eye` that looks at `target`."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0, 1])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = [right, np.cross(forward, right), forward]
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def take_of(joints: np.ndarray, fps: float, times: np.ndarray | None = None) -> Take:
    """A take of (P, F, 26, 3) joints seen by a camera in front of them; people are numbered from 1."""
    people, frames = joints.shape[:2]
    middle = np.nanmean(joints, axis=(0, 1, 2))
    return Take(
        fps=fps,
        times=np.arange(frames) / fps if times is None else times,
        image_size=np.array([1280, 720]),
        intrinsics=np.array([[1100.0, 0, 655], [0, 1080, 350], [0, 0, 1]]),
        world_to_camera=camera_at(middle + np.array([1.5, -5, 0.6]), middle)[None],
        joint_names=TAKE.names,
        joint_parents=TAKE.parents,
        person_ids=np.arange(people) + 1,
        joints=joints,
        joints_confidence=np.isfinite(joints).all(-1).astype(float),
        keypoint_names=(),
        keypoints=np.zeros((people, frames, 0, 3)),
        contacts=np.zeros((people, frames, 4)),
        metadata={"footage": "walk"},
    )


def walk(frames: int = 48, fps: float = 24.0) -> np.ndarray:
    """(F, 26, 3) metres: somebody of 1.75 m walks towards -Y at 1.2 m/s, bone lengths constant."""
    nobody = np.full((1, len(TAKE), 3), np.nan)
    skeleton = rest_skeleton(nobody, segment_rotations(nobody))
    times = np.arange(frames) / fps
    phase = 2 * np.pi * times
    angles = {
        "thigh.L": -0.1 - 0.4 * np.sin(phase), "thigh.R": -0.1 + 0.4 * np.sin(phase),
        "shin.L": 0.4 + 0.35 * np.cos(phase), "shin.R": 0.4 - 0.35 * np.cos(phase),
        "forearm.L": 0.3 + 0.2 * np.sin(phase), "forearm.R": 0.3 - 0.2 * np.sin(phase),
        "chest": 0.08 + 0 * phase,
    }  # fmt: skip
    turns = np.zeros((frames, len(SEGMENTS), 4))
    turns[..., 0] = 1
    for bone, angle in angles.items():
        turns[:, SEGMENTS.index(bone)] = np.stack([np.cos(angle / 2), np.sin(angle / 2), 0 * angle, 0 * angle], 1)
    for side, sign in (("L", -1), ("R", 1)):
        # Arms down from the T-pose: about the bone's z, which is the front.
        row = SEGMENTS.index(f"upper_arm.{side}")
        lower = sign * 1.3 * np.ones(frames)
        turns[:, row] = np.stack([np.cos(lower / 2), 0 * lower, 0 * lower, np.sin(lower / 2)], 1)
    root = np.stack([0 * times, -1.2 * times, 0.02 * np.cos(2 * phase) - 0.02], 1)
    seen = np.ones(frames, bool)
    return posed_joints(Motion(1, skeleton, fps, times, quaternions.continuous(turns), root, seen))


def library_clip(name: str, split: str = "val", source: str = "cmu") -> tuple[np.ndarray, float]:
    """Joints (F, 26, 3) and frame rate of a clip of the motion library; skips the test where the library is absent."""
    reader = LIBRARY / "motion_library.py"
    if not reader.exists():
        pytest.skip("the motion library is not on this machine")
    spec = importlib.util.spec_from_file_location("motion_library", reader)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["motion_library"] = module
    spec.loader.exec_module(module)
    clip = next(clip for clip in module.load_file(LIBRARY / split / f"{source}.npz") if clip.name == name)
    return clip.positions[:, [module.JOINT_INDEX[joint] for joint in TAKE.names]].astype(float), clip.fps
