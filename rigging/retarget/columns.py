# SPDX-License-Identifier: GPL-3.0-or-later
"""The spine from the hips to the chest and the neck from there to the head, of a rig whose limbs are known."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table

import numpy as np

from .geometry import Body
from .naming import is_beside
from .rig import Rig


def name_columns(
    rig: Rig,
    rows: dict[str, int],
    chains: Table[str, list[int]],
    body: Callable[[], Body | None],
    controls: bool,
) -> None:
    """Add spine, spine.1 .., chest, neck, neck.1 .., head to `rows`, in place.

    chains: what a table of names found. body: by shape, asked only where names do not suffice. controls: of a control
    rig, whose controls hang from helpers, so that only names count.
    """
    named = [row for row in chains.get("spine", []) if row not in rows.values()]
    necks = [row for row in chains.get("neck", []) if row not in rows.values()]
    trunk, above = _trunk(rig, rows, named, necks, controls)
    if "head" not in rows and above:
        rows["head"] = above.pop()
    shape = body() if "head" not in rows or (not trunk and not controls) else None
    if "head" not in rows and shape is not None and shape.slots.get("head") not in {None, *rows.values(), *trunk}:
        rows["head"] = shape.slots["head"]
    if not trunk and shape is not None:
        trunk = [row for row in shape.spine if row not in rows.values()]
    neck = _neck(rig, rows, trunk, [*above, *necks], controls)
    for number, row in enumerate(trunk[:-1]):
        rows["spine" if number == 0 else f"spine.{number}"] = row
    if trunk:
        rows["chest"] = trunk[-1]
    for number, row in enumerate(neck):
        rows["neck" if number == 0 else f"neck.{number}"] = row


def _trunk(
    rig: Rig, rows: Table[str, int], named: list[int], necks: list[int], controls: bool
) -> tuple[list[int], list[int]]:
    """(bones from above the hips to the chest, named bones above the chest)."""
    carrier = _carrier(rig, rows, named)
    if controls:
        below = [row for row in named if carrier is None or named.index(row) <= named.index(carrier)]
        return below, [row for row in named if row not in below]
    hips = rows["hips"]
    way = _way(rig, _common(rig, [rows.get(f"shoulder.{s}", rows[f"upper_arm.{s}"]) for s in "LR"]), hips)
    if way is None:
        return named, []
    never = {rows.get("head"), *necks}
    trunk: list[int] = []
    for row in _unfolded(rig, way, hips):
        if row in never:
            break
        known = row in named
        if row in rows.values() or (is_beside(rig.bones[row].name) and not known):
            continue
        here = [other for other in trunk if np.allclose(rig.heads[other], rig.heads[row], atol=1e-6)]
        if known or not here:
            trunk.append(row)
    above = [row for row in named if row not in way and row not in trunk]
    return trunk, above


def _unfolded(rig: Rig, way: list[int], hips: int) -> list[int]:
    """The way without folds: bones that lead back to a place where it has been, those between and those that double it.

    Second Life has them: up, down to the pelvis and up again.
    """
    near = 1e-3 * float(np.linalg.norm(rig.heads[way[-1]] - rig.heads[hips])) if way else 0.0
    kept = [hips]
    for row in way:
        been = [at for at, one in enumerate(kept) if np.linalg.norm(rig.heads[one] - rig.heads[row]) <= near]
        if been and been[0] < len(kept) - 1:
            kept = kept[: been[0] + 1]
        else:
            kept.append(row)
    return kept[1:]


def _carrier(rig: Rig, rows: Table[str, int], named: list[int]) -> int | None:
    """The last of the spine's bones that carries both arms."""
    lines = [set(rig.ancestors(rows.get(f"shoulder.{side}", rows[f"upper_arm.{side}"]))) for side in "LR"]
    carrying = [row for row in named if row in lines[0] and row in lines[1]]
    return carrying[-1] if carrying else None


def _common(rig: Rig, pair: list[int]) -> int | None:
    lines = [rig.ancestors(row) for row in pair]
    return next((row for row in lines[0] if row in lines[1]), None)


def _way(rig: Rig, top: int | None, hips: int) -> list[int] | None:
    """Rows from above the hips up to `top`, or None if it does not hang from the hips."""
    if top is None:
        return None
    if top == hips:
        return []
    line = [top, *rig.ancestors(top)]
    return line[: line.index(hips)][::-1] if hips in line else None


def _neck(rig: Rig, rows: Table[str, int], trunk: list[int], named: list[int], controls: bool) -> list[int]:
    head = rows.get("head")
    taken = {*rows.values(), *trunk}
    named = [row for row in dict.fromkeys(named) if row not in taken]
    if head is None or controls:
        return named
    line = rig.ancestors(head)
    base = trunk[-1] if trunk else rows["hips"]
    stop = next((number for number, row in enumerate(line) if row in taken or row == base), None)
    if stop is None or not (line[stop] == base or line[stop] in trunk or line[stop] == rows["hips"]):
        return named
    way = line[:stop][::-1]
    return [row for row in way if row in named or not is_beside(rig.bones[row].name)]
