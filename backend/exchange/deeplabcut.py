# SPDX-License-Identifier: GPL-3.0-or-later
"""DeepLabCut's `.csv`: head lines scorer, (individuals,) bodyparts, coords, then a line for every frame.

Of analysed videos a line begins with the frame's number and has x, y, likelihood a body part; of labelled pictures it
begins with the picture's path (in one column or three) and has x, y. Missing is empty. Described in DeepLabCut's
documentation (Standard DeepLabCut User Guide, "The output").
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..progress import Progress
from .joint_sets import ForeignSet, set_named
from .look import Look, frame_numbers, read_text
from .names import our_name, set_by_names
from .people import ForeignPeople
from .writing import Export, numbers_of, write_text

#: Sets that can be written, the usual one first: the file names its points, so any will do.
WRITES = ("coco-17", "halpe-26", "body-25")
_HEADS = ("scorer", "individuals", "bodyparts", "coords")
_NUMBERED = re.compile(r"[A-Za-z_ ]*?(\d+)")


def recognises(look: Look) -> bool:
    """Whether this is it."""
    if look.suffix != ".csv":
        return False
    heads = [line.split(",")[0].strip().lower() for line in look.content]
    return "bodyparts" in heads and "coords" in heads


def read(look: Look, joint_set: str | None, progress: Progress) -> ForeignPeople:
    """Raises UserError."""
    look.only()
    where = str(look.files[0])
    progress.step("reading", 0, 1, "files")
    rows = [row for row in csv.reader(io.StringIO(read_text(look.files[0]))) if row]
    heads = {row[0].strip().lower(): row for row in rows[:4] if row[0].strip().lower() in _HEADS}
    data = rows[len(heads) :]
    if not {"bodyparts", "coords"} <= set(heads) or not data:
        raise UserError(f"{where} lacks the lines bodyparts and coords, or frames after them")
    skip = next((place for place, cell in enumerate(heads["coords"]) if cell.strip() not in ("", "coords")), 0)
    values = _values(data, skip, len(heads["coords"]), where)
    numbers, is_video = _numbers(data, skip, where)
    individuals = heads.get("individuals") or [""] * len(heads["coords"])
    columns = list(zip(individuals[skip:], heads["bodyparts"][skip:], heads["coords"][skip:], strict=False))
    people = _people_of(columns, where)
    parts = list(dict.fromkeys(part for individual, part, _ in columns if individual in people))
    joints, warnings = _joints(parts, joint_set, where)
    points, has_confidence = _points(values, columns, people, parts)
    if not has_confidence:
        warnings.append("the file has no likelihoods: every point that is there counts as certain")
    progress.step("reading", 1, 1, "files")
    identities, names = _identities(people)
    frames, who = {}, {}
    for row, number in enumerate(numbers):
        seen = [person for person in range(len(people)) if np.nan_to_num(points[person, row, :, 2]).any()]
        frames[number] = points[seen, row]
        who[number] = [identities[person] for person in seen]
    return ForeignPeople(joints, frames, who, 0 if is_video else None, names=names, warnings=warnings)


def write(path: Path, export: Export) -> list[Path]:
    """One `.csv`, as of an analysed video. Raises UserError."""
    people, joints = range(len(export.person_ids)), export.joints.names
    cells = [(person, joint, coordinate) for person in people for joint in joints for coordinate in "xyc"]
    lines = [["scorer", *("video-mocap" for _ in cells)]]
    if len(people) > 1:
        ids = [int(identity) for identity in export.person_ids]
        lines.append(["individuals", *(f"person{ids[person]}" for person, _, _ in cells)])
    lines.append(["bodyparts", *(joint for _, joint, _ in cells)])
    lines.append(["coords", *("likelihood" if c == "c" else c for _, _, c in cells)])
    for row, number in enumerate(export.frame_numbers):
        points = export.keypoints[:, row].reshape(-1, 3)
        texts = [[str(v) for v in numbers_of(point)] if point[2] > 0 else ["", "", ""] for point in points]
        lines.append([str(number), *(text for point in texts for text in point)])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_text(path, text.getvalue())
    return [path]


def _values(data: Sequence[Sequence[str]], skip: int, width: int, where: str) -> np.ndarray:
    """(F, columns) numbers; empty cells are NaN."""
    out = np.full((len(data), width - skip), np.nan)
    for row, line in enumerate(data):
        if len(line) != width:
            raise UserError(f"{where} has {len(line)} columns in line {row + 4}, but {width} in its head")
        try:
            out[row] = [float(cell) if cell.strip() else np.nan for cell in line[skip:]]
        except ValueError as error:
            raise UserError(f"{where} has something else than numbers ({error})") from None
    return out


def _numbers(data: Sequence[Sequence[str]], skip: int, where: str) -> tuple[list[int], bool]:
    """The numbers of the frames, and whether they are those of a video rather than of labelled pictures."""
    names = [line[skip - 1].strip() if skip else str(row) for row, line in enumerate(data)]
    if all(re.fullmatch(r"\d+(\.0+)?", name) for name in names):
        numbers = [int(float(name)) for name in names]
        if len(set(numbers)) < len(numbers):
            raise UserError(f"{where} has two frames of the same number")
        return numbers, True
    return frame_numbers([re.split(r"[/\\]", name)[-1] for name in names], where), False


def _people_of(columns: Sequence[tuple[str, str, str]], where: str) -> list[str]:
    """The individuals who have a person's body parts, in order: "single" of unique parts is none."""
    individuals = list(dict.fromkeys(individual for individual, _, _ in columns))
    people = [name for name in individuals if any(own == name and our_name(part) for own, part, _ in columns)]
    if not people:
        parts = ", ".join(dict.fromkeys(part for _, part, _ in columns))
        raise UserError(f"the body parts of {where} are not those of a person: {parts[:200]}")
    return people


def _joints(parts: Sequence[str], said: str | None, where: str) -> tuple[ForeignSet, list[str]]:
    if said is None:
        return set_by_names(parts, where)
    chosen = set_named(said)
    if len(chosen.names) != len(parts):
        raise UserError(f"{where} has {len(parts)} body parts, but {said} has {len(chosen.names)}")
    return chosen, []


def _points(
    values: np.ndarray, columns: Sequence[tuple[str, str, str]], people: Sequence[str], parts: Sequence[str]
) -> tuple[np.ndarray, bool]:
    """(P, F, K, 3), and whether the file has likelihoods; without one a point that is there counts 1."""
    place = {(individual, part, kind.strip().lower()): row for row, (individual, part, kind) in enumerate(columns)}
    points = np.full((len(people), len(values), len(parts), 3), np.nan)
    for person, individual in enumerate(people):
        for joint, part in enumerate(parts):
            for coordinate, kind in enumerate(("x", "y", "likelihood")):
                column = place.get((individual, part, kind))
                if column is not None:
                    points[person, :, joint, coordinate] = values[:, column]
    has_confidence = any(kind == "likelihood" for _, _, kind in place)
    if not has_confidence:
        points[..., 2] = np.isfinite(points[..., :2]).all(-1)
    return points, has_confidence


def _identities(people: Sequence[str]) -> tuple[list[Hashable], dict[Hashable, str]]:
    """Who the individuals are: `person2`, `individual2` by their number, others 1, 2, ... under their name."""
    numbers: list[Hashable] = [int(match[1]) for name in people if (match := _NUMBERED.fullmatch(name))]
    if len(set(numbers)) == len(people):
        return numbers, {}
    return list(range(1, len(people) + 1)), {row: name for row, name in enumerate(people, 1) if name}
