# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the lifted pose on the picture: robust reprojection over the whole clip, constant bones, smooth in time.

What moves is the pelvis and how every segment of a skeleton is turned (`skeleton.py`), so bones cannot stretch. The
energy of one person, in terms of the positions X (F, 26, 3) in metres, in camera axes or in the world of a known camera:

    sum c rho(|pi(X) - x| / sigma)            reprojection, Geman-McClure
  + |(X_child - X_parent) - l d|^2            the lifter's directions d with the person's own lengths l
  + (depth of the pelvis - depth of the root)^2      of `stretches.place`
  + |acceleration|^2                          stronger along the line of sight, which the picture does not show
  + p |X_foot(t + 1) - X_foot(t)|^2           feet that stand, stand still
  + p (height of X_foot)^2                    on the floor, where a known camera says where that is

It is minimised by reweighted least squares (Levenberg's and Marquardt's; each round a banded linear system, see
banded.py), in windows that overlap, so that memory does not grow with the clip. What a single view cannot see (depth
along a ray, overall size) comes from the lifter and the bone lengths: a small reprojection error is no measure of
accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from ...rigging.camera_path import camera_centres
from ...rigging.joints import TAKE
from ..camera import to_camera
from ..world.posture import feet_of
from .banded import NormalEquations
from .body import Links, given_joints, keypoint_rows
from .skeleton import Skeleton

#: The weights are meant for this many frames a second.
_RATE = 30.0
_PELVIS = TAKE.index("pelvis")
#: Marquardt's damping to begin with and at most, in parts of the diagonal; metres of a step after which all is said.
_DAMPING, _MOST_DAMPING, _STILL = 1e-6, 1e6, 2e-4


@dataclass(frozen=True)
class Options:
    """Standard deviations that the terms are divided by.

    pixels: of a keypoint, as a fraction of the person's size in the picture. direction: metres.
    contact: speed of a foot that stands, m/s. floor: its height above a known floor, metres.
    acceleration, ray_acceleration, root_ray_acceleration: m/s^2 across and along the line of sight, and for the
    pelvis along it.
    root_depth: of the root, as a fraction of the distance (measured: `root.agreed`); without it, errors of the lifted
    directions, which all shorten a bone in the picture, would pull the person towards the camera. At half of this,
    what is wrong with the root's path shows: 70 instead of 66 mm of it after a rigid fit. floor_root_depth: likewise
    where standing on a known floor has said how far the person is, which is surer.
    outlier: reprojection error, in standard deviations, beyond which a keypoint loses its pull.
    rounds: of reweighting. window, overlap: frames solved at once, and shared by neighbouring windows.
    """

    pixels: float = 0.010
    direction: float = 0.04
    contact: float = 0.02
    floor: float = 0.03
    acceleration: float = 25.0
    ray_acceleration: float = 10.0
    root_ray_acceleration: float = 2.0
    root_depth: float = 0.04
    floor_root_depth: float = 0.02
    outlier: float = 3.0
    rounds: int = 4
    window: int = 240
    overlap: int = 40


