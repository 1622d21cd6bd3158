# SPDX-License-Identifier: GPL-3.0-or-later
"""What the writers of other programs' files are given, and how a folder of files appears whole or not at all."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import whole_file
from .joint_sets import ForeignSet


@dataclass(frozen=True)
class Export:
    """P people over F frames on another program's K points.

    name: what files are called after. joints: the set. keypoints: (P, F, K, 3) float32 x, y in pixels and confidence;
    a missing point is 0, 0, 0. person_ids: (P,). names: of people, by id. frame_numbers: (F,) from the footage's first,
    which is 0. fps: nominal, Hz. image_size: width, height.
    """

    name: str
    joints: ForeignSet
    keypoints: np.ndarray
    person_ids: np.ndarray
    names: Mapping[int, str]
    frame_numbers: Sequence[int]
    fps: float
    image_size: tuple[int, int]

    def people_of(self, row: int) -> list[tuple[int, np.ndarray]]:
        """Id and (K, 3) points of everybody who is seen in a frame."""
        seen = (self.keypoints[:, row, :, 2] > 0).any(-1)
        return [(int(self.person_ids[person]), self.keypoints[person, row]) for person in np.flatnonzero(seen)]

    def people(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Frame number, id and (K, 3) points of everybody who is seen, frame after frame."""
        for row, number in enumerate(self.frame_numbers):
            for identity, points in self.people_of(row):
                yield number, identity, points


def numbers_of(values: np.ndarray) -> list[float]:
    """float32 as the shortest decimal numbers that are exactly these again when they are read as float32."""
    return [float(str(value)) for value in np.asarray(values, np.float32)]


def box_of(points: np.ndarray) -> list[float]:
    """x, y, width, height of the box around the seen ones of (K, 3) points."""
    seen = points[points[:, 2] > 0, :2].astype(np.float64)
    low, high = seen.min(0), seen.max(0)
    return [round(float(value), 3) for value in (*low, *(high - low))]


def score_of(points: np.ndarray) -> float:
    """The mean confidence of the seen ones of (K, 3) points."""
    return round(math.fsum(points[points[:, 2] > 0, 2]) / max(1, int((points[:, 2] > 0).sum())), 6)


def write_json(path: Path, content: Any) -> None:
    """A JSON file, whole or not at all. Raises UserError."""
    write_text(path, json.dumps(content, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all. Raises UserError."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path` to write to; rename it onto `path` on success, remove it on any failure.

    Raises UserError if `path` exists and is not an empty folder, or cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} exists and is not an empty folder: choose another name, or remove it")
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            path.rmdir()
        temporary.rename(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
