# SPDX-License-Identifier: GPL-3.0-or-later
"""Where motion comes from: a person of a take as a `Source`, and parts of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..joints import TAKE
from ..solve import take_joints
from ..take import Take
from .transfer import Source


def take_source(take: Take, person: int) -> Source:
    """A person of a take. A take that knows of no contact at all leaves them to be found in the motion.

    Raises ValueError, in one sentence, if the take has no such person or they were never seen.
    """
    joints, confidence = take_joints(take, person)
    if not (confidence[:, TAKE.index("pelvis")] > 0).any():
        raise ValueError(f"person {person} was never seen in this take")
    row = [int(number) for number in take.person_ids].index(person)
    contacts = np.nan_to_num(np.asarray(take.contacts[row], np.float64))
    return Source(joints, confidence, np.asarray(take.times, np.float64), contacts if contacts.any() else None)


def observed(source: Source) -> np.ndarray:
    """(F,) bool: the pelvis was seen. Elsewhere the motion is interpolated, or held at the ends."""
    row = TAKE.index("pelvis")
    return (source.confidence[:, row] > 0) & np.isfinite(source.joints[:, row]).all(-1)


def trimmed(source: Source, start: float | None, end: float | None) -> Source:
    """The frames from `start` to `end` seconds; their times stay.

    Raises ValueError, in one sentence, if the person is not seen in them.
    """
    times = source.times
    kept = np.ones(len(times), bool)
    if start is not None:
        kept &= times >= start - 1e-6
    if end is not None:
        kept &= times <= end + 1e-6
    if not observed(source)[kept].any():
        span = f"{times[0]:.2f} s to {times[-1]:.2f} s" if len(times) else "no time"
        raise ValueError(f"the person is not seen in the trimmed part of the motion, which lasts from {span}")
    if kept.all():
        return source
    contacts = None if source.contacts is None else source.contacts[kept]
    return replace(
        source,
        joints=source.joints[kept],
        confidence=source.confidence[kept],
        times=times[kept],
        contacts=contacts,
        turns=None if source.turns is None else source.turns.each(lambda values: values[kept]),
    )
