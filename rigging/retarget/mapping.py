# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a rig are a body's: by tables of names, by words that any rig may use, by the shape of the skeleton.

Names are asked first, the best table as a whole. What it lacks is filled from general words, then from geometry. Sides
are the character's own: a rig whose names have left and right exchanged is mapped by its body.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from .columns import name_columns
from .controls_by_shape import control_slots, is_control_rig
from .facing import facing
from .geometry import Body, FourLegsError, find_body, stands_on_four
from .matching import LIMBS, Fit, broken_links, fit_preset, is_driven, name_index
from .naming import words
from .presets import Preset, shipped_presets
from .rig import Rig
from .slots import REQUIRED, SLOTS, is_slot

_Value = TypeVar("_Value")
#: A table that finds fewer of the required slots is not believed at all.
_BELIEVED = 7
#: How sure a slot is that was found by shape.
_BY_SHAPE = 0.5
#: Words of what hangs from a body; never a limb.
_HANGING_WORDS = (
    "tail wing wings hair skirt cape coat cloth dress sleeve breast breasts boob ear horn antenna weapon prop sword "
    "rope belt bag ponytail pigtail braid ribbon scarf"
)
_HANGING = frozenset(_HANGING_WORDS.split())


@dataclass(frozen=True)
class Mapping:
    """Which bone is what.

    slots: slot -> bone name, parents first. preset: name of the table that was believed, empty if the skeleton's shape
    was. score: 0..1, how sure. notes: sentences for the user. unmapped: body slots without a bone.
    """

    slots: dict[str, str]
    preset: str
    score: float
    notes: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required slots without a bone; nothing can be retargeted while there are any."""
        return tuple(slot for slot in REQUIRED if slot not in self.slots)


class IncompleteMappingError(ValueError):
    """A rig that is nearly a humanoid; `mapping` is what was found, for the user to complete."""

    def __init__(self, message: str, mapping: Mapping) -> None:
        super().__init__(message)
        self.mapping = mapping


@dataclass
class _Found:
    """What is known so far."""

    rig: Rig
    rows: dict[str, int] = field(default_factory=dict)
    sure: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _body: Body | ValueError | None = None

    def body(self) -> Body | None:
        """The body by shape, looked for once."""
        if self._body is None:
            try:
                self._body = _shape(self.rig)
            except ValueError as problem:
                self._body = problem
        return self._body if isinstance(self._body, Body) else None

    def reason(self) -> str:
        """Why there is no body by shape."""
        return str(self._body) if isinstance(self._body, ValueError) else ""

    def refuse_four_legs(self) -> None:
        if isinstance(self._body, FourLegsError):
            raise self._body

    def put(self, slot: str, row: int, sure: float) -> None:
        if slot not in self.rows and row not in self.rows.values():
            self.rows[slot], self.sure[slot] = row, sure

    def missing(self) -> list[str]:
        return [slot for slot in REQUIRED if slot not in self.rows]


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
    if best is not None and best.required < _BELIEVED and best.preset.kind != "user":
        best = None
    found = _Found(rig)
    if best is not None:
        found.rows |= best.rows
        found.sure |= best.sure
    general = [fit for fit in fits if fit.preset.kind == "general"]
    if not general:
        general = [fit_preset(rig, index, table) for table in shipped_presets() if table.kind == "general"]
    _fill_by_words(found, general, best)
    _right_way_round(found)
    _fill_by_shape(found, best)
    _refuse(found)
    _right_way_round(found, exchange=False)
    if best is None or best.preset.kind != "user":
        _columns(found, best)
        _find_root(found)
    return _mapping(found, best)


def _columns(found: _Found, best: Fit | None) -> None:
    controls = best.preset.kind == "controls" if best is not None else is_control_rig(found.rig)
    chains = dict(best.chains) if best is not None else {}
    body = found.body() if best is None else None
    if controls and body is not None:
        chains = {"spine": list(body.spine), "neck": list(body.neck)}
    name_columns(found.rig, found.rows, chains, found.body, controls)


def _rank(fit: Fit) -> float:
    """Tables compared: the user's own, where all of it is there, comes first, and a control rig before its skeleton."""
    whole = len(fit.rows) == len(fit.preset.names)
    own = 100.0 if fit.preset.kind == "user" and whole else 0.0
    controls = 3.0 if fit.preset.kind == "controls" and fit.required == len(REQUIRED) else 0.0
    return fit.score + own + controls - 0.5 * (fit.preset.kind == "general")