@dataclass(frozen=True)
class Evidence:
    """What holds one uninterrupted stretch of one person's motion.

    times: (F,) seconds. keypoints: (F, K, 3) pixels and confidence. names: (K,). intrinsics: (3, 3).
    lifted: (F, 26, 3) root-relative, camera axes, metres; NaN for joints that the lifter does not give: they stay
    missing. trust: (F, 26) 0..1 of the lifted joints.
    links: the person's lengths. contacts: (F, 4) probability that heels and toes stand, or None.
    camera: (F, 4, 4) world to camera of a known camera: positions and `lifted` are then in world axes, Z up. None:
    everything is in the axes of a camera that stands still. has_floor: the floor of that world is at 0.
    """

    times: np.ndarray
    keypoints: np.ndarray
    names: tuple[str, ...]
    intrinsics: np.ndarray
    lifted: np.ndarray
    trust: np.ndarray
    links: Links
    contacts: np.ndarray | None = None
    camera: np.ndarray | None = None
    has_floor: bool = False

    def part(self, rows: slice) -> Evidence:
        """The same for some of the frames."""
        contacts = None if self.contacts is None else self.contacts[rows]
        camera = None if self.camera is None else self.camera[rows]
        return Evidence(
            self.times[rows],
            self.keypoints[rows],
            self.names,
            self.intrinsics,
            self.lifted[rows],
            self.trust[rows],
            self.links,
            contacts,
            camera,
            self.has_floor,
        )

    def seen(self, x: np.ndarray) -> np.ndarray:
        """Positions (F, J, 3) in camera axes."""
        return x if self.camera is None else to_camera(x, self.camera)

    @property
    def given(self) -> np.ndarray:
        """(26,) bool: the joints that the lifter gives."""
        return given_joints(self.lifted)

    @property
    def eye(self) -> np.ndarray | float:
        """Where the camera stands: (F, 1, 3)."""
        return 0.0 if self.camera is None else camera_centres(self.camera)[:, None]


def refine(evidence: Evidence, start: np.ndarray, options: Options | None = None) -> np.ndarray:
    """Positions (F, 26, 3), metres, in the axes of the evidence.

    start: (F, 26, 3) first guess in the same axes, finite where the lifter gives the joint, in front of the camera.
    """
    options = options or Options()
    frames, skeleton = len(start), Skeleton(evidence.links)
    missing = ~evidence.given
    result = start.astype(np.float64).copy()
    result[:, missing] = 0.0  # they take no part, and are held there only so that every unknown is held by something
    first = 0
    while True:
        last = min(first + options.window, frames)
        if frames - last < options.overlap:
            last = frames
        pinned = 0 if first == 0 else options.overlap // 2
        rows = slice(first, last)
        # The blocks are small: on several threads BLAS waits for itself most of the time.
        with threadpool_limits(1, user_api="blas"):
            placed = result[rows], start[rows, _PELVIS]
            result[rows] = _solve_window(skeleton, evidence.part(rows), *placed, pinned, options)
        if last == frames:
            result[:, missing] = np.nan
            return result
        first = last - options.overlap


def _solve_window(
    skeleton: Skeleton, evidence: Evidence, start: np.ndarray, root: np.ndarray, pinned: int, options: Options
) -> np.ndarray:
    posture = skeleton.fitted(start)
    x, damping = skeleton.placed(posture), _DAMPING
    for _ in range(options.rounds):
        equations = NormalEquations(len(x), len(TAKE))
        _reprojection(equations, evidence, x, options)
        _bones(equations, evidence, options)
        _smoothness(equations, evidence, x, options)
        _root_depth(equations, evidence, root, options)
        _contacts(equations, evidence, options)
        _floor(equations, evidence, x, options)
        derivative, cost = skeleton.derivative(posture), equations.value(x)
        while damping < _MOST_DAMPING:
            tried = skeleton.moved(posture, equations.step(x, derivative, damping, pinned))
            there = skeleton.placed(tried)
            if equations.value(there) <= cost:
                break
            damping *= 10
        else:
            return x
        still = np.abs(there - x).max() < _STILL
        posture, x, damping = tried, there, max(damping / 10, _DAMPING)
        if still:
            break
    return x


