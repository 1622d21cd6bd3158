# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the stages, their cache, progress and cancellation: footage, detection, lifting, refinement, take.

Every stage is a function from one dataclass to the next (`Keypoints`, `LiftedPeople`, `Take`); only this file and the
stages in `stages/` know which step comes after which, and only this file knows of the cache.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..rigging.camera_path import CameraPath, read_camera
from ..rigging.joints import H36M17
from ..rigging.take import FileFormatError, Take, take_arrays
from .cache import StageCache, footage_identity, key_of
from .errors import UserError
from .files import save_arrays
from .keypoints import Keypoints, keypoints_arrays, keypoints_from_arrays
from .lens import FILM, focal_in_pixels, parse_distortion, without_distortion
from .lifting.lifter import Lifter
from .models import find_lifter
from .progress import Progress, Step
from .refinement.order import parse_in_front
from .root.table import DEFAULT, ROOTS
from .stages.known_camera import lens_of, refine_with_camera
from .stages.lifting import (
    ASSUMED,
    Lens,
    LiftedPeople,
    certainty_of,
    choose_lens,
    lift_people,
    lifted_arrays,
    lifted_from_arrays,
)
from .stages.people import believable, place_people
from .stages.refinement import refine_people, smoothed
from .stages.result import make_take, provenance
from .stages.source import Source, is_footage, read_source
from .stages.turning import CHOICES, Turning, how_it_turned, turned_lens
from .tracking.stitch import parse_stitches, stitch
from .world.given import parse_given

if TYPE_CHECKING:
    from .footage import FootageInfo

#: How much detection looks.
QUALITIES = ("draft", "standard", "thorough")
#: Raised whenever a stage's result changes for the same input: kept results of before are then no longer found.
_VERSIONS = {"detection": 5, "lifting": 4}


@dataclass(frozen=True)
class CaptureOptions:
    """What a user can choose.

    detector: name in `detection.base.DETECTORS`. quality: one of `QUALITIES`. max_persons: None for everybody.
    start, end: seconds of the footage. focal_length: pixels; fov: horizontal, degrees; camera: path of a known camera
    (`.camera.npz`); at most one of the three, without any the lens is found out or assumed. height: standing height of
    the first person, metres; None assumes one. smoothing: factor on how smooth the motion has to be. device: "auto",
    "cpu" or "cuda". lifter: "default", a name of the catalogue or the path of a checkpoint. stitch: tracks that are one
    person, as in "2=1,5=3": 2 becomes 1, 5 becomes 3. root: how a person is put into space, one of `root.table.ROOTS`.
    focal_mm: focal length in millimetres, the third way to say it; sensor: longer side of what it was filmed on,
    millimetres, 36 if nobody says. distortion: of the lens, "k1,k2,p1,p2" or "k1,k2,p1,p2,k3" as OpenCV has them.
    vertical: lines of the first frame that are vertical, "X,Y,X,Y" in pixels, several with semicolons; floor: two
    points of the floor and metres between them, "X,Y,X,Y=METRES".
    camera_motion: one of `stages.turning.CHOICES`: whether a camera that nobody knows turned; "auto" looks at the
    background. in_front: joints that are nearer than others, "NEARER,FARTHER,FROM,TO[,PERSON]" with seconds, several
    with semicolons. adapt_to_person: fit the lifter to each person's own keypoints, where that proves better.
    """

    detector: str = "mediapipe"
    quality: str = "standard"
    max_persons: int | None = None
    start: float | None = None
    end: float | None = None
    focal_length: float | None = None
    fov: float | None = None
    camera: str | None = None
    height: float | None = None
    smoothing: float = 1.0
    device: str = "auto"
    lifter: str = "default"
    stitch: str = ""
    root: str = DEFAULT
    camera_motion: str = "auto"
    focal_mm: float | None = None
    sensor: float | None = None
    distortion: str = ""
    vertical: str = ""
    floor: str = ""
    in_front: str = ""
    adapt_to_person: bool = False


