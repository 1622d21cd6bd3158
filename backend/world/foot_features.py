# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture knows about feet, as numbers for the contact network: how high, how fast, what the body does.

Everything is measured in a frame with gravity down, for a person of one size, at one rate, and as seen from one foot
with the other beside it, so that a network need learn none of that: left and right, children, cameras and frame rates
are all alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from ...rigging.joints import TAKE
from ..camera import to_camera
from ..lifting.resampling import resample

#: Hz of the network.
RATE = 30.0
#: Length of thigh + shin + trunk of the person that features are measured on, metres (a lifter's person has it).
SIZE = 1.32
#: Numbers of a frame and foot.
COUNT = 36

_FEET = tuple(TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe"))
_ANKLES = TAKE.index("left_ankle"), TAKE.index("right_ankle")
_HIPS = TAKE.index("left_hip"), TAKE.index("right_hip")
_KNEES = TAKE.index("left_knee"), TAKE.index("right_knee")
_SPINE, _PELVIS, _THORAX = TAKE.index("spine"), TAKE.index("pelvis"), TAKE.index("thorax")
_BODY = (_PELVIS, _THORAX, *_HIPS, *_ANKLES)
#: Seconds around a frame in which the lowest height counts as the local ground, and frames that speeds are taken over.
_AROUND, _SMOOTH = 0.7, 1.0
#: Speeds (m/s), heights (m) and accelerations (m/s^2) that are told apart best.
_SPEED, _HEIGHT, _ACCELERATION = 0.15, 0.05, 3.0


@dataclass(frozen=True)
class FootEvidence:
    """What is known of one person's feet over F frames without a gap, in axes in which a foot that stands is still.

    times: (F,) seconds. positions: (F, 26, 3) metres, finite. shown: (F, 4, 3) metres, where the picture shows left
    heel, left toe, right heel, right toe at the depth of the positions (`feet_shown`). confidence: (F, 4) of that.
    eye: (3,) or (F, 3) where the camera stands. up: (3,) unit. floor: its height along `up`, metres; None if unknown.
    """

    times: np.ndarray
    positions: np.ndarray
    shown: np.ndarray
    confidence: np.ndarray
    eye: np.ndarray
    up: np.ndarray
    floor: float | None = None


def feet_shown(
    positions: np.ndarray,
    keypoints: np.ndarray,
    names: tuple[str, ...],
    intrinsics: np.ndarray,
    camera: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the picture shows heels and toes: (F, 4, 3) metres in the axes of the positions, and confidences (F, 4).

    A foot point lies on the ray of its own keypoint, else it is off its position by as much as the ankle is, with half
    of the ankle's confidence; without either it is where the position is, with confidence 0.
    positions: (F, 26, 3) metres. keypoints: (F, K, 3) pixels and confidence; names: (K,). intrinsics: (3, 3).
    camera: (F, 4, 4) world to camera; None: positions are in camera axes.
    """
    seen = positions if camera is None else to_camera(positions, camera)
    focal, middle = np.array([intrinsics[0, 0], intrinsics[1, 1]]), intrinsics[:2, 2]
    shift, sure = np.zeros((len(positions), 4, 3)), np.zeros((len(positions), 4))
    for column, foot in enumerate(_FEET):
        ankle = _ANKLES[column // 2]
        for joint, trust in ((ankle, 0.5), (foot, 1.0)):
            if TAKE.names[joint] not in names:
                continue
            point = keypoints[:, names.index(TAKE.names[joint])].astype(np.float64)
            depth = np.maximum(seen[:, joint, 2], 0.1)
            known = np.isfinite(point).all(-1) & (point[:, 2] > 0)
            off = (point[:, :2] - middle) / focal * depth[:, None] - seen[:, joint, :2]
            if not known.any():
                continue
            frames = np.arange(len(point))
            for axis in (0, 1):  # where it is missing, the error of its neighbours in time
                shift[:, column, axis] = np.interp(frames, frames[known], off[known, axis])
            sure[known, column] = trust * point[known, 2]
    if camera is not None:
        shift = np.matmul(shift, camera[:, :3, :3])
    return positions[:, _FEET] + shift, sure


def network_times(times: np.ndarray) -> np.ndarray:
    """(G,) the instants at which the network looks at frames at `times` (F,) seconds."""
    count = max(2, round((times[-1] - times[0]) * RATE) + 1)
    return np.linspace(times[0], max(times[-1], times[0] + (count - 1) / RATE), count)


def person_size(positions: np.ndarray) -> float:
    """Length of thigh + shin + trunk, metres, of positions (F, 26, 3): median over the frames."""

    def length(*rows: int) -> np.ndarray:
        return np.linalg.norm(np.diff(positions[:, list(rows)], axis=1), axis=-1).sum(1)

    legs = [length(hip, knee, ankle) for hip, knee, ankle in zip(_HIPS, _KNEES, _ANKLES, strict=True)]
    return float(np.median(0.5 * (legs[0] + legs[1]) + length(_PELVIS, _SPINE, _THORAX)))


def foot_features(evidence: FootEvidence, grid: np.ndarray) -> np.ndarray:
    """(2, G, COUNT) features of the left and the right foot at the instants `grid` (G,)."""
    scale = SIZE / max(person_size(evidence.positions), 1e-3)
    frames, up = len(evidence.times), evidence.up
    eye = np.broadcast_to(evidence.eye, (frames, 3))
    points = np.concatenate([evidence.positions[:, [*_FEET, *_BODY]], evidence.shown, eye[:, None]], axis=1)
    even = resample(points.reshape(frames, -1), evidence.times, grid).reshape(len(grid), -1, 3)
    sure = np.stack([np.interp(grid, evidence.times, column) for column in evidence.confidence.T], axis=1)
    height = scale * (even @ up)
    speeds = _speeds(even, grid, up) * scale
    feet, pelvis, ankles = slice(0, 4), 4, (8, 9)
    lowest = height[:, feet].min(1, keepdims=True)
    around = 2 * round(_AROUND * RATE) + 1
    local = minimum_filter1d(height[:, feet], around, axis=0, mode="nearest")
    known = evidence.floor is not None
    above = height[:, feet] - scale * evidence.floor if evidence.floor is not None else np.zeros((len(grid), 4))
    total = np.linalg.norm(speeds, axis=-1)
    trunk = even[:, 5] - even[:, pelvis]
    upright = (trunk @ up) / np.maximum(np.linalg.norm(trunk, axis=-1), 1e-6)
    rise = np.gradient(gaussian_filter1d(height[:, pelvis], 2.0, mode="nearest"), grid)
    body = [
        np.full(len(grid), float(known)),
        _height(lowest[:, 0] - local.min(1)),
        height[:, pelvis] - lowest[:, 0] - 0.8,
        _speed(speeds[:, pelvis, 0]),
        _speed(np.hypot(speeds[:, pelvis, 1], speeds[:, pelvis, 2])),
        np.arcsinh(np.gradient(rise, grid) / _ACCELERATION),
        upright,
    ]
    out = []
    for side in (0, 1):
        own, other = [2 * side, 2 * side + 1], [2 - 2 * side, 3 - 2 * side]
        shown = [10 + row for row in own]
        leg = np.linalg.norm(even[:, 6 + side] - even[:, ankles[side]], axis=-1) * scale
        columns = [
            *_height(above[:, own]).T,
            *_height(height[:, own] - lowest).T,
            *_height(height[:, own] - local[:, own]).T,
            *_height(height[:, other] - lowest).T,
            _height(height[:, own[0]] - height[:, own[1]]),
            *(_speed(speeds[:, row, axis]) for row in own for axis in range(3)),
            *(_speed(speeds[:, row, axis]) for row in shown for axis in range(2)),
            _speed(total[:, ankles[side]]),
            *_speed(total[:, own]).T,
            *_speed(total[:, other]).T,
            *sure[:, own].T,
            0.5 * sure[:, other].sum(1),
            leg - 0.8,
            _speed(np.gradient(gaussian_filter1d(leg, _SMOOTH, mode="nearest"), grid)),
            *body,
        ]
        out.append(np.stack(columns, axis=1))
    return np.stack(out).astype(np.float32)


def _speeds(points: np.ndarray, grid: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(G, M, 3) m/s upwards, across the view, and away from the camera (without sign, the latter two); the last of the
    points (G, M + 1, 3) is the camera."""
    smooth = gaussian_filter1d(points[:, :-1], _SMOOTH, axis=0, mode="nearest")
    velocity = np.gradient(smooth, grid, axis=0)
    sight = points[:, :-1].mean(1) - points[:, -1]
    away = sight - (sight @ up)[:, None] * up
    away /= np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    side = np.cross(up, away)
    return np.stack(
        [
            velocity @ up,
            np.abs((velocity * side[:, None]).sum(-1)),
            np.abs((velocity * away[:, None]).sum(-1)),
        ],
        axis=-1,
    )


def _speed(value: np.ndarray) -> np.ndarray:
    return 0.5 * np.arcsinh(value / _SPEED)


def _height(value: np.ndarray) -> np.ndarray:
    return 0.5 * np.arcsinh(value / _HEIGHT)
