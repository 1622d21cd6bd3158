# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person is: the translation that puts root-relative 3D joints on their 2D keypoints, in closed form.

Every joint gives two equations that are linear in the translation T once multiplied by its depth:
f (X + T_x) = (x - c) (Z + T_z), and the same for y. Least squares over the joints is exact where the pose is right,
while the ratios of spreads that papers use (Mehta et al., 3DV 2017; Véges and Lorincz, IJCNN 2019) assume a weak
perspective and are some 10 mm off at 4.5 m.
"""

from __future__ import annotations

import numpy as np

from ..camera import rays

#: Joints that a frame needs: two points and a camera ray each leave no equation to spare.
MIN_JOINTS = 3
#: Smallest over largest eigenvalue of the normal equations below which all joints lie on one ray.
_DEGENERATE = 1e-12


def linear_root(joints: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Translation (F, 3), metres in camera axes, so that joints + translation project onto the pixels.

    joints: (F, J, 3) metres, root-relative, camera axes. pixels: (F, J, 2). confidence: (F, J), the weight of each
    joint; joints that are missing (NaN) or have no confidence do not count. intrinsics: (3, 3) pixels, undistorted.
    The residual that is minimised is the reprojection error in pixels times the depth of the joint.
    Frames with fewer than `MIN_JOINTS` joints, with all joints on one ray, or whose solution lies behind the camera
    are NaN.
    """
    known, points, direction, weights = observations(joints, pixels, confidence, intrinsics)
    solution = np.full((len(joints), 3), np.nan)
    normal, right = _normal_equations(points, direction, weights, (intrinsics[0, 0], intrinsics[1, 1]))
    enough = np.flatnonzero(known.sum(-1) >= MIN_JOINTS)
    eigenvalues = np.linalg.eigvalsh(normal[enough])
    enough = enough[eigenvalues[:, 0] > _DEGENERATE * eigenvalues[:, 2]]
    solution[enough] = np.linalg.solve(normal[enough], right[enough, :, None])[..., 0]
    nearest = np.where(known, points[..., 2], np.inf).min(-1, initial=np.inf)
    solution[~(solution[:, 2] + nearest > 0)] = np.nan
    return solution


def depth_spread(
    joints: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, intrinsics: np.ndarray, root: np.ndarray
) -> np.ndarray:
    """Standard error (F,) of the linear root's depth, in parts of it, by how well its equations fit; NaN as the root.

    root: (F, 3) as `linear_root` gives it; the others as there. Confidence is read as how much of a surely seen joint
    a joint counts for. Errors of neighbouring joints go together, so the true error is larger.
    """
    _, points, direction, weights = observations(joints, pixels, confidence, intrinsics)
    focal = np.array([intrinsics[0, 0], intrinsics[1, 1]])
    normal, _ = _normal_equations(points, direction, weights, (focal[0], focal[1]))
    spread = np.full(len(root), np.nan)
    solved = np.flatnonzero(np.isfinite(root).all(-1))
    placed = points[solved] + root[solved, None]
    misfit = (focal * (placed[..., :2] - direction[solved] * placed[..., 2:])) ** 2
    variance = (weights[solved, :, None] * misfit).sum((1, 2)) / (2 * weights[solved].sum(1))
    spread[solved] = np.sqrt(variance * np.linalg.inv(normal[solved])[:, 2, 2]) / np.abs(root[solved, 2])
    return spread


def observations(
    joints: np.ndarray, pixels: np.ndarray, confidence: np.ndarray, intrinsics: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What `linear_root` is given: which joints count (F, J), where they are (F, J, 3), along which tangents x / z and
    y / z (F, J, 2) they are seen, and their weights (F, J). Joints that do not count are 0 in all of them."""
    known = np.isfinite(joints).all(-1) & np.isfinite(pixels).all(-1) & (confidence > 0)
    weights = np.where(known, confidence, 0.0).astype(np.float64)
    points = np.where(known[..., None], joints, 0.0).astype(np.float64)
    direction = rays(np.where(known[..., None], pixels, 0.0).astype(np.float64), np.asarray(intrinsics, np.float64))
    return known, points, direction[..., :2], weights


def _normal_equations(
    points: np.ndarray, direction: np.ndarray, weights: np.ndarray, focal: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """A^T W A (F, 3, 3) and A^T W b (F, 3) of the rows f [e_axis - u e_z] T = f (u Z - X) for x and y."""
    normal = np.zeros((len(points), 3, 3))
    right = np.zeros((len(points), 3))
    for axis in (0, 1):
        u = direction[..., axis]
        w = weights * focal[axis] ** 2
        target = u * points[..., 2] - points[..., axis]
        normal[:, axis, axis] += w.sum(-1)
        normal[:, axis, 2] -= (w * u).sum(-1)
        normal[:, 2, axis] -= (w * u).sum(-1)
        normal[:, 2, 2] += (w * u * u).sum(-1)
        right[:, axis] += (w * target).sum(-1)
        right[:, 2] -= (w * u * target).sum(-1)
    return normal, right
