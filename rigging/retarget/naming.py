# SPDX-License-Identifier: GPL-3.0-or-later
"""What bone names say: words, sides, what belongs to no body, and a look-up that forgives prefixes, case and spelling.

A name is looked up at three levels: as it is written, then without separators and case, then word by word with the
side taken out, so that `LeftUpLeg`, `upleg.L` and `l_up_leg` are one. Each level is tried on the whole name and on the
name without its namespace and without what all bones of the rig begin or end with: `Bip01 `, `.001`, a number of its
own behind every name (`LeftArm_08`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_SIDES = {
    "l": "L", "left": "L", "lft": "L", "lf": "L", "lt": "L", "左": "L",
    "r": "R", "right": "R", "rgt": "R", "rt": "R", "右": "R",
}  # fmt: skip
_OTHER = {
    "L": "R", "R": "L", "l": "r", "r": "l", "Left": "Right", "Right": "Left", "left": "right", "right": "left",
    "LEFT": "RIGHT", "RIGHT": "LEFT", "左": "右", "右": "左",
}  # fmt: skip
#: Words that say how a rig is built, not what a bone is.
_DECORATION_WORDS = (
    "ctrl control con cnt anim jnt joint jt bone bn b sk skel skeleton bip rig fk c m x mid center centre bind def "
    "deform char character body"
)
#: Words of bones that no take moves: helpers, twist bones, inverse kinematics, clothes, hair, props, the face.
_BESIDE_WORDS = (
    "ik mch org tweak pole target helper offset end nub tip ref socket weapon prop attach vis wgt widget spring jiggle "
    "phys physics corrective twist roll tail wing wings hair skirt cape coat cloth dress sleeve breast breasts boob "
    "pectoral pec butt glute ear eye eyes eyelid lid jaw brow lip tongue teeth cheek nose muscle bulge half share "
    "stretch nub site camera sword"
)
_TRUNK_WORDS = "spine chest torso back neck abdomen belly thorax"
_FINGER_WORDS = "finger fingers thumb index middle ring pinky little metacarpal carpal palm"
#: Parts of limbs, before which a lone letter is a side: `lhand`, `rknee`.
_PART_WORDS = (
    "shoulder collar clavicle clav arm uparm upperarm shldr elbow forearm lowerarm wrist hand "
    "buttock hip leg upleg upperleg thigh knee shin calf lowerleg lowleg ankle foot toe toes "
    "humerus radius ulna femur tibia"
)
_PARTS = frozenset(_PART_WORDS.split())
_DECORATION = frozenset(_DECORATION_WORDS.split())
_TRUNK = frozenset(_TRUNK_WORDS.split())
_FINGER = frozenset(_FINGER_WORDS.split())
_BESIDE = frozenset(_BESIDE_WORDS.split()) | _FINGER
_JOINED = re.compile("^(?:left|right|Left|Right|LEFT|RIGHT|左|右)|(?:left|right|Left|Right|LEFT|RIGHT)$")
_GAP = re.compile(r"[_\-. ]+")
#: What every name may begin with besides: `mixamorigHips`, `mPelvis`.
_HUMP = re.compile(r"^[a-z]+\d*(?=[A-Z])")
_MAKERS = re.compile(r"^((ValveBiped\.?)?Bip\d+[ _]|mixamorig\d*[:_]?(?=.))", re.IGNORECASE)
_SHARED = 0.6  # of the bones begin or end alike
#: How FBX of old writes a sign that it does not know: `shoulderFBXASC046L`.
_ESCAPED = re.compile(r"FBXASC(\d{3})", re.IGNORECASE)
_NUMBERED = re.compile(r"_(\d{2,})$")


def words(name: str) -> list[str]:
    """The words of a name, lower case; numbers without leading zeros."""
    found = [word.lower() for word in _WORD.findall(name)]
    return [str(int(word)) if word.isascii() and word.isdigit() else word for word in found]


def side_of(name: str) -> str:
    """`L`, `R` or, of the middle or unknown, an empty string."""
    return _split(name)[0]


@lru_cache(maxsize=16384)
def _split(name: str) -> tuple[str, tuple[str, ...]]:
    """Side and the other words. Words that were written together (`leftupleg`) are cut at the side."""
    found = words(name)
    long = [word for word in found if len(word) > 1 and word in _SIDES]
    marks = long or [word for word in found if word in _SIDES]
    if marks:
        mark = marks[-1] if found[-1] in marks else marks[0]
        rest = list(found)
        rest.remove(mark)
        return _SIDES[mark], tuple(rest)
    for side, mark in (("L", "left"), ("R", "right"), ("L", "左"), ("R", "右")):
        for number, word in enumerate(found):
            rest = word[len(mark) :] if word.startswith(mark) else word[: -len(mark)] if word.endswith(mark) else ""
            if rest:
                return side, (*found[:number], rest, *found[number + 1 :])
    for number, word in enumerate(found):
        if word[0] in "lr" and word[1:] in _PARTS:
            return word[0].upper(), (*found[:number], word[1:], *found[number + 1 :])
    return "", tuple(found)


def mirrored(name: str) -> str:
    """The name of the other side's bone; the same name if it tells no side."""
    spans = [match for match in _WORD.finditer(name) if match.group() in _OTHER]
    long = [match for match in spans if len(match.group()) > 1]
    if not spans:  # written together with the rest
        return _JOINED.sub(lambda match: _OTHER[match.group()], name, count=1)
    # `l_Hand_L` does not occur; where several words could be the side the last is it, as in `c_arm_r.l`.
    span = (long or spans)[-1] if not name.startswith(spans[0].group()) else (long or spans)[0]
    return name[: span.start()] + _OTHER[span.group()] + name[span.end() :]


