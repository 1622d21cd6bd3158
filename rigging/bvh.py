# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion as a Biovision hierarchy (.bvh).

Centimetres, Y up, the rest pose facing +Z: what most programs expect of a BVH (Blender's importer: scale 0.01). Every
joint's axes are the world's in the rest pose; channels Zrotation Xrotation Yrotation, degrees, applied as Rz Rx Ry.
"""

from __future__ import annotations

import numpy as np

from . import quaternions
from .skeleton import Motion, Skeleton
from .solve import resample

_CENTIMETRES = 100.0
#: World (Z up, facing -Y) to BVH (Y up, facing +Z).
_AXES = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def bvh_text(motion: Motion) -> str:
    """The whole file. Unevenly timed motion is resampled at its nominal rate, because BVH knows one frame time only."""
    motion, frame_time = _even(motion)
    skeleton = motion.skeleton
    children: dict[int, list[int]] = {bone: [] for bone in range(-1, len(skeleton.names))}
    for bone, parent in enumerate(skeleton.parents):
        children[parent].append(bone)
    order: list[int] = []
    lines = ["HIERARCHY"]
    for root in children[-1]:
        _hierarchy(skeleton, root, children, 0, lines, order)
    lines += ["MOTION", f"Frames: {len(motion.times)}", f"Frame Time: {frame_time:.9f}"]
    rows = _channels(motion, order)
    lines += [" ".join(f"{value:.5f}" for value in row) for row in rows.tolist()]
    return "\n".join(lines) + "\n"


def _even(motion: Motion) -> tuple[Motion, float]:
    """The motion on evenly spaced times and their distance in seconds."""
    steps = np.diff(motion.times)
    if len(steps) == 0:
        return motion, 1 / motion.fps
    mean = float(steps.mean())
    if np.abs(steps - mean).max() < 0.02 * mean:
        return motion, mean
    count = int(np.floor((motion.times[-1] - motion.times[0]) * motion.fps + 1e-6)) + 1
    return resample(motion, motion.times[0] + np.arange(count) / motion.fps), 1 / motion.fps


def _hierarchy(
    skeleton: Skeleton, bone: int, children: dict[int, list[int]], depth: int, lines: list[str], order: list[int]
) -> None:
    """Append the lines of a bone and of everything below it; `order` collects the bones as their channels come."""
    parent = skeleton.parents[bone]
    origin = skeleton.heads[parent] if parent >= 0 else np.zeros(3)
    indent, inner = "\t" * depth, "\t" * (depth + 1)
    root_channels = "6 Xposition Yposition Zposition " if parent < 0 else "3 "
    lines += [
        f"{indent}{'ROOT' if parent < 0 else 'JOINT'} {skeleton.names[bone]}",
        indent + "{",
        inner + _offset(skeleton.heads[bone] - origin),
        f"{inner}CHANNELS {root_channels}Zrotation Xrotation Yrotation",
    ]
    order.append(bone)
    for child in children[bone]:
        _hierarchy(skeleton, child, children, depth + 1, lines, order)
    if not children[bone]:
        end = inner + "\t" + _offset(skeleton.tails[bone] - skeleton.heads[bone])
        lines += [inner + "End Site", inner + "{", end, inner + "}"]
    lines.append(indent + "}")


def _offset(vector: np.ndarray) -> str:
    x, y, z = (_CENTIMETRES * (_AXES @ vector)).tolist()
    return f"OFFSET {x:.5f} {y:.5f} {z:.5f}"


def _channels(motion: Motion, order: list[int]) -> np.ndarray:
    """(F, 3 + 3 B) the root's position in centimetres, then every bone's turns about z, x and y in degrees."""
    skeleton = motion.skeleton
    frames = _AXES @ skeleton.frames
    turns = frames @ quaternions.to_matrix(motion.rotations) @ np.swapaxes(frames, -1, -2)
    x = np.arcsin(np.clip(turns[..., 2, 1], -1.0, 1.0))
    z = np.arctan2(np.negative(turns[..., 0, 1]), turns[..., 1, 1])
    y = np.arctan2(np.negative(turns[..., 2, 0]), turns[..., 2, 2])
    angles = _unwrapped(np.stack([z, x, y], -1))[:, order]
    root = _CENTIMETRES * (skeleton.heads[order[0]] + motion.root_translation) @ _AXES.T
    return np.concatenate([root, np.degrees(angles).reshape(len(angles), -1)], 1)


def _unwrapped(angles: np.ndarray) -> np.ndarray:
    """(F, B, 3) z, x, y: each frame the one of both equal triples, and of their whole turns, nearest to the last."""
    result = angles.copy()
    for row in range(1, len(result)):
        last = result[row - 1]
        same = angles[row]
        other = np.stack([same[:, 0] + np.pi, np.pi - same[:, 1], same[:, 2] + np.pi], -1)
        near, far = (triple + 2 * np.pi * np.round((last - triple) / (2 * np.pi)) for triple in (same, other))
        closer = np.abs(near - last).sum(1) <= np.abs(far - last).sum(1)
        result[row] = np.where(closer[:, None], near, far)
    return result
