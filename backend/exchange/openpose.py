# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenPose's JSON: a folder with a file for every frame (`--write_json`); also what AlphaPose and Pose2Sim write so.

`{"people": [{"person_id": [-1], "pose_keypoints_2d": [x, y, confidence, ...], "hand_left_keypoints_2d": [...]}, ...]}`;
a missing point is 0, 0, 0 (Pose2Sim: NaN). Faces are ignored, and of a hand all but the middle finger's first knuckle.
The format is described in OpenPose's doc/02_output.md.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..progress import Progress
from .joint_sets import MIDDLE_KNUCKLE, set_of
from .look import Look, frame_numbers, read_json
from .people import ForeignPeople, Gathered, identity_of, triplets
from .writing import Export, fresh_folder, numbers_of, write_json

#: Sets that can be written, the usual one first.
WRITES = ("body-25", "coco-18", "halpe-26", "coco-17")
_BODY = ("pose_keypoints_2d", "pose_keypoints")
_HANDS = {
    "left_hand": ("hand_left_keypoints_2d", "hand_left_keypoints"),
    "right_hand": ("hand_right_keypoints_2d", "hand_right_keypoints"),
}


def recognises(look: Look) -> bool:
    """Whether this is it."""
    return isinstance(look.content, dict) and isinstance(look.content.get("people"), list)


def read(look: Look, joint_set: str | None, progress: Progress) -> ForeignPeople:
    """Raises UserError."""
    where = str(look.path)
    numbers = frame_numbers([file.stem for file in look.files], where)
    gathered = Gathered(where)
    hands: dict[int, list[np.ndarray]] = {}
    for done, (number, file) in enumerate(zip(numbers, look.files, strict=True)):
        progress.step("reading", done, len(numbers), "files")
        content = read_json(file)
        if not isinstance(content, dict) or not isinstance(content.get("people"), list):
            raise UserError(f"{file} is not like the other files: it has no list of people")
        gathered.frame(number)
        for person in content["people"]:
            _add(gathered, hands, number, person, str(file))
    progress.step("reading", len(numbers), len(numbers), "files")
    frames = gathered.arrays()
    joints, warnings = set_of(gathered.count or 0, joint_set, where)
    if _rows_are_people(frames):
        warnings.append("people keep their place in the list from frame to frame, as in Pose2Sim: that is who they are")
        gathered.identities = {number: list(range(1, len(people) + 1)) for number, people in frames.items()}
    if _have_hands(hands) and not set(_HANDS) & set(joints.names):
        joints = replace(joints, names=(*joints.names, *_HANDS))
        frames = {number: _joined(people, hands.get(number, [])) for number, people in frames.items()}
    kept = _without_nobody(frames, gathered.identities)
    return ForeignPeople(joints, *kept, first=_first(frames), warnings=warnings)


def write(path: Path, export: Export) -> list[Path]:
    """A folder with a file for every frame. Raises UserError."""
    with fresh_folder(path) as folder:
        for row, number in enumerate(export.frame_numbers):
            people = [
                {
                    "person_id": [int(identity)],
                    "pose_keypoints_2d": numbers_of(points.reshape(-1)),
                    "face_keypoints_2d": [],
                    "hand_left_keypoints_2d": [],
                    "hand_right_keypoints_2d": [],
                }
                for identity, points in export.people_of(row)
            ]
            write_json(folder / f"{export.name}_{number:012d}_keypoints.json", {"version": 1.3, "people": people})
    return [path]


def _add(gathered: Gathered, hands: dict[int, list[np.ndarray]], number: int, person: Any, where: str) -> None:
    """One person of a file; people without a body (a hand alone, or 3D only) are left out."""
    if not isinstance(person, dict):
        raise UserError(f"{where} has a person who is no object with keypoints")
    body = next((person[key] for key in _BODY if person.get(key)), None)
    if body is None:
        return
    gathered.add(number, triplets(body, where), identity_of(person.get("person_id")))
    points = np.zeros((len(_HANDS), 3))
    for row, keys in enumerate(_HANDS.values()):
        hand = triplets(next((person[key] for key in keys if person.get(key)), []), where)
        if len(hand) > MIDDLE_KNUCKLE:
            points[row] = hand[MIDDLE_KNUCKLE]
    hands.setdefault(number, []).append(points)


def _have_hands(hands: dict[int, list[np.ndarray]]) -> bool:
    return any((points[:, 2] > 0).any() for people in hands.values() for points in people)


def _joined(people: np.ndarray, hands: list[np.ndarray]) -> np.ndarray:
    """(M, K, 3) people and the (2, 3) hands of each as (M, K + 2, 3)."""
    return np.concatenate([people, np.array(hands).reshape(-1, len(_HANDS), 3)], 1)


def _rows_are_people(frames: dict[int, np.ndarray]) -> bool:
    """Whether somebody is listed with no point at all: then a place in the list belongs to a person."""
    return any(len(people) > 1 and np.isnan(people[..., :2]).all((1, 2)).any() for people in frames.values())


def _without_nobody(
    frames: dict[int, np.ndarray], identities: dict[int, list[Hashable]]
) -> tuple[dict[int, np.ndarray], dict[int, list[Hashable]]]:
    """Leave out people without any point."""
    there = {number: np.nan_to_num(people[..., 2]).any(-1) for number, people in frames.items()}
    kept = {number: people[there[number]] for number, people in frames.items()}
    who = {
        number: [identity for identity, seen in zip(identities[number], there[number], strict=True) if seen]
        for number in frames
    }
    return kept, who


def _first(frames: dict[int, np.ndarray]) -> int:
    """OpenPose counts from 0, also where it begins later (`--frame_first`); others count from 1."""
    return 1 if min(frames) == 1 else 0
