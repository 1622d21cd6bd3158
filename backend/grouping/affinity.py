# SPDX-License-Identifier: GPL-3.0-or-later
"""How likely two keypoint candidates of a frame belong to one person: every number here lies in 0..1.

Two candidates of the same type: do they mean the same point? COCO's keypoint similarity (OKS) of the two. Two of
different types: is there a bone of plausible length between them, were they detected together, and were they near the
same person in the frame before?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..detection.base import person_scales

#: Standard deviation of a keypoint's position over the square root of the person's area (COCO for its 17; the rest are
#: ours: a toe is placed like an ankle, a heel and a hand a little better).
SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
    "heel": 0.08,
    "toe": 0.089,
    "hand": 0.075,
}
OTHER_SIGMA = 0.08

#: Length of the bone from the joint's parent, over the square root of the person's area, seen from the side; those
#: of the face with room for the noise of its keypoints.
_BONE_LENGTHS = {
    "eye": 0.13,
    "ear": 0.2,
    "shoulder": 0.5,
    "elbow": 0.4,
    "wrist": 0.35,
    "hip": 0.65,
    "knee": 0.55,
    "ankle": 0.55,
    "heel": 0.15,
    "toe": 0.3,
    "hand": 0.2,
}
_OTHER_BONE_LENGTH = 0.4


def part_of(name: str) -> str:
    """`name` without its side."""
    return name.removeprefix("left_").removeprefix("right_")


def sigmas_of(names: Sequence[str]) -> np.ndarray:
    """(K,) sigma of each keypoint."""
    return np.array([SIGMAS.get(part_of(name), OTHER_SIGMA) for name in names])


def bone_lengths_of(names: Sequence[str], bones: Sequence[tuple[int, int]]) -> np.ndarray:
    """(K, K) symmetric: expected length of each (parent, child) bone over the person's scale; NaN where no bone is."""
    lengths = np.full((len(names), len(names)), np.nan)
    for parent, child in bones:
        lengths[parent, child] = lengths[child, parent] = _BONE_LENGTHS.get(part_of(names[child]), _OTHER_BONE_LENGTH)
    return lengths


@dataclass(frozen=True)
class AffinityWeights:
    """What counts how much between candidates of different types; terms that are unknown for a pair drop out."""

    bone: float = 0.3
    instance: float = 0.5
    temporal: float = 0.2


def kernel(distance_squared: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """OKS of one keypoint: exp(-d² / (2 (2 σ s)²)), with tolerance = σ s in pixels."""
    return np.exp(-distance_squared / (8 * np.maximum(tolerance, 1e-6) ** 2))


def oks(people: np.ndarray, others: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(M, O) keypoint similarity of (M, K, 3) people and (O, K, 3) others, at the larger scale of the two.

    Keypoints count by the smaller of the two confidences; 0 where no keypoint is common.
    """
    if not len(people) or not len(others):
        return np.zeros((len(people), len(others)))
    scale = np.fmax(person_scales(people)[:, None], person_scales(others)[None])
    between = people[:, None, :, :2] - others[None, :, :, :2]
    weight = np.minimum(people[:, None, :, 2], others[None, :, :, 2])
    weight = np.where(np.isfinite(between).all(-1), weight, 0)
    same = kernel(np.nansum(between**2, -1), scale[..., None] * sigmas)
    return (same * weight).sum(-1) / np.maximum(weight.sum(-1), 1e-9)


def duplicate_affinity(positions: np.ndarray, kinds: np.ndarray, scales: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(N, N): keypoint similarity of candidates of the same type; 0 between types.

    positions: (N, 2) pixels. kinds: (N,) rows of sigmas (K,). scales: (N,) pixels, square root of a person's area.
    """
    distance_squared = ((positions[:, None] - positions[None]) ** 2).sum(-1)
    tolerance = sigmas[kinds][:, None] * np.minimum(scales[:, None], scales[None])
    return np.where(kinds[:, None] == kinds[None], kernel(distance_squared, tolerance), 0.0)


def bone_affinity(positions: np.ndarray, kinds: np.ndarray, scales: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(N, N): how well the distance of two candidates fits their bone; NaN where no bone joins their types.

    exp(-(r - 1)² / (2 · 0.25²)) for a length ratio r above 1; below 1 four times as wide, since a bone that points at
    the camera is short and still a bone: at length 0 that is 0.61. lengths: (K, K) of `bone_lengths_of`.
    """
    distance = np.sqrt(((positions[:, None] - positions[None]) ** 2).sum(-1))
    expected = lengths[kinds[:, None], kinds[None]] * (scales[:, None] + scales[None]) / 2
    excess = distance / np.maximum(expected, 1e-6) - 1
    return np.exp(-0.5 * (excess / np.where(excess > 0, 0.25, 1.0)) ** 2)


def instance_affinity(members: np.ndarray) -> np.ndarray:
    """(N, N): share of common detections, |a ∩ b| / min(|a|, |b|); NaN where a candidate's detection is unknown.

    members: (N, I) bool, which of I detections a candidate comes from; a row without any is unknown.
    """
    own = members.astype(np.float64)
    size = own.sum(1)
    smaller = np.minimum(size[:, None], size[None])
    return np.where(smaller > 0, own @ own.T / np.maximum(smaller, 1), np.nan)


def temporal_affinity(
    positions: np.ndarray, kinds: np.ndarray, previous: np.ndarray | None, sigmas: np.ndarray
) -> np.ndarray:
    """(N, N): were both near one and the same of the (P, K, 3) people of the frame before? NaN where nobody was.

    The tolerance is twice OKS's: people move between frames.
    """
    count = len(positions)
    if previous is None or not len(previous):
        return np.full((count, count), np.nan)
    before = previous[:, kinds]
    known = (before[..., 2] > 0) & np.isfinite(before[..., :2]).all(-1)
    distance_squared = np.where(known, ((before[..., :2] - positions[None]) ** 2).sum(-1), np.inf)
    tolerance = 2 * sigmas[kinds][None] * person_scales(previous)[:, None]
    near = kernel(distance_squared, tolerance)
    both = (near[:, :, None] * near[:, None, :]).max(0)
    anywhere = known.any(0)
    return np.where(anywhere[:, None] & anywhere[None], both, np.nan)


def association_affinity(terms: Sequence[np.ndarray], weights: Sequence[float], kinds: np.ndarray) -> np.ndarray:
    """(N, N): weighted mean of the terms that are known for a pair of different types; 0 where none is, or same type.

    terms: (N, N) each, 0..1 or NaN for unknown.
    """
    stack = np.stack(terms)
    weight = np.asarray(weights)[:, None, None] * np.isfinite(stack)
    mean = np.nansum(stack * weight, 0) / np.maximum(weight.sum(0), 1e-9)
    return np.where(kinds[:, None] != kinds[None], mean, 0.0)
