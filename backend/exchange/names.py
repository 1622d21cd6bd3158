# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints that files call by name: whatever people write for a left knee, to `left_knee`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...rigging.joints import KEYPOINTS
from ..errors import UserError
from .joint_sets import SETS, ForeignSet

#: Our names by what is left of theirs without a side.
_PARTS = {
    **{part: part for part in ("nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel")},
    **dict.fromkeys(("toe", "big_toe", "bigtoe", "foot_index", "toe_tip", "hallux"), "toe"),
    **dict.fromkeys(("small_toe", "smalltoe", "little_toe", "pinky_toe"), "small_toe"),
    **dict.fromkeys(("hand", "middle1", "middle_finger1", "middle_mcp", "middle_finger_mcp"), "hand"),
    "foot": "ankle",
}
#: Of points in the middle of the body.
_MIDDLES = {
    "nose": "nose",
    **dict.fromkeys(("hip", "hips", "mid_hip", "midhip", "c_hip", "chip", "pelvis", "root", "hip_center"), "pelvis"),
    **dict.fromkeys(("neck", "thorax", "mid_shoulder", "center_shoulder", "c_shoulder"), "thorax"),
    **dict.fromkeys(("upper_neck", "neck_base", "neck_nose", "head_bottom"), "neck"),
    **dict.fromkeys(("head", "head_top", "top_head", "headtop", "top_of_head"), "head_top"),
    "spine": "spine",
    "chin": "chin",
    "forehead": "forehead",
}
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
#: DeeperCut's people count their limbs: the first is the right one, as in MPII and LSP.
_COUNTED = re.compile(r"(ankle|knee|hip|wrist|elbow|shoulder)([12])")
#: Names of a person's keypoints that must be known for it to be a person.
_LEAST = 4


def our_name(theirs: str) -> str:
    """`LBigToe`, `shoulder_right`, `Left Knee` to `left_toe`, `right_shoulder`, `left_knee`; "" if it is none of ours.

    `knee1` and `knee2` are the right and the left knee.
    """
    counted = _COUNTED.fullmatch(theirs.strip().lower())
    if counted:
        return ("right_" if counted[2] == "1" else "left_") + counted[1]
    words = _words(theirs)
    for place in (0, -1):
        if len(words) > 1 and words[place] in _SIDES:
            rest = words[1:] if place == 0 else words[:-1]
            part = _PARTS.get("_".join(rest))
            return f"{_SIDES[words[place]]}_{part}" if part and part != "nose" else ""
    return _MIDDLES.get("_".join(words), "")


def set_by_names(theirs: Sequence[str], where: str) -> tuple[ForeignSet, list[str]]:
    """The set of points that a file names, and what had to be assumed or left out, one sentence each.

    where: the file, for messages. Raises UserError if they are not a person's, or two of them are the same point.
    """
    ours = [our_name(name) for name in theirs]
    known = [name for name in ours if name]
    if len(set(known) & set(KEYPOINTS.names)) < _LEAST:
        raise UserError(
            f"the keypoints of {where} are not those of a person: fewer than {_LEAST} of {', '.join(theirs)} are known"
        )
    for name in known:
        if known.count(name) > 1:
            same = " and ".join(other for other, own in zip(theirs, ours, strict=True) if own == name)
            raise UserError(f"{same} of {where} would both be {name}; rename one of them")
    for listed in SETS.values():
        if tuple(ours) == listed.names:
            return listed, []
    warnings = []
    left_out = [name for name, own in zip(theirs, ours, strict=True) if not own]
    if left_out:
        warnings.append(f"{len(left_out)} of the file's keypoints are left out: {_shortened(left_out)}")
    if any(_COUNTED.fullmatch(name.strip().lower()) for name in theirs):
        warnings.append("keypoints that end in 1 are taken for the person's right, those in 2 for the left")
    return ForeignSet("named", "the keypoints that the file names", tuple(ours)), warnings


def _words(name: str) -> list[str]:
    """`RBigToe` to r, big, toe."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip())
    words = [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]
    if len(words) == 1:  # leftknee, lknee
        for side in ("left", "right", "l", "r"):
            if words[0].startswith(side) and words[0][len(side) :] in _PARTS:
                return [side, words[0][len(side) :]]
    return words


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