def plain(name: str) -> tuple[str, str]:
    """(side, the words that say what the bone is, in one): `c_Upper_Arm_FK.L` is (`L`, `upperarm`)."""
    side, rest = _split(name)
    return side, "".join(word for word in rest if word not in _DECORATION)


def _decorations(name: str) -> int:
    return sum(word in _DECORATION for word in words(name))


def is_beside(name: str) -> bool:
    """Whether the name says that the bone belongs to no limb and no trunk."""
    found = frozenset(words(name))
    # `SpineMiddle` is of no finger.
    return bool(found & (_BESIDE - _FINGER if found & _TRUNK else _BESIDE))


def is_finger(name: str) -> bool:
    """Whether the name says that the bone is of a hand's fingers, and nothing else that is beside."""
    found = _BESIDE.intersection(words(name))
    return bool(found) and found <= _FINGER


class NameIndex:
    """Bones of a rig by name, forgivingly.

    names: of all bones. rank: row -> what to prefer where several bones answer to one name, lower is better.
    """

    def __init__(self, names: Sequence[str], rank: Callable[[int], float] = float) -> None:
        self.names = names
        self._levels: list[dict[object, int]] = [{}, {}, {}]
        self._plain: dict[tuple[str, str], int] = {}
        rows = sorted(range(len(names)), key=lambda row: (rank(row), row))
        forms = _forms(names)
        for number in range(max((len(found) for found in forms), default=0)):
            for row in rows:
                if number < len(forms[row]):
                    self._add(forms[row][number], row)
        # `LeftFoot` before `LeftFootCtrl`, where both are turned by hand.
        for row in sorted(rows, key=lambda row: (rank(row), _decorations(names[row]))):
            if not is_beside(names[row]):
                for form in reversed(forms[row]):
                    self._plain.setdefault(plain(form), row)

    def _add(self, form: str, row: int) -> None:
        side, rest = _split(form)
        for level, key in enumerate((form, _flat(form), (side, "".join(rest)))):
            self._levels[level].setdefault(key, row)

    def find(self, name: str) -> tuple[int, float] | None:
        """(row, how sure 0..1) of the bone that a table calls `name`."""
        side, rest = _split(name)
        for key, level, sure in (
            (name, self._levels[0], 1.0),
            (_flat(name), self._levels[1], 0.95),
            ((side, "".join(rest)), self._levels[2], 0.85),
        ):
            if key in level:
                return level[key], sure
        return None

    def find_plain(self, name: str, side: str) -> tuple[int, float] | None:
        """(row, how sure) of the bone of this side that is a `name` once decoration is taken off."""
        row = self._plain.get((side, plain(name)[1]))
        return None if row is None else (row, 0.75)


def _flat(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _forms(names: Sequence[str]) -> list[list[str]]:
    """Every bone's name and its shorter forms, the whole name first."""
    readable = [_ESCAPED.sub(lambda sign: chr(int(sign.group(1))), name) for name in names]
    bare = _uncounted([re.split(r"[:|]", name)[-1] or name for name in readable])
    starts = _shared(
        bare, lambda name: [name[: match.end()] for match in (*_HUMP.finditer(name), *_GAP.finditer(name))]
    )
    ends = _shared(bare, lambda name: [name[match.start() :] for match in _GAP.finditer(name)])
    forms = []
    for name, short in zip(names, bare, strict=True):
        found = [short]
        for end in ends:
            found += [form.removesuffix(end) for form in found]
        for start in starts:
            found += [form.removeprefix(start) for form in found]
        found += [_MAKERS.sub("", form) for form in found]
        forms.append(list(dict.fromkeys([name, *(form for form in found if form)])))
    return forms


def _uncounted(names: list[str]) -> list[str]:
    """Names without the numbers that count a rig's bones, no two alike."""
    numbers = [found.group(1) for found in map(_NUMBERED.search, names) if found]
    if len(numbers) < max(_SHARED * len(names), 5) or len(set(numbers)) < 0.9 * len(numbers):
        return names
    return [_NUMBERED.sub("", name) or name for name in names]


def _shared(names: Sequence[str], parts: Callable[[str], Iterable[str]]) -> list[str]:
    """The beginnings or ends that most names share, the shortest first; at most three."""
    counts: Counter[str] = Counter()
    for name in names:
        counts.update({part for part in parts(name) if part != name})
    shared = [part for part, count in counts.items() if count >= max(_SHARED * len(names), 5)]
    return sorted(shared, key=len)[-3:]
