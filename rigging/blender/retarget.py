# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A person's motion as an action of the user's own armature, in pieces that Blender's interface does not feel.

Nothing about the rig is changed but its animation data: rest pose, rolls, constraints, transforms, rotation modes, mode
and selection stay as they are. Numbers are worked out in a thread, which touches nothing of Blender's.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ..aside import aside
from ..retarget.controls import Controls, Switch, ik_limbs
from ..retarget.options import Options
from ..retarget.report import Report, limb_directions
from ..retarget.retarget import Retargeted, retarget
from ..retarget.rig import Rig
from ..retarget.stretch import evened, seen_within
from ..retarget.transfer import Source
from ..retarget.turns import turning_bones
from ..vectors import unit
from .blocks import Block, GoneError
from .leftover import Held, at_rest, brought_back, displaced
from .retarget_action import ActionBuild, action_curves
from .retarget_check import deform_bones, limb_angles
from .rig import read_rig
from .uneven import check_stretch
from .units import metres_per_unit

_ROTATIONS = ("rotation_quaternion", "rotation_euler", "rotation_axis_angle")
#: So many frames are looked at as Blender itself evaluates them.
_LOOKED_AT = 8


@dataclass(frozen=True)
class Result:
    """What was made. Hold the action no longer than one step: undo replaces data-blocks."""

    action: bpy.types.Action
    report: Report

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences."""
        return self.report.warnings


def retarget_onto(
    armature: bpy.types.Object,
    source: Source,
    options: Options,
    slots: Mapping[str, str],
    controls: Controls | None = None,
) -> Result:
    """`retarget_in_pieces`, all at once."""
    pieces = retarget_in_pieces(armature, source, options, slots, controls)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def retarget_in_pieces(
    armature: bpy.types.Object,
    source: Source,
    options: Options,
    slots: Mapping[str, str],
    controls: Controls | None = None,
) -> Generator[float, None, Result]:
    """Put a person's motion on an armature as one action with one slot.

    slots: slot -> bone name. controls: what a control rig has besides. A generator: each step is at most about 20 ms of
    work and yields the progress, 0..1. Raises ValueError, in one sentence, if the armature cannot be animated, the
    mapping or an option is wrong, the person was never seen, or the work was undone under way; nothing is left in the
    file then, nor if the generator is closed.
    """
    check_armature(armature, options)
    controls = controls or Controls()
    home, name = Block("objects", armature), armature.name
    turned = turning_bones({slot: bone for slot, bone in slots.items() if options.part_influence(slot) > 0})
    rig, left = at_rest(metric_rig(armature), turned), displaced(armature, turned)
    warnings = _warnings(armature, slots, options)
    stiff = _stiff(armature, rig, slots, controls, options)
    stretch = check_stretch(armature, rig, options)
    inside = replace(options, offset=tuple(np.linalg.solve(stretch, options.offset).tolist()))
    done: Retargeted = yield from aside(
        lambda: retarget(seen_within(source, stretch), evened(rig, stretch), slots, inside, controls)
    )
    try:
        check_armature(home.get(), options)
        build = ActionBuild(home.get(), options.action, options.name)
    except GoneError:
        raise ValueError(f"the armature {name} was removed under way") from None
    try:
        switches = _switches(rig, slots, controls, options)
        held = [*stiff, *brought_back(left, done.keys)]
        for progress in build.pieces(done.keys, done.reduced, switches, float(done.frames[0]), held):
            yield 0.3 + 0.65 * progress
        build.give()
        yield 0.97
        checked = None if options.action == "nla" else _look(home.get(), rig, slots, done, options, stretch)
        build.keep()
        action = build.action.get()
    except (GoneError, ReferenceError):
        build.discard()
        raise ValueError(f"the motion for {name} was undone under way; put it on again") from None
    except BaseException:
        build.discard()
        raise
    report = replace(done.report, warnings=done.report.warnings + warnings, checked=checked)
    return Result(action, report)


def metric_rig(armature: bpy.types.Object) -> Rig:
    """An armature as numbers, in a world measured in metres by the scene's own ruler. Raises ValueError."""
    rig = read_rig(armature)
    metres = metres_per_unit(armature.users_scene[0]) if armature.users_scene else 1.0
    ruler = np.diag([metres, metres, metres, 1.0])
    seat = None if rig.seat is None else replace(rig.seat, start=ruler @ rig.seat.start)
    return replace(rig, world=ruler @ rig.world, seat=seat)


