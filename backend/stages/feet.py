# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's contacts: what the contact network, or a rule where heels and toes are missing, is given of a person."""

from __future__ import annotations

import numpy as np

from ...rigging.camera_path import camera_centres
from ..keypoints import Keypoints
from ..world.contacts import contact_probability, find_contacts, middle_of_feet, resting_weight
from ..world.foot_features import FootEvidence, feet_shown
from ..world.posture import feet_of
from .people import Person


def set_contacts(
    person: Person,
    keypoints: Keypoints,
    intrinsics: np.ndarray,
    up: np.ndarray,
    floor: float | None,
    camera: np.ndarray | None = None,
) -> None:
    """Find the person's contacts, and which of them are on the floor, in every stretch; the person is changed.

    up: (3,) unit, in the axes of the positions. floor: its height along `up` in their unit; None if nobody knows it.
    camera: (F, 4, 4) world to camera, where positions are in a world.
    """
    on_floor = np.zeros_like(person.contacts)
    for part in person.parts:
        if not _has_feet(person):
            low = -np.inf if floor is None else floor
            person.contacts[part] = contact_probability(person.feet(up)[part], keypoints.times[part], up, low)
            on_floor[part] = floor is not None
            continue
        evidence = _evidence(person, keypoints, intrinsics, up, floor, camera, part)
        found = find_contacts(evidence)
        person.contacts[part], on_floor[part] = found.stands, found.on_floor
    person.on_floor = on_floor


def standing_feet(
    person: Person, keypoints: Keypoints, intrinsics: np.ndarray, up: np.ndarray, camera: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Before the floor is known: (N, 2, 3) the middles of the left and the right foot in all stretches, and seconds
    (N, 2) for which each may be standing, on whatever."""
    feet, standing = [], []
    for part in person.parts:
        points, times = person.feet(up)[part], keypoints.times[part]
        feet.append(middle_of_feet(points))
        if not _has_feet(person):
            standing.append(resting_weight(points, times, up))
            continue
        stands = find_contacts(_evidence(person, keypoints, intrinsics, up, None, camera, part)).stands
        both = np.minimum(stands[:, 0::2], stands[:, 1::2])
        step = np.gradient(times)[:, None] if len(times) > 1 else np.full((1, 1), 1 / 30)
        standing.append(np.where(both > 0.5, both, 0.0) * step)
    return np.concatenate(feet), np.concatenate(standing)


def _has_feet(person: Person) -> bool:
    """Whether the lifter gives heels and toes."""
    return feet_of(person.given).above == 0.0


def _evidence(
    person: Person,
    keypoints: Keypoints,
    intrinsics: np.ndarray,
    up: np.ndarray,
    floor: float | None,
    camera: np.ndarray | None,
    part: slice,
) -> FootEvidence:
    positions, points = person.positions[part], person.keypoints[part]
    known = None if camera is None else camera[part]
    shown, sure = feet_shown(positions, points, keypoints.keypoint_names, intrinsics, known)
    eye = np.zeros(3) if known is None else camera_centres(known)
    return FootEvidence(keypoints.times[part], positions, shown, sure, eye, up, floor)