def capture(
    source: str | Path,
    options: CaptureOptions,
    progress: Progress | None = None,
    cache: StageCache | None = None,
    identity: str | None = None,
) -> Take:
    """Footage, or people detected before, to a take.

    source: footage, a `.keypoints.npz` or a `.take.npz`; of the latter two the range, the detector, its quality and the
    number of people are what they are, whatever the options say. cache: where results of stages are looked for and
    kept. identity: what the footage is known by (a hash of it), where its place on disk says nothing.
    Raises UserError in one sentence, Cancelled if progress says so.
    """
    progress = progress or Progress()
    _check(options)
    # What cannot be opened should not cost an hour of detection first.
    lifter, camera = open_lifter(options), _open_camera(options)
    warnings: list[str] = []
    if is_footage(source):
        given = Source(_detection(source, options, progress, cache, identity, warnings))
    else:
        given = read_source(source)
    return _after_detection(given, lifter, camera, options, progress, cache, warnings)


def detect(video: str | Path, options: CaptureOptions, progress: Progress | None = None) -> Keypoints:
    """Footage to tracked people in 2D. Raises UserError, Cancelled."""
    _check(options)
    return _stitched(_detection(video, options, progress or Progress(), None, None, []), options)


def lift(keypoints: Keypoints, options: CaptureOptions, progress: Progress | None = None) -> Take:
    """Every stage after tracking. Raises UserError, Cancelled."""
    _check(options)
    lifter, camera = open_lifter(options), _open_camera(options)
    return _after_detection(Source(keypoints), lifter, camera, options, progress or Progress(), None, [])


def lift_file(source: str | Path, options: CaptureOptions, progress: Progress | None = None) -> Take:
    """The same for a `.keypoints.npz` or a `.take.npz`, of which names and a known camera are kept."""
    _check(options)
    given = read_source(source)
    lifter, camera = open_lifter(options), _open_camera(options)
    return _after_detection(given, lifter, camera, options, progress or Progress(), None, [])


def open_lifter(options: CaptureOptions, flip: bool = True) -> Lifter:
    """The lifter that the options name. flip: average with the mirror image.

    Raises UserError if its weights cannot be opened or do not give the joints of `H36M17` (the others of a take may be
    missing), or if it shall adapt and cannot.
    """
    from .lifting.table import open_weights

    lifter = open_weights(find_lifter(options.lifter), options.device, flip)
    missing = [name for name in H36M17.names if name not in lifter.info.gives]
    if missing:
        raise UserError(f"the lifter {lifter.info.weights} does not give {', '.join(missing)}, which a take needs")
    if options.adapt_to_person:
        from .lifting.adaptation.person import adaptable

        adaptable(lifter)
    return lifter


def write_take(path: str | Path, take: Take) -> None:
    """Write a take file, whole or not at all. Raises UserError."""
    save_arrays(path, take_arrays(take))


def _check(options: CaptureOptions) -> None:
    """Raise UserError if an option has a value that nothing can be done with."""
    if options.quality not in QUALITIES:
        raise UserError(f"there is no quality {options.quality!r}; choose one of: {', '.join(QUALITIES)}")
    if options.root not in ROOTS:
        raise UserError(f"there is no root {options.root!r}; choose one of: {', '.join(ROOTS)}")
    if options.height is not None and not 0.3 <= options.height <= 3.0:
        raise UserError(f"the height must lie between 0.3 and 3 metres, not {options.height:g}")
    if not 0.25 <= options.smoothing <= 4.0:
        raise UserError(f"the smoothing must lie between 0.25 and 4, not {options.smoothing:g}")
    if options.stitch:
        parse_stitches(options.stitch)
    if options.camera_motion not in CHOICES:
        raise UserError(f"the camera's motion must be one of {', '.join(CHOICES)}, not {options.camera_motion!r}")
    said = [options.focal_length is not None, options.fov is not None, options.focal_mm is not None]
    if options.camera is not None and any(said):
        raise UserError("a known camera knows its focal length: give the camera, the focal length or the field of view")
    if sum(said) > 1:
        raise UserError("give the focal length in pixels, in millimetres or as a field of view, not two of them")
    if options.sensor is not None and options.focal_mm is None:
        raise UserError("the width of the sensor says nothing without the focal length in millimetres; give both")
    if options.distortion:
        parse_distortion(options.distortion)
    parse_given(options.vertical, options.floor, (1, 1))
    parse_in_front(options.in_front)
    if options.camera is not None and (options.vertical or options.floor):
        raise UserError("a known camera knows its level and floor: give the camera, or --vertical and --floor")
    if options.height is not None and options.floor:
        raise UserError("the height of a person and a distance on the floor both say how large everything is; give one")


