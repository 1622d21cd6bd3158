# SPDX-License-Identifier: GPL-3.0-or-later
"""The people of a take: names, merge, split, swap, delete. Every function gives a new take and leaves the old one.

What tracking got wrong an animator mends here: somebody who was lost and found again is two people until merged; two
who crossed and were exchanged are swapped. Names lie in `metadata["persons"]`, from the id as text to the name.
All raise ValueError, in one sentence, for a person or a time that the take does not have. Times are seconds from the
first frame of the footage, people are told by their ids.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .take import Take

#: Longer names would not fit into Blender's data-block names (63 bytes) with what is put around them.
_LONGEST = 40
#: The arrays of a take with a row for each person.
_ROWS = ("joints", "joints_confidence", "keypoints", "contacts")
#: What stands there for somebody who is not in the picture.
_MISSING: dict[str, Any] = {"joints": np.nan, "joints_confidence": 0, "keypoints": (np.nan, np.nan, 0), "contacts": 0}


def person_row(take: Take, person: int) -> int:
    """Row of a person in the take's arrays."""
    ids = [int(number) for number in take.person_ids]
    if person not in ids:
        raise ValueError(f"the take has no person {person}; it has {', '.join(map(str, ids)) or 'nobody'}")
    return ids.index(person)


def person_name(take: Take, person: int) -> str:
    """The person's name, "Person 3" as long as nobody gave one."""
    name = _names(take).get(str(person))
    return name if isinstance(name, str) and name.strip() else f"Person {person}"


def rename_person(take: Take, person: int, name: str) -> Take:
    """Give a person a name; an empty one takes it away. Two people of a take cannot have the same."""
    person_row(take, person)
    name = " ".join(name.split())
    if len(name) > _LONGEST:
        raise ValueError(f"the name has {len(name)} letters; give one of at most {_LONGEST}")
    others = {person_name(take, int(other)) for other in take.person_ids if int(other) != person}
    if name in others:
        raise ValueError(f"somebody else of this take is called {name}; choose another name")
    return _with_names(take, _names(take) | {str(person): name})


def merge_persons(take: Take, first: int, second: int) -> Take:
    """One person who was seen in two pieces: `first` gets the frames of `second`, who is gone.

    Where both were seen, each frame is the more confident one's, the 2D keypoints and the 3D joints (with the contacts)
    each by their own mean confidence: frames are not mixed of two bodies. The name is the first's, else the second's.
    """
    if first == second:
        raise ValueError("a person cannot be merged with themselves; choose two")
    kept, gone = person_row(take, first), person_row(take, second)
    in_3d = take.joints_confidence[gone].sum(-1) > take.joints_confidence[kept].sum(-1)
    in_2d = take.keypoints[gone, ..., 2].sum(-1) > take.keypoints[kept, ..., 2].sum(-1)
    arrays = {key: getattr(take, key).copy() for key in _ROWS}
    for key in _ROWS:
        frames = in_2d if key == "keypoints" else in_3d
        arrays[key][kept][frames] = arrays[key][gone][frames]
    names = _names(take)
    if not names.get(str(first)) and names.get(str(second)):
        names = names | {str(first): names[str(second)]}
    merged = _changed(replace(take, **arrays), {first: first, second: first})
    return delete_person(_with_names(merged, names), second)


def split_person(take: Take, person: int, time: float) -> Take:
    """Make somebody new of a person's frames from `time` on; the new person, who comes last, has the next free id."""
    row = person_row(take, person)
    later = take.times >= time
    seen = seen_frames(take, person)
    if not (seen & later).any() or not (seen & ~later).any():
        raise ValueError(
            f"{person_name(take, person)} is not seen both before and after {time:.2f} s; "
            "split between two frames that show them"
        )
    arrays = {key: np.concatenate([getattr(take, key), getattr(take, key)[row : row + 1]]) for key in _ROWS}
    for key, values in arrays.items():
        values[row, later] = _MISSING[key]
        values[-1, ~later] = _MISSING[key]
    new = max(int(number) for number in take.person_ids) + 1
    return _changed(replace(take, person_ids=np.append(take.person_ids, new), **arrays), {person: None})


def swap_persons(take: Take, first: int, second: int, start: float | None = None, end: float | None = None) -> Take:
    """Exchange two people from `start` to `end` (both inclusive; without, from the beginning and to the end)."""
    if first == second:
        raise ValueError("a person cannot be swapped with themselves; choose two")
    rows = [person_row(take, first), person_row(take, second)]
    low = -np.inf if start is None else start
    high = np.inf if end is None else end
    frames = (take.times >= low) & (take.times <= high)
    if not frames.any():
        raise ValueError(
            f"no frame lies between the two times; the take goes from {take.times[0]:.2f} to {take.times[-1]:.2f} s"
        )
    arrays = {key: getattr(take, key).copy() for key in _ROWS}
    for values in arrays.values():
        values[rows[0]][frames], values[rows[1]][frames] = (
            values[rows[1]][frames].copy(),
            values[rows[0]][frames].copy(),
        )
    return _changed(replace(take, **arrays), {first: None, second: None})


