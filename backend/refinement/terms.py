# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms of the refinement's energy, each as weighted squares about the present positions x (F, 26, 3)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from ...rigging.camera_path import camera_centres
from ...rigging.joints import TAKE
from ..world.posture import feet_of
from .banded import NormalEquations
from .body import keypoint_rows
from .evidence import Evidence, Options

#: The weights are meant for this many frames a second.
_RATE = 30.0
#: Seconds over which the speed of a foot is judged.
_WHILE = 0.2
_PELVIS = TAKE.index("pelvis")


def reprojection(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Joints are where their keypoints are, as far as those are sure and not far off (Geman and McClure's weights)."""
    joints, a, error, confidence = _seen(evidence, x, options)
    weight = share(evidence.times)[:, None] * confidence**2 / (1 + (error / options.outlier) ** 2) ** 2
    if evidence.camera is None:
        equations.points(joints, a.swapaxes(-1, -2) @ (weight[..., None, None] * a))
        return
    rotation, shift = evidence.camera[:, None, :3, :3], evidence.camera[:, None, :3, 3:]
    turned = a @ rotation
    weighted = turned.swapaxes(-1, -2) * weight[..., None, None]
    equations.points(joints, weighted @ turned, -(weighted @ (a @ shift))[..., 0])


def misfit(evidence: Evidence, x: np.ndarray, options: Options) -> np.ndarray:
    """(F,) mean robust square of the reprojection errors of positions (F, 26, 3), in standard deviations; 0 unseen."""
    _, _, error, confidence = _seen(evidence, x, options)
    weight = confidence**2
    robust = error**2 / (1 + (error / options.outlier) ** 2)
    return (weight * robust).sum(-1) / np.maximum(weight.sum(-1), 1e-9)


def _seen(evidence: Evidence, x: np.ndarray, options: Options) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Which joints keypoints show (M,), the rows (F, M, 2, 3) that give their errors, those (F, M), and confidence.

    Rows (f X - (x - c) Z) / Z0 are linear in the position, and equal to the error in pixels at the present depth Z0.
    """
    rows, joints, looseness = keypoint_rows(evidence.names)
    points = evidence.keypoints[:, rows].astype(np.float64)
    seen = evidence.seen(x)
    depth = np.maximum(seen[:, joints, 2], 0.1)
    confidence = np.where(np.isfinite(points).all(-1) & evidence.given[joints], points[..., 2], 0.0)
    pixel = np.where(confidence[..., None] > 0, points[..., :2], 0.0)
    focal = np.array([evidence.intrinsics[0, 0], evidence.intrinsics[1, 1]])
    offset = pixel - evidence.intrinsics[:2, 2]
    size = focal.mean() * evidence.links.size / np.maximum(seen[:, _PELVIS, 2], 0.1)
    sigma = np.maximum(options.pixels * size, 0.5)[:, None] * looseness
    a = np.zeros((*depth.shape, 2, 3))
    a[..., 0, 0], a[..., 1, 1] = focal[0], focal[1]
    a[..., 2] = -offset
    a /= (depth * sigma)[..., None, None]
    error = np.linalg.norm((a @ seen[:, joints][..., None])[..., 0], axis=-1)
    return joints, a, error, confidence


def directions(equations: NormalEquations, evidence: Evidence, options: Options) -> None:
    """Bones point where the lifter has them, as far as it is to be trusted."""
    links = evidence.links
    a, b = links.first, links.second
    lifted = evidence.lifted[:, b] - evidence.lifted[:, a]
    trust = np.minimum(evidence.trust[:, a], evidence.trust[:, b])
    wanted = lifted / np.maximum(np.linalg.norm(lifted, axis=-1, keepdims=True), 1e-9) * links.length[:, None]
    weight = (share(evidence.times)[:, None] * trust / options.direction**2)[..., None]
    equations.differences(a, b, weight[..., None] * np.eye(3), weight * wanted)


def root_depth(equations: NormalEquations, evidence: Evidence, root: np.ndarray, options: Options) -> None:
    """The pelvis is as far from the camera as the root (F, 3) is."""
    sight = root if evidence.camera is None else root - camera_centres(evidence.camera)
    distance = np.linalg.norm(sight, axis=-1, keepdims=True)
    ray = sight / distance
    depth = options.floor_root_depth if evidence.floor and evidence.floor.sure else options.root_depth
    weight = share(evidence.times)[:, None, None] / (depth * distance[..., None]) ** 2
    matrix = weight * ray[:, :, None] * ray[:, None, :]
    equations.points(np.array([_PELVIS]), matrix[:, None], (matrix @ root[..., None])[:, None, :, 0])


def smoothness(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Accelerations are small, along the line of sight more so."""
    if len(x) < 3:
        return
    before, after = np.diff(evidence.times)[:-1], np.diff(evidence.times)[1:]
    # Second derivative of the parabola through three unevenly spaced frames.
    factors = np.stack(
        [2 / (before * (before + after)), -2 / (before * after), 2 / (after * (before + after))], axis=-1
    )
    sight = (x - evidence.eye)[1:-1]
    ray = sight / np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-9)
    across = np.full(len(TAKE), 1 / options.acceleration**2)
    along = np.full(len(TAKE), 1 / options.ray_acceleration**2)
    along[_PELVIS] = 1 / options.root_ray_acceleration**2
    matrix = across[:, None, None] * np.eye(3) + (along - across)[:, None, None] * ray[..., :, None] * ray[..., None, :]
    weight = share(evidence.times)[1:-1]
    equations.bends(factors, weight[:, None, None, None] * matrix)


def contacts(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Feet that stand do not move, unless they clearly do: who says that they stand may be wrong."""
    if evidence.contacts is None or len(x) < 2:
        return
    step = np.diff(evidence.times)[:, None]
    rows = feet_of(evidence.given).rows
    # How far they get in a while, not how much they shake.
    whole = max(1, round(_WHILE / float(np.median(step))))
    moved = np.diff(uniform_filter1d(x[:, rows], whole, axis=0, mode="nearest"), axis=0)
    speed = np.linalg.norm(moved, axis=-1) / step
    sure = np.minimum(evidence.contacts[1:], evidence.contacts[:-1]) / (1 + (speed / options.slide) ** 2)
    weight = np.zeros((len(step), len(TAKE), 1, 1))
    # An ankle that stands for heel and toe is in the rows twice, with the same contact.
    weight[:, rows, 0, 0] = sure**2 * _RATE * step / (options.contact * step) ** 2
    equations.steps(weight * np.eye(3))


def floor(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Feet that stand are on the floor, if it is known, and no foot is below it."""
    if evidence.floor is None:
        return
    feet = feet_of(evidence.given)
    rows, columns = np.unique(feet.rows, return_index=True)
    standing = np.zeros((len(x), len(rows))) if evidence.contacts is None else evidence.contacts[:, columns]
    if evidence.on_floor is not None:
        standing = standing * evidence.on_floor[:, columns]
    level = evidence.floor.level + feet.above
    held = np.maximum(standing, x[:, rows] @ evidence.floor.up < level)
    spread = options.floor if evidence.floor.sure else options.found_floor
    weight = share(evidence.times)[:, None] * held**2 / spread**2
    height = weight[..., None, None] * np.outer(evidence.floor.up, evidence.floor.up)
    equations.points(rows, height, weight[..., None] * level * evidence.floor.up)


def share(times: np.ndarray) -> np.ndarray:
    """(F,) how much of the evidence a frame is: sums over frames stand for integrals over time, at any frame rate."""
    if len(times) < 2:
        return np.ones(len(times))
    return np.clip(_RATE * np.gradient(times), 0.1, 10.0)
