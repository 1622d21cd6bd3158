# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of bones as numbers: smoother, fewer, or one on every frame. No bpy.

A track is the keys that belong together, the four channels of a rotation or the three of a location.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..rigging.retarget.rig import Rig


@dataclass(frozen=True)
class Track:
    """Keys of the curves of one bone's `rotation_quaternion` or `location`.

    frames (K,) increasing, values (K, C). slopes: (K, C) per frame, of cubics between the keys, or None: lines.
    """

    bone: str
    channel: str
    frames: np.ndarray
    values: np.ndarray
    slopes: np.ndarray | None = None

    @property
    def rotation(self) -> bool:
        """Whether the values are quaternions."""
        return self.channel == "rotation_quaternion"


def smoothed(tracks: Sequence[Track], width: float) -> list[Track]:
    """Every track smoothed on its own, `width` frames to either side."""
    return [
        Track(one.bone, one.channel, one.frames, smooth(one.frames, one.values, width, one.rotation)) for one in tracks
    ]


def fewer(tracks: Sequence[Track], rig: Rig, tolerance: float) -> list[Track]:
    """As few keys, with cubics between them, as keep every joint and every bone's tip within `tolerance` millimetres.

    tracks: on the same frames. rig: the one that they move, its lengths in metres.
    """
    from ..rigging.retarget.curves import Curve
    from ..rigging.retarget.fewer import reduced

    known = [one for one in tracks if one.bone in rig.rows]
    if not known or len(known[0].frames) < 3:
        return list(tracks)
    curves = [Curve(one.bone, one.channel, continuous(one.values) if one.rotation else one.values) for one in known]
    joints = {bone.name: bone.name for bone in rig.bones}
    found = reduced(curves, rig, joints, known[0].frames, tolerance / 1000)
    return [Track(key.curve.bone, key.curve.path, key.frames, key.values, key.slopes) for key in found]


def unit(tracks: Sequence[Track]) -> list[Track]:
    """The same with quaternions of length 1, without changes of sign: what lay between keys is not."""
    return [
        Track(one.bone, one.channel, one.frames, continuous(one.values / _lengths(one.values))) if one.rotation else one
        for one in tracks
    ]


def _lengths(values: np.ndarray) -> np.ndarray:
    return np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)


def smooth(frames: np.ndarray, values: np.ndarray, width: float, rotation: bool) -> np.ndarray:
    """Values (K, C) after a Gaussian of standard deviation `width` frames, at their true distances in time.

    The ends are held by what lies next to them only. rotation: quaternions, kept at length 1.
    """
    if width <= 0 or len(frames) < 3:
        return values.copy()
    signed = continuous(values) if rotation else values
    done = np.empty_like(signed)
    for row, frame in enumerate(frames):
        low, high = np.searchsorted(frames, (frame - 3 * width, frame + 3 * width + 1e-6))
        weights = np.exp(-0.5 * ((frames[low:high] - frame) / width) ** 2)
        done[row] = weights @ signed[low:high] / weights.sum()
    # What a symmetric kernel does in the middle it cannot do at the ends: there it would pull the motion short.
    done[0], done[-1] = signed[0], signed[-1]
    if rotation:
        done /= _lengths(done)
    return done


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations (K, 4), each in the sign that is nearer to the one before."""
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(1) < 0, -1.0, 1.0)
    return quaternions * np.concatenate([[1.0], np.cumprod(flips)])[:, None]


def whole_frames(frames: np.ndarray) -> np.ndarray:
    """Every whole frame from the first key to the last; at least one."""
    first, last = int(np.ceil(frames[0] - 1e-3)), int(np.floor(frames[-1] + 1e-3))
    return np.arange(first, max(last, first) + 1, dtype=np.float64)
