# SPDX-License-Identifier: GPL-3.0-or-later
"""People on the way from lifted poses to the world: placed before the camera, and refined against the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..camera import project
from ..errors import UserError
from ..keypoints import Keypoints
from ..lifting.lifter import Lifted
from ..refinement.body import Links, given_joints, keypoint_rows, measure_links
from ..refinement.evidence import Evidence, Floor, Options
from ..refinement.refine import refine, worse_frames
from ..refinement.stretches import place, stretches
from ..root.table import DEFAULT, NETWORK
from ..world.posture import feet_of
from .lifting import LiftedPeople

#: How far off the picture, in parts of a person's size, a lifted pose is worth a closer look, a refined one nobody's.
#: Of some 70 people of validation motion with a detector's noise the worst are 0.11 off as lifted, 0.09 as refined.
_SUSPECT, _NOBODY = 0.12, 0.15


@dataclass
class Person:
    """One person over all F frames of the footage.

    identity: in the keypoints. keypoints: (F, K, 3). lifted: of the lifter. positions: (F, 26, 3) metres, NaN where
    nothing is known; in camera axes until somebody says otherwise. parts: the stretches in which something is.
    contacts: (F, 4) probability that left heel, left toe, right heel, right toe stand. on_floor: (F, 4) probability
    that what they stand on is the floor; None as long as nobody has said. worse: (F,) bool, where the refined pose lies
    worse on the picture than the lifted one in its place.
    """

    identity: int
    keypoints: np.ndarray
    lifted: Lifted
    positions: np.ndarray
    parts: list[slice]
    contacts: np.ndarray
    on_floor: np.ndarray | None = None
    worse: np.ndarray | None = None

    @property
    def given(self) -> np.ndarray:
        """(26,) bool: the joints that the lifter gives."""
        return given_joints(self.lifted.joints)

    def feet(self, up: np.ndarray) -> np.ndarray:
        """(F, 4, 3) positions of heels and toes; if the lifter does not give them, of the soles below the ankles.

        up: (3,) unit, in the axes of the positions.
        """
        feet = feet_of(self.given)
        return self.positions[:, feet.rows] - feet.above * up

    def links(self) -> Links:
        """Their bone lengths, as lifted."""
        believed = np.where(np.isfinite(self.lifted.joints).all(-1), self.lifted.confidence, 0.0)
        floor = 1e-3 * (believed.max(-1, keepdims=True) > 0)
        return measure_links(self.lifted.joints, np.maximum(believed, floor))


def place_people(keypoints: Keypoints, lifted: LiftedPeople, root: str = DEFAULT) -> list[Person]:
    """Everybody who can be put before the camera, in camera axes, by their roots, found as `root` of `ROOTS` says.

    Raises UserError if the lifter should know the root and does not.
    """
    if root == NETWORK and all(person.root is None for person in lifted.people):
        raise UserError("the lifter does not know where people are; choose another root than network")
    people = []
    for row, identity in enumerate(keypoints.person_ids):
        person, points = lifted.people[row], keypoints.keypoints[row]
        positions = np.full(person.joints.shape, np.nan)
        parts = []
        known = np.isfinite(person.joints[:, given_joints(person.joints)]).all((1, 2))
        for part in stretches(known & _between_looks(points)):
            learned = None if person.root is None else person.root[part]
            seen = points[part], keypoints.keypoint_names, lifted.lens.intrinsics
            placed = place(person.joints[part], *seen, learned, root)
            if placed is not None:
                positions[part] = placed
                parts.append(part)
        if parts:
            contacts = np.zeros((len(points), 4))
            people.append(Person(int(identity), points, person, positions, parts, contacts))
    return people


def _between_looks(points: np.ndarray) -> np.ndarray:
    """(F,) bool: from the first to the last frame in which anything of (F, K, 3) keypoints was seen.

    Between two looks what nobody saw is bridged. Before and after, a lifter goes on for a while with what it has no
    evidence for, in the place where the person was seen last.
    """
    seen = (points[..., 2] > 0).any(-1)
    return np.logical_or.accumulate(seen) & np.logical_or.accumulate(seen[::-1])[::-1]


def believable(people: list[Person], keypoints: Keypoints, intrinsics: np.ndarray) -> tuple[list[Person], list[str]]:
    """The people whose pose can be put on their keypoints, and a sentence about each of the others.

    What a detector takes for a person and is none (a machine, a coat) has points that no human pose explains; it would
    tilt the world of everybody else. Where that is true of all of them, something else is wrong, and they stay.
    """
    kept = [person for person in people if _explained(person, keypoints, intrinsics)]
    if not kept or len(kept) == len(people):
        return people, []
    gone = [person.identity for person in people if person not in kept]
    return kept, [f"person {identity} was left out: no human pose lies on what was found there" for identity in gone]


def _explained(person: Person, keypoints: Keypoints, intrinsics: np.ndarray) -> bool:
    if _off_the_picture(person, keypoints.keypoint_names, intrinsics) <= _SUSPECT:
        return True
    tried = replace(person, positions=person.positions.copy())
    refine_person(tried, keypoints, intrinsics, Options())
    return _off_the_picture(tried, keypoints.keypoint_names, intrinsics) <= _NOBODY


def _off_the_picture(person: Person, names: tuple[str, ...], intrinsics: np.ndarray) -> float:
    """Median distance of placed joints from their keypoints, in parts of the person's size in the picture."""
    rows, joints, _ = keypoint_rows(names)
    points, placed = person.keypoints[:, rows], person.positions[:, joints]
    seen = np.isfinite(placed).all(-1) & np.isfinite(points).all(-1) & (points[..., 2] > 0.1)
    if not seen.any():
        return 0.0
    depth = np.broadcast_to(person.positions[:, :1, 2], seen.shape)[seen]
    error = np.linalg.norm(project(placed[seen], intrinsics) - points[seen][:, :2], axis=-1)
    return float(np.median(error * depth / (intrinsics[0, 0] * person.links().size)))


def refine_person(
    person: Person,
    keypoints: Keypoints,
    intrinsics: np.ndarray,
    options: Options,
    camera: np.ndarray | None = None,
    floor: Floor | None = None,
) -> None:
    """Put the person's positions on the picture, in camera axes.

    camera: (F, 4, 4) world to camera, where it is known or turns: positions are in its world then. floor: in the axes
    of the positions, where this person stands on it.
    """
    links, person.worse = person.links(), np.zeros(len(person.positions), dtype=bool)
    for part in person.parts:
        evidence = Evidence(
            keypoints.times[part],
            person.keypoints[part],
            keypoints.keypoint_names,
            intrinsics,
            person.lifted.joints[part],
            trust_in(person.lifted.confidence[part]),
            links,
            person.contacts[part],
            None if camera is None else camera[part],
            floor,
            None if person.on_floor is None else person.on_floor[part],
            tuple(order for order in options.in_front if order.person in (None, person.identity)),
        )
        refined = refine(evidence, person.positions[part], options)
        person.worse[part] = worse_frames(evidence, evidence.lifted + refined[:, :1], refined, options)
        person.positions[part] = refined


def trust_in(confidence: np.ndarray) -> np.ndarray:
    """How far lifted joints are to be believed: a little even where nothing was seen.

    Confidences that are probabilities are a third lower than those that only say what was seen. Made up for, or by the
    square of the error that they stand for, they refine validation motion the same within 2 mm (docs/lifting.md).
    """
    return 0.1 + 0.9 * confidence
