# SPDX-License-Identifier: GPL-3.0-or-later
"""The refinement stage where somebody knows the camera: people are put into its world, moving camera or not.

Up is exactly Z and the floor exactly z = 0, so feet that stand say how large a person is: the farther below the camera
the floor lies, the farther away and the larger they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...rigging.camera_path import CameraPath, camera_centres
from ..errors import UserError
from ..keypoints import Keypoints
from ..progress import Progress
from ..refinement.evidence import Floor, Options
from ..world.contacts import middle_of_feet, resting_weight
from .feet import set_contacts, standing_feet
from .lifting import KNOWN_CAMERA, Lens
from .people import Person, refine_person
from .refinement import STAGE, World, stature

_UP = np.array([0.0, 0.0, 1.0])
#: Standing heights, metres, that nobody has: beyond them it is the floor or the camera's scale that is wrong.
_SMALLEST, _LARGEST = 0.7, 2.5
#: Seconds of standing from which the floor says how large somebody is.
_LEAST_STANDING = 0.1
#: Sizes to begin with: from toddlers to scenes that are somewhat too large.
_STARTS = (1.0, 0.75, 0.55, 1.3)
#: Seconds at either end for which a moving camera may be unknown without a word.
_UNCOVERED = 0.25
#: How far the height that the user says may be from the one that the floor says, as a factor.
_CONTRADICTION = 1.15


def lens_of(camera: CameraPath, image_size: tuple[int, int]) -> Lens:
    """The lens of a known camera for footage of `image_size`, pixels, which may be a smaller or larger copy.

    Raises UserError if the two have different shapes.
    """
    scale = np.array(image_size) / np.array(camera.image_size)
    if not 0.99 < scale[0] / scale[1] < 1.01:
        (width, height), (known_width, known_height) = image_size, camera.image_size
        raise UserError(
            f"the footage has {width} x {height} pixels, but the camera was made for {known_width} x {known_height}; "
            "give the camera that belongs to this footage"
        )
    return Lens(camera.intrinsics * np.array([[scale[0]], [scale[1]], [1.0]]), KNOWN_CAMERA)


def refine_with_camera(
    people: list[Person],
    keypoints: Keypoints,
    lens: Lens,
    camera: CameraPath,
    options: Options,
    height: float | None,
    progress: Progress,
) -> World:
    """Refine everybody in the camera's world.

    people: as placed before the camera; changed. height: standing height of the first person, metres, for people
    whom the floor does not measure. Raises Cancelled.
    """
    matrices, times = camera.at(keypoints.times), keypoints.times
    for person in people:
        _into_world(person, matrices)
    sizes = _Sizes((), (), ())
    for turn in range(2):
        # The first time from where the lifted feet are, the second from where the picture shows them.
        sizes = _sizes(people, times, matrices, height)
        for number, person in enumerate(people):
            progress.step(STAGE, turn * len(people) + number, 2 * len(people))
            _enlarge(person, matrices, sizes.factors[number])
            if turn:
                _find_contacts(person, keypoints, lens.intrinsics, matrices, sizes.measured[number])
            floor = Floor(_UP, 0.0, sure=True) if sizes.measured[number] else None
            refine_person(person, keypoints, lens.intrinsics, options, matrices, floor)
    progress.step(STAGE, 2 * len(people), 2 * len(people))
    for person, on_floor in zip(people, sizes.measured, strict=True):
        _find_contacts(person, keypoints, lens.intrinsics, matrices, on_floor)
    joints = np.stack([person.positions for person in people])
    contacts = np.stack([person.contacts for person in people])
    return World(joints, contacts, matrices, (*_uncovered(camera, times), *sizes.warnings))


def _uncovered(camera: CameraPath, times: np.ndarray) -> list[str]:
    """A warning if a moving camera is not known for all of the footage."""
    missing = max(camera.times[0] - times[0], times[-1] - camera.times[-1])
    if len(camera.times) == 1 or missing <= _UNCOVERED:
        return []
    return [
        f"the camera is known from {camera.times[0]:.2f} to {camera.times[-1]:.2f} s only, the people are seen from "
        f"{times[0]:.2f} to {times[-1]:.2f} s; before and after it is taken as standing still"
    ]


def floor_size(person: Person, times: np.ndarray, camera: np.ndarray) -> float:
    """How many times larger a person in the world has to be to stand on the floor; NaN if they never do.

    camera: (F, 4, 4) world to camera. A point seen from the camera moves along its ray when it is scaled, so a foot
    that stands gives the ratio of the camera's height to how far the foot is below the camera.
    """
    centre = camera_centres(camera)
    below = person.feet(_UP) - centre[:, None]
    found = [_standing_size(person, times, centre, below, start) for start in _STARTS]
    size, standing = max(found, key=lambda pair: pair[1])
    return size if standing >= _LEAST_STANDING else float("nan")


def _standing_size(
    person: Person, times: np.ndarray, centre: np.ndarray, below: np.ndarray, size: float
) -> tuple[float, float]:
    """The size that the feet say which stand if the person is about `size` times larger, and seconds of standing.

    A moving camera sees feet slide that stand, if they are thought farther away or nearer than they are.
    centre: (F, 3) of the camera. below: (F, 4, 3) feet from there.
    """
    seconds = 0.0
    for _ in range(3):
        ratios, weights = [], []
        for part in person.parts:
            feet = centre[part, None] + size * below[part]
            weights.append(resting_weight(feet, times[part], _UP))
            drop = -middle_of_feet(below[part])[..., 2]
            ratios.append(np.where(drop > 0.01, centre[part, None, 2] / np.maximum(drop, 0.01), np.nan))
        ratio, weight = np.concatenate(ratios).ravel(), np.concatenate(weights).ravel()
        keep = np.isfinite(ratio) & (ratio > 0) & (weight > 0)
        seconds = float(weight[keep].sum())
        if not seconds:
            break
        order = np.argsort(ratio[keep])
        total = np.cumsum(weight[keep][order])
        size = float(ratio[keep][order][np.searchsorted(total, 0.5 * total[-1])])
    return size, seconds


@dataclass(frozen=True)
class _Sizes:
    """factors: on each person. measured: whether the floor said so. warnings: what the user should know about them."""

    factors: tuple[float, ...]
    measured: tuple[bool, ...]
    warnings: tuple[str, ...]


def _sizes(people: list[Person], times: np.ndarray, camera: np.ndarray, height: float | None) -> _Sizes:
    statures = [stature(person) for person in people]
    measured = [floor_size(person, times, camera) for person in people]
    found = [
        size if _SMALLEST <= size * tall <= _LARGEST else float("nan")
        for size, tall in zip(measured, statures, strict=True)
    ]
    assumed = height / statures[0] if height is not None else 1.0
    if height is None and np.isfinite(found).any():
        assumed = float(np.nanmedian(found))
    warnings = []
    for person, size, kept, tall in zip(people, measured, found, statures, strict=True):
        if np.isfinite(kept):
            continue
        why = (
            f"person {person.identity} is never seen to stand on the floor (z = 0) of the known camera's world"
            if not np.isfinite(size)
            else f"the known camera's floor (z = 0) would make person {person.identity} {size * tall:.2g} m tall"
        )
        warnings.append(f"{why}: a height of {assumed * tall:.2f} m is assumed; check the camera's scale and its floor")
    if height is not None and np.isfinite(found[0]):
        ratio = found[0] * statures[0] / height
        if max(ratio, 1 / ratio) > _CONTRADICTION:
            warnings.append(
                f"on the known camera's floor the first person is {found[0] * statures[0]:.2f} m tall, not "
                f"{height:.2f} m: check the camera's scale"
            )
    known = tuple(bool(np.isfinite(kept)) for kept in found)
    factors = tuple(kept if sure else assumed for kept, sure in zip(found, known, strict=True))
    return _Sizes(factors, known, tuple(warnings))


def _into_world(person: Person, camera: np.ndarray) -> None:
    """Turn positions and lifted joints from camera axes into the world."""
    rotation = camera[:, :3, :3]
    person.positions = camera_centres(camera)[:, None] + np.matmul(person.positions, rotation)
    person.lifted = replace(person.lifted, joints=np.matmul(person.lifted.joints, rotation), up=None)


def _enlarge(person: Person, camera: np.ndarray, size: float) -> None:
    """Scale a person about the camera: the picture stays the same."""
    centre = camera_centres(camera)[:, None]
    person.positions = centre + size * (person.positions - centre)
    person.lifted = replace(person.lifted, joints=size * person.lifted.joints)


def _find_contacts(
    person: Person, keypoints: Keypoints, intrinsics: np.ndarray, camera: np.ndarray, on_floor: bool
) -> None:
    """on_floor: the floor is at 0; else it is where this person's feet rest, if they ever do."""
    floor = 0.0
    if not on_floor:
        feet, standing = standing_feet(person, keypoints, intrinsics, _UP, camera)
        floor = float(np.median(feet[..., 2][standing > 0])) if (standing > 0).any() else None
    set_contacts(person, keypoints, intrinsics, _UP, floor, camera)
