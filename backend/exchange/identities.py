# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who in imported frames: as the files say, else by the tracker that follows detected people, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..detection.base import person_scales
from ..errors import UserError
from ..tracking.finish import suggestions_among
from ..tracking.tracker import Suggestion, Tracker, TrackingOptions
from .people import ForeignPeople

#: These people were found and grouped by somebody else already: a track counts as a ghost only if it is very short.
_TRACKING = TrackingOptions(least_confidence=0.0, least_torso=0.0)


@dataclass(frozen=True)
class Identified:
    """P people over F frames: person_ids (P,), keypoints (P, F, K, 3), NaN, NaN, 0 where missing; names of people by
    id, of whom the files name; warnings, one sentence each; suggestions, who might be one."""

    person_ids: np.ndarray
    keypoints: np.ndarray
    names: dict[int, str]
    warnings: list[str]
    suggestions: tuple[Suggestion, ...] = ()


def identify(
    frames: Mapping[int, np.ndarray],
    foreign: ForeignPeople,
    numbers: Sequence[int],
    fps: float,
    max_persons: int | None,
) -> Identified:
    """Put the people of frames into rows.

    frames: by number, (M, K, 3) cleaned points. foreign: whose identities count if everybody has one. numbers: (F,)
    of all frames; nobody is seen in those that are not in `frames`. Raises UserError if nobody is left.
    """
    told = [who for number in frames for who in foreign.identities.get(number, [])]
    complete = None not in told
    doubled = complete and any(len(set(who)) < len(who) for who in foreign.identities.values())
    if complete and not doubled:
        found = _most_prominent(_seen(_as_told(frames, foreign, numbers)), max_persons)
        times = np.array(numbers) / fps
        return replace(found, suggestions=suggestions_among(found.keypoints, times, found.person_ids))
    return _most_prominent(_seen(_tracked(frames, foreign, numbers, fps, doubled)), max_persons)


def _as_told(frames: Mapping[int, np.ndarray], foreign: ForeignPeople, numbers: Sequence[int]) -> Identified:
    identities = list(dict.fromkeys(who for number in sorted(frames) for who in foreign.identities[number]))
    numbered = all(isinstance(identity, int) for identity in identities)
    identities = sorted(identities, key=lambda identity: int(str(identity))) if numbered else identities
    rows = {identity: row for row, identity in enumerate(identities)}
    places = {number: place for place, number in enumerate(numbers)}
    keypoints = _nobody(len(rows), len(numbers), len(foreign.joints.names))
    for number, people in frames.items():
        for identity, person in zip(foreign.identities[number], people, strict=True):
            keypoints[rows[identity], places[number]] = person
    if numbered:
        ids = [int(str(identity)) for identity in identities]
        names = {int(str(identity)): name for identity, name in foreign.names.items() if identity in rows}
    else:
        ids = list(range(1, len(identities) + 1))
        names = {row: str(identity) for row, identity in enumerate(identities, 1)}
    return Identified(np.array(ids, np.int64), keypoints, names, [])


def _tracked(
    frames: Mapping[int, np.ndarray], foreign: ForeignPeople, numbers: Sequence[int], fps: float, doubled: bool
) -> Identified:
    """doubled: whether the files give people of one frame the same identity."""
    joints = foreign.joints
    parts = {row for rows in joints.made.values() for row in rows}
    used = [row for row, name in enumerate(joints.names) if name or row in parts]
    tracker = Tracker([joints.names[row] or f"point_{row}" for row in used], options=_TRACKING)
    for number in numbers:
        people = frames[number][:, used] if number in frames else np.zeros((0, len(used), 3))
        tracker.update(people[(people[..., 2] > 0).any(-1)], number / fps)
    tracks = tracker.finish()
    if not len(tracks.person_ids):
        raise UserError("nobody in these files is seen in enough frames to be followed: 5 frames and 0.4 s are needed")
    keypoints = _nobody(len(tracks.person_ids), len(numbers), len(joints.names))
    keypoints[:, :, used] = tracks.keypoints
    warnings = []
    if doubled:
        warnings.append("the files give several people of a frame the same identity, so people are tracked anew")
    elif len(keypoints) > 1:
        warnings.append("the files do not say who is who from frame to frame, so people are tracked")
    if tracks.dropped:
        warnings.append(f"{tracks.dropped} people who are seen in a few frames only are left out")
    return Identified(tracks.person_ids, keypoints, {}, warnings, tracks.suggestions)


def _seen(found: Identified) -> Identified:
    """Without people who have no point in any frame; `clean` has seen to it that somebody is left."""
    rows = (found.keypoints[..., 2] > 0).any((1, 2))
    names = {identity: name for identity, name in found.names.items() if identity in found.person_ids[rows]}
    return _only(replace(found, names=names), np.flatnonzero(rows))


def _most_prominent(found: Identified, most: int | None) -> Identified:
    """At most so many people: those who are seen longest, surest and largest."""
    if most is None or len(found.person_ids) <= most:
        return found
    weight = (found.keypoints[..., 2].mean(-1) * np.nan_to_num(person_scales(found.keypoints))).sum(-1)
    rows = np.sort(np.argsort(-weight, kind="stable")[:most])
    left = len(found.person_ids) - most
    warnings = [*found.warnings, f"{left} less prominent people are left out"]
    return _only(replace(found, warnings=warnings), rows)


def _only(found: Identified, rows: np.ndarray) -> Identified:
    """The people of some rows."""
    ids = found.person_ids[rows]
    among = tuple(each for each in found.suggestions if each.first in ids and each.second in ids)
    return replace(found, person_ids=ids, keypoints=found.keypoints[rows], suggestions=among)


def _nobody(people: int, frames: int, joints: int) -> np.ndarray:
    out = np.full((people, frames, joints, 3), np.nan)
    out[..., 2] = 0.0
    return out