def delete_person(take: Take, person: int) -> Take:
    """A take without a person; the last one cannot go."""
    row = person_row(take, person)
    if len(take.person_ids) == 1:
        raise ValueError("the take has only this person; delete the take instead")
    keep = np.arange(len(take.person_ids)) != row
    rows = {key: getattr(take, key)[keep] for key in _ROWS}
    names = {key: name for key, name in _names(take).items() if key != str(person)}
    kept = replace(take, person_ids=np.asarray(take.person_ids)[keep], **rows)
    return _changed(_with_names(kept, names), {person: None})


def suggested_merges(take: Take) -> list[tuple[int, int, float]]:
    """(a person, another who may be the same, how likely 0..1) as tracking suggests them, the likeliest first."""
    ids = {int(person) for person in take.person_ids}
    found = []
    for said in _tracking(take).get("suggestions") or []:
        persons, probability = (
            (said.get("persons"), said.get("probability")) if isinstance(said, dict) else (None, None)
        )
        if isinstance(persons, list) and len(persons) == 2 and set(persons) <= ids and isinstance(probability, float):
            found.append((persons[0], persons[1], probability))
    return sorted(found, key=lambda pair: -pair[2])


def seen_frames(take: Take, person: int) -> np.ndarray:
    """(F,) bool: frames in which any joint or keypoint of the person was seen."""
    row = person_row(take, person)
    return (take.joints_confidence[row] > 0).any(-1) | (take.keypoints[row, ..., 2] > 0).any(-1)


def joint_confidence(take: Take, person: int) -> dict[str, float]:
    """Mean confidence 0..1 of each joint over the frames in which the person was seen; 0 for somebody never seen."""
    row = person_row(take, person)
    frames = seen_frames(take, person)
    values = take.joints_confidence[row][frames]
    means = values.mean(0) if len(values) else np.zeros(len(take.joint_names))
    return {name: float(mean) for name, mean in zip(take.joint_names, means, strict=True)}


def joint_confidence_at(take: Take, person: int, time: float) -> dict[str, float]:
    """Confidence 0..1 of each joint in the frame nearest to `time`; zeros outside the take by more than a frame."""
    row = person_row(take, person)
    values = np.zeros(len(take.joint_names))
    if len(take.times):
        nearest = int(np.argmin(np.abs(take.times - time)))
        if abs(float(take.times[nearest]) - time) <= 1 / take.fps:
            values = take.joints_confidence[row, nearest]
    return {name: float(value) for name, value in zip(take.joint_names, values, strict=True)}


def person_confidence(take: Take, person: int) -> float:
    """Mean confidence 0..1 over the frames in which the person was seen, of the joints that the take has of them.

    A lifter may give some joints only: that says nothing of how well the person was seen.
    """
    return float(np.mean([mean for mean in joint_confidence(take, person).values() if mean > 0] or [0.0]))


def _names(take: Take) -> dict[str, Any]:
    found = take.metadata.get("persons")
    return dict(found) if isinstance(found, dict) else {}


def _tracking(take: Take) -> dict[str, Any]:
    found: Any = take.metadata
    for key in ("stages", "detection", "tracking"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _changed(take: Take, became: dict[int, int | None]) -> Take:
    """A take some of whose people are others now, without what its metadata says of those.

    became: by the id that changed, who that is now; None where nobody can say. A report is of the people as they were;
    a suggestion of who is who goes on to whom they became.
    """
    metadata = {key: value for key, value in take.metadata.items() if key != "report"}
    tracking = _tracking(take)
    if tracking.get("suggestions"):
        said = {(became.get(a, a), became.get(b, b)): sure for a, b, sure in reversed(suggested_merges(take))}
        kept = [{"persons": list(pair), "probability": sure} for pair, sure in said.items() if None not in pair]
        tracking = tracking | {"suggestions": [each for each in kept if len(set(each["persons"])) == 2]}
        stages = metadata["stages"]
        metadata["stages"] = stages | {"detection": stages["detection"] | {"tracking": tracking}}
    return replace(take, metadata=metadata)


def _with_names(take: Take, names: dict[str, Any]) -> Take:
    kept = {key: name for key, name in names.items() if isinstance(name, str) and name.strip()}
    metadata = {key: value for key, value in take.metadata.items() if key != "persons"}
    return replace(take, metadata=metadata | ({"persons": kept} if kept else {}))
