# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlapping people: whose is a joint that two of them claim?

A detector that loses the arm of a person behind another likes to find the other's. The read-out rule of single-shot
multi-person pose estimation (Mehta et al., 3DV 2018, section 4.3) reads a limb at a joint only if the joint is seen and
lies farther than some distance from every joint of the other people; else the limb comes from elsewhere.
"""

from __future__ import annotations

import numpy as np

from ...rigging.joints import JointSet
from ..detection.base import person_scales
from .affinity import kernel, limb_affinity, limb_lengths_of, near_pairs


def readout_validity(people: np.ndarray, least_confidence: float, least_distance: np.ndarray | float) -> np.ndarray:
    """(M, K) bool: may something of that person be read at that joint's place?

    people: (M, K, 3) pixels and confidence. A joint is valid that is at least that sure, and at least `least_distance`
    pixels ((M,) or one number) from every joint of every other person that is at least that sure.
    """
    seen = (people[..., 2] >= least_confidence) & (people[..., 2] > 0) & np.isfinite(people[..., :2]).all(-1)
    places = np.where(seen[..., None], people[..., :2], np.inf)
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(places[:, :, None, None] - places[None, None], axis=-1)
    distance[~np.isfinite(distance)] = np.inf
    own = np.arange(len(people))
    distance[own, :, own] = np.inf
    nearest = distance.min((2, 3), initial=np.inf)
    return seen & (nearest >= np.broadcast_to(least_distance, len(people))[:, None])


def settle_contested(people: np.ndarray, joints: JointSet, sigmas: np.ndarray) -> np.ndarray:
    """(M, K, 3) people of whom nobody claims another's joint.

    Where the same joint of two people lies in one place, it is the one's whose limbs to it are the more plausible and
    who is surer of it; the other's confidence falls by how much the two places are one (OKS at half the tolerance), to
    missing (NaN, NaN, 0) where they are the same.
    """
    if len(people) < 2:
        return people
    scales = person_scales(people)
    support = people[..., 2] * _plausible(people, joints, scales)
    # Farther apart than that nothing of the two is one: OKS 1e-6.
    first, second = near_pairs(people, scales, 0.5 * float(sigmas.max()) * np.sqrt(8 * np.log(1e6)))
    between = ((people[first, :, :2] - people[second, :, :2]) ** 2).sum(-1)
    known = np.isfinite(between)
    tolerance = 0.5 * sigmas * np.minimum(scales[first], scales[second])[:, None]
    same = np.where(known, kernel(np.where(known, between, 0), np.where(known, tolerance, 1)), 0)
    yields = support[second] > support[first]
    loss = np.zeros(people.shape[:2])
    np.maximum.at(loss, first, np.where(yields, same, 0))
    np.maximum.at(loss, second, np.where(yields, 0, same))
    settled = people.copy()
    settled[..., 2] *= 1 - loss
    settled[settled[..., 2] < 1e-3] = (np.nan, np.nan, 0)
    return settled


def _plausible(people: np.ndarray, joints: JointSet, scales: np.ndarray) -> np.ndarray:
    """(M, K) 0..1: mean plausibility of the limbs that meet in each joint; 1 where none is known."""
    limbs = np.array(joints.bones).reshape(-1, 2)
    lengths = limb_lengths_of(joints.names, joints.bones)
    distance = np.linalg.norm(people[:, limbs[:, 0], :2] - people[:, limbs[:, 1], :2], axis=-1)
    fits = limb_affinity(distance, lengths * scales[:, None])
    ends = (limbs[:, :, None] == np.arange(people.shape[1])).any(1).astype(float)
    total, count = np.nan_to_num(fits) @ ends, np.isfinite(fits) @ ends
    return np.where(count > 0, total / np.maximum(count, 1), 1.0)
