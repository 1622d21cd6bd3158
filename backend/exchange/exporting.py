# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints of ours to another program's format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..keypoints import Keypoints
from ..lifting.confidence import mean_point
from ..stages.source import read_source
from . import formats
from .joint_sets import ForeignSet, set_named
from .writing import Export

#: Points that other sets have and ours need not: the mean of these.
_MADE_OF = {"pelvis": ("left_hip", "right_hip"), "thorax": ("left_shoulder", "right_shoulder")}


@dataclass(frozen=True)
class Exported:
    """written: files or folders. frames, people: how many. joint_set: which. warnings: one sentence each."""

    written: list[Path]
    frames: int
    people: list[int]
    joint_set: str
    warnings: list[str]


def export_file(source: Path, target: Path, name: str, joint_set: str | None, people: list[int] | None) -> Exported:
    """Write a keypoints file's or a take's 2D keypoints in another program's format, whole or not at all.

    name: of the format, in `formats.FORMATS`. joint_set: one of those it can be written with; None for the usual one.
    people: ids of the people to write; None for all. Raises UserError.
    """
    possible = formats.writes(name)
    chosen = joint_set or possible[0]
    if chosen not in possible:
        raise UserError(f"{name} cannot be written with the joint set {chosen}; choose one of: {', '.join(possible)}")
    given = read_source(source)
    keypoints, joints = given.keypoints, set_named(chosen)
    rows = _rows(keypoints, people, source)
    points, warnings = on_set(keypoints.keypoints[rows], keypoints.keypoint_names, joints)
    if not (points[..., 2] > 0).any():
        raise UserError(f"there is nobody in {source} to write")
    frame_numbers, remarks = _frame_numbers(keypoints)
    export = Export(
        name=source.name.split(".")[0],
        joints=joints,
        keypoints=points,
        person_ids=keypoints.person_ids[rows],
        names={int(identity): person for identity, person in given.persons.items()},
        frame_numbers=frame_numbers,
        fps=keypoints.fps,
        image_size=keypoints.image_size,
    )
    written = formats.write(name, target, export)
    ids = [int(identity) for identity in export.person_ids]
    return Exported(written, len(frame_numbers), ids, chosen, [*warnings, *remarks])


def on_set(keypoints: np.ndarray, names: tuple[str, ...], joints: ForeignSet) -> tuple[np.ndarray, list[str]]:
    """(P, F, K, 3) with `names` to the points of another set, missing ones 0, 0, 0; and what is missing or made.

    Pelvis and thorax, where they are not given, are the middle of hips and shoulders, as sure as the less sure one.
    """
    rows = {name: row for row, name in enumerate(names)}
    out = np.zeros((*keypoints.shape[:2], len(joints.names), 3), np.float32)
    made, missing = [], []
    for column, name in enumerate(joints.names):
        sources = _MADE_OF.get(name, ("",))
        if name in rows:
            out[:, :, column] = keypoints[:, :, rows[name]]
        elif all(source in rows for source in sources):
            out[:, :, column] = mean_point(keypoints[:, :, [rows[source] for source in sources]])
            made.append(name)
        else:
            missing.append(name)
    out[~(out[..., 2] > 0)] = 0.0
    warnings = []
    if made:
        warnings.append(f"{', '.join(made)} are made of others: the middle of the hips or shoulders")
    if missing:
        warnings.append(f"{', '.join(missing)} are missing: the keypoints do not have them")
    return out, warnings


def _rows(keypoints: Keypoints, people: list[int] | None, source: Path) -> list[int]:
    ids = [int(identity) for identity in keypoints.person_ids]
    for identity in people or []:
        if identity not in ids:
            raise UserError(f"there is no person {identity} in {source}; there are: {', '.join(map(str, ids))}")
    return [row for row, identity in enumerate(ids) if people is None or identity in people]


def _frame_numbers(keypoints: Keypoints) -> tuple[list[int], list[str]]:
    """Numbers of the frames from the footage's first, which is 0; where the rate varies they are only counted."""
    numbers = np.round(keypoints.times * keypoints.fps).astype(int)
    if len(numbers) < 2 or (np.diff(numbers) > 0).all():
        return numbers.tolist(), []
    return list(range(len(numbers))), ["the frames do not come at an even rate: they are counted, their times are lost"]
