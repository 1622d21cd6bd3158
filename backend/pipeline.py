# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the stages: footage, detection, grouping, tracking, lifting, root, refinement, world, take.

Every stage is a function from one dataclass to the next; only this file knows which comes after which.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..rigging.joints import TAKE
from ..rigging.take import Take, take_arrays
from .camera import guess_intrinsics
from .errors import Cancelled, UserError
from .files import save_arrays
from .keypoints import Keypoints
from .lifting.lifter import Lifted, Lifter
from .progress import Progress, Step
from .refinement.body import measure_links
from .refinement.focal import estimate_focal, misfit
from .refinement.refine import Evidence, refine
from .refinement.stretches import place, stretches
from .world.contacts import FOOT_ROWS, contact_probability, middle_of_feet, resting_weight
from .world.ground import Ground, fit_ground, mean_up, world_from_camera

#: The lifter that ships with the project.
DEFAULT_WEIGHTS = Path(__file__).parent / "lifting" / "weights" / "temporal-coco17-take26.safetensors"
_VERSION = 1


@dataclass(frozen=True)
class CaptureOptions:
    """What a user can choose.

    detector: name in `detection.base.DETECTORS`. max_persons: None for everybody. start, end: seconds of the footage.
    focal_length: pixels; fov: horizontal, degrees; neither: assumed. device: "auto", "cpu" or "cuda".
    lifter: "default" or the path of a checkpoint.
    """

    detector: str = "mediapipe"
    max_persons: int | None = None
    start: float | None = None
    end: float | None = None
    focal_length: float | None = None
    fov: float | None = None
    device: str = "auto"
    lifter: str = "default"


@dataclass
class _Person:
    """One person on the way through the stages, over all F frames of the footage.

    lifted: of the lifter. positions: (F, 26, 3) metres in camera axes, NaN where nothing is known.
    parts: the stretches in which something is. contacts: (F, 4).
    """

    identity: int
    keypoints: np.ndarray
    lifted: Lifted
    positions: np.ndarray
    parts: list[slice]
    contacts: np.ndarray


def capture(video: str | Path, options: CaptureOptions, progress: Progress | None = None) -> Take:
    """Footage to a take. Raises UserError in one sentence, Cancelled if progress says so."""
    lifter = open_lifter(options)  # weights that cannot be opened should not cost an hour of detection first
    return _lift_with(lifter, detect(video, options, progress), options, progress)


def detect(video: str | Path, options: CaptureOptions, progress: Progress | None = None) -> Keypoints:
    """Footage to tracked people in 2D. Raises UserError, Cancelled."""
    from .detection.base import create_detector
    from .footage import prefetch, probe, read_frames
    from .observe import MOST_PERSONS, observe

    info = probe(video)
    detector = create_detector(options.detector, options.max_persons or MOST_PERSONS)
    warnings: list[str] = []
    frames = prefetch(read_frames(video, options.start, options.end, warnings=warnings))
    try:
        total = info.expected_frames(options.start, options.end)
        keypoints = observe(frames, info, detector, options.max_persons, progress, total)
    finally:
        frames.close()
        detector.close()
    source = {**keypoints.source, "footage": Path(video).name, "warnings": warnings}
    return replace(keypoints, source=source)


def lift(keypoints: Keypoints, options: CaptureOptions, progress: Progress | None = None) -> Take:
    """Every stage after tracking. Raises UserError, Cancelled."""
    return _lift_with(open_lifter(options), keypoints, options, progress)


def _lift_with(lifter: Lifter, keypoints: Keypoints, options: CaptureOptions, progress: Progress | None) -> Take:
    progress = progress or Progress()
    if not (keypoints.keypoints[..., 2] > 0).any():
        raise UserError("nobody was seen in these keypoints: no point has a confidence above 0")
    _report(progress, "lifting", 0, len(keypoints.person_ids))
    intrinsics, focal_source = _camera(keypoints, options)
    if focal_source == "assumed":
        intrinsics, focal_source = _observed_focal(keypoints, options, intrinsics)
    people = []
    for row, identity in enumerate(keypoints.person_ids):
        _report(progress, "lifting", row, len(keypoints.person_ids))
        person = _lift_person(keypoints, row, int(identity), lifter, intrinsics)
        if person.parts:
            people.append(person)
    _report(progress, "lifting", len(keypoints.person_ids), len(keypoints.person_ids))
    if not people:
        raise UserError("nobody was seen well enough in this footage to be put into space")
    tilt = _tilt(people)
    for number, person in enumerate(people):
        _report(progress, "refinement", 2 * number, 2 * len(people))
        _refine_person(person, keypoints, intrinsics)
    ground = _find_ground(people, keypoints.times, tilt)
    for number, person in enumerate(people):
        _report(progress, "refinement", 2 * number + 1, 2 * len(people))
        _find_contacts(person, keypoints.times, ground, number)
        _refine_person(person, keypoints, intrinsics)
    _report(progress, "refinement", 2 * len(people), 2 * len(people))
    ground = _find_ground(people, keypoints.times, ground.up)
    return _take(people, keypoints, intrinsics, ground, _metadata(keypoints, options, lifter, people, focal_source))


