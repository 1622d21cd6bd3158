# SPDX-License-Identifier: GPL-3.0-or-later
"""How likely two keypoint candidates of a frame belong to one person: every number here lies in 0..1.

Two candidates of the same type: do they mean the same point? COCO's keypoint similarity (OKS) of the two. Two of
different types: is the limb between them of plausible length, does a part affinity field join them, were they detected
together, and were they near the same person in the frame before? Unknown is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..detection.base import person_boxes, person_scales

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

#: Length of the limb from the joint's parent, over the square root of the person's area: 95 of 100 are shorter in
#: captured motion seen from random sides; those of the face have room for the noise of its keypoints.
_BONE_LENGTHS = {
    "eye": 0.13,
    "ear": 0.2,
    "shoulder": 0.53,
    "elbow": 0.47,
    "wrist": 0.41,
    "hip": 0.83,
    "knee": 0.7,
    "ankle": 0.71,
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


def limb_lengths_of(names: Sequence[str], limbs: Sequence[tuple[int, int]]) -> np.ndarray:
    """(L,) expected length of each (parent, child) limb over the person's scale."""
    return np.array([_BONE_LENGTHS.get(part_of(names[child]), _OTHER_BONE_LENGTH) for _, child in limbs])


@dataclass(frozen=True)
class AffinityWeights:
    """What counts how much between candidates of different types; terms that are unknown for a pair drop out.

    limb: plausible length. instance: shared detections or proposals. link: `Candidates.links`, a part affinity field.
    temporal: near the same person of the frame before.
    """

    limb: float = 0.3
    instance: float = 0.5
    link: float = 0.7
    temporal: float = 0.3


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
    return _oks(_planes(people)[:, :, None], _planes(others)[:, None], scale, sigmas)


