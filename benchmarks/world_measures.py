# SPDX-License-Identifier: GPL-3.0-or-later
"""What `world.py` measures of a clip, and how a table's line sums clips up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from video_mocap.backend.camera import to_camera
from video_mocap.backend.evaluation.metrics import (
    acceleration,
    bone_length_cv,
    foot_sliding,
    gravity_tilt,
    jitter,
    mean,
    mpjpe,
    p_mpjpe,
    path_error,
)
from video_mocap.rigging.joints import H36M17, TAKE
from world_clips import FPS, Clip

_BODY = [TAKE.index(name) for name in H36M17.names]
_FEET = [TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")]
#: Metres above the floor below which a true foot that is still stands on it.
_LOW = 0.10
#: What a sequence's MPJPE may grow by before it counts as worse.
WORSE = 1.02


def measures(joints: np.ndarray, world_to_camera: np.ndarray, clip: Clip) -> dict[str, float]:
    """Numbers of a person by name; lengths in mm, seconds, degrees, ratios to the truth.

    joints: (F, 26, 3) metres in the world of world_to_camera (1 or F, 4, 4). Frames in which the detector lost the
    person count for steadiness and for the floor, not for accuracy.
    """
    camera = clip.camera.matrices
    truth = np.where(clip.detected[:, None, None], clip.joints, np.nan)
    seen, true_seen = to_camera(joints, world_to_camera), to_camera(truth, camera)
    relative, true_relative = seen - seen[:, :1], true_seen - true_seen[:, :1]
    up = np.broadcast_to(world_to_camera[:, :3, 2], (len(joints), 3))
    feet, true_feet = joints[:, _FEET], truth[:, _FEET]
    low = true_feet[..., 2:] < _LOW
    slide, own_slide, _ = foot_sliding(np.where(low, feet, np.nan), true_feet, FPS)
    still = low[..., 0] & (np.linalg.norm(np.gradient(true_feet, axis=0), axis=-1) * FPS < 0.1)
    return {
        "mpjpe": 1000 * mean(mpjpe(relative, true_relative)),
        "mpjpe17": 1000 * mean(mpjpe(relative[:, _BODY], true_relative[:, _BODY])),
        "p_mpjpe": 1000 * mean(p_mpjpe(relative, true_relative)),
        "p_mpjpe17": 1000 * mean(p_mpjpe(relative[:, _BODY], true_relative[:, _BODY])),
        "world": 1000 * mean(mpjpe(on_the_ground(joints, truth), truth)),
        "path": 1000 * path_error(joints[:, 0], truth[:, 0], with_scale=True)[0],
        "tilt": float(np.nanmedian(gravity_tilt(up, camera[:, :3, 2]))),
        "jitter": jitter(joints, FPS) / jitter(clip.joints, FPS),
        "acceleration": acceleration(joints) / acceleration(clip.joints),
        "slide": 1000 * slide,
        "own_slide": 1000 * own_slide,
        "height": 1000 * mean(np.abs(feet[..., 2] - true_feet[..., 2])[still]),
        "below": 1000 * below(joints),
        "own_below": 1000 * below(clip.joints),
        "bones": 100 * bone_length_cv(joints, TAKE.bones),
    }


def on_the_ground(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Joints (F, 26, 3) turned about the vertical and shifted on the floor as one, onto the truth's as well as can be.

    The origin and the heading of a capture's world are chosen, not seen; its level, floor and scale are not touched.
    """
    known = np.isfinite(joints + truth).all(-1)
    a, b = (points[known][:, 0] + 1j * points[known][:, 1] for points in (joints, truth))
    turn = np.exp(1j * np.angle(np.vdot(a - a.mean(), b - b.mean())))
    flat = (joints[..., 0] + 1j * joints[..., 1] - a.mean()) * turn + b.mean()
    return np.stack([flat.real, flat.imag, joints[..., 2]], axis=-1)


def below(joints: np.ndarray) -> float:
    """Mean over the frames of how deep the deepest joint is under the floor, metres."""
    known = joints[np.isfinite(joints).all(-1).any(-1)]
    return mean(np.maximum(-np.nanmin(known[..., 2], axis=1), 0))


#: Columns: title, and how the numbers of some clips are one cell. Means, but for what one clip would decide.
HEADER = (
    "MPJPE 26 / 17",
    "P-MPJPE 26 / 17",
    "world",
    "path",
    "tilt",
    "focal",
    "jitter",
    "acceleration",
    "slide (own)",
    "off floor",
    "below (own)",
    "bones",
    "worse",
)


def cells(found: Sequence[dict[str, float]], before: Sequence[dict[str, float]]) -> list[str]:
    """The cells of a line: `found` of some clips, `before` of the same ones before refinement."""
    of = {name: np.array([row[name] for row in found]) for name in found[0]}
    average = {name: float(np.nanmean(values)) for name, values in of.items()}
    middle = {name: float(np.nanmedian(values)) for name, values in of.items()}
    worse = np.mean([a["mpjpe"] > WORSE * b["mpjpe"] for a, b in zip(found, before, strict=True)])
    return [
        f"{average['mpjpe']:.1f} / {average['mpjpe17']:.1f}",
        f"{average['p_mpjpe']:.1f} / {average['p_mpjpe17']:.1f}",
        f"{average['world']:.0f}",
        f"{average['path']:.0f}",
        f"{middle['tilt']:.1f}",
        f"{middle['focal_error']:.0f} %",
        f"{middle['jitter']:.2f}",
        f"{middle['acceleration']:.2f}",
        f"{average['slide']:.0f} ({average['own_slide']:.0f})",
        f"{average['height']:.0f}",
        f"{average['below']:.0f} ({average['own_below']:.0f})",
        f"{average['bones']:.2f} %",
        "" if found is before else f"{100 * worse:.0f} %",
    ]
