# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps by which a rig's body is completed: general words, the right sides, shape; and what is refused."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from .columns import name_columns
from .controls_by_shape import control_slots, is_control_rig
from .facing import FEET, facing
from .geometry import Body, FourLegsError, find_body, stands_on_four
from .matching import LIMBS, Fit, broken_links, is_driven
from .naming import words
from .rig import Rig
from .slots import REQUIRED

_Value = TypeVar("_Value")
#: A table that finds fewer of the required slots is not believed at all.
BELIEVED = 7
#: How sure a slot is, at most, that general words found.
BY_WORDS = 0.75
#: How sure a slot is that was found by shape.
BY_SHAPE = 0.5
#: Words of what hangs from a body; never a limb.
_HANGING_WORDS = (
    "tail wing wings hair skirt cape coat cloth dress sleeve breast breasts boob ear horn antenna weapon prop sword "
    "rope belt bag ponytail pigtail braid ribbon scarf"
)
_HANGING = frozenset(_HANGING_WORDS.split())
#: Words that no arm is called by.
_LEGS = frozenset(("leg", "legs", "foreleg", "forelegs", "frontleg", "paw", "hoof"))


@dataclass
class Found:
    """What is known so far. ended: slots that have no bone, but are where the limb's last bone ends."""

    rig: Rig
    rows: dict[str, int] = field(default_factory=dict)
    sure: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ended: tuple[str, ...] = ()
    _body: Body | ValueError | None = None

    def body(self) -> Body | None:
        """The body by shape, looked for once."""
        if self._body is None:
            try:
                self._body = _shape(self.rig)
            except ValueError as problem:
                self._body = problem
        return self._body if isinstance(self._body, Body) else None

    def no_body(self, reason: str) -> None:
        """What the shape was taken for is none."""
        self._body = ValueError(reason)

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


def fill_by_words(found: Found, general: Sequence[Fit]) -> None:
    """What the best table lacks, limb by limb, from general words, where the limb then hangs together."""
    for limb in LIMBS:
        lacking = [slot for slot in limb if slot not in found.rows]
        for fit in sorted(general, key=lambda fit: -sum(slot in fit.rows for slot in lacking)):
            for slot in lacking:
                row = fit.rows.get(slot)
                if row is None or slot in found.rows or row in found.rows.values():
                    continue
                if broken_links(found.rig, found.rows | {slot: row}, limb) <= broken_links(found.rig, found.rows, limb):
                    found.put(slot, row, fit.sure[slot])
    for slot in ("hips", "head"):
        for fit in general:
            if slot in fit.rows:
                found.put(slot, fit.rows[slot], fit.sure[slot])


def fill_by_shape(found: Found) -> None:
    """Required slots, and with them the others, that names did not find."""
    lacking = found.missing()
    body = found.body() if lacking else None
    if body is None:
        return
    if not found.rows and "head" not in body.slots and not body.spine:
        found.no_body(
            f"{found.rig.name} is no humanoid: its limbs hang from one bone that carries no trunk and no head"
        )
        return
    slots = _oriented(found, body)
    for limb in LIMBS:
        _limb_by_shape(found, limb, slots)
    for slot in [*lacking, *slots]:
        if slot in slots:
            found.put(slot, slots[slot], BY_SHAPE)


def _limb_by_shape(found: Found, limb: Sequence[str], slots: Table[str, int]) -> None:
    """A limb of which general words found a part that does not fit its shape is taken by shape altogether.

    Bones may be counted from the hand up: `arm_4`, `arm_3`, `arm_2`.
    """
    known = {slot: found.rows[slot] for slot in limb if slot in found.rows}
    clash = [row for slot, row in known.items() if row != slots.get(slot) and row in slots.values()]
    whole = all(slot in slots for slot in limb if slot in REQUIRED)
    if clash and whole and max(found.sure[slot] for slot in known) <= BY_WORDS:
        for slot in known:
            del found.rows[slot], found.sure[slot]
        for slot in limb:
            if slot in slots:
                found.put(slot, slots[slot], BY_SHAPE)


def _oriented(found: Found, body: Body) -> dict[str, int]:
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


def right_way_round(found: Found) -> None:
    """Left is where the character's left is."""
    if found.missing() and set(found.missing()) != {"hips"}:
        return
    looks = facing(found.rig, found.rows)
    if looks.agrees < 0 and looks.by == FEET and not looks.doubted:
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


def refuse_animals(found: Found) -> None:
    """Raise ValueError if this stands on four legs. Called with the required slots, or with what was found of them."""
    rig = found.rig
    if found.missing():
        found.body()
        found.refuse_four_legs()
        return
    arms = [rig.bones[found.rows[f"{part}.{side}"]].name for part in ("upper_arm", "forearm") for side in "LR"]
    if all(_LEGS.intersection(words(name)) for name in arms):
        raise FourLegsError(rig.name)
    heads = rig.heads

    def middle(part: str) -> np.ndarray:
        return (heads[found.rows[f"{part}.L"]] + heads[found.rows[f"{part}.R"]]) / 2

    trunk = middle("upper_arm") - middle("thigh")
    legs, arms = middle("foot") - middle("thigh"), middle("hand") - middle("upper_arm")
    if stands_on_four(trunk, legs, arms, _lowest(rig, found.rows, "foot") - _lowest(rig, found.rows, "hand")):
        raise FourLegsError(rig.name)


def _lowest(rig: Rig, rows: Table[str, int], part: str) -> float:
    """How high the lowest bone is that hangs from this part, either side; paws stand on their toes."""
    below = [rows[f"{part}.{side}"] for side in "LR"]
    for row in below:
        below += rig.children[row]
    return float(rig.heads[below][:, 2].min())


def find_root(found: Found) -> None:
    """A bone on the floor that carries the hips."""
    rig, rows = found.rig, found.rows
    lineage = rig.ancestors(rows["hips"])
    named = rows.get("root")
    if named is not None and not rig.bones[named].scaled and (named in lineage or found.sure["root"] >= 0.9):
        return
    rows.pop("root", None)
    found.sure.pop("root", None)
    if not lineage or lineage[-1] in rows.values() or is_driven(rig, lineage[-1]) or rig.bones[lineage[-1]].scaled:
        return
    looks = facing(rig, rows)
    feet = [float(rig.heads[rows[f"foot.{side}"]] @ looks.up) for side in "LR"]
    hips = [float(rig.heads[rows[f"thigh.{side}"]] @ looks.up) for side in "LR"]
    leg = np.mean(hips) - np.mean(feet)
    if float(rig.heads[lineage[-1]] @ looks.up) - np.mean(feet) < 0.15 * leg:
        rows["root"], found.sure["root"] = lineage[-1], BY_SHAPE


def columns(found: Found, best: Fit | None) -> None:
    controls = best.preset.kind == "controls" if best is not None else is_control_rig(found.rig)
    chains = dict(best.chains) if best is not None else {}
    body = found.body() if best is None else None
    if controls and body is not None:
        chains = {"spine": list(body.spine), "neck": list(body.neck)}
    name_columns(found.rig, found.rows, chains, found.body, controls)
