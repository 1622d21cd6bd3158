# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader of another program's files gives: the people of numbered frames, as they stand there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UserError
from .joint_sets import ForeignSet

#: Identities are below; larger numbers are none.
_MOST_PEOPLE = 2**31


@dataclass(frozen=True)
class ForeignPeople:
    """The people of a file or folder.

    joints: what the K points of a person are. frames: by the number of the frame, (M, K, 3) x, y and confidence as the
    files have them (NaN or 0, 0 or confidence 0 where a point is missing); numbers that are not there are frames in
    which nobody was seen. identities: for the same frames who the M people are, None where the files do not say; whole
    numbers are kept as the people's own. first: number of the footage's first frame, None for the smallest there is.
    image_size: width, height in pixels, fps: frames a second, if the files say so. names: of people, by their identity.
    warnings: for the user, one sentence each.
    """

    joints: ForeignSet
    frames: Mapping[int, np.ndarray]
    identities: Mapping[int, Sequence[Hashable]]
    first: int | None = None
    image_size: tuple[int, int] | None = None
    fps: float | None = None
    names: Mapping[Hashable, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


class Gathered:
    """People of frames, put together by a reader while it goes through its files.

    where: the file or folder, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.people: dict[int, list[np.ndarray]] = {}
        self.identities: dict[int, list[Hashable]] = {}
        self.count: int | None = None

    def frame(self, number: int) -> None:
        """There is such a frame, even if nobody is in it."""
        self.people.setdefault(number, [])
        self.identities.setdefault(number, [])

    def add(self, number: int, person: np.ndarray, identity: Hashable = None) -> None:
        """A (K, 3) person of a frame. Raises UserError if K is not that of the people before."""
        self.frame(number)
        self.count = self.count or len(person)
        if len(person) != self.count:
            raise UserError(
                f"{self.where} mixes people of {self.count} and of {len(person)} keypoints (frame {number}); "
                "one set of keypoints a file or folder is needed"
            )
        self.people[number].append(person)
        self.identities[number].append(identity)

    def arrays(self) -> dict[int, np.ndarray]:
        """The frames as arrays. Raises UserError if there is nobody in any of them."""
        if self.count is None:
            raise UserError(f"there is nobody in {self.where}")
        nobody = np.zeros((0, self.count, 3))
        return {number: np.stack(people) if people else nobody for number, people in self.people.items()}


def triplets(values: Any, where: str) -> np.ndarray:
    """A flat list x, y, confidence, x, ... as (K, 3). Raises UserError if it is none. where: for messages."""
    try:
        flat = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{where} has keypoints that are not numbers") from None
    if flat.ndim != 1 or len(flat) % 3:
        raise UserError(f"{where} has keypoints that are not triplets of x, y and confidence")
    return flat.reshape(-1, 3)


def identity_of(value: Any) -> Hashable:
    """The identity that a file states: a number, a text, or either in a list of one; None if it states none."""
    while isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < _MOST_PEOPLE else None
    return value if isinstance(value, str) and value else None
