# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a take as the panels show them. No bpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .take_files import Loaded


@dataclass(frozen=True)
class JointRow:
    """A joint of a person. mean: confidence 0..1 over the frames that show the person; now: at a moment, or None."""

    name: str
    mean: float
    now: float | None


def joint_rows(loaded: Loaded | None, person_id: int, moment: float) -> list[JointRow] | str | None:
    """The joints of a person; a sentence if the take cannot be read; None while it is being read.

    moment: seconds from the footage's first frame.
    """
    if loaded is None:
        return None
    row = loaded.row(person_id)
    if loaded.take is None or row is None:
        return loaded.problem or "The take does not show this person any more"
    take = loaded.take
    # The nearest frame, unless the moment lies outside the take by more than a frame.
    nearest = int(np.clip(np.searchsorted(take.times, moment - 0.5 / take.fps), 0, max(len(take.times) - 1, 0)))
    inside = len(take.times) > 0 and abs(float(take.times[nearest]) - moment) <= 1 / take.fps
    now = take.joints_confidence[row, nearest] if inside else None
    return [
        JointRow(
            readable(name),
            float(loaded.mean[row, column]),
            float(now[column]) if now is not None and now[column] > 0 else None,
        )
        for column, name in enumerate(take.joint_names)
    ]


def readable(name: str) -> str:
    """left_knee -> Left Knee."""
    return name.replace("_", " ").title()
