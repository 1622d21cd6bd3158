# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a rig are a body's: by tables of names, by words that any rig may use, by the shape of the skeleton.

Names are asked first, the best table as a whole. What it lacks is filled from general words, then from geometry. Sides
are the character's own: a rig whose names have left and right exchanged is mapped by its body.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass, replace

from .completing import (
    fill_ends,
    fill_hips,
    fill_tails,
    fill_upper_arms,
    raise_hips,
    refuse_contradictions,
    refuse_scattered,
)
from .finding import (
    BELIEVED,
    BY_SHAPE,
    Found,
    columns,
    fill_by_shape,
    fill_by_words,
    find_root,
    refuse_animals,
    right_way_round,
)
from .matching import Fit, fit_preset, name_index
from .presets import Preset, shipped_presets
from .rig import Rig
from .slots import REQUIRED, SLOTS, in_words, is_slot


@dataclass(frozen=True)
class Mapping:
    """Which bone is what.

    slots: slot -> bone name, parents first. preset: name of the table that was believed, empty if the skeleton's shape
    was. score: 0..1, how sure. notes: sentences for the user. unmapped: body slots without a bone. ended:
    of these, hands and feet that are where the limb's last bone ends.
    """

    slots: dict[str, str]
    preset: str
    score: float
    notes: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required slots without a bone; nothing can be retargeted while there are any."""
        return tuple(slot for slot in REQUIRED if slot not in self.slots and slot not in self.ended)


class IncompleteMappingError(ValueError):
    """A rig that is nearly a humanoid; `mapping` is what was found, for the user to complete."""

    def __init__(self, message: str, mapping: Mapping) -> None:
        super().__init__(message)
        self.mapping = mapping


def map_rig(rig: Rig, presets: Iterable[Preset] | None = None) -> Mapping:
    """The body's bones.

    presets: tables to choose from (default: the shipped ones); general words are always used besides. Raises
    ValueError, one sentence, for what is no humanoid, and its subclass IncompleteMappingError where little is missing.
    """
    if not rig.bones:
        raise ValueError(f"{rig.name} has no bones; choose an armature with a body")
    tables = tuple(shipped_presets() if presets is None else presets)
    index = name_index(rig)
    fits = [fit_preset(rig, index, table) for table in tables]
    best = max(fits, key=_rank, default=None)
    if best is not None and best.preset.kind == "user":
        if _whole(best):
            own = Found(rig, dict(best.rows), dict(best.sure))
            fill_tails(own)
            return _mapping(own, best)
        _refuse_lone_preset(rig, best, len(tables))
    if best is not None and best.required < BELIEVED:
        best = None
    found = Found(rig) if best is None else Found(rig, dict(best.rows), dict(best.sure))
    general = [fit for fit in fits if fit.preset.kind == "general"]
    if not general:
        general = [fit_preset(rig, index, table) for table in shipped_presets() if table.kind == "general"]
    if best is not None:
        fill_by_words(found, general)
    fill_ends(found)
    fill_upper_arms(found)
    fill_tails(found)
    fill_hips(found)
    right_way_round(found)
    fill_by_shape(found)
    refuse_animals(found)
    _refuse(found, best)
    refuse_scattered(found)
    refuse_contradictions(found)
    raise_hips(found)
    columns(found, best)
    find_root(found)
    return _mapping(found, best)


def _refuse(found: Found, best: Fit | None) -> None:
    """Raise ValueError if required slots are missing."""
    name, missing = found.rig.name, found.missing()
    if not missing:
        return
    if len(missing) <= len(REQUIRED) - BELIEVED:
        raise IncompleteMappingError(
            f"{name} has no bone that can be taken for {', '.join(in_words(missing))}; choose one in the panel's list "
            "of bones, name one in a preset (--mapping), or add one to the rig",
            _mapping(found, best),
        )
    raise ValueError(f"{found.reason() or f'{name} is no humanoid'}; choose another armature, or map it by hand")


def _refuse_lone_preset(rig: Rig, fit: Fit, tables: int) -> None:
    """Raise ValueError if the one table that the user asked for is of another rig."""
    if tables == 1:
        lacking = [names[0] for slot, names in fit.preset.names.items() if slot not in fit.rows]
        raise ValueError(
            f"{rig.name} has no bone called {', '.join(lacking[:5])}, which the preset {fit.preset.title} names"
        )


def _whole(fit: Fit) -> bool:
    return len(fit.rows) == len(fit.preset.names)


def _rank(fit: Fit) -> float:
    """Tables compared: the user's own, where all of it is there, comes first, and a control rig before its skeleton."""
    own = 100.0 if fit.preset.kind == "user" and _whole(fit) else 0.0
    controls = 3.0 if fit.preset.kind == "controls" and fit.required == len(REQUIRED) else 0.0
    return fit.score + own + controls - 0.5 * (fit.preset.kind == "general")