def open_lifter(options: CaptureOptions, flip: bool = True) -> Lifter:
    """The lifter that the options name. flip: average with the mirror image.

    Raises UserError if its weights cannot be opened or do not give every joint of a take.
    """
    from .lifting.table import LIFTERS

    path = DEFAULT_WEIGHTS if options.lifter == "default" else Path(options.lifter)
    lifter = LIFTERS["temporal"](path, options.device, flip)
    missing = [name for name in TAKE.names if name not in lifter.info.gives]
    if missing:
        raise UserError(f"the lifter {lifter.info.weights} does not give {', '.join(missing)}, which a take needs")
    return lifter


def write_take(path: str | Path, take: Take) -> None:
    """Write a take file, whole or not at all. Raises UserError."""
    save_arrays(path, take_arrays(take))


def _camera(keypoints: Keypoints, options: CaptureOptions) -> tuple[np.ndarray, str]:
    given = options.focal_length is not None or options.fov is not None
    if keypoints.intrinsics is not None and not given:
        return keypoints.intrinsics, "keypoints file"
    return guess_intrinsics(keypoints.image_size, options.focal_length, options.fov)


def _observed_focal(keypoints: Keypoints, options: CaptureOptions, assumed: np.ndarray) -> tuple[np.ndarray, str]:
    """The assumed intrinsics (3, 3), or corrected ones if the first person's perspective contradicts them."""
    lifter = open_lifter(options, flip=False)
    if not lifter.info.needs_camera:
        return assumed, "assumed"
    visible = (keypoints.keypoints[..., 2] > 0).any(-1)
    row = int(np.flatnonzero(visible.any(-1))[0])
    seen = np.flatnonzero(visible[row])
    # Ten seconds show as much perspective as an hour.
    part = slice(int(seen[0]), int(min(seen[-1] + 1, seen[0] + 10 * keypoints.fps + 1)))
    points, times = keypoints.keypoints[row, part], keypoints.times[part]

    def with_factor(factor: float) -> np.ndarray:
        return assumed * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]])

    def cost(factor: float) -> float:
        intrinsics = with_factor(factor)
        lifted = _take_joints(lifter.lift(points, keypoints.keypoint_names, times, intrinsics, keypoints.image_size))
        return misfit(lifted.joints, points, keypoints.keypoint_names, intrinsics)

    factor = estimate_focal(cost)
    return (assumed, "assumed") if factor == 1.0 else (with_factor(factor), "estimated from perspective")


def _report(progress: Progress, stage: str, done: int, total: int) -> None:
    if progress.cancelled():
        raise Cancelled(f"{stage} was stopped")
    progress.report(Step(stage, done, total, "steps"))


def _lift_person(keypoints: Keypoints, row: int, identity: int, lifter: Lifter, intrinsics: np.ndarray) -> _Person:
    points = keypoints.keypoints[row]
    lifted = _take_joints(
        lifter.lift(points, keypoints.keypoint_names, keypoints.times, intrinsics, keypoints.image_size)
    )
    positions = np.full(lifted.joints.shape, np.nan)
    parts = []
    for part in stretches(np.isfinite(lifted.joints).all((1, 2))):
        placed = place(lifted.joints[part], points[part], keypoints.keypoint_names, intrinsics)
        if placed is not None:
            positions[part] = placed
            parts.append(part)
    return _Person(identity, points, lifted, positions, parts, np.zeros((len(points), len(FOOT_ROWS))))


def _take_joints(lifted: Lifted) -> Lifted:
    """The same with the joints of a take, in its order."""
    order = [lifted.joint_names.index(name) for name in TAKE.names]
    return replace(
        lifted, joint_names=TAKE.names, joints=lifted.joints[:, order], confidence=lifted.confidence[:, order]
    )


def _tilt(people: list[_Person]) -> np.ndarray:
    """World's up in camera axes (3,), from every frame of every person; level if the lifter does not know it."""
    votes = [person.lifted.up for person in people if person.lifted.up is not None]
    if not votes:
        return np.array([0.0, -1.0, 0.0])
    weights = [person.lifted.confidence.mean(-1) for person in people if person.lifted.up is not None]
    return mean_up(np.concatenate(votes), np.concatenate(weights))


