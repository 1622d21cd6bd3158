# SPDX-License-Identifier: GPL-3.0-or-later
"""Lift a person again with a lifter that was fitted to them, where that is better, and report both numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...errors import UserError
from ..lifter import Lifted, Lifter
from ..temporal import TemporalLifter
from .adapt import Judgement, adapt
from .guard import guarded
from .views import shared_joints

#: Fewest joints that keypoints and lifter must share: the body's limbs and trunk.
_SHARED = 12


def adaptable(lifter: Lifter) -> TemporalLifter:
    """The lifter, if it has a network that can learn here. Raises UserError."""
    if not isinstance(lifter, TemporalLifter) or len(shared_joints(lifter)[0]) < _SHARED:
        raise UserError(
            f"the lifter {lifter.info.weights} cannot adapt to a person; leave --adapt-to-person away or choose another"
        )
    return lifter


def lifted_anew(
    lifter: Lifter,
    start: Lifted,
    keypoints: np.ndarray,
    names: Sequence[str],
    times: np.ndarray,
    intrinsics: np.ndarray,
    image_size: tuple[int, int],
    tick: Callable[[], None] = lambda: None,
) -> Lifted:
    """`start`, or what a lifter gives that was fitted to this person, and what became of it as `Lifted.adaptation`.

    start: of `lifter` for the same arguments, as `Lifter.lift` has them. tick: called now and then; may raise.
    Raises UserError if the lifter cannot adapt.
    """
    fitted, judgement = adapt(adaptable(lifter), keypoints, names, times, intrinsics, image_size, tick=tick)
    if not judgement.accepted:
        return replace(start, adaptation=_report(judgement, 0))
    adapted = fitted.lift(keypoints, tuple(names), times, intrinsics, image_size)
    mixed, kept = guarded(start, adapted, keypoints, names, times, intrinsics)
    return replace(mixed, adaptation=_report(judgement, int(kept.sum())))


def _report(judgement: Judgement, kept: int) -> dict[str, object]:
    """As a take's metadata have it. Lengths in mm at the person's distance."""
    report: dict[str, object] = {"accepted": judgement.accepted, "held_back_limbs": judgement.blocks}
    if np.isfinite(judgement.before):
        report["held_back_error_mm"] = {
            "before": round(1000 * judgement.before, 1),
            "after": round(1000 * judgement.after, 1),
        }
    if judgement.accepted:
        report["frames_kept_as_before"] = kept
    else:
        report["why_not"] = judgement.why
    return report