def _reprojection(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Rows (f X - (x - c) Z) / Z0: linear in the position, equal to the error in pixels at the current depth Z0."""
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
    weight = _share(evidence.times)[:, None] * confidence**2 / (1 + (error / options.outlier) ** 2) ** 2
    if evidence.camera is None:
        equations.points(joints, a.swapaxes(-1, -2) @ (weight[..., None, None] * a))
        return
    rotation, shift = evidence.camera[:, None, :3, :3], evidence.camera[:, None, :3, 3:]
    turned = a @ rotation
    weighted = turned.swapaxes(-1, -2) * weight[..., None, None]
    equations.points(joints, weighted @ turned, -(weighted @ (a @ shift))[..., 0])


def _bones(equations: NormalEquations, evidence: Evidence, options: Options) -> None:
    links = evidence.links
    a, b = links.first, links.second
    lifted = evidence.lifted[:, b] - evidence.lifted[:, a]
    trust = np.minimum(evidence.trust[:, a], evidence.trust[:, b])
    wanted = lifted / np.maximum(np.linalg.norm(lifted, axis=-1, keepdims=True), 1e-9) * links.length[:, None]
    weight = (_share(evidence.times)[:, None] * trust / options.direction**2)[..., None]
    equations.differences(a, b, weight[..., None] * np.eye(3), weight * wanted)


def _root_depth(equations: NormalEquations, evidence: Evidence, root: np.ndarray, options: Options) -> None:
    sight = root if evidence.camera is None else root - camera_centres(evidence.camera)
    distance = np.linalg.norm(sight, axis=-1, keepdims=True)
    ray = sight / distance
    depth = options.floor_root_depth if evidence.has_floor else options.root_depth
    weight = _share(evidence.times)[:, None, None] / (depth * distance[..., None]) ** 2
    matrix = weight * ray[:, :, None] * ray[:, None, :]
    equations.points(np.array([_PELVIS]), matrix[:, None], (matrix @ root[..., None])[:, None, :, 0])


def _smoothness(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    if len(x) < 3:
        return
    before, after = np.diff(evidence.times)[:-1], np.diff(evidence.times)[1:]
    # Second derivative of the parabola through three unevenly spaced frames.
    factors = np.stack(
        [2 / (before * (before + after)), -2 / (before * after), 2 / (after * (before + after))], axis=-1
    )
    share = _share(evidence.times)[1:-1]
    sight = (x - evidence.eye)[1:-1]
    ray = sight / np.maximum(np.linalg.norm(sight, axis=-1, keepdims=True), 1e-9)
    across = np.full(len(TAKE), 1 / options.acceleration**2)
    along = np.full(len(TAKE), 1 / options.ray_acceleration**2)
    along[_PELVIS] = 1 / options.root_ray_acceleration**2
    matrix = across[:, None, None] * np.eye(3) + (along - across)[:, None, None] * ray[..., :, None] * ray[..., None, :]
    equations.bends(factors, share[:, None, None, None] * matrix)


def _contacts(equations: NormalEquations, evidence: Evidence, options: Options) -> None:
    if evidence.contacts is None:
        return
    step = np.diff(evidence.times)
    standing = np.minimum(evidence.contacts[1:], evidence.contacts[:-1])
    weight = np.zeros((len(step), len(TAKE), 1, 1))
    # An ankle that stands for heel and toe is in the rows twice, with the same contact.
    weight[:, feet_of(evidence.given).rows, 0, 0] = (
        standing**2 * (_RATE * step / (options.contact * step) ** 2)[:, None]
    )
    equations.steps(weight * np.eye(3))


def _floor(equations: NormalEquations, evidence: Evidence, x: np.ndarray, options: Options) -> None:
    """Feet that stand are on a known floor, and no foot is below it."""
    if not evidence.has_floor:
        return
    feet = feet_of(evidence.given)
    rows, columns = np.unique(feet.rows, return_index=True)
    standing = np.zeros((len(x), len(rows))) if evidence.contacts is None else evidence.contacts[:, columns]
    held = np.maximum(standing, x[:, rows, 2] < feet.above)
    height = np.zeros((len(x), len(rows), 3, 3))
    height[..., 2, 2] = _share(evidence.times)[:, None] * held**2 / options.floor**2
    equations.points(rows, height, height[..., 2] * feet.above)


def _share(times: np.ndarray) -> np.ndarray:
    """(F,) how much of the evidence a frame is: sums over frames stand for integrals over time, at any frame rate."""
    if len(times) < 2:
        return np.ones(len(times))
    return np.clip(_RATE * np.gradient(times), 0.1, 10.0)
