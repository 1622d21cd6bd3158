# SPDX-License-Identifier: GPL-3.0-or-later
"""The refinement stage: lifted people to people in a world, seen by a camera that nobody has measured.

The camera stands still or turns on the spot: until the world is known everything is in the axes that it had in the
first frame. Up comes from the lifter, the floor from feet that stand, the size of everything from an
assumed stature, or from the one that the user says. `known_camera` is the other case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...rigging.joints import TAKE
from ...rigging.rotations import segment_rotations
from ...rigging.skeleton import rest_skeleton
from ..keypoints import Keypoints
from ..progress import Progress
from ..refinement.evidence import Floor, Options
from ..world.given import Given
from ..world.ground import LIFTED_TILT, POSTURE_TILT, Ground, fit_ground, mean_up, world_from_camera
from ..world.posture import upright, vote_weight
from .feet import set_contacts, standing_feet
from .people import Person, refine_person

STAGE = "refinement"
#: Probability from which a foot is said to stand, and what it stands on to be the floor.
_STANDS = 0.5
_HEAD = TAKE.index("head_top")


@dataclass(frozen=True)
class World:
    """P people in the world, over F frames.

    joints: (P, F, 26, 3) metres, Z up, floor at 0; NaN where nothing is known. contacts: (P, F, 4).
    world_to_camera: (1 or F, 4, 4), OpenCV axes. warnings: one sentence each. ground: how well level, floor and sizes
    are known, where they had to be found.
    """

    joints: np.ndarray
    contacts: np.ndarray
    world_to_camera: np.ndarray
    warnings: tuple[str, ...] = ()
    ground: Ground | None = None


def smoothed(smoothing: float) -> Options:
    """The refinement's options for a smoothing of so many times the usual: accelerations of so many times less."""
    usual = Options()
    return replace(
        usual,
        acceleration=usual.acceleration / smoothing,
        ray_acceleration=usual.ray_acceleration / smoothing,
        root_ray_acceleration=usual.root_ray_acceleration / smoothing,
    )


def refine_people(
    people: list[Person],
    keypoints: Keypoints,
    intrinsics: np.ndarray,
    options: Options,
    height: float | None,
    progress: Progress,
    camera: np.ndarray | None = None,
    given: Given | None = None,
) -> World:
    """Refine everybody against the picture, twice: the second time the feet that stand are known.

    people: as placed; changed. height: standing height of the first person, metres. camera: (F, 4, 4) turns from the
    axes of the first frame to those of every frame, or None if the camera stands still. given: what the user knows of
    level and floor. Raises UserError if that cannot be, Cancelled.
    """
    if camera is not None:
        for person in people:
            _hold_still(person, camera)
    tilt = _tilt(people)
    if given is not None:
        up, error = given.level(tilt.up, tilt.error, intrinsics)
        tilt = _Tilt(up, error, given.camera_height(up, intrinsics))
    for number, person in enumerate(people):
        progress.step(STAGE, 2 * number, 2 * len(people))
        refine_person(person, keypoints, intrinsics, options, camera)
    ground = _find_ground(people, keypoints, intrinsics, tilt, tilt.up, camera)
    for number, person in enumerate(people):
        progress.step(STAGE, 2 * number + 1, 2 * len(people))
        _find_contacts(person, keypoints, intrinsics, ground, number, camera)
        floor = Floor(ground.up, -ground.height / float(ground.sizes[number]))
        refine_person(person, keypoints, intrinsics, options, camera, floor)
    progress.step(STAGE, 2 * len(people), 2 * len(people))
    # From the votes again: the feet may speak once.
    ground = _find_ground(people, keypoints, intrinsics, tilt, ground.up, camera)
    for number, person in enumerate(people):
        held = person.contacts.copy()
        _find_contacts(person, keypoints, intrinsics, ground, number, camera)
        person.contacts = _still_in_the_air(person, held)
    return _world(people, keypoints, _sized(ground, people[0], height), camera)


