# SPDX-License-Identifier: GPL-3.0-or-later
"""MMPose's predictions: `[{"frame_id": 0, "instances": [{"keypoints": [[x, y], ...], "keypoint_scores": [...]}]}]`.

The demos put that into `{"meta_info": ..., "instance_info": [...]}`, for pictures there is one file each with the list
of instances alone. RTMLib has no files of its own; what its users write, `[{"frame_id": 0, "keypoints": (people, K, 2),
"scores": (people, K)}, ...]` or such an object in a file for every frame, is read, too. Described in MMPose's
user guide (Inference) and RTMLib's README.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..progress import Progress
from .joint_sets import ForeignSet, set_of
from .look import Look, frame_numbers, read_json
from .names import set_by_names
from .people import ForeignPeople, Gathered, identity_of
from .writing import Export, box_of, numbers_of, score_of, write_json

#: Sets that can be written, the usual one first.
WRITES = ("coco-17", "halpe-26")
_NUMBERS = ("frame_id", "frame_idx", "frame_index", "frame")
_IDENTITIES = ("track_id", "instance_id")
_SCORES = ("keypoint_scores", "scores")


def recognises(look: Look) -> bool:
    """Whether this is it."""
    frames = _frames_of(look.content)
    if not frames:
        return False
    return any(
        isinstance(frame, dict)
        and ("instances" in frame or ("keypoints" in frame and any(k in frame for k in _SCORES)))
        for frame in frames[:50]
    )


def read(look: Look, joint_set: str | None, progress: Progress) -> ForeignPeople:
    """Raises UserError."""
    where = str(look.path)
    gathered = Gathered(where)
    if look.is_folder:
        numbers = frame_numbers([file.stem for file in look.files], where)
        for done, (number, file) in enumerate(zip(numbers, look.files, strict=True)):
            progress.step("reading", done, len(numbers), "files")
            gathered.frame(number)
            for person in _people(_frames_of(read_json(file)) or [], str(file)):
                gathered.add(number, *person)
        first = None
    else:
        numbers = []
        for place, frame in enumerate(_frames_of(look.content) or []):
            numbers.append(_number(frame, place, where))
            gathered.frame(numbers[-1])
            for person in _people([frame], where):
                gathered.add(numbers[-1], *person)
        if len(set(numbers)) < len(numbers):
            raise UserError(f"{where} has the frame {max(numbers, key=numbers.count)} twice")
        first = 1 if min(numbers, default=0) == 1 else 0
    frames = gathered.arrays()
    progress.step("reading", len(numbers), len(numbers), "files")
    joints, warnings = _joints(look.content, gathered.count or 0, joint_set, where)
    return ForeignPeople(joints, frames, gathered.identities, first, warnings=warnings)


def write(path: Path, export: Export) -> list[Path]:
    """One JSON file, as for a video. Raises UserError."""
    frames = [
        {
            "frame_id": number,
            "instances": [
                {
                    "keypoints": [numbers_of(point) for point in points[:, :2]],
                    "keypoint_scores": numbers_of(points[:, 2]),
                    "bbox": [[box[0], box[1], box[0] + box[2], box[1] + box[3]]],
                    "bbox_score": score_of(points),
                    "track_id": identity,
                }
                for identity, points in export.people_of(row)
                for box in [box_of(points)]
            ],
        }
        for row, number in enumerate(export.frame_numbers)
    ]
    names = dict(enumerate(export.joints.names))
    write_json(path, {"meta_info": {"keypoint_id2name": names}, "instance_info": frames})
    return [path]


def _frames_of(content: Any) -> list[Any] | None:
    """The frames, or the instances of a picture, in a parsed file; None if it has neither."""
    if isinstance(content, dict):
        if isinstance(content.get("instance_info"), list):
            return content["instance_info"]
        return [content] if "keypoints" in content or "instances" in content else None
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):
        return content[0]  # a batch of one picture
    return content if isinstance(content, list) else None


def _number(frame: Any, place: int, where: str) -> int:
    """The number of a frame, or its place where it has none."""
    if not isinstance(frame, dict):
        raise UserError(f"{where} has a frame that is no object with instances")
    number = next((frame[key] for key in _NUMBERS if key in frame), place)
    if not isinstance(number, int):
        raise UserError(f"{where} has a frame numbered {number!r}")
    return number


def _people(entries: list[Any], where: str) -> Iterator[tuple[np.ndarray, Any]]:
    """((K, 3), identity) of everybody in entries, each of which is a person or has several."""
    for entry in entries:
        if not isinstance(entry, dict):
            raise UserError(f"{where} has an entry that is no object with keypoints")
        if isinstance(entry.get("instances"), list):
            yield from _people(entry["instances"], where)
            continue
        points = _array(entry.get("keypoints", []), where)
        if not points.size:
            continue
        scores = next((_array(entry[key], where) for key in _SCORES if key in entry), None)
        if scores is not None and points.ndim in (2, 3) and points.shape[-1] > 2:
            raise UserError(f"{where} holds points in space: name a file with keypoints in pixels")
        scores = points[..., 2:] if scores is None else scores
        if points.ndim not in (2, 3) or scores.size != points[..., 0].size:
            raise UserError(f"{where} has keypoints and scores that do not fit together")
        points = np.concatenate([points[..., :2], scores.reshape(*points.shape[:-1], 1)], -1)
        who = identity_of(next((entry[key] for key in _IDENTITIES if key in entry), None))
        yield from ((person, who) for person in points.reshape(-1, *points.shape[-2:]))


def _array(values: Any, where: str) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{where} has keypoints that are not lists of numbers of the same length") from None


def _joints(content: Any, count: int, said: str | None, where: str) -> tuple[ForeignSet, list[str]]:
    """The set: as said, else by the names in the file, else by the number of points."""
    info = content.get("meta_info") if isinstance(content, dict) else None
    names = info.get("keypoint_id2name") if isinstance(info, dict) else None
    if said is None and isinstance(names, Mapping) and len(names) == count and count < 100:
        listed = {int(key): str(name) for key, name in names.items() if str(key).isdigit()}
        if sorted(listed) == list(range(count)):
            return set_by_names([listed[row] for row in range(count)], where)
    return set_of(count, said, where)
