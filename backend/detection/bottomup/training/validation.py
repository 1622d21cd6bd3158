# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the people of labelled pictures are found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .....rigging.joints import JointSet
from ....grouping.affinity import kernel, sigmas_of
from ....grouping.people import group_people
from ...base import Candidates, sureness
from ...convert import joint_set_of
from ..finder import LEAST_CONFIDENCE, Finder
from .pictures import Picture


@dataclass(frozen=True)
class Scores:
    """people: labelled. found, well_found: of these by OKS above 0.5 and 0.75, shares. precision: share of the found
    people who are somebody. error: median distance of the keypoints of found people in parts of their scale."""

    people: int
    found: float
    well_found: float
    precision: float
    error: float

    def __str__(self) -> str:
        return (
            f"{self.people} people, found {self.found:.3f} (OKS > 0.5) {self.well_found:.3f} (> 0.75), "
            f"precision {self.precision:.3f}, error {100 * self.error:.2f} % of the scale"
        )


def validate(finder: Finder, names: Sequence[str], pictures: Iterable[Picture]) -> Scores:
    """Scores of detection and grouping, the latter with its own settings."""
    joints, sigmas = joint_set_of(names), sigmas_of(names)
    similarities, errors, false, found_people = [np.zeros(0)], [np.zeros(0)], 0, 0
    for picture in pictures:
        people = grouped(finder.find([picture.read()])[0], joints)
        similarity = oks_to(picture.people, picture.areas, people, sigmas)
        truth, made = match(similarity)
        best = np.zeros(len(picture.people))
        best[truth] = similarity[truth, made]
        similarities.append(best)
        good = similarity[truth, made] > 0.5
        found_people += int(good.sum())
        false += int((~_excused(np.delete(people, made[good], 0), picture.ignored)).sum())
        away = np.linalg.norm(people[made[good], :, :2] - picture.people[truth[good], :, :2], axis=-1)
        away /= np.sqrt(picture.areas[truth[good]])[:, None]
        errors.append(away[(picture.people[truth[good], :, 2] > 0) & np.isfinite(away)])
    every, error = np.concatenate(similarities), np.concatenate(errors)
    precision = found_people / max(1, found_people + false)
    middle = float(np.median(error)) if len(error) else float("nan")
    return Scores(len(every), float((every > 0.5).mean()), float((every > 0.75).mean()), precision, middle)


def grouped(candidates: Candidates, joints: JointSet) -> np.ndarray:
    """(M, K, 3) people of candidates, as a capture takes them: those whose better keypoints are sure enough."""
    people = group_people(candidates, joints)
    return people[sureness(people) >= LEAST_CONFIDENCE]


def oks_to(truth: np.ndarray, areas: np.ndarray, people: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(P, M) COCO's keypoint similarity of (P, K, 3) labelled people with (P,) areas and (M, K, 3) found ones.

    It is the mean over the labelled keypoints; those that are missing in a found person have 0.
    """
    labelled = truth[:, None, :, 2] > 0
    distance_squared = ((truth[:, None, :, :2] - people[None, :, :, :2]) ** 2).sum(-1)
    known = labelled & np.isfinite(distance_squared)
    same = kernel(np.where(known, distance_squared, 0), np.sqrt(areas)[:, None, None] * sigmas) * known
    return same.sum(-1) / np.maximum(labelled.sum(-1), 1)


def match(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (of the truth, of the found) of pairs, the most similar first, each in one pair; similarity 0 pairs not."""
    left = similarity.copy()
    pairs: list[tuple[int, int]] = []
    while left.size and left.max() > 0:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        pairs.append((int(row), int(column)))
        left[row], left[:, column] = 0, 0
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _excused(people: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(M,) bool: is the middle of a found person in the box of people without labels?"""
    middle = np.nanmean(people[..., :2], 1) if len(people) else np.zeros((0, 2))
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return ((middle[:, None] >= low) & (middle[:, None] <= high)).all(-1).any(-1)
