# SPDX-License-Identifier: GPL-3.0-or-later
"""COCO's keypoint files: annotations `{"images": [...], "annotations": [...], "categories": [...]}`, and results,
`[{"image_id": 12, "category_id": 1, "keypoints": [x, y, v, ...], "score": s}, ...]`.

The third number of a point is a visibility in annotations (0 missing, 1 hidden, 2 visible) and, with most programs, a
confidence in results. The format is described at cocodataset.org (Data format, Results format).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..progress import Progress
from .joint_sets import ForeignSet, set_of
from .look import Look, frame_numbers
from .names import set_by_names
from .people import ForeignPeople, Gathered, identity_of, triplets
from .writing import Export, box_of, numbers_of, score_of, write_json

#: Sets that can be written, the usual one first.
WRITES = ("coco-17", "halpe-26", "body-25")
#: What a point counts that was labelled although it is hidden.
_HIDDEN = 0.5


def recognises(look: Look) -> bool:
    """Whether this is it."""
    content = look.content
    if isinstance(content, dict):
        return isinstance(content.get("annotations"), list) and isinstance(content.get("images"), list)
    return (
        isinstance(content, list)
        and bool(content)
        and isinstance(content[0], dict)
        and isinstance(content[0].get("image_id"), int)
        and "keypoints" in content[0]
    )


def read(look: Look, joint_set: str | None, progress: Progress) -> ForeignPeople:
    """Raises UserError."""
    where = str(look.files[0])
    progress.step("reading", 0, 1, "files")
    content = look.only()
    whole = content if isinstance(content, dict) else {"annotations": content}
    number_of, size = _pictures(whole.get("images"), where)
    gathered = Gathered(where)
    for number in number_of.values():
        gathered.frame(number)
    for person in whole["annotations"]:
        if not isinstance(person, dict) or not isinstance(person.get("image_id"), int | str):
            raise UserError(f"{where} has an annotation without image_id")
        number = number_of.get(person["image_id"]) if number_of else person["image_id"]
        if not isinstance(number, int):
            raise UserError(f"{where} has an annotation of the picture {person['image_id']}, which is not listed")
        points = triplets(person.get("keypoints") or [], where)
        if len(points):
            identity = next((person[key] for key in ("track_id", "instance_id") if key in person), None)
            gathered.add(number, _with_scores(points, person, where), identity_of(identity))
    frames = gathered.arrays()
    progress.step("reading", 1, 1, "files")
    joints, warnings = _joints(whole.get("categories"), gathered.count or 0, joint_set, where)
    flagged, remarks = _visibilities(frames)
    return ForeignPeople(joints, flagged, gathered.identities, None, size, warnings=[*warnings, *remarks])


def write(path: Path, export: Export) -> list[Path]:
    """Annotations; the confidences stand beside the visibilities, as `keypoint_scores`. Raises UserError."""
    annotations = [
        _result(number, identity, points)
        | {
            "id": row,
            "keypoints": numbers_of(np.where([True, True, False], points, 2.0 * (points[:, 2:] > 0)).reshape(-1)),
            "keypoint_scores": numbers_of(points[:, 2]),
            "num_keypoints": int((points[:, 2] > 0).sum()),
            "iscrowd": 0,
        }
        for row, (number, identity, points) in enumerate(export.people(), 1)
    ]
    width, height = export.image_size
    images = [
        {"id": number, "file_name": f"{export.name}_{number:06d}.jpg", "width": width, "height": height}
        for number in export.frame_numbers
    ]
    category = {"id": 1, "name": "person", "keypoints": list(export.joints.names), "skeleton": []}
    write_json(path, {"images": images, "annotations": annotations, "categories": [category]})
    return [path]


def write_results(path: Path, export: Export) -> list[Path]:
    """Results, with confidences. Raises UserError."""
    write_json(path, [_result(number, identity, points) for number, identity, points in export.people()])
    return [path]


def _result(number: int, identity: int, points: np.ndarray) -> dict[str, Any]:
    return {
        "image_id": number,
        "category_id": 1,
        "keypoints": numbers_of(points.reshape(-1)),
        "score": score_of(points),
        "bbox": (box := box_of(points)),
        "area": round(box[2] * box[3], 3),
        "track_id": identity,
    }


def _pictures(images: Any, where: str) -> tuple[dict[Any, int], tuple[int, int] | None]:
    """Frame number by image id (empty if pictures are not listed), and their common size if it is stated."""
    if not images:
        return {}, None
    if not isinstance(images, list) or not all(
        isinstance(image, dict) and isinstance(image.get("id"), int | str) for image in images
    ):
        raise UserError(f"{where} lists pictures without id")
    if all(isinstance(image.get("frame_id"), int) for image in images):
        numbers = [int(image["frame_id"]) for image in images]
        if len(set(numbers)) < len(numbers):
            raise UserError(f"{where} holds several clips (frame_id {min(numbers)} occurs twice): import one of them")
    else:
        numbers = frame_numbers([str(image.get("file_name", image["id"])) for image in images], where)
    stated = [(image.get("width"), image.get("height")) for image in images]
    sizes = {size for size in stated if all(isinstance(side, int) and 0 < side < 2**31 for side in size)}
    if len(sizes) > 1:
        one, other = sorted(sizes)[:2]
        raise UserError(
            f"{where} is no clip: its pictures have several sizes, such as {one[0]}x{one[1]} and {other[0]}x{other[1]}"
        )
    return dict(zip((image["id"] for image in images), numbers, strict=True)), next(iter(sizes), None)


def _joints(categories: Any, count: int, said: str | None, where: str) -> tuple[ForeignSet, list[str]]:
    """The set: as said, else by the names that the file gives the points, else by their number."""
    if said is None and isinstance(categories, list):
        for category in categories:
            names = category.get("keypoints") if isinstance(category, dict) else None
            if isinstance(names, list) and len(names) == count and len(names) not in (133, 136):
                return set_by_names([str(name) for name in names], where)
    return set_of(count, said, where)


def _with_scores(points: np.ndarray, person: Mapping[str, Any], where: str) -> np.ndarray:
    """The points with the confidences that stand beside the visibilities, if any do."""
    scores = person.get("keypoint_scores")
    if scores is None:
        return points
    if not isinstance(scores, list) or len(scores) != len(points):
        raise UserError(f"{where} has keypoint_scores that do not fit its keypoints")
    return np.column_stack([points[:, :2], np.asarray(scores, np.float64)])


def _visibilities(frames: dict[int, np.ndarray]) -> tuple[dict[int, np.ndarray], list[str]]:
    """Visibilities to confidences, and a sentence that says so; confidences stay what they are."""
    values = np.concatenate([people[..., 2].ravel() for people in frames.values()])
    if not np.isin(values, (0, 1, 2)).all() or not (values == 2).any():
        return frames, []
    levels = np.array([0.0, _HIDDEN, 1.0])
    flagged = {}
    for number, people in frames.items():
        flagged[number] = people.copy()
        flagged[number][..., 2] = levels[people[..., 2].astype(int)]
    return flagged, [f"the file has visibilities, no confidences: visible points count 1, hidden ones {_HIDDEN:g}"]
