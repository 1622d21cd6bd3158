# SPDX-License-Identifier: GPL-3.0-or-later
"""The last step of a capture: people in a world, and where all of it comes from, to a take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...rigging.joints import TAKE
from ...rigging.report.measure import with_report
from ...rigging.take import Take
from ..keypoints import Keypoints
from ..lifting.confidence import converted_joints
from ..lifting.lifter import LifterInfo
from ..root.table import DEFAULT
from ..world.ground import Ground
from .lifting import ASSUMED, KNOWN_CAMERA, Lens
from .people import Person
from .refinement import World

_VERSION = 1
_UP_FROM_LIFTER = "lifted up and standing feet"
_UP_FROM_POSTURE = "posture and standing feet"


def make_take(
    people: Sequence[Person], keypoints: Keypoints, lens: Lens, world: World, metadata: dict[str, Any]
) -> Take:
    """The take of people in a world, with its report."""
    confidence = np.stack([person.lifted.confidence for person in people])
    known = np.isfinite(world.joints).all(-1)
    take = Take(
        fps=keypoints.fps,
        times=keypoints.times,
        image_size=np.array(keypoints.image_size),
        intrinsics=lens.intrinsics,
        world_to_camera=world.world_to_camera,
        joint_names=TAKE.names,
        joint_parents=TAKE.parents,
        person_ids=np.array([person.identity for person in people]),
        joints=world.joints.astype(np.float32),
        joints_confidence=np.where(known, confidence, 0.0).astype(np.float32),
        keypoint_names=keypoints.keypoint_names,
        keypoints=np.stack([person.keypoints for person in people]).astype(np.float32),
        contacts=world.contacts.astype(np.float32),
        metadata=_with_certainties(metadata, world.ground),
    )
    return with_report(take)


def provenance(
    people: Sequence[Person],
    keypoints: Keypoints,
    options: Mapping[str, Any],
    lifter: LifterInfo,
    lens: Lens,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """A take's metadata: nothing in it changes from one run to the next of the same capture.

    options: JSON-able. warnings: of the stages after lifting. What the keypoints say of footage, detector and warnings
    is kept, so that lifting a take again loses nothing.
    """
    up = _UP_FROM_LIFTER if lifter.gives_up else _UP_FROM_POSTURE
    noticed: list[str] = list(keypoints.source.get("warnings") or [])  # type: ignore[call-overload]
    if lens.source == ASSUMED:
        noticed.append("the focal length is assumed; give it or the field of view if you know one of them")
    missing = [name for name in TAKE.names if name not in lifter.gives]
    if missing:
        noticed.append(f"the lifter {lifter.weights} does not give {', '.join(missing)}: the take is without them")
    if not lifter.gives_up and lens.source != KNOWN_CAMERA:
        noticed.append("the lifter does not know which way is up: the level is taken from how people stand")
    for warning in (*(text for person in people for text in person.lifted.warnings), *warnings):
        if warning not in noticed:
            noticed.append(warning)
    return {
        "footage": keypoints.source.get("footage"),
        "options": dict(options),
        "focal_length": lens.source,
        "stages": {
            "detection": {key: value for key, value in keypoints.source.items() if key != "footage"},
            "lifting": {
                "name": lifter.name,
                "weights": lifter.weights,
                "sha256": lifter.sha256,
                "licence": lifter.licence,
                "acknowledgements": lifter.acknowledgements,
                "converted": list(converted_joints(keypoints.keypoint_names, lifter.needs)),
                "missing": missing,
                **_adaptations(people),
            },
            "root": {"name": options.get("root", DEFAULT), "version": _VERSION},
            "refinement": {
                "name": "banded least squares",
                "version": _VERSION,
                "frames_worse_than_lifted": {
                    str(person.identity): int(person.worse.sum()) for person in people if person.worse is not None
                },
            },
            "world": {"name": up if lens.source != KNOWN_CAMERA else KNOWN_CAMERA, "version": _VERSION},
        },
        "warnings": noticed,
    }


def _adaptations(people: Sequence[Person]) -> dict[str, Any]:
    """What became of fitting the lifter to each person, if anybody asked for it."""
    found = {str(person.identity): person.lifted.adaptation for person in people}
    return {"adapted": found} if any(each is not None for each in found.values()) else {}


def _with_certainties(metadata: dict[str, Any], ground: Ground | None) -> dict[str, Any]:
    """The metadata with how well level, floor and scale are known, in words, of a world that had to be found."""
    if ground is None:
        return metadata
    certainties = {"level": f"within about {ground.tilt_error:.1f} degrees"}
    if np.isfinite(ground.height_error):
        certainties["floor"] = f"within about {100 * ground.height_error:.0f} cm"
    if metadata["options"].get("height") is None:
        certainties["scale"] = f"within about {100 * float(np.mean(ground.size_errors)):.0f} %"
    stages = dict(metadata["stages"])
    world = stages["world"]
    stages["world"] = world | {key: {**world.get(key, {}), "certainty": value} for key, value in certainties.items()}
    return metadata | {"stages": stages}
