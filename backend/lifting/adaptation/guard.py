# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame by frame: where an adapted lifter's pose is worse than the one it began with, that one stays.

Worse by what can be seen without a truth: joints lie further from their keypoints than they did, or a bone strays
further from its usual length than it did, by more than a tenth of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...camera import project
from ...root.linear import linear_root
from ..lifter import Lifted
from .terms import bone_ends

#: How much further from the keypoints is worse: a part of the error that was, and a part of the person's size.
_FURTHER, _NOTHING = 1.05, 0.002
#: How much further from its usual length a bone may be, in parts of that, and of a short one, metres.
_BONE, _SHORT = 0.1, 0.02
#: Seconds over which one pose goes over into the other.
_FADE = 0.15


def guarded(
    start: Lifted,
    adapted: Lifted,
    keypoints: np.ndarray,
    names: Sequence[str],
    times: np.ndarray,
    intrinsics: np.ndarray,
) -> tuple[Lifted, np.ndarray]:
    """What of `adapted` is no worse than `start`, and (F,) bool: the frames in which `start` stays.

    keypoints: (F, K, 3) pixels and confidence. names: (K,). times: (F,) seconds. intrinsics: (3, 3).
    """
    shared = [name for name in names if name in start.joint_names]
    points = keypoints[:, [names.index(name) for name in shared]]
    rows = [start.joint_names.index(name) for name in shared]
    before = _misfit(start.joints[:, rows], points, intrinsics)
    kept = _strays(start, adapted)
    while True:
        # Going over from one to the other may itself be worse somewhere.
        mixed = _mixed(start, adapted, _share(kept, times))
        with np.errstate(invalid="ignore"):
            worse = _misfit(mixed.joints[:, rows], points, intrinsics) > _FURTHER * before + _NOTHING
        if not (worse & ~kept).any():
            return mixed, kept
        kept |= worse


def _misfit(joints: np.ndarray, points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """(F,) mean distance of joints (F, S, 3) from points (F, S, 3), in metres at their distance; NaN without points."""
    root = linear_root(joints, points[..., :2], points[..., 2], intrinsics)
    seen = np.isfinite(joints).all(-1) & np.isfinite(points).all(-1)
    weights = np.where(seen, points[..., 2], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        off = project(joints + root[:, None], intrinsics) - points[..., :2]
        distance = np.linalg.norm(off, axis=-1) * root[:, 2:] / intrinsics[0, 0]
        return np.nansum(weights * distance, axis=-1) / weights.sum(-1) + 0 * root[:, 2]


def _strays(start: Lifted, adapted: Lifted) -> np.ndarray:
    """(F,) bool: a bone is further from its usual length, of `adapted`, than in `start` from its usual one there."""
    parents, children = bone_ends(start.joint_names)
    old, new = (
        np.linalg.norm(lifted.joints[:, children] - lifted.joints[:, parents], axis=-1) for lifted in (start, adapted)
    )
    usual = np.nanmedian(new, axis=0)
    further = np.abs(new - usual) - np.abs(old - np.nanmedian(old, axis=0))
    with np.errstate(invalid="ignore"):
        return (further > np.maximum(_BONE * usual, _SHORT)).any(-1)


def _share(kept: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(F,) how much of the adapted pose there is: none in frames `kept` as before, all of it `_FADE` away from them."""
    if not kept.any():
        return np.ones(len(kept))
    stay = times[kept]
    after = np.clip(np.searchsorted(stay, times), 0, len(stay) - 1)
    away = np.minimum(np.abs(times - stay[after]), np.abs(times - stay[np.maximum(after - 1, 0)]))
    return np.minimum(away / _FADE, 1.0)


def _mixed(start: Lifted, adapted: Lifted, share: np.ndarray) -> Lifted:
    def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        weight = share.reshape(-1, *[1] * (a.ndim - 1))
        return np.where(weight == 0, a, np.where(weight == 1, b, (1 - weight) * a + weight * b))

    up, root = start.up, start.root
    if start.up is not None and adapted.up is not None:
        up = mix(start.up, adapted.up)
        up = np.where(share[:, None] == 0, up, up / np.linalg.norm(up, axis=-1, keepdims=True))
    if start.root is not None and adapted.root is not None:
        root = mix(start.root, adapted.root)
    joints, confidence = mix(start.joints, adapted.joints), mix(start.confidence, adapted.confidence)
    return replace(start, joints=joints, confidence=confidence, up=up, root=root)
