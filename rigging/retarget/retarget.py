# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's motion onto a rig, from positions to keys: the whole chain, without Blender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..timing import scene_frames
from .contacts import find_contacts, standing
from .controls import Controls, ik_limbs
from .curves import Curve, curves_of
from .editing import influenced, looped, moved_by, posed, resampled, scaled_path
from .ends import with_ends
from .feet import lock_feet
from .fewer import Watched, reduced
from .hanging import freed, hung
from .ik import ik_channels
from .keyed import keyed_slide, posed_by
from .limits import limit_joints
from .middles import ends, middles
from .options import Options
from .pose import Poser
from .reduce import Keys, every_key
from .report import Report, below_floor, limb_errors, slide, source_slide, unobserved
from .riding import OBJECT, object_curves, ridden, with_object, without_object
from .rig import Rig
from .roots import carry
from .slots import SLOTS
from .smoothing import smoothed_source
from .source import observed, trimmed
from .still import still_points
from .transfer import Channels, Source, Transfer, channels, person_leg, transfer
from .twist import share

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
    steered = _steered(rig, slots, options, controls or Controls())
    raw = trimmed(source, *options.trim)
    raw = replace(raw, contacts=_contacts(raw))
    # Before the feet are locked, so that they stand still all the same.
    source = smoothed_source(raw, options.smoothing, options.strength)
    real, given = rig, slots
    rig, slots = with_ends(rig, slots)
    body = hung(rig, slots)
    moved, limited = transfer(source, body, slots), None
    if options.limits:
        moved, limited = limit_joints(moved, given)
    moved = share(moved, slots)
    scaled_path(moved, slots, options.scale)
    stands = standing(_contacts(raw), raw.times)
    own, before = source_slide(raw, stands), slide(moved, slots, stands, source.times)
    if options.feet:
        lock_feet(moved, source, slots)
    moved_by(moved, slots, np.array(options.offset))
    frames, times = _frames(source, options)
    after = slide(moved, slots, stands, source.times)
    wanted = freed(_carried(moved, source, slots, options), body, rig)
    shown = ridden(rig) if OBJECT in wanted.locations else rig
    wanted = _edited(wanted, shown, slots, times, observed(source), options)
    poser = posed(shown, wanted)
    wanted = _with_ik(wanted, replace(moved, poser=poser), slots, options, steered)
    curves = curves_of(without_object(wanted), rig)
    if OBJECT in wanted.locations:
        curves += object_curves(wanted, rig)
    final = replace(moved, poser=poser)
    still = stands[_nearest(source.times, times)] if len(source.times) > 1 else stands[:1]
    keys = _keys(curves, final, slots, steered, frames, options, still)
    if options.root != "in place" and len(times) > 1:  # in place the floor goes by under the feet
        after = slide(final, slots, still, times)
        if options.keys == "reduced":
            targets = steered.ik if options.limbs == "ik" else {}
            after = keyed_slide(final, posed_by(keys, shown, frames), slots, targets, still, times)
    # Ends of limbs that are no bones of the file.
    keys = [key for key in keys if not key.curve.bone or key.curve.bone in real.rows]
    report = Report(
        limbs=_judged(limb_errors(poser, slots, source, times), options),
        slide=(None if own is None else moved.scale * own, before, after if len(times) > 1 else 0.0),
        below_floor=below_floor(final, slots),
        unmapped=tuple(slot for slot in SLOTS if slot not in given and slot not in _OPTIONAL),
        unobserved=unobserved(moved.solved),
        limited=limited,
        keys=sum(key.values.size for key in keys),
        all_keys=sum(curve.values.size for curve in curves if not curve.bone or curve.bone in real.rows),
        frames=(float(frames[0]), float(frames[-1])),
        warnings=_warnings(rig, slots),
        locked=options.feet,
    )
    return Retargeted(tuple(keys), frames, times, poser, source, report, options.keys == "reduced")


#: Slots that most rigs lack and nobody misses.
_OPTIONAL = {"root", "pelvis"}


def _contacts(source: Source) -> np.ndarray:
    if source.contacts is not None:
        return source.contacts
    return find_contacts(source.joints, source.times, person_leg(source))