def check_armature(armature: bpy.types.Object, options: Options) -> None:
    """Raises ValueError, in one sentence, if an object cannot be given an action."""
    name = armature.name
    if armature.type != "ARMATURE":
        raise ValueError(f"{name} is no armature; choose one")
    if armature.library is not None:
        raise ValueError(f"{name} is linked from another file; make a library override of it and choose that")
    if armature.pose is None or not armature.users_scene:
        raise ValueError(f"{name} is in no scene; link it into one first")
    if armature.data.is_editmode:
        raise ValueError(f"the bones of {name} are being edited; leave Edit Mode first")
    animation = armature.animation_data
    if animation is None:
        return
    if animation.use_tweak_mode:
        raise ValueError(f"a strip of {name} is being edited in the NLA editor; leave tweak mode first")
    if options.action == "replace" and animation.action is not None and animation.action.library is not None:
        raise ValueError(f"the action {animation.action.name} is linked from another file; choose a new action")


def _switches(rig: Rig, slots: Mapping[str, str], controls: Controls, options: Options) -> list[tuple[Switch, float]]:
    """Which switches get a key, and its value. A limb's first one turns it to FK; the others say how its IK works."""
    steered = ik_limbs(controls, rig, slots) if options.limbs != "fk" else {}
    found, first = [], set()
    for switch in controls.switches:
        if switch.bone not in rig.rows or not options.part_influence_of(switch.limb):
            continue
        by_ik = switch.limb in steered and (options.limbs == "ik" or switch.limb in first)
        first.add(switch.limb)
        found.append((switch, switch.ik if by_ik else switch.fk))
    return found


def _stiff(
    armature: bpy.types.Object, rig: Rig, slots: Mapping[str, str], controls: Controls, options: Options
) -> list[Held]:
    """Keys that keep IK limbs at their length: a solver that may stretch shortens bent ones."""
    if options.limbs == "fk":
        return []
    limbs = [limb for limb in ik_limbs(controls, rig, slots) if options.part_influence_of(limb)]
    poles = {bone for limb in limbs for bone in controls.of(limb).values()} & set(rig.poles)
    found = []
    for name in sorted({rig.poles[pole].second for pole in poles}):
        for one in armature.pose.bones[name].constraints:
            if one.type == "IK" and one.use_stretch:
                found.append((name, f"{one.path_from_id()}.use_stretch", 0, 0.0))
    return found


def _look(
    armature: bpy.types.Object,
    rig: Rig,
    slots: Mapping[str, str],
    done: Retargeted,
    options: Options,
    stretch: np.ndarray,
) -> tuple[float, float] | None:
    """(mean, most) degrees between the person's limbs and those that Blender evaluates, over a few frames.

    None where nothing can be looked at: there is no pose in Edit Mode.
    """
    if armature.data.is_editmode:
        return None
    rows = np.unique(np.linspace(0, len(done.frames) - 1, _LOOKED_AT).round().astype(int))
    judged = {slot: name for slot, name in slots.items() if options.part_influence(slot) >= 1}
    wanted = limb_directions(done.source, done.times[rows], judged)
    wanted = {slot: unit(along @ stretch.T) for slot, along in wanted.items()}
    angles = limb_angles(armature, deform_bones(rig, judged), done.frames[rows].tolist(), wanted)
    return (float(angles.mean()), float(angles.max())) if len(angles) else None


def _warnings(armature: bpy.types.Object, slots: Mapping[str, str], options: Options) -> tuple[str, ...]:
    said = []
    if armature.data.pose_position == "REST":
        said.append(f"{armature.name} shows its rest position; set Pose Position to see the motion")
    animation = armature.animation_data
    if animation is not None and animation.action_influence < 1:
        said.append(f"the action of {armature.name} has an influence of {animation.action_influence:.0%} in the NLA")
    driven = set()
    for curve in animation.drivers if animation is not None else ():
        for name in slots.values():
            if curve.data_path.startswith(f'pose.bones["{bpy.utils.escape_identifier(name)}"].') and (
                "rotation" in curve.data_path or "location" in curve.data_path
            ):
                driven.add(name)
    if driven:
        said.append(f"{', '.join(sorted(driven))}: a driver moves this instead of the keys")
    locked = [name for name in slots.values() if all(armature.pose.bones[name].lock_rotation)]
    if locked:
        said.append(f"{', '.join(sorted(locked))}: locked against turning by hand; the keys turn them all the same")
    if options.action == "replace" and animation is not None and animation.action is not None:
        said += [
            f"the action still moves {one} besides; delete those curves" for one in _others(animation, slots, options)
        ]
    return tuple(said)


def _others(animation: bpy.types.AnimData, slots: Mapping[str, str], options: Options) -> list[str]:
    """What else the action that is there carries the figure by, and keeps."""
    found = {curve.data_path for curve in action_curves(animation)}
    carriers = {"object": ("the object", "")}
    if "root" in slots:
        carriers["root"] = (slots["root"], f'pose.bones["{bpy.utils.escape_identifier(slots["root"])}"].')
    return [
        name
        for mode, (name, path) in carriers.items()
        if options.root != mode and found & {path + "location", *(path + one for one in _ROTATIONS)}
    ]
