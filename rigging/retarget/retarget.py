# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's motion onto a rig, from positions to keys: the whole chain, without Blender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .controls import Controls
from .keying import Keyed, key, steered_controls
from .options import Options
from .performing import Performed, perform
from .pose import Poser
from .reduce import Keys
from .report import Report, below_floor, limb_errors, unobserved
from .rig import Rig
from .slots import SLOTS
from .transfer import Source

__all__ = ["Options", "Retargeted", "retarget"]


@dataclass(frozen=True)
class Retargeted:
    """Keys for a rig, and what there is to say about them.

    keys: a curve for each property of a bone. frames, times: (F,) of the scene, seconds of the source, where the
    motion was worked out. poser: the rig as it stands on those frames. source: the motion that it follows, trimmed and
    smoothed. reduced: between the keys lie cubics with the keys' own slopes; otherwise lines.
    """

    keys: tuple[Keys, ...]
    frames: np.ndarray
    times: np.ndarray
    poser: Poser
    source: Source
    report: Report
    reduced: bool


def retarget(
    source: Source,
    rig: Rig,
    slots: Mapping[str, str],
    options: Options | None = None,
    controls: Controls | None = None,
) -> Retargeted:
    """Put a person's motion on a rig.

    slots: slot -> bone name. controls: what a control rig has besides, for IK. Raises ValueError, in one sentence, for
    options that cannot be, a mapping that is no body, a rig without what is asked for, or a person who was never seen.
    """
    options = options or Options()
    options.check()
    # What cannot be steered is said before any work.
    steered = steered_controls(rig, slots, options, controls or Controls())
    performed = perform(source, rig, slots, options)
    keyed = key(performed, rig.rows, options, steered)
    report = _report(performed, keyed, slots, options)
    poser, reduced = keyed.moved.poser, options.keys == "reduced"
    return Retargeted(keyed.keys, keyed.frames, keyed.times, poser, performed.source, report, reduced)


#: Slots that most rigs lack and nobody misses.
_OPTIONAL = {"root", "pelvis"}


def _report(performed: Performed, keyed: Keyed, given: Mapping[str, str], options: Options) -> Report:
    """given: the slots that the file's own bones have."""
    slots, moved = performed.slots, keyed.moved
    return Report(
        limbs=_judged(limb_errors(moved.poser, slots, performed.source, keyed.times), options),
        slide=(*performed.slides, keyed.slide),
        below_floor=below_floor(moved, slots),
        unmapped=tuple(slot for slot in SLOTS if slot not in given and slot not in _OPTIONAL),
        unobserved=unobserved(moved.solved),
        limited=performed.limited,
        keys=sum(one.values.size for one in keyed.keys),
        all_keys=keyed.all_keys,
        frames=(float(keyed.frames[0]), float(keyed.frames[-1])),
        warnings=_warnings(performed.rig, slots),
        locked=options.feet,
    )


def _judged(limbs: dict[str, tuple[float, float]], options: Options) -> dict[str, tuple[float, float]]:
    """Without the limbs that the user wanted elsewhere."""
    return {slot: found for slot, found in limbs.items() if options.part_influence(slot) >= 1}


def _warnings(rig: Rig, slots: Mapping[str, str]) -> tuple[str, ...]:
    """What may turn the rig away from where it is put: constraints that are not modelled."""
    rows = {rig.rows[name] for name in slots.values()}
    rows |= {above for row in rows for above in rig.ancestors(row)}
    found = {}
    for row in sorted(rows):
        for kind in rig.bones[row].unknown:
            found.setdefault(kind, []).append(rig.bones[row].name)
    return tuple(
        f"{', '.join(names)}: a {kind.replace('_', ' ').title()} constraint may move this away from the motion"
        for kind, names in found.items()
    )
