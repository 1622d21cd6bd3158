# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage to tracked people in 2D: detection, grouping and tracking, one frame after the other.

On the way the background is followed, which says how the camera turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..rigging.joints import KEYPOINTS
from .background.tracker import BackgroundTracker
from .detection.base import BatchDetector, Candidates, Detector, person_boxes, rows_of, sureness
from .detection.convert import joint_set_of
from .errors import Cancelled, UserError
from .footage import FootageInfo, Frame
from .grouping.people import group_people
from .keypoints import Keypoints
from .progress import Progress, Step
from .tracking.appearance import colours_of
from .tracking.finish import finish_tracks
from .tracking.tracker import Tracker, Tracks

STAGE = "detection"

#: People to look for when the user does not say: everybody, up to what still runs in reasonable time.
MOST_PERSONS = 16


def observe(
    frames: Iterable[Frame],
    info: FootageInfo,
    detector: Detector,
    max_persons: int | None = None,
    progress: Progress | None = None,
    total: int | None = None,
) -> Keypoints:
    """The people in footage, tracked, on the `KEYPOINTS` set.

    frames: in order; held one at a time, or as many as the detector looks at together. max_persons: keep the most
    prominent people only (frames x confidence x size); None keeps all. A person counts who is seen in at least 5 frames
    and 0.4 s, or in half of the frames of shorter footage. total: frames to expect, for progress.
    Raises UserError if there is no frame or no person, Cancelled if progress says so.
    """
    progress = progress or Progress()
    joints = joint_set_of(detector.names)
    rows, back = rows_of(detector.names, KEYPOINTS.names), rows_of(KEYPOINTS.names, detector.names)
    tracker = Tracker(KEYPOINTS.names, max_persons)
    background = BackgroundTracker()
    least = getattr(detector, "least_confidence", 0.0)
    done, seen = 0, 0
    for frame, candidates in _looked_at(frames, detector, progress):
        people = group_people(candidates, joints, _reordered(tracker.current, back))
        people = people[sureness(people) >= least]
        people = _reordered(people, rows)
        tracker.update(people, frame.time, colours_of(frame.image, people, KEYPOINTS.names))
        background.update(frame.image, person_boxes(people))
        done, seen = done + 1, seen + bool(len(people))
        progress.report(Step(STAGE, done, max(total, done) if total is not None else None))
    tracks = tracker.finish()
    _check(tracks, seen, info)
    whole = finish_tracks(tracks.keypoints, tracks.times, tracks.person_ids, KEYPOINTS.names, tracks.suggestions)
    return Keypoints(
        fps=info.fps,
        times=tracks.times,
        image_size=(info.width, info.height),
        keypoint_names=KEYPOINTS.names,
        person_ids=tracks.person_ids,
        keypoints=whole.keypoints,
        source={**detector.source, "tracking": whole.note},
        background=background.finish(),
    )


def _looked_at(frames: Iterable[Frame], detector: Detector, progress: Progress) -> Iterator[tuple[Frame, Candidates]]:
    """Every frame with its candidates. Raises Cancelled if progress says so."""
    several = detector if isinstance(detector, BatchDetector) else None

    def look(together: Sequence[Frame]) -> Iterator[tuple[Frame, Candidates]]:
        if progress.cancelled():
            raise Cancelled("detection was stopped")
        images, times = [frame.image for frame in together], [frame.time for frame in together]
        if several is not None:
            return zip(together, several.detect_many(images, times), strict=True)
        return iter([(frame, detector.detect(frame.image, frame.time)) for frame in together])

    waiting: list[Frame] = []
    for frame in frames:
        waiting.append(frame)
        if several is None or len(waiting) >= several.batch:
            yield from look(waiting)
            waiting = []
    if waiting:
        yield from look(waiting)


def _check(tracks: Tracks, seen: int, info: FootageInfo) -> None:
    """Raise UserError if there is nothing to go on with."""
    if not len(tracks.times):
        raise UserError(f"{info.path} has no frames to look at")
    if not seen:
        raise UserError(f"no person was found in {info.path}")
    if not len(tracks.person_ids):
        raise UserError(
            f"no person was seen long enough in {info.path}: somebody in {seen} of {len(tracks.times)} frames, "
            "but at least 5 frames and 0.4 s of one person are needed"
        )


def _reordered(people: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(M, K', 3) people with their keypoints in another order; rows of -1 are missing."""
    out = people[:, rows].astype(np.float64)
    out[:, rows < 0] = (np.nan, np.nan, 0)
    return out