def _fill_by_words(found: _Found, general: Sequence[Fit], best: Fit | None) -> None:
    """What the best table lacks, limb by limb, from general words, where the limb then hangs together."""
    own = best is not None and best.preset.kind == "user"
    if best is None:
        return
    for limb in LIMBS:
        lacking = [slot for slot in limb if slot not in found.rows and (not own or slot in REQUIRED)]
        for fit in sorted(general, key=lambda fit: -sum(slot in fit.rows for slot in lacking)):
            for slot in lacking:
                row = fit.rows.get(slot)
                if row is None or slot in found.rows or row in found.rows.values():
                    continue
                if broken_links(found.rig, found.rows | {slot: row}, limb) <= broken_links(found.rig, found.rows, limb):
                    found.put(slot, row, fit.sure[slot])
    for slot in ("hips", "head"):
        for fit in general:
            if slot in fit.rows and not own:
                found.put(slot, fit.rows[slot], fit.sure[slot])


def _fill_by_shape(found: _Found, best: Fit | None) -> None:
    lacking = found.missing()
    if not lacking or (best is not None and best.preset.kind == "user"):
        return
    body = found.body()
    if body is None:
        return
    slots = _oriented(found, body)
    taken = set(found.rows.values())
    for slot in [*lacking, *slots]:
        if slot in slots and slots[slot] not in taken:
            found.put(slot, slots[slot], _BY_SHAPE)


def _oriented(found: _Found, body: Body) -> dict[str, int]:
    """The body's slots, sides as the names found so far have them, else as the body looks."""
    exchanged = _exchange(body.slots)
    votes = sum(
        (body.slots.get(slot) == row)
        - (exchanged.get(slot) == row)
        + _nearer(found.rig, body.slots, exchanged, slot, row)
        for slot, row in found.rows.items()
        if slot.endswith((".L", ".R"))
    )
    if votes:
        return dict(body.slots) if votes > 0 else exchanged
    looks = facing(found.rig, body.slots)
    if looks.agrees == 0:
        found.notes.append("Nothing says which way this figure looks; it is taken to face -Y, check left and right")
        agrees = 1 if looks.front[1] < 1e-9 else -1
    else:
        agrees = looks.agrees
    return dict(body.slots) if agrees > 0 else exchanged


def _nearer(rig: Rig, slots: Table[str, int], exchanged: Table[str, int], slot: str, row: int) -> float:
    """0.1 where the place of a bone speaks for `slots`, -0.1 where it speaks for `exchanged`."""
    if slot not in slots or slot not in exchanged:
        return 0.0
    away = [float(np.linalg.norm(rig.heads[table[slot]] - rig.heads[row])) for table in (slots, exchanged)]
    return 0.1 * float(np.sign(away[1] - away[0]))


def _exchange(rows: Table[str, _Value]) -> dict[str, _Value]:
    """Left for right."""
    other = {".L": ".R", ".R": ".L"}
    return {slot[:-2] + other.get(slot[-2:], slot[-2:]): row for slot, row in rows.items()}


def _right_way_round(found: _Found, exchange: bool = True) -> None:
    """Left is where the character's left is."""
    if found.missing() and set(found.missing()) != {"hips"}:
        return
    looks = facing(found.rig, found.rows)
    if exchange and looks.agrees < 0:
        found.rows, found.sure = _exchange(found.rows), _exchange(found.sure)
        found.notes.append(
            f"Left and right are exchanged in the names of this rig, as its {looks.by} show; it is mapped by its body"
        )