def _refine_person(person: _Person, keypoints: Keypoints, intrinsics: np.ndarray) -> None:
    believed = np.where(np.isfinite(person.lifted.joints).all(-1), person.lifted.confidence, 0.0)
    links = measure_links(person.lifted.joints, np.maximum(believed, 1e-3 * (believed.max(-1, keepdims=True) > 0)))
    for part in person.parts:
        evidence = Evidence(
            keypoints.times[part],
            person.keypoints[part],
            keypoints.keypoint_names,
            intrinsics,
            person.lifted.joints[part],
            0.1 + 0.9 * person.lifted.confidence[part],
            links,
            person.contacts[part],
        )
        person.positions[part] = refine(evidence, person.positions[part])


def _find_ground(people: list[_Person], times: np.ndarray, up: np.ndarray) -> Ground:
    feet, standing = [], []
    for person in people:
        parts = [(person.positions[part][:, FOOT_ROWS], times[part]) for part in person.parts]
        feet.append(np.concatenate([middle_of_feet(points) for points, _ in parts]))
        standing.append(np.concatenate([resting_weight(points, clock, up) for points, clock in parts]))
    ground = fit_ground(up, feet, standing)
    if np.isfinite(ground.height):
        return ground
    # Nobody ever stands: the lowest foot is as near to the floor as can be said.
    lowest = min(float(np.nanpercentile(points @ ground.up, 2)) for points in feet)
    return replace(ground, height=-lowest)


def _find_contacts(person: _Person, times: np.ndarray, ground: Ground, number: int) -> None:
    floor = -ground.height / float(ground.sizes[number])
    for part in person.parts:
        feet = person.positions[part][:, FOOT_ROWS]
        person.contacts[part] = contact_probability(feet, times[part], ground.up, floor)


def _take(
    people: list[_Person], keypoints: Keypoints, intrinsics: np.ndarray, ground: Ground, metadata: dict[str, object]
) -> Take:
    for number, person in enumerate(people):
        _find_contacts(person, keypoints.times, ground, number)
    joints = np.stack([size * person.positions for size, person in zip(ground.sizes, people, strict=True)])
    first = np.flatnonzero(np.isfinite(joints[0, :, 0]).all(-1))
    origin = joints[0, first[: max(1, round(keypoints.fps))], 0].mean(0)
    to_world = world_from_camera(ground, origin)
    world = joints @ to_world[:3, :3].T + to_world[:3, 3]
    confidence = np.stack([person.lifted.confidence for person in people])
    return Take(
        fps=keypoints.fps,
        times=keypoints.times,
        image_size=np.array(keypoints.image_size),
        intrinsics=intrinsics,
        world_to_camera=np.linalg.inv(to_world)[None],
        joint_names=TAKE.names,
        joint_parents=TAKE.parents,
        person_ids=np.array([person.identity for person in people]),
        joints=world.astype(np.float32),
        joints_confidence=np.where(np.isfinite(world).all(-1), confidence, 0.0).astype(np.float32),
        keypoint_names=keypoints.keypoint_names,
        keypoints=np.stack([person.keypoints for person in people]).astype(np.float32),
        contacts=np.stack([person.contacts for person in people]).astype(np.float32),
        metadata=metadata,
    )


def _metadata(
    keypoints: Keypoints, options: CaptureOptions, lifter: Lifter, people: list[_Person], focal_source: str
) -> dict[str, object]:
    """Provenance: nothing in it changes from one run to the next of the same capture."""
    noticed = list(keypoints.source.get("warnings") or [])  # type: ignore[call-overload]
    if focal_source == "assumed":
        noticed.append("the focal length is assumed; give --focal-length or --fov if you know it")
    for person in people:
        noticed.extend(warning for warning in person.lifted.warnings if warning not in noticed)
    detection = {key: value for key, value in keypoints.source.items() if key not in ("footage", "warnings")}
    return {
        "footage": keypoints.source.get("footage"),
        "options": asdict(options),
        "focal_length": focal_source,
        "stages": {
            "detection": detection,
            "lifting": {
                "name": lifter.info.name,
                "weights": lifter.info.weights,
                "sha256": lifter.info.sha256,
                "licence": lifter.info.licence,
                "acknowledgements": lifter.info.acknowledgements,
            },
            "root": {"name": "linear", "version": _VERSION},
            "refinement": {"name": "banded least squares", "version": _VERSION},
            "world": {"name": "lifted up and standing feet", "version": _VERSION},
        },
        "warnings": noticed,
    }
