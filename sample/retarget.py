# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion of one body on another: the turns of its segments, and legs that reach where the feet are to stand."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.rotations import segment_rotations
from video_mocap.rigging.vectors import frame_from_y, perpendicular, smoothstep, swing, unit


def retarget(
    motion: np.ndarray, rest: np.ndarray, soles: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Move a body by the motion of another.

    motion: (F, 26, 3) world metres, floor at 0. rest: (26, 3) the body's joints at rest, standing on the floor.
    soles: "left", "right" -> (V, 3) rest positions of the vertices below its ankles.
    Returns segment -> (F, 3, 3) turn from rest in the world, and the (F, 3) position of the middle of its hips. Trunk,
    head and arms turn as the source's do. The path is scaled by leg length; the legs are bent by the law of cosines so
    that each sole lies where the source's lies, scaled, its lowest vertex as high above the floor as the source's is,
    but on the floor, and level if heel and toe both rest, where the source's foot stands.
    """
    clip, still = segment_rotations(motion), segment_rotations(rest[None])
    turns = {name: clip[name] @ np.swapaxes(still[name], -1, -2) for name in _segments()}
    scale = _leg_length(rest[None])[0] / _leg_length(motion).mean()
    pelvis = motion[:, TAKE.index("pelvis")] * scale
    # Hips stay as high above the ankles as the source's, whatever the height of the ankles.
    pelvis[:, 2] += _ankle_height(rest[None]) - scale * _ankle_height(motion)
    for side, prefix in (("L", "left_"), ("R", "right_")):
        hip, knee, ankle, heel, toe = (TAKE.index(prefix + name) for name in ("hip", "knee", "ankle", "heel", "toe"))
        planted, flat = _standing(motion, prefix)
        turns[f"foot.{side}"] = turns[f"toe.{side}"] = foot = _level(turns[f"foot.{side}"], flat)
        target = scale * (motion[:, heel] + motion[:, toe]) / 2
        target = target + (foot @ (rest[ankle] - (rest[heel] + rest[toe]) / 2))
        lowest = ((soles[prefix[:-1]] - rest[ankle]) @ foot[:, 2, :, None])[..., 0].min(-1)
        target[:, 2] = scale * (1 - planted) * _clearance(motion, prefix) - lowest
        start = pelvis + turns["hips"] @ (rest[hip] - rest[TAKE.index("pelvis")])
        lengths = (float(np.linalg.norm(rest[knee] - rest[hip])), float(np.linalg.norm(rest[ankle] - rest[knee])))
        hinge = clip[f"thigh.{side}"][:, :, 0]
        bend = _reach(start, target, lengths, hinge)
        hinge = perpendicular(hinge, unit(target - start))
        frames = (frame_from_y(unit(bend - start), hinge), frame_from_y(unit(target - bend), hinge))
        for name, frame in zip((f"thigh.{side}", f"shin.{side}"), frames, strict=True):
            turns[name] = frame @ np.swapaxes(still[name], -1, -2)
    return turns, pelvis


def _segments() -> list[str]:
    sided = ("shoulder", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
    return ["hips", "spine", "chest", "neck", "head", *(f"{name}.{side}" for name in sided for side in "LR")]


def _leg_length(joints: np.ndarray) -> np.ndarray:
    """(F,) thigh and shin, mean of both sides."""
    total = np.zeros(len(joints))
    for side in ("left_", "right_"):
        hip, knee, ankle = (joints[:, TAKE.index(side + name)] for name in ("hip", "knee", "ankle"))
        total += np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
    return total / 2


def _ankle_height(joints: np.ndarray) -> float:
    """Height of the ankles of a standing foot: where heel and toe lie lowest and level, ankle above the sole."""
    heights = []
    for side in ("left_", "right_"):
        ankle, heel, toe = (joints[:, TAKE.index(side + name), 2] for name in ("ankle", "heel", "toe"))
        flat = np.argsort(np.abs(heel - toe) + np.maximum(heel, toe))[: max(1, len(joints) // 5)]
        heights.append(np.median(ankle[flat]))
    return float(np.mean(heights))


def _clearance(motion: np.ndarray, prefix: str) -> np.ndarray:
    """(F,) height of the lower of heel and toe above the lowest that it ever is."""
    height = np.minimum(*(motion[:, TAKE.index(prefix + name), 2] for name in ("heel", "toe")))
    return height - height.min()


def _standing(motion: np.ndarray, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """(F,) 0..1 how surely the foot stands, and how surely on all of its sole; smooth in time.

    A part of a foot rests if it is slower than 0.5 m/s (surely: 0.15) at 30 frames a second and low. The heights are
    generous because captured feet rest some centimetres up or down, toes more so; nobody stands long on a heel alone.
    """
    rests = []
    for name, low in (("heel", 0.09), ("toe", 0.13)):
        point = motion[:, TAKE.index(prefix + name)]
        speed = np.linalg.norm(np.gradient(point, axis=0), axis=-1) * 30.0
        rests.append((1 - smoothstep(speed, 0.15, 0.5)) * (1 - smoothstep(point[:, 2], low, low + 0.03)))
    heel, toe = (motion[:, TAKE.index(prefix + name), 2] for name in ("heel", "toe"))
    level = (1 - smoothstep(heel - toe, 0.045, 0.075)) * (1 - smoothstep(toe - heel, 0.10, 0.13))
    flat = np.minimum(*rests) * level
    return gaussian_filter1d(np.maximum(*rests), 1.5), gaussian_filter1d(flat, 1.5)


def _level(foot: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Turns (F, 3, 3) of a foot from its level rest, brought upright as far as `flat` (F,) says."""
    normal = foot[:, :, 2]
    return swing(normal, unit(normal + flat[:, None] * (np.array([0.0, 0, 1]) - normal))) @ foot


def _reach(start: np.ndarray, end: np.ndarray, lengths: tuple[float, float], hinge: np.ndarray) -> np.ndarray:
    """(F, 3) the knee of a leg from hip to ankle; `end` is drawn in, in place, where it is out of reach.

    hinge: (F, 3) the axis about which the knee bends back, as in `rigging.rotations`.
    """
    upper, lower = lengths
    axis = unit(end - start)
    distance = np.minimum(np.linalg.norm(end - start, axis=-1), 0.999 * (upper + lower))
    end[:] = start + distance[:, None] * axis
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    front = np.cross(axis, perpendicular(hinge, axis))
    return start + along[:, None] * axis + np.sqrt(np.maximum(upper**2 - along**2, 0))[:, None] * front