def _open_camera(options: CaptureOptions) -> CameraPath | None:
    if options.camera is None:
        return None
    try:
        return read_camera(options.camera)
    except (FileFormatError, FileNotFoundError) as error:
        raise UserError(str(error)) from None


def _detection(
    video: str | Path,
    options: CaptureOptions,
    progress: Progress,
    cache: StageCache | None,
    identity: str | None,
    warnings: list[str],
) -> Keypoints:
    from .detection.base import describe_detector
    from .footage import probe

    progress.step("footage", 0, 1)
    info = probe(video)
    progress.step("footage", 1, 1)
    if cache is None:
        return _look(video, info, options, progress)
    key = key_of(
        _VERSIONS["detection"],
        identity or footage_identity(video),
        describe_detector(options.detector),
        [options.quality, options.max_persons, options.start, options.end],
    )
    found = cache.get("detection", key, lambda arrays: keypoints_from_arrays(arrays, ""))
    if found is not None:
        progress.step("detection", 0, len(found.times), "frames")
        progress.report(Step("detection", len(found.times), len(found.times), reused=True))
        return replace(found, source={**found.source, "footage": Path(video).name})
    keypoints = _look(video, info, options, progress)
    _keep(cache, "detection", key, keypoints_arrays(keypoints), warnings)
    return keypoints


def _stitched(keypoints: Keypoints, options: CaptureOptions) -> Keypoints:
    """Not a part of what is kept of detection: people are stitched again without detecting again."""
    return stitch(keypoints, parse_stitches(options.stitch)) if options.stitch else keypoints


def _look(video: str | Path, info: FootageInfo, options: CaptureOptions, progress: Progress) -> Keypoints:
    from .detection.base import create_detector
    from .footage import prefetch, read_frames
    from .observe import MOST_PERSONS, observe

    most = options.max_persons or MOST_PERSONS
    detector = create_detector(options.detector, most, options.quality, options.device)
    warnings: list[str] = []
    frames = prefetch(read_frames(video, options.start, options.end, warnings=warnings))
    try:
        total = info.expected_frames(options.start, options.end)
        keypoints = observe(frames, info, detector, options.max_persons, progress, total)
    finally:
        frames.close()
        detector.close()
    source = {**keypoints.source, "footage": Path(video).name, "warnings": warnings}
    if info.focal_35mm is not None:
        source["focal_35mm"] = info.focal_35mm
    # In the precision of the file: what comes from memory, cache or file is then lifted to the same take.
    return replace(keypoints, keypoints=keypoints.keypoints.astype(np.float32), source=source)