def _hold_still(person: Person, camera: np.ndarray) -> None:
    """Turn a person from the axes of every frame's camera into those of the first frame's."""
    turn, lifted = camera[:, :3, :3], person.lifted
    up = None if lifted.up is None else np.matmul(lifted.up[:, None], turn)[:, 0]
    person.positions = np.matmul(person.positions, turn)
    person.lifted = replace(lifted, joints=np.matmul(lifted.joints, turn), up=up, root=None)


def stature(person: Person) -> float:
    """Standing height, metres, of the person's rig as their positions have it: of its rest pose, to the head's top."""
    believed = person.lifted.confidence
    return float(rest_skeleton(person.positions, segment_rotations(person.positions), believed).joints[_HEAD, 2])


@dataclass(frozen=True)
class _Tilt:
    """World's up in camera axes (3,), before any foot has stood, how well it is known, as `LIFTED_TILT`, and the
    camera's height above the floor, metres, if somebody knows it."""

    up: np.ndarray
    error: tuple[float, float]
    camera_height: float | None = None


def _tilt(people: list[Person]) -> _Tilt:
    """From every frame of every person; from how they stand if the lifter does not know it; level if they never do."""
    votes, weights, error = [], [], LIFTED_TILT
    for person in people:
        up, weight = person.lifted.up, person.lifted.confidence[:, person.given].mean(-1)
        if up is None:
            up, standing = upright(person.lifted.joints)
            weight, error = weight * standing, POSTURE_TILT
        else:
            weight = weight * vote_weight(person.lifted.joints, up)
        votes.append(up)
        weights.append(weight)
    return _Tilt(mean_up(np.concatenate(votes), np.concatenate(weights)), error)


def _find_ground(
    people: list[Person],
    keypoints: Keypoints,
    intrinsics: np.ndarray,
    tilt: _Tilt,
    up: np.ndarray,
    camera: np.ndarray | None,
) -> Ground:
    """up: (3,) the best guess so far, by which feet stand or not."""
    found = [standing_feet(person, keypoints, intrinsics, up, camera) for person in people]
    feet = [points for points, _ in found]
    ground = fit_ground(tilt.up, feet, [seconds for _, seconds in found], tilt.error, tilt.camera_height)
    if np.isfinite(ground.height):
        return ground
    # Nobody ever stands: the lowest foot is as near to the floor as can be said.
    lowest = min(float(np.nanpercentile(points @ ground.up, 2)) for points in feet)
    return replace(ground, height=-lowest)


def _find_contacts(
    person: Person,
    keypoints: Keypoints,
    intrinsics: np.ndarray,
    ground: Ground,
    number: int,
    camera: np.ndarray | None,
) -> None:
    set_contacts(person, keypoints, intrinsics, ground.up, -ground.height / float(ground.sizes[number]), camera)


def _still_in_the_air(person: Person, held: np.ndarray) -> np.ndarray:
    """The person's contacts (F, 4), without those of feet off the floor that stand only since they were held.

    held: (F, 4) the contacts by which they were. A raised foot that is held a little because it might stand looks as if
    it stood.
    """
    aloft = held < _STANDS
    if person.on_floor is not None:
        aloft &= person.on_floor < _STANDS
    return np.where(aloft, np.minimum(held, person.contacts), person.contacts)


def _sized(ground: Ground, first: Person, height: float | None) -> Ground:
    """The ground with everything, also the camera's distance, scaled so that the first person is `height` tall."""
    if height is None:
        return ground
    return ground.scaled(height / (stature(first) * float(ground.sizes[0])))


def _world(people: list[Person], keypoints: Keypoints, ground: Ground, camera: np.ndarray | None) -> World:
    joints = np.stack([size * person.positions for size, person in zip(ground.sizes, people, strict=True)])
    first = np.flatnonzero(np.isfinite(joints[0, :, 0]).all(-1))
    origin = joints[0, first[: max(1, round(keypoints.fps))], 0].mean(0)
    to_world = world_from_camera(ground, origin)
    world = joints @ to_world[:3, :3].T + to_world[:3, 3]
    from_world = np.linalg.inv(to_world)[None]
    world_to_camera = from_world if camera is None else camera @ from_world
    contacts = np.stack([person.contacts for person in people])
    return World(world, contacts, world_to_camera, ground=ground)
