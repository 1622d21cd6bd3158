# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifting stage: tracked people in 2D, and a lens, to root-relative people in 3D."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...rigging.joints import TAKE
from ..camera import guess_intrinsics
from ..errors import UserError
from ..keypoints import Keypoints
from ..lens import focal_of_film
from ..lifting.lifter import Lifted, Lifter
from ..progress import Progress
from ..refinement.focal import estimate_focal, misfit
from .steadying import seen_by, steadied, turned_back

STAGE = "lifting"
#: Of a focal length that nobody knows: such a one is estimated from the perspective, as far as it shows.
ASSUMED = "assumed"
#: Of one that the perspective of a person has shown.
PERSPECTIVE = "estimated from perspective"
#: Of one that the file of the footage names.
METADATA = "the footage's metadata"
#: How well these are known: cameras differ that much, so does what perspective says (docs/lifting.md), and cameras that
#: steady their video show less than the lens does.
_UNCERTAIN = {ASSUMED: 0.35, PERSPECTIVE: 0.25, METADATA: 0.1}
#: Of the lens of a camera whose place and movement are known too.
KNOWN_CAMERA = "known camera"


@dataclass(frozen=True)
class Lens:
    """intrinsics: (3, 3) pixels. source: where the focal length comes from, in a few words; `ASSUMED` if nowhere.
    uncertainty: standard deviation of the focal length, as a fraction of it; None if whoever said it did not say."""

    intrinsics: np.ndarray
    source: str
    uncertainty: float | None = None


def certainty_of(lens: Lens) -> str | None:
    """How well the focal length is known, in words; None if whoever said it did not say."""
    return None if lens.uncertainty is None else f"within {100 * lens.uncertainty:.0f} %"


@dataclass(frozen=True)
class LiftedPeople:
    """What lifting gives for the P people of some keypoints.

    people: P of them in the order of the keypoints, each with the joints of a take in its order; joints that the lifter
    does not give are NaN with confidence 0 in every frame. lens: as lifted with.
    """

    people: tuple[Lifted, ...]
    lens: Lens


def choose_lens(keypoints: Keypoints, focal_length: float | None, fov: float | None, source: str) -> Lens:
    """The lens that the user says, else the one that came with the keypoints, else that of the footage's metadata, else
    an assumed one.

    focal_length: pixels. fov: horizontal, degrees. source: what to call the keypoints' own. Raises UserError.
    """
    if keypoints.intrinsics is not None and focal_length is None and fov is None:
        return Lens(keypoints.intrinsics, source)
    intrinsics, found = guess_intrinsics(keypoints.image_size, focal_length, fov)
    film = keypoints.source.get("focal_35mm")
    if found == ASSUMED and isinstance(film, int | float) and film > 0:
        found = METADATA
        intrinsics[0, 0] = intrinsics[1, 1] = focal_of_film(keypoints.image_size, float(film))
    return Lens(intrinsics, found, _UNCERTAIN.get(found))


def lift_people(
    keypoints: Keypoints,
    lens: Lens,
    lifter: Lifter,
    draft: Callable[[], Lifter],
    progress: Progress,
    turns: Callable[[np.ndarray], np.ndarray | None] = lambda _: None,
    adapt: bool = False,
) -> LiftedPeople:
    """Lift everybody. draft: opens a faster lifter with the same weights, for estimating an assumed focal length.

    turns: of a camera that turns, from intrinsics to (F, 4, 4), first camera axes to every frame's; None of one that
    stands still. adapt: fit the lifter to each person, where joints held back say that it helps.

    Raises UserError if nobody was seen or the keypoints lack joints that the lifter needs, Cancelled.
    """
    if not (keypoints.keypoints[..., 2] > 0).any():
        raise UserError("nobody was seen in these keypoints: no point has a confidence above 0")
    count = len(keypoints.person_ids)
    progress.step(STAGE, 0, count)
    if lens.source == ASSUMED and lifter.info.needs_camera:
        lens = _observed_lens(keypoints, lens, draft())
    people = []
    turned = turns(lens.intrinsics)
    rotation = None if turned is None else turned[:, :3, :3]
    for row in range(count):
        tick = partial(progress.step, STAGE, row, count)
        tick()
        people.append(_lift(lifter, keypoints, row, slice(None), lens.intrinsics, rotation, tick if adapt else None))
    progress.step(STAGE, count, count)
    return LiftedPeople(tuple(people), lens)