def _oks(planes: np.ndarray, others: np.ndarray, scale: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(...) similarity of (3, ..., K) of `_planes` at scales (...)."""
    (x, y, confidence), (other_x, other_y, other_confidence) = planes, others
    weight = np.minimum(confidence, other_confidence)
    distance_squared = (x - other_x) ** 2 + (y - other_y) ** 2
    reach = (-1 / (8 * np.maximum(sigmas * np.nan_to_num(scale)[..., None], 1e-6) ** 2)).astype(np.float32)
    same = np.exp(distance_squared * reach)
    return ((same * weight).sum(-1) / np.maximum(weight.sum(-1), 1e-9)).astype(float)


def alike(people: np.ndarray, mirror: np.ndarray, sigmas: np.ndarray, least: float) -> np.ndarray:
    """(M, M) bool: which (M, K, 3) people are more similar than `least` (above 0), sides ignored.

    Only those are compared that have boxes near enough for one keypoint to be as similar.
    """
    same = np.eye(len(people), dtype=bool)
    scales = person_scales(people)
    first, second = near_pairs(people, scales, float(sigmas.max()) * np.sqrt(8 * np.log(1 / least)))
    if len(first):
        planes = _planes(people)
        scale, one = np.fmax(scales[first], scales[second]), planes[:, first]
        straight, crossed = (_oks(one, each[:, second], scale, sigmas) for each in (planes, planes[:, :, mirror]))
        same[first, second] = same[second, first] = np.maximum(straight, crossed) > least
    return same


def near_pairs(people: np.ndarray, scales: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """(E,), (E,) rows, the lower first, of (M, K, 3) people whose boxes lie at most `reach` times the larger of their
    scales (M,) apart."""
    left, top, right, low = person_boxes(people, 1e-9).T
    allowed = reach * np.fmax(scales[:, None], scales[None])
    apart = np.maximum(left[:, None] - right[None], top[:, None] - low[None])
    first, second = np.nonzero(np.triu(np.maximum(apart, apart.T) <= allowed, 1))
    return first, second


def _planes(people: np.ndarray) -> np.ndarray:
    """(3, M, K) float32: x, y from the middle of them all, confidence; 0 where missing."""
    known = np.isfinite(people[..., :2]).all(-1) & (people[..., 2] > 0)
    places = np.where(known[..., None], people[..., :2], 0)
    return np.stack([places[..., 0], places[..., 1], np.where(known, people[..., 2], 0)]).astype(np.float32)


def limb_affinity(distance: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """How well the distance of two candidates fits the length that their limb has, both in pixels.

    exp(-(r - 1)² / (2 · 0.25²)) for a length ratio r above 1; below 1 four times as wide, since a limb that points at
    the camera is short and still a limb: at length 0 that is 0.61.
    """
    excess = distance / np.maximum(expected, 1e-6) - 1
    return np.exp(-0.5 * (excess * np.where(excess > 0, 4.0, 1.0)) ** 2)


def scale_affinity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How alike two candidates' scales are: exp(-ln(a / b)² / (2 · 0.4²)); what looks half as large is another's."""
    return np.exp(-0.5 * (np.log(np.maximum(first, 1e-6) / np.maximum(second, 1e-6)) / 0.4) ** 2)


def instance_affinity(members: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(E,) cosine of the detections of pairs, |a ∩ b| / √(|a| |b|); NaN where a candidate's detection is unknown.

    members: (N, I) 0..1, how much of each of I detections a candidate comes from; a row without any is unknown. first,
    second: (E,) rows of it.
    """
    length = np.sqrt((members**2).sum(1))
    known = (length > 0)[first] & (length > 0)[second]
    own = (members / np.maximum(length, 1e-9)[:, None]).astype(np.float32)
    return np.where(known, np.clip((own @ own.T)[first, second], 0, 1), np.nan)


#: Of the longer side of a person's box: how far beyond it a joint may be that was not seen.
_REACH = 0.4


def nearness(positions: np.ndarray, kinds: np.ndarray, previous: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(N, P): how near each candidate is to the same joint of the (P, K, 3) people of the frame before.

    The tolerance is OKS's and a tenth of the person's scale: people move between frames. Of a joint that a person
    lacked it is only known whether the candidate lies within reach, the person's box and as far around it as arms and
    legs go: 0.3 or 0. With less, an arm that was lost once and is stretched out would never be found again. Who
    is near several people is above all the nearest one's: a row is shared out by the eighth power.
    """
    box, (before_x, before_y, confidence) = person_boxes(previous), _planes(previous)[:, :, kinds]
    x, y = positions.T.astype(np.float32)
    reach = -1 / (8 * np.maximum((sigmas[kinds] + 0.1) * person_scales(previous)[:, None], 1e-6) ** 2)
    near = np.exp(((before_x - x) ** 2 + (before_y - y) ** 2) * reach.astype(np.float32))
    grown = _REACH * (box[:, 2:] - box[:, :2]).max(-1, keepdims=True)
    (left, top), (right, low) = (box[:, :2] - grown).T[:, :, None], (box[:, 2:] + grown).T[:, :, None]
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= low)
    near = np.where(confidence > 0, near, np.float32(0.3) * inside).T
    nearest = near.max(1, keepdims=True)
    share = near / np.maximum(nearest, 1e-6)
    for _ in range(3):  # the eighth power; as a power it takes ten times as long
        share = share * share
    return nearest * share / np.maximum(share.sum(1, keepdims=True), 1e-9)


def temporal_affinity(near: np.ndarray, first: np.ndarray, second: np.ndarray, least: float = 0.05) -> np.ndarray:
    """(E,) were both of a pair near one and the same person of the frame before? NaN where neither was near anybody.

    near: (N, P) of `nearness`; below `least` nobody is near. first, second: (E,) rows of it.
    """
    somebody = near.max(1, initial=0) > least
    return np.where(somebody[first] | somebody[second], (near @ near.T)[first, second], np.nan)


def combined(terms: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Weighted geometric mean over the terms that are known, of the same shape as each term; 0 where none is.

    Geometric, because the terms say different things: that a limb's length is plausible is said of many pairs, and must
    not outweigh that something else rules the pair out.
    """
    total, weight = np.zeros(terms[0].shape), np.zeros(terms[0].shape)
    for term, share in zip(terms, weights, strict=True):
        known = np.isfinite(term)
        total += np.where(known, share * np.log(np.maximum(np.where(known, term, 1), 1e-3)), 0)
        weight += share * known
    return np.where(weight > 0, np.exp(total / np.maximum(weight, 1e-9)), 0)
