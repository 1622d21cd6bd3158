# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The list of the body's parts and the bones that were chosen for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...rigging.retarget.ends import NEAR, goes_on, is_held, part_above
from ...rigging.retarget.slots import CHAINS, ENDS, REQUIRED, SLOTS, chain
from .settings import RetargetSettings, SlotItem, filling

_SIDES = {"L": "Left", "R": "Right"}


def title(slot: str) -> str:
    """A slot in an animator's words: `upper_arm.L` is "Left Upper Arm", `spine.1` is "Spine 2"."""
    stem, _, end = slot.partition(".")
    words = stem.replace("_", " ").title()
    if end in _SIDES:
        return f"{_SIDES[end]} {words}"
    return f"{words} {int(end) + 1}" if end else words


def fill(settings: RetargetSettings, slots: Mapping[str, str]) -> None:
    """Make the list say `slots` (slot -> bone), with an empty line for every part that has none."""
    names: list[str] = []
    for slot in SLOTS:
        names.append(slot)
        if slot in CHAINS:
            links = chain(slots, slot)
            names += [*links[1:], f"{slot}.{len(links)}"] if links else []
    with filling:
        settings.slots.clear()
        for name in names:
            item = settings.slots.add()
            item.name, item.bone = name, slots.get(name, "")
        settings.active_slot = 0


def chosen(settings: RetargetSettings) -> dict[str, str]:
    """Slot -> bone, for the parts that have one."""
    return {item.name: item.bone for item in settings.slots if item.bone}


def state(settings: RetargetSettings, item: SlotItem) -> str:
    """ "found"; "gone" (the character has no such bone), "missing" (nothing goes without one) or "empty"."""
    if item.bone:
        return "found" if item.bone in settings.target.data.bones else "gone"
    return "missing" if item.name in REQUIRED and not _ends_above(settings, item.name) else "empty"


def _ends_above(settings: RetargetSettings, slot: str) -> bool:
    """Whether a limb needs no hand or foot: no bone lies there, and the tail of the one above says where it ends."""
    last = ENDS.get(slot, "")
    bones = [
        settings.target.data.bones.get(settings.slots[one].bone)
        for one in (part_above(last), last)
        if one in settings.slots
    ]
    if len(bones) < 2 or None in bones:
        return False
    upper, lower = bones
    tail = lower.tail_local
    near = (one for one in settings.target.data.bones if (one.head_local - tail).length < NEAR * lower.length)
    if not all(is_held(one.name) for one in near):
        return False
    return goes_on(*(np.array(place) for place in (upper.head_local, lower.head_local, lower.tail_local)))


def problem(settings: RetargetSettings) -> str:
    """Why the choice of bones is no body, in one sentence; empty if it is."""
    target = settings.target
    if not len(settings.slots):
        return "Press Map Bones to find the character's bones"
    states = {item.name: state(settings, item) for item in settings.slots}
    missing = [title(name) for name, found in states.items() if found == "missing"]
    if missing:
        return f"Choose a bone for {_listed(missing)}"
    gone = [f"{title(item.name)} ({item.bone})" for item in settings.slots if states[item.name] == "gone"]
    if gone:
        return f"{target.name} has no such bone: {_listed(gone)}; choose others, or press Map Bones"
    for stem in CHAINS:
        links = [name for name in chosen(settings) if name.partition(".")[0] == stem]
        if len(links) > len(chain(links, stem)):
            return f"The bones of the {stem} have a gap: fill them from {title(stem)} up"
    return ""


def _listed(names: list[str]) -> str:
    shown = names[:4]
    return f"{', '.join(shown)} and {len(names) - 4} more" if len(names) > 4 else ", ".join(shown)