def _observed_lens(keypoints: Keypoints, assumed: Lens, lifter: Lifter) -> Lens:
    """The assumed lens, or a corrected one if the first person's perspective contradicts it."""
    visible = (keypoints.keypoints[..., 2] > 0).any(-1)
    row = int(np.flatnonzero(visible.any(-1))[0])
    seen = np.flatnonzero(visible[row])
    # Ten seconds show as much perspective as an hour.
    part = slice(int(seen[0]), int(min(seen[-1] + 1, seen[0] + 10 * keypoints.fps + 1)))

    def with_factor(factor: float) -> np.ndarray:
        return assumed.intrinsics * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]])

    def cost(factor: float) -> float:
        intrinsics = with_factor(factor)
        lifted = _lift(lifter, keypoints, row, part, intrinsics)
        return misfit(lifted.joints, keypoints.keypoints[row, part], keypoints.keypoint_names, intrinsics)

    factor = estimate_focal(cost)
    return assumed if factor == 1.0 else Lens(with_factor(factor), PERSPECTIVE, _UNCERTAIN[PERSPECTIVE])


def _lift(
    lifter: Lifter,
    keypoints: Keypoints,
    row: int,
    part: slice,
    intrinsics: np.ndarray,
    turns: np.ndarray | None = None,
    adapting: Callable[[], None] | None = None,
) -> Lifted:
    """Some frames of one person, with the joints of a take in its order; those that it does not give are missing.

    turns: (F, 3, 3) of the camera. adapting: called now and then while the lifter is fitted to the person; None: it is
    not.
    """
    points, times = keypoints.keypoints[row, part], keypoints.times[part]
    smooth = None if turns is None else steadied(turns[part], times)
    if smooth is not None:
        points = seen_by(points, smooth, intrinsics)
    seen = points, keypoints.keypoint_names, times, intrinsics, keypoints.image_size
    lifted = lifter.lift(*seen)
    if adapting is not None:
        from ..lifting.adaptation.person import lifted_anew

        lifted = lifted_anew(lifter, lifted, *seen, tick=adapting)
    if smooth is not None:
        lifted = turned_back(lifted, smooth)
    joints, confidence = np.full((len(times), len(TAKE), 3), np.nan), np.zeros((len(times), len(TAKE)))
    rows = {name: row for row, name in enumerate(lifted.joint_names)}
    for column, name in enumerate(TAKE.names):
        if name in rows:
            joints[:, column], confidence[:, column] = lifted.joints[:, rows[name]], lifted.confidence[:, rows[name]]
    return replace(lifted, joint_names=TAKE.names, joints=joints, confidence=confidence)


def lifted_arrays(lifted: LiftedPeople) -> dict[str, np.ndarray]:
    """Lifted people as arrays, for the cache: exactly those that `lifted_from_arrays` gives back."""
    described: dict[str, Any] = {
        "lens": lifted.lens.source,
        "uncertainty": lifted.lens.uncertainty,
        "warnings": [list(person.warnings) for person in lifted.people],
        "up": [person.up is not None for person in lifted.people],
        "root": [person.root is not None for person in lifted.people],
        "adaptation": [person.adaptation for person in lifted.people],
    }
    nobody = np.full((len(lifted.people[0].joints), 3), np.nan)
    return {
        "joints": np.stack([person.joints for person in lifted.people]),
        "confidence": np.stack([person.confidence for person in lifted.people]),
        "up": np.stack([nobody if person.up is None else person.up for person in lifted.people]),
        "root": np.stack([nobody if person.root is None else person.root for person in lifted.people]),
        "intrinsics": lifted.lens.intrinsics,
        "described": np.array(json.dumps(described)),
    }


def lifted_from_arrays(arrays: dict[str, np.ndarray], people: int, frames: int) -> LiftedPeople:
    """The reverse of `lifted_arrays`. people, frames: how many there have to be. Any Exception if they are damaged."""
    described = json.loads(str(arrays["described"]))
    joints, confidence, up, root = (arrays[name] for name in ("joints", "confidence", "up", "root"))
    shapes = (joints.shape, confidence.shape, up.shape, root.shape, arrays["intrinsics"].shape)
    size = (people, frames)
    if shapes != ((*size, len(TAKE), 3), (*size, len(TAKE)), (*size, 3), (*size, 3), (3, 3)):
        raise ValueError(f"lifted people of shapes {shapes}")
    known = zip(described["up"], described["root"], described["warnings"], described["adaptation"], strict=True)
    lifted = [
        Lifted(
            TAKE.names,
            joints[row],
            confidence[row],
            up[row] if has_up else None,
            tuple(warnings),
            root[row] if has_root else None,
            adaptation,
        )
        for row, (has_up, has_root, warnings, adaptation) in enumerate(known)
    ]
    if len(lifted) != people:
        raise ValueError(f"{len(lifted)} lifted people")
    lens = Lens(arrays["intrinsics"], str(described["lens"]), described["uncertainty"])
    return LiftedPeople(tuple(lifted), lens)