def _after_detection(
    source: Source,
    lifter: Lifter,
    camera: CameraPath | None,
    options: CaptureOptions,
    progress: Progress,
    cache: StageCache | None,
    warnings: list[str],
) -> Take:
    """Lifting and refinement. warnings: of the capture so far."""
    keypoints = _stitched(source.keypoints, options)
    if camera is None and not _says_lens(options):
        camera = source.camera
    turning = Turning(None, "known")
    if camera is not None:
        lens = lens_of(camera, keypoints.image_size)
        distortion = None if camera.distortion is None else tuple(camera.distortion.tolist())
    else:
        turning = how_it_turned(keypoints, options.camera_motion)
        lens = choose_lens(keypoints, _focal_length(options, keypoints), options.fov, source.lens)
        lens = turned_lens(lens, turning, keypoints.image_size)
        distortion = parse_distortion(options.distortion) if options.distortion else None
    if source.straightened is not None:  # these keypoints are a take's, which has none left
        distortion = source.straightened
    elif distortion is not None:
        if lens.source == ASSUMED:
            raise UserError("a lens's distortion means nothing without its focal length; give both")
        keypoints = without_distortion(keypoints, lens.intrinsics, np.array(distortion))
        turning = replace(turning, motion=None if turning.motion is None else keypoints.background)
    lifted = _lifting(keypoints, lens, turning, lifter, options, progress, cache, warnings)
    people = place_people(keypoints, lifted, options.root)
    if not people:
        raise UserError("nobody was seen well enough in this footage to be put into space")
    people, left_out = believable(people, keypoints, lifted.lens.intrinsics)
    warnings = [*warnings, *left_out]
    smooth = replace(smoothed(options.smoothing), in_front=parse_in_front(options.in_front))
    if camera is not None:
        world = refine_with_camera(people, keypoints, lifted.lens, camera, smooth, options.height, progress)
    else:
        intrinsics = lifted.lens.intrinsics
        turns = turning.matrices(intrinsics)
        given = parse_given(options.vertical, options.floor, keypoints.image_size)
        if given is not None and distortion is not None:
            given = given.without_distortion(intrinsics, np.array(distortion))
        world = refine_people(people, keypoints, intrinsics, smooth, options.height, progress, turns, given)
        warnings = [*turning.complaints(intrinsics, keypoints.image_size), *warnings]
    chosen: dict[str, Any] = asdict(options)
    if options.camera is not None:
        chosen["camera"] = Path(options.camera).name
    metadata = provenance(people, keypoints, chosen, lifter.info, lifted.lens, [*world.warnings, *warnings])
    metadata |= {"camera_motion": turning.kind, "focal_length_certainty": certainty_of(lifted.lens)}
    said = {"level": options.vertical, "floor": options.floor, "scale": options.floor}
    metadata["stages"]["world"] |= {name: {"source": "given"} for name, value in said.items() if value}
    if distortion is not None:
        metadata["distortion"] = list(distortion)
    present = {str(person.identity) for person in people}
    names = {identity: name for identity, name in source.persons.items() if identity in present}
    if names:
        metadata["persons"] = names
    return make_take(people, keypoints, lifted.lens, world, metadata)


def _says_lens(options: CaptureOptions) -> bool:
    return any(value is not None for value in (options.focal_length, options.fov, options.focal_mm))


def _focal_length(options: CaptureOptions, keypoints: Keypoints) -> float | None:
    """Pixels, if the user says it in any way but the field of view."""
    if options.focal_mm is None:
        return options.focal_length
    return focal_in_pixels(keypoints.image_size, options.focal_mm, options.sensor or FILM)


def _lifting(
    keypoints: Keypoints,
    lens: Lens,
    turning: Turning,
    lifter: Lifter,
    options: CaptureOptions,
    progress: Progress,
    cache: StageCache | None,
    warnings: list[str],
) -> LiftedPeople:
    def anew() -> LiftedPeople:
        def draft() -> Lifter:
            return open_lifter(options, flip=False)

        return lift_people(keypoints, lens, lifter, draft, progress, turning.matrices, options.adapt_to_person)

    if cache is None:
        return anew()
    # A background that rests changes nothing, and takes do not keep it.
    arrays = keypoints_arrays(replace(keypoints, background=turning.motion))
    content = {name: value for name, value in arrays.items() if value.dtype.kind in "iuf"}
    key = key_of(
        _VERSIONS["lifting"],
        sorted(content),
        *(content[name] for name in sorted(content)),
        keypoints.keypoint_names,
        asdict(lifter.info),
        lens.intrinsics,
        lens.source,
        options.adapt_to_person,
    )
    count, frames = len(keypoints.person_ids), len(keypoints.times)
    found = cache.get("lifting", key, lambda arrays: lifted_from_arrays(arrays, count, frames))
    if found is not None:
        progress.step("lifting", 0, count)
        progress.report(Step("lifting", count, count, "steps", reused=True))
        return found
    lifted = anew()
    _keep(cache, "lifting", key, lifted_arrays(lifted), warnings)
    return lifted


def _keep(cache: StageCache, stage: str, key: str, arrays: dict[str, np.ndarray], warnings: list[str]) -> None:
    problem = cache.put(stage, key, arrays)
    if problem is not None:
        warnings.append(problem)
