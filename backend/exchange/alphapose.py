# SPDX-License-Identifier: GPL-3.0-or-later
"""AlphaPose's `alphapose-results.json`: `[{"image_id": "12.jpg", "keypoints": [x, y, c, ...], "score": s, "idx": id}]`.

With `--format cmu` or `open` it is an object by picture, with `{"bodies": [{"joints": [...]}]}` or
`{"people": [{"pose_keypoints_2d": [...]}]}`; PoseFlow's is an object by picture with a list of such people. Frames in
which nobody is seen are not in the file. `score` is a sum over the person and not used. The format is described in
AlphaPose's docs/output.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..progress import Progress
from .joint_sets import set_of
from .look import Look, frame_numbers
from .people import ForeignPeople, Gathered, identity_of, triplets
from .writing import Export, box_of, numbers_of, score_of, write_json

#: Sets that can be written, the usual one first.
WRITES = ("coco-17", "halpe-26")
_LISTS = ("bodies", "people")
_POINTS = ("keypoints", "joints", "pose_keypoints_2d")


def recognises(look: Look) -> bool:
    """Whether this is it."""
    content = look.content
    if isinstance(content, list) and content and isinstance(content[0], dict):
        first = content[0]
        return "keypoints" in first and ("idx" in first or isinstance(first.get("image_id"), str))
    if not isinstance(content, dict) or not content:
        return False
    people = _people_of(next(iter(content.values())))
    return bool(people) and isinstance(people[0], dict) and any(key in people[0] for key in _POINTS)


def read(look: Look, joint_set: str | None, progress: Progress) -> ForeignPeople:
    """Raises UserError."""
    where = str(look.files[0])
    progress.step("reading", 0, 1, "files")
    listed = list(_listed(look.only(), where))
    names = list(dict.fromkeys(name for name, _ in listed))
    if not names:
        raise UserError(f"there is nobody in {where}")
    number_of = dict(zip(names, frame_numbers(names, where), strict=True))
    gathered = Gathered(where)
    for name, person in listed:
        points = next((person[key] for key in _POINTS if key in person), None)
        if points is None:
            raise UserError(f"{where} has a person without keypoints in {name!r}")
        gathered.add(number_of[name], triplets(points, where), identity_of(person.get("idx")))
    frames = gathered.arrays()
    progress.step("reading", 1, 1, "files")
    joints, warnings = set_of(gathered.count or 0, joint_set, where)
    return ForeignPeople(joints, frames, gathered.identities, _first(names, frames), warnings=warnings)


def write(path: Path, export: Export) -> list[Path]:
    """One JSON file. Raises UserError."""
    people = [
        {
            "image_id": f"{number}.jpg",
            "category_id": 1,
            "keypoints": numbers_of(points.reshape(-1)),
            "score": score_of(points),
            "box": box_of(points),
            "idx": identity,
        }
        for number, identity, points in export.people()
    ]
    write_json(path, people)
    return [path]


def _listed(content: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(picture, person) of everybody in the file."""
    if isinstance(content, dict):
        pairs = [(name, person) for name, value in content.items() for person in _people_of(value)]
    else:
        pairs = [(person.get("image_id") if isinstance(person, dict) else None, person) for person in content]
    for name, person in pairs:
        if not isinstance(person, dict) or not isinstance(name, str | int):
            raise UserError(f"{where} has an entry without image_id and keypoints")
        yield str(name), person


def _people_of(value: Any) -> list[Any]:
    """The people of a picture, in an object by picture."""
    if isinstance(value, dict):
        value = next((value[key] for key in _LISTS if isinstance(value.get(key), list)), [])
    return value if isinstance(value, list) else []


def _first(names: list[str], frames: dict[int, np.ndarray]) -> int | None:
    """The frames of a video are "0.jpg", "1.jpg", ...; a folder of pictures begins with its first picture."""
    counted = all(Path(name).stem == str(number) for name, number in zip(names, frames, strict=True))
    return 0 if counted and min(frames) != 1 else None
