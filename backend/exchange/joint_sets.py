# SPDX-License-Identifier: GPL-3.0-or-later
"""The keypoint sets of other programs, by the order in which their files list the points, under our names.

Names are those of `rigging.joints`. A neck that is the middle of the shoulders (OpenPose) or lies between them (Halpe)
is the take's `thorax`; the upper neck of MPII and BODY_25B is its `neck`, as in the usual conversions to Human3.6M.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...rigging.joints import COCO17, H36M17
from ..errors import UserError

#: Which of the 21 points of a hand is the first knuckle of the middle finger.
MIDDLE_KNUCKLE = 9


@dataclass(frozen=True)
class ForeignSet:
    """The points of another program's person.

    name: as on our command line. title: as its makers call it. names: (K,) our name of each point in the order of the
    files; "" for points that are ignored (faces, fingers). made: our points that are the mean of several of theirs.
    """

    name: str
    title: str
    names: tuple[str, ...]
    made: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def _sides(*parts: str, first: str = "left") -> tuple[str, ...]:
    """`first` and the other side of each part in turn."""
    other = "right" if first == "left" else "left"
    return tuple(f"{side}_{part}" for part in parts for side in (first, other))


def _hands(left: int, right: int) -> dict[int, str]:
    """A hand is the first knuckle of its middle finger. left, right: where its 21 points begin."""
    return {left + MIDDLE_KNUCKLE: "left_hand", right + MIDDLE_KNUCKLE: "right_hand"}


def _extended(names: Sequence[str], count: int, others: Mapping[int, str]) -> tuple[str, ...]:
    """`names`, then ignored points up to `count`, of which `others` are named."""
    return tuple(names[row] if row < len(names) else others.get(row, "") for row in range(count))


_RIGHT_ARM, _LEFT_ARM = (tuple(f"{s}_{p}" for p in ("shoulder", "elbow", "wrist")) for s in ("right", "left"))
_RIGHT_LEG, _LEFT_LEG = (tuple(f"{s}_{p}" for p in ("hip", "knee", "ankle")) for s in ("right", "left"))
_LEFT_FOOT, _RIGHT_FOOT = (tuple(f"{s}_{p}" for p in ("toe", "small_toe", "heel")) for s in ("left", "right"))
_OPENPOSE_HEAD = ("right_eye", "left_eye", "right_ear", "left_ear")
_OPENPOSE_TOP = ("nose", "thorax", *_RIGHT_ARM, *_LEFT_ARM)
_HALPE26 = (*COCO17.names, "head_top", "thorax", "pelvis", *_sides("toe", "small_toe", "heel"))

_LISTED = (
    ForeignSet("coco-17", "COCO's 17 keypoints", COCO17.names),
    ForeignSet(
        "body-25",
        "OpenPose's BODY_25",
        (*_OPENPOSE_TOP, "pelvis", *_RIGHT_LEG, *_LEFT_LEG, *_OPENPOSE_HEAD, *_LEFT_FOOT, *_RIGHT_FOOT),
    ),
    ForeignSet("coco-18", "OpenPose's COCO", (*_OPENPOSE_TOP, *_RIGHT_LEG, *_LEFT_LEG, *_OPENPOSE_HEAD)),
    ForeignSet(
        "mpi-15",
        "OpenPose's MPI",
        ("head_top", "thorax", *_RIGHT_ARM, *_LEFT_ARM, *_RIGHT_LEG, *_LEFT_LEG, ""),
    ),
    ForeignSet("halpe-26", "Halpe's 26 keypoints", _HALPE26),
    ForeignSet("halpe-68", "Halpe's 68 keypoints", _extended(_HALPE26, 68, _hands(26, 47))),
    ForeignSet("halpe-136", "Halpe's 136 keypoints", _extended(_HALPE26, 136, _hands(94, 115))),
    ForeignSet(
        "coco-133",
        "COCO-WholeBody's 133 keypoints",
        _extended((*COCO17.names, *_LEFT_FOOT, *_RIGHT_FOOT), 133, _hands(91, 112)),
    ),
    ForeignSet(
        "body-25b",
        "OpenPose's BODY_25B",
        (*COCO17.names, "neck", "head_top", *_LEFT_FOOT, *_RIGHT_FOOT),
    ),
    ForeignSet("h36m-17", "Human3.6M's 17 joints", H36M17.names),
    ForeignSet(
        "mpii-16",
        "MPII's 16 keypoints",
        (
            *reversed(_RIGHT_LEG),
            *_LEFT_LEG,
            *("pelvis", "thorax", "neck", "head_top"),
            *reversed(_RIGHT_ARM),
            *_LEFT_ARM,
        ),
    ),
    ForeignSet(
        "crowdpose-14",
        "CrowdPose's 14 keypoints",
        (*_sides("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), "head_top", "thorax"),
    ),
    ForeignSet(
        "aic-14",
        "AI Challenger's 14 keypoints",
        (*_RIGHT_ARM, *_LEFT_ARM, *_RIGHT_LEG, *_LEFT_LEG, "head_top", "thorax"),
    ),
    ForeignSet(
        "mediapipe-33",
        "MediaPipe's 33 landmarks",
        (
            *("nose", "", "left_eye", "", "", "right_eye", "", "left_ear", "right_ear", "", ""),
            *_sides("shoulder", "elbow", "wrist"),
            *[""] * 6,
            *_sides("hip", "knee", "ankle", "heel", "toe"),
        ),
        {"left_hand": (19, 17), "right_hand": (20, 18)},
    ),
)

#: A new set is one line above. Of sets with the same number of points the first is meant where nobody says which.
SETS: dict[str, ForeignSet] = {listed.name: listed for listed in _LISTED}
#: Sets that are not much more usual than others of as many points.
_UNSURE = ("crowdpose-14",)


def set_named(name: str) -> ForeignSet:
    """The set called `name`. Raises UserError if there is none."""
    if name not in SETS:
        raise UserError(f"there is no joint set {name!r}; choose one of: {', '.join(SETS)}")
    return SETS[name]


def set_of(count: int, said: str | None, where: str) -> tuple[ForeignSet, list[str]]:
    """The set of files that do not name their points, and what had to be assumed, one sentence each.

    count: points of a person. said: the set's name, if somebody said it. where: the file, for messages.
    Raises UserError if there is no set of so many points.
    """
    if said is not None:
        chosen = set_named(said)
        if len(chosen.names) != count:
            raise UserError(f"{where} has {count} keypoints a person, but {said} has {len(chosen.names)}")
        return chosen, []
    same = [listed for listed in _LISTED if len(listed.names) == count]
    if not same:
        known = ", ".join(f"{listed.name}" for listed in _LISTED)
        raise UserError(f"{where} has {count} keypoints a person, which is none of the sets known here ({known})")
    if same[0].name not in _UNSURE:
        return same[0], []
    others = " or ".join(listed.name for listed in same[1:])
    return same[0], [
        f"{count} keypoints a person are taken for {same[0].title}; if they are not, say --joint-set {others}"
    ]
