# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files, read back by a small parser of the test's own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging import quaternions
from video_mocap.rigging.bvh import bvh_text
from video_mocap.rigging.solve import forward_kinematics, solve

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, take_of, walk


def read_bvh(text: str) -> tuple[list[str], np.ndarray, float]:
    """Joint names, their world positions (F, J, 3) in the file's units and axes, frame time."""
    hierarchy, motion = text.split("MOTION\n")
    names, offsets, parents, stack, skip = [], [], [], [], False
    for line in hierarchy.splitlines():
        words = line.split()
        if words[0] in ("ROOT", "JOINT"):
            parents.append(stack[-1] if stack else -1)
            names.append(words[1])
            stack.append(len(names) - 1)
        elif words[0] == "End":
            skip = True
            stack.append(-1)
        elif words[0] == "OFFSET" and not skip:
            offsets.append([float(word) for word in words[1:]])
        elif words[0] == "}":
            stack.pop()
            skip = False
    lines = motion.splitlines()
    values = np.array([[float(word) for word in line.split()] for line in lines[2:]])
    assert len(values) == int(lines[0].split()[1])
    positions = np.zeros((len(values), len(names), 3))
    turns = np.zeros((len(values), len(names), 3, 3))
    for row, parent in enumerate(parents):
        turn = np.eye(3)
        for angle, axis in zip(values[:, 3 + 3 * row : 6 + 3 * row].T, (2, 0, 1), strict=True):
            half = np.radians(angle) / 2
            quaternion = np.zeros((len(values), 4))
            quaternion[:, 0], quaternion[:, 1 + axis] = np.cos(half), np.sin(half)
            turn = turn @ quaternions.to_matrix(quaternion)
        if parent < 0:
            positions[:, row], turns[:, row] = values[:, :3], turn
        else:
            positions[:, row] = positions[:, parent] + turns[:, parent] @ np.array(offsets[row])
            turns[:, row] = turns[:, parent] @ turn
    return names, positions, float(lines[1].split()[2])


@pytest.mark.parametrize("real", [False, True])
def test_reads_back_as_written(real: bool) -> None:
    joints, fps = library_clip("cmu_135_11") if real else (walk(), 24.0)
    motion = solve(take_of(joints[None], fps), 1)
    text = bvh_text(motion)
    names, positions, frame_time = read_bvh(text)
    heads, _ = forward_kinematics(motion)
    assert frame_time == pytest.approx(1 / fps)
    order = [names.index(name) for name in motion.skeleton.names]
    # Y up and centimetres: x, z, -y.
    world = np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], -1)[:, order] / 100
    assert np.abs(world - heads).max() < 1e-4


def test_angles_are_continuous_over_a_full_turn() -> None:
    angles = np.linspace(0, 4 * np.pi, 200)
    turn = quaternions.to_matrix(np.stack([np.cos(angles / 2), 0 * angles, 0 * angles, np.sin(angles / 2)], 1))
    still = np.repeat(walk(1), 200, 0)
    lines = bvh_text(solve(take_of(np.einsum("fij,fkj->fki", turn, still)[None], 30.0), 1)).splitlines()
    values = np.array([[float(word) for word in line.split()] for line in lines[lines.index("MOTION") + 3 :]])
    assert np.abs(np.diff(values[:, 3:], axis=0)).max() < 5


def test_uneven_times_are_resampled() -> None:
    times = np.cumsum(np.where(np.arange(48) % 3 == 0, 0.06, 0.03))
    text = bvh_text(solve(take_of(walk()[None], 24.0, times - times[0]), 1))
    assert "Frame Time: 0.041666667" in text
    assert f"Frames: {int((times[-1] - times[0]) * 24 + 1e-6) + 1}" in text