def _carried(moved: Transfer, source: Source, slots: Mapping[str, str], options: Options) -> Channels:
    """What to key, with what carries the figure; nothing carries it where its hips stay as they are."""
    mode = options.root if options.part_influence_of("hips") > 0 else "hips"
    done = carry(moved, slots, source.times, mode)
    wanted = channels(done.moved, source, slots)
    wanted = replace(wanted, locations={**wanted.locations, **done.locations})
    return wanted if done.object is None else with_object(wanted, moved.poser.rig, done.object)


def _steered(rig: Rig, slots: Mapping[str, str], options: Options, controls: Controls) -> Controls:
    """The IK controls that get keys; none in FK."""
    if options.limbs == "fk":
        return Controls()
    limbs = [limb for limb in ik_limbs(controls, rig, slots) if options.part_influence_of(limb) > 0]
    return Controls(ik={name: bone for limb in limbs for name, bone in controls.of(limb).items()})


def _with_ik(
    wanted: Channels, moved: Transfer, slots: Mapping[str, str], options: Options, steered: Controls
) -> Channels:
    """The channels with those of IK controls that give the pose of `moved`; in IK alone without the limbs' FK."""
    if not steered.ik:
        return wanted
    found = ik_channels(moved, slots, steered.ik, len(wanted.times))
    limbs = ik_limbs(steered, moved.poser.rig, slots) if options.limbs == "ik" else {}
    gone = {slots[slot] for chain in limbs.values() for slot in chain}
    rotations = {name: turned for name, turned in wanted.rotations.items() if name not in gone}
    return Channels(wanted.times, rotations | found.rotations, wanted.locations | found.locations)


def _nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows of `times` (F,) nearest to `wanted` (G,)."""
    return np.searchsorted((times[1:] + times[:-1]) / 2, wanted)


def _frames(source: Source, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Scene frames (G,) that get keys, and the source's times there, seconds. Where nobody was seen there are none."""
    frames = scene_frames(source.times, options.scene_fps, options.start_frame)
    seen = observed(source)
    if options.keys == "source" or (frames == np.round(frames)).all():
        return frames[seen], source.times[seen]
    whole = np.arange(np.ceil(frames[0] - 0.5), np.floor(frames[-1] + 0.5) + 1)
    times = (whole - options.start_frame) / options.scene_fps
    kept = seen[_nearest(source.times, times)]
    if not kept.any():
        first = np.flatnonzero(seen)[:1]
        return np.round(frames[first]), source.times[first]
    return whole[kept], times[kept]


def _edited(
    wanted: Channels, rig: Rig, slots: Mapping[str, str], times: np.ndarray, seen: np.ndarray, options: Options
) -> Channels:
    if len(times) != len(wanted.times) or not np.array_equal(times, wanted.times):
        wanted = resampled(wanted, times, seen)
    if options.influence:
        wanted = influenced(wanted, rig, slots, options.part_influence)
    if options.loop:
        closed = looped(wanted, {})
        # What carries the figure goes on through the world.
        going = {OBJECT, slots.get("root", OBJECT)}
        for name in going & set(wanted.locations):
            closed.rotations[name], closed.locations[name] = wanted.rotations[name], wanted.locations[name]
        wanted = closed
    return wanted


def _keys(
    curves: list[Curve],
    final: Transfer,
    slots: Mapping[str, str],
    steered: Controls,
    frames: np.ndarray,
    options: Options,
    stands: np.ndarray,
) -> list[Keys]:
    """final: as the motion was worked out, on these frames. stands: (F, 4) heels and toes that stand there."""
    if options.keys != "reduced" or len(frames) < 3:
        return [every_key(curve, frames) for curve in curves]
    rig, bound = final.poser.rig, options.tolerance / 1000
    watched: list[Watched] = [*middles(final.poser, slots, steered.ik, len(frames))]
    watched += ends(final.poser, slots, steered.ik, len(frames))
    if options.feet:
        watched += still_points(final, slots, steered.ik, stands, bound)
    judged = {**slots, **{f"ik {name}": name for name in steered.ik.values()}}
    return reduced(curves, rig, judged, frames, bound, watched)


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
