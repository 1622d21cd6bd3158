# SPDX-License-Identifier: GPL-3.0-or-later
"""What a body does as keys: on the scene's frames, carried by hips, root or object, by FK or IK, all of them or few."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..timing import scene_frames
from .controls import Controls, ik_limbs
from .curves import Curve, curves_of
from .editing import influenced, looped, posed, resampled
from .fewer import Watched, reduced
from .hanging import freed
from .ik import ik_channels
from .keyed import keyed_slide, posed_by
from .middles import ends, middles
from .options import Options
from .performing import Performed
from .reduce import Keys, every_key
from .report import slide
from .riding import OBJECT, object_curves, ridden, with_object, without_object
from .rig import Rig
from .roots import carry
from .source import observed
from .still import still_points
from .transfer import Channels, Source, Transfer, channels


@dataclass(frozen=True)
class Keyed:
    """Keys, and what they make the rig do.

    keys: a curve each, of bones of the file. all_keys: how many there would be with one on every frame. frames, times:
    (G,) of the scene, seconds of the source. moved: the rig as it was worked out on those frames. slide: mm/s of the
    feet while they stand, as keyed.
    """

    keys: tuple[Keys, ...]
    all_keys: int
    frames: np.ndarray
    times: np.ndarray
    moved: Transfer
    slide: float


def steered_controls(rig: Rig, slots: Mapping[str, str], options: Options, controls: Controls) -> Controls:
    """The IK controls that get keys; none in FK."""
    if options.limbs == "fk":
        return Controls()
    limbs = [limb for limb in ik_limbs(controls, rig, slots) if options.part_influence_of(limb) > 0]
    return Controls(ik={name: bone for limb in limbs for name, bone in controls.of(limb).items()})


def key(performed: Performed, bones: Collection[str], options: Options, steered: Controls) -> Keyed:
    """Key what a body does.

    bones: names of those that the file has. steered: as `steered_controls` gives them. Raises ValueError, in one
    sentence, as `retarget`.
    """
    source, rig, slots = performed.source, performed.rig, performed.slots
    frames, times = _frames(source, options)
    wanted = freed(_carried(performed.moved, source, slots, options), performed.body, rig)
    shown = ridden(rig) if OBJECT in wanted.locations else rig
    wanted = _edited(wanted, shown, slots, times, observed(source), options)
    moved = replace(performed.moved, poser=posed(shown, wanted))
    wanted = _with_ik(wanted, moved, slots, options, steered)
    curves = curves_of(without_object(wanted), rig)
    if OBJECT in wanted.locations:
        curves += object_curves(wanted, rig)
    stands = performed.stands
    stands = stands[_nearest(source.times, times)] if len(source.times) > 1 else stands[:1]
    keys = _keys(curves, moved, slots, steered, frames, options, stands)
    if len(times) < 2:
        slid = 0.0
    elif options.root == "in place":  # the floor goes by under the feet
        slid = slide(performed.moved, slots, performed.stands, source.times)
    elif options.keys == "reduced":
        targets = steered.ik if options.limbs == "ik" else {}
        slid = keyed_slide(moved, posed_by(keys, shown, frames), slots, targets, stands, times)
    else:
        slid = slide(moved, slots, stands, times)
    kept = tuple(one for one in keys if not one.curve.bone or one.curve.bone in bones)
    all_keys = sum(curve.values.size for curve in curves if not curve.bone or curve.bone in bones)
    return Keyed(kept, all_keys, frames, times, moved, slid)


def _carried(moved: Transfer, source: Source, slots: Mapping[str, str], options: Options) -> Channels:
    """What to key, with what carries the figure; nothing carries it where its hips stay as they are."""
    mode = options.root if options.part_influence_of("hips") > 0 else "hips"
    done = carry(moved, slots, source.times, mode)
    wanted = channels(done.moved, source, slots)
    wanted = replace(wanted, locations={**wanted.locations, **done.locations})
    return wanted if done.object is None else with_object(wanted, moved.poser.rig, done.object)


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
