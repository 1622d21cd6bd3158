# SPDX-License-Identifier: GPL-3.0-or-later
"""The humanoid's slots: which parts of a body a rig's bones stand for.

`spine`, `spine.1`, `spine.2` ... and `neck`, `neck.1` ... are chains from the hips up; `chest` is the trunk bone from
which the shoulders hang. `pelvis` is for control rigs whose `hips` carry trunk and legs while another control turns the
pelvis alone. `root` is a bone on the floor that carries the whole figure. Left and right are the character's.
"""

from __future__ import annotations

from collections.abc import Collection

SIDES = ("L", "R")
_TRUNK = ("root", "hips", "pelvis", "spine", "chest", "neck", "head")
_ARM = ("shoulder", "upper_arm", "forearm", "hand")
_LEG = ("thigh", "shin", "foot", "toe")

#: Every slot but the further links of the two chains, parents first.
SLOTS: tuple[str, ...] = _TRUNK + tuple(f"{part}.{side}" for part in (*_ARM, *_LEG) for side in SIDES)
#: Without these there is no humanoid: the hips, both arms to the wrist, both legs to the ankle, something for a head.
REQUIRED: tuple[str, ...] = (
    "hips",
    *(f"{part}.{side}" for part in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot") for side in SIDES),
)
#: Of these, what may be missing where the tail of another slot's bone says where the limb ends (`ends`).
ENDS: dict[str, str] = {
    f"{end}.{side}": f"{last}.{side}" for end, last in (("hand", "forearm"), ("foot", "shin")) for side in SIDES
}
CHAINS = ("spine", "neck")
#: Slots that are known and may be mapped, but that a take cannot move yet.
FINGERS: tuple[str, ...] = tuple(
    f"{finger}.{link}.{side}"
    for finger in ("thumb", "index", "middle", "ring", "little")
    for link in (1, 2, 3)
    for side in SIDES
)


def is_slot(name: str) -> bool:
    """Whether `name` is a slot, a further link of a chain (`spine.3`) or a finger's."""
    stem, _, number = name.partition(".")
    return name in SLOTS or name in FINGERS or (stem in CHAINS and number.isdigit() and number != "0")


def chain(slots: object, stem: str) -> list[str]:
    """The links of a chain among `slots` (anything that can be asked `in`), from the hips up: spine, spine.1, ..."""
    links = [stem, *(f"{stem}.{number}" for number in range(1, 100))]
    return [link for link in links if link in slots]  # type: ignore[operator]


def segment_of(slot: str) -> str:
    """The segment of `rigging.rotations` that a slot follows; chains and `root` are for the caller to share out."""
    stem = slot.partition(".")[0]
    if stem in ("pelvis", "root"):
        return "hips"
    return stem if stem in CHAINS else slot


def in_words(slots: Collection[str]) -> list[str]:
    """Slots as people call them: `hand.L` is "left hand", with `hand.R` besides "hands", `spine.1` is "spine 2"."""
    found = []
    for slot in slots:
        stem, *ends = slot.split(".")
        name = stem.replace("_", " ")
        if ends and ends[-1] in SIDES:
            name += "".join(f" {number}" for number in ends[:-1])
            if len(ends) == 1 and all(f"{stem}.{side}" in slots for side in SIDES):
                name = "feet" if name == "foot" else f"{name}s"
            else:
                name = f"{'left' if ends[-1] == 'L' else 'right'} {name}"
        elif ends:
            name = f"{name} {int(ends[0]) + 1}"
        found.append(name)
    return list(dict.fromkeys(found))
