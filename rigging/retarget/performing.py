# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's motion on the body of a rig, at the source's rate: everything before the question what to key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .contacts import standing
from .editing import moved_by, scaled_path
from .ends import with_ends
from .feet import contacts_of, lock_feet
from .hanging import hung
from .limits import limit_joints
from .options import Options
from .report import slide, source_slide
from .rig import Rig
from .smoothing import smoothed_source
from .source import trimmed
from .transfer import Source, Transfer, transfer
from .twist import share


@dataclass(frozen=True)
class Performed:
    """What a rig's body does.

    source: what it follows, trimmed and smoothed, F frames. moved: the body's pose on them. rig, slots: with the ends
    of limbs that are no bones of the file; body: that rig with every part hung where it belongs. stands: (F, 4) heels
    and toes that stand. slides: mm/s, of the person's feet while they stand, at the body's size (None if they were
    never seen), and of the body's before they were locked. limited: as `limits.limit_joints` tells, None where limits
    were not asked for.
    """

    source: Source
    moved: Transfer
    rig: Rig
    slots: Mapping[str, str]
    body: Rig
    stands: np.ndarray
    slides: tuple[float | None, float]
    limited: Mapping[str, tuple[int, float]] | None


def perform(source: Source, rig: Rig, slots: Mapping[str, str], options: Options) -> Performed:
    """Put a person's motion on a rig's body. Raises ValueError, in one sentence, as `retarget`."""
    raw = trimmed(source, *options.trim)
    contacts = contacts_of(raw)
    raw = replace(raw, contacts=contacts)
    # Before the feet are locked, so that they stand still all the same.
    source = smoothed_source(raw, options.smoothing, options.strength)
    given = slots
    rig, slots = with_ends(rig, slots)
    body = hung(rig, slots)
    moved, limited = transfer(source, body, slots), None
    if options.limits:
        moved, limited = limit_joints(moved, given)
    moved = share(moved, slots)
    scaled_path(moved, slots, options.scale)
    stands = standing(contacts, raw.times)
    own, before = source_slide(raw, stands), slide(moved, slots, stands, source.times)
    if options.feet:
        lock_feet(moved, source, slots)
    moved_by(moved, slots, np.array(options.offset))
    slides = (None if own is None else moved.scale * own, before)
    return Performed(source, moved, rig, slots, body, stands, slides, limited)