def _shape(rig: Rig) -> Body:
    hanging = frozenset(row for row, bone in enumerate(rig.bones) if not _HANGING.isdisjoint(words(bone.name)))
    deform = [row for row, bone in enumerate(rig.bones) if bone.deform]
    if is_control_rig(rig):
        return control_slots(rig, find_body(rig, deform, hanging))
    tries: list[tuple[Sequence[int] | None, frozenset[int]]] = [(None, hanging)]
    if len(deform) < len(rig.bones):
        tries.append((deform, hanging))
    if hanging:
        tries.append((None, frozenset()))
    problem: ValueError | None = None
    for rows, avoid in tries:
        try:
            return find_body(rig, rows, avoid)
        except ValueError as reason:
            problem = problem or reason
    raise problem if problem is not None else ValueError(f"{rig.name} is no humanoid")


def _refuse(found: _Found) -> None:
    """Raise ValueError if this is no body."""
    rig, missing = found.rig, found.missing()
    if not missing:
        heads = rig.heads

        def middle(part: str) -> np.ndarray:
            return (heads[found.rows[f"{part}.L"]] + heads[found.rows[f"{part}.R"]]) / 2

        trunk = middle("upper_arm") - middle("thigh")
        legs, arms = middle("foot") - middle("thigh"), middle("hand") - middle("upper_arm")
        if stands_on_four(trunk, legs, arms, _lowest(rig, found.rows, "foot") - _lowest(rig, found.rows, "hand")):
            raise FourLegsError(rig.name)
        return
    found.body()
    found.refuse_four_legs()
    if len(missing) <= len(REQUIRED) - _BELIEVED:
        mapping = _mapping(found, None)
        raise IncompleteMappingError(
            f"{rig.name} has no bone that can be taken for {', '.join(missing)}; choose it in the list of bones",
            mapping,
        )
    raise ValueError(f"{found.reason() or f'{rig.name} is no humanoid'}; choose another armature, or map it by hand")


def _lowest(rig: Rig, rows: Table[str, int], part: str) -> float:
    """How high the lowest bone is that hangs from this part, either side; paws stand on their toes."""
    below = [rows[f"{part}.{side}"] for side in "LR"]
    for row in below:
        below += rig.children[row]
    return float(rig.heads[below][:, 2].min())


def _find_root(found: _Found) -> None:
    """A bone on the floor that carries the hips."""
    rig, rows = found.rig, found.rows
    lineage = rig.ancestors(rows["hips"])
    named = rows.get("root")
    if named is not None and (named in lineage or found.sure["root"] >= 0.9):
        return
    rows.pop("root", None)
    found.sure.pop("root", None)
    if not lineage or lineage[-1] in rows.values() or is_driven(rig, lineage[-1]):
        return
    looks = facing(rig, rows)
    feet = [float(rig.heads[rows[f"foot.{side}"]] @ looks.up) for side in "LR"]
    hips = [float(rig.heads[rows[f"thigh.{side}"]] @ looks.up) for side in "LR"]
    leg = np.mean(hips) - np.mean(feet)
    if float(rig.heads[lineage[-1]] @ looks.up) - np.mean(feet) < 0.15 * leg:
        rows["root"], found.sure["root"] = lineage[-1], _BY_SHAPE


def _mapping(found: _Found, best: Fit | None) -> Mapping:
    rig = found.rig
    order = sorted(found.rows, key=_order)
    slots = {slot: rig.bones[found.rows[slot]].name for slot in order}
    by_name = sum(found.sure.get(slot, 0.0) > _BY_SHAPE for slot in REQUIRED)
    preset = best.preset.name if best is not None and by_name >= _BELIEVED else ""
    by_shape = [slot for slot in order if found.sure.get(slot) == _BY_SHAPE and slot != "root"]
    notes = list(found.notes)
    if not preset and not found.missing():
        notes.append("The names of the bones say nothing; the body was found by its shape")
    elif by_shape and preset:
        notes.append(f"Found by shape, not by name: {', '.join(by_shape)}")
    unmapped = tuple(slot for slot in SLOTS if slot not in slots and slot not in ("root", "pelvis"))
    score = sum(found.sure.get(slot, 0.0) for slot in REQUIRED) / len(REQUIRED)
    return Mapping(slots, preset, round(score, 3), tuple(notes), unmapped)


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
