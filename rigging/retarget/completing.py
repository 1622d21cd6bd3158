# SPDX-License-Identifier: GPL-3.0-or-later
"""What names and the shape of a whole body leave open: hands behind forearms, hips that carry everything.

Skeletons of games are exported from control rigs without their constraints: feet hang from the root, thighs beside the
hips, so that the shape is no body's although the names are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..vectors import unit
from .controls_by_shape import is_control_rig
from .ends import with_ends
from .finding import BY_SHAPE, BY_WORDS, Found
from .matching import is_driven
from .naming import is_beside, is_finger, side_of, words
from .rig import Rig

#: Of the part of the limb above, a joint at its end is at least as far away.
_FAR = 0.25
#: Of a leg: a bone further from the hip joints than this is no hips.
_BY_THE_HIPS = 0.5
#: Words of what is at the ends of limbs.
_ENDS = frozenset(("hand", "wrist", "finger", "fingers", "foot", "feet", "ankle", "toe", "toes", "head"))
_CALLED = {"upper_arm": "shoulder", "thigh": "hip"}
#: Trunk and legs of whatever is drawn as a person differ less.
_SCATTERED = 15.0


def fill_ends(found: Found) -> None:
    """Hands and feet that no name tells: what the forearm or the shin leads to, the furthest of several."""
    for side in "LR":
        for part, above in (("hand", "forearm"), ("foot", "shin")):
            row = found.rows.get(f"{above}.{side}")
            if f"{part}.{side}" not in found.rows and row is not None:
                end = _end_of(found, row)
                if end is not None:
                    found.put(f"{part}.{side}", end, BY_SHAPE)


def fill_tails(found: Found) -> None:
    """Limbs that end with the forearm or the shin: where those end are the hand and the foot that have no bone."""
    slots = {slot: found.rig.bones[row].name for slot, row in found.rows.items()}
    found.rig, ended = with_ends(found.rig, slots)
    found.ended = tuple(slot for slot in ended if slot not in slots)
    for slot in found.ended:
        found.put(slot, found.rig.rows[ended[slot]], BY_SHAPE)


def _end_of(found: Found, row: int) -> int | None:
    """What a bone leads to: of its children that are far enough the one whose bones go on furthest and straightest."""
    rig, heads = found.rig, found.rig.heads
    parent = rig.bones[row].parent
    upper = float(np.linalg.norm(heads[row] - heads[parent])) if parent >= 0 else 0.0
    ends = [
        child
        for child in rig.children[row]
        if child not in found.rows.values()
        and _is_limb(rig, child)
        and np.linalg.norm(heads[child] - heads[row]) > max(_FAR * upper, 1e-9)
    ]
    if not ends:
        return None
    way = unit(np.median(heads[ends], 0) - heads[row])

    def reach(child: int) -> float:
        below = [child]
        for one in below:
            below += [other for other in rig.children[one] if _is_limb(rig, other)]
        off = heads[below] - heads[row]
        ahead = off @ way
        return float((ahead - np.linalg.norm(off - ahead[:, None] * way, axis=1)).max())

    return max(ends, key=reach)


def _is_limb(rig: Rig, row: int) -> bool:
    name = rig.bones[row].name
    return is_finger(name) or not is_beside(name)


def refuse_scattered(found: Found) -> None:
    """Raise ValueError where the bones, by their names a body's, do not lie like one at rest.

    Files without a bind pose come in so: every helper in the origin, limbs of no length far apart.
    """
    rig, rows = found.rig, found.rows
    if found.missing():
        return
    size = {part: _middle(rig, rows, part) for part in ("upper_arm", "thigh", "foot")}
    trunk, leg = (float(np.linalg.norm(size[part] - size["thigh"])) for part in ("upper_arm", "foot"))
    if max(trunk, leg) > _SCATTERED * min(trunk, leg):
        raise ValueError(
            f"the bones of {rig.name} do not lie like a body in its rest pose; put it into a pose that does and apply "
            "that as rest pose"
        )


def refuse_contradictions(found: Found) -> None:
    """Raise ValueError where the shape takes a bone for an upper arm or a thigh that is called a hand or a foot."""
    for part in ("upper_arm", "thigh"):
        for side in "LR":
            slot = f"{part}.{side}"
            name = found.rig.bones[found.rows[slot]].name if slot in found.rows else ""
            if found.sure.get(slot) == BY_SHAPE and _ENDS.intersection(words(name)):
                raise ValueError(
                    f"{name} lies in {found.rig.name} where a {_CALLED[part]} would: the bones of this rig are no "
                    "body's; map it by hand"
                )


def _middle(rig: Rig, rows: Mapping[str, int], part: str) -> np.ndarray:
    return (rig.heads[rows[f"{part}.L"]] + rig.heads[rows[f"{part}.R"]]) / 2


def fill_upper_arms(found: Found) -> None:
    """A shoulder from which the forearm hangs is the upper arm, as in Poser, whose collar bones are called collars."""
    rig, rows, sure = found.rig, found.rows, found.sure
    for side in "LR":
        shoulder, arm, forearm = (f"{part}.{side}" for part in ("shoulder", "upper_arm", "forearm"))
        if arm in rows or not {shoulder, forearm} <= set(rows) or rig.bones[rows[forearm]].parent != rows[shoulder]:
            continue
        rows[arm], sure[arm] = rows.pop(shoulder), sure.pop(shoulder)
        collar = rig.bones[rows[arm]].parent
        if collar >= 0 and side_of(rig.bones[collar].name) == side:
            found.put(shoulder, collar, BY_WORDS)


def fill_hips(found: Found) -> None:
    """Hips without a name of their own, or called the root: what carries trunk and legs, by the hip joints."""
    rig, rows = found.rig, found.rows
    if found.missing() != ["hips"] or is_control_rig(rig):
        return
    above = _carrier(rig, rows, rows["thigh.L"])
    if above is not None and _by_the_hips(rig, rows, above):
        if rows.get("root") == above:
            del rows["root"], found.sure["root"]
        found.put("hips", above, 0.75)


def _carrier(rig: Rig, rows: Mapping[str, int], below: int) -> int | None:
    """The nearest bone above one that carries both arms and both legs."""
    return _nearest(rig, [rows[f"{part}.{side}"] for part in ("upper_arm", "thigh") for side in "LR"], below)


def _nearest(rig: Rig, carried: list[int], below: int) -> int | None:
    """The nearest bone from `below` up from which all of some bones hang."""
    carrying = set.intersection(*(set(rig.ancestors(row)) for row in carried))
    return next((row for row in (below, *rig.ancestors(below)) if row in carrying), None)


def _by_the_hips(rig: Rig, rows: Mapping[str, int], row: int) -> bool:
    middle, ankles = (_middle(rig, rows, part) for part in ("thigh", "foot"))
    return bool(np.linalg.norm(rig.heads[row] - middle) < _BY_THE_HIPS * np.linalg.norm(ankles - middle))


def raise_hips(found: Found) -> None:
    """Hips are the bone that carries trunk and legs; one below it that is called hips turns the pelvis alone.

    Only where the bone that carries all lies by the hips: a root on the floor is none.
    """
    rig, rows = found.rig, found.rows
    if found.missing() or is_control_rig(rig):
        return
    above = _carrier(rig, rows, rows["hips"])
    if above is None or above in rows.values() or is_driven(rig, above) or not _by_the_hips(rig, rows, above):
        return
    arms = _nearest(rig, [rows["upper_arm.L"], rows["upper_arm.R"]], rows["upper_arm.L"])
    if "pelvis" not in rows and arms != rows["hips"]:  # from which the arms hang: that is a chest
        rows["pelvis"], found.sure["pelvis"] = rows["hips"], found.sure.get("hips", BY_SHAPE)
    rows["hips"] = above