def _mapping(found: Found, best: Fit | None) -> Mapping:
    rig = found.rig
    order = sorted((slot for slot in found.rows if slot not in found.ended), key=_order)
    slots = {slot: rig.bones[found.rows[slot]].name for slot in order}
    by_name = sum(found.sure.get(slot, 0.0) > BY_SHAPE for slot in REQUIRED)
    preset = best.preset.name if best is not None and by_name >= BELIEVED else ""
    by_shape = [slot for slot in order if found.sure.get(slot) == BY_SHAPE and slot != "root"]
    notes = list(found.notes)
    if not preset and not found.missing():
        notes.append("The names of the bones say nothing; the body was found by its shape")
    elif by_shape and preset:
        notes.append(f"Found by shape, not by name: {', '.join(by_shape)}")
    notes += _without(found.ended)
    unmapped = tuple(slot for slot in SLOTS if slot not in slots and slot not in ("root", "pelvis"))
    score = sum(found.sure.get(slot, 0.0) for slot in REQUIRED) / len(REQUIRED)
    return Mapping(slots, preset, round(score, 3), tuple(notes), unmapped, found.ended)


def _without(ended: tuple[str, ...]) -> list[str]:
    said = (("hand", "hands", "arms", "forearms"), ("foot", "feet", "legs", "shins"))
    return [
        f"No bones for {many}: the {limbs} end where the {last} do"
        for one, many, limbs, last in said
        if any(slot.startswith(one) for slot in ended)
    ]


def _order(slot: str) -> tuple[float, int]:
    stem, _, number = slot.partition(".")
    if slot in SLOTS:
        return float(SLOTS.index(slot)), 0
    if stem in SLOTS and number.isdigit():
        return float(SLOTS.index(stem)), int(number)
    return float(len(SLOTS)), 0


def with_corrections(mapping: Mapping, corrections: Table[str, str | None]) -> Mapping:
    """The mapping with some slots as the user says: another bone, or None for no bone.

    A bone that the user gives to a slot is taken from the slot that had it. Raises ValueError, one sentence, for an
    unknown slot or a bone given twice.
    """
    unknown = [slot for slot in corrections if not is_slot(slot)]
    if unknown:
        raise ValueError(f"there is no slot called {unknown[0]}; known are {', '.join(SLOTS)}")
    given = [bone for bone in corrections.values() if bone]
    twice = next((bone for bone in given if given.count(bone) > 1), None)
    if twice is not None:
        raise ValueError(f"the bone {twice} is given to two slots; keep one of them")
    slots = {slot: bone for slot, bone in mapping.slots.items() if slot not in corrections and bone not in given}
    slots |= {slot: bone for slot, bone in corrections.items() if bone}
    lost = [slot for slot, bone in mapping.slots.items() if slot not in slots and corrections.get(slot, "") == ""]
    notes = [*mapping.notes, *(f"The slot {slot} has lost its bone to another slot" for slot in lost)]
    ordered = {slot: slots[slot] for slot in sorted(slots, key=_order)}
    unmapped = tuple(slot for slot in SLOTS if slot not in slots and slot not in ("root", "pelvis"))
    return replace(mapping, slots=ordered, notes=tuple(notes), unmapped=unmapped)
