# SPDX-License-Identifier: GPL-3.0-or-later
"""The captured person as a rig: a T-pose skeleton with their own bone lengths, and its rotations over the clip.

The rest pose stands on z = 0 at the origin and faces -Y; left is +X. Bones carry the names and the order of
`rotations.SEGMENTS`. `hips` and `spine` both start at the pelvis: hips carries the legs, spine the trunk, so that a
trunk bent sideways leaves the hip joints where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .joints import TAKE
from .rotations import SEGMENT_PARENTS, SEGMENTS, SegmentRotations, rest_frame, skull_base
from .vectors import frame_from_y, unit

#: (joint, joint it hangs from, segment in whose frame it is fixed, its place there in metres on a 1.75 m adult).
#: Medians of standing people in a motion library of 50 minutes. `skull_base` is a point of ours, not a take's joint.
_LAYOUT: tuple[tuple[str, str, str, tuple[float, float, float]], ...] = (
    ("left_hip", "pelvis", "hips", (0.090, 0, 0)),
    ("spine", "pelvis", "spine", (0, 0.208, 0)),
    ("thorax", "spine", "chest", (0, 0.259, 0)),
    ("neck", "thorax", "chest", (0, 0.088, 0)),
    ("skull_base", "neck", "chest", (0, 0.109, 0.018)),
    ("head_top", "skull_base", "head", (0, 0.155, 0)),
    ("nose", "skull_base", "head", (0, 0.005, 0.128)),
    ("left_ear", "skull_base", "head", (0.073, 0.025, 0.008)),
    ("left_shoulder", "thorax", "chest", (0.189, 0, 0)),
    ("left_elbow", "left_shoulder", "upper_arm.L", (0, 0.266, 0)),
    ("left_wrist", "left_elbow", "forearm.L", (0, 0.223, 0)),
    ("left_hand", "left_wrist", "hand.L", (0, 0.088, 0)),
    ("left_knee", "left_hip", "thigh.L", (0, 0.449, 0)),
    ("left_ankle", "left_knee", "shin.L", (0, 0.425, 0)),
    ("left_heel", "left_ankle", "foot.L", (0, -0.049, 0.048)),
    ("left_toe", "left_ankle", "foot.L", (0, 0.184, 0.048)),
)
#: Joints whose direction from their parent is the T-pose's, whatever the person's habit; only the length is measured.
_LENGTH_ONLY = frozenset(
    {"left_hip", "spine", "thorax", "skull_base", "left_elbow", "left_wrist", "left_hand", "left_knee", "left_ankle"}
)
#: Where the ball of the foot lies between heel and toe tip.
_BALL = 0.72


@dataclass(frozen=True)
class Skeleton:
    """Rest pose of B bones, metres, world.

    names, parents: (B,) bone names and rows of the parents, -1 for the root; parents first. heads, tails: (B, 3).
    frames: (B, 3, 3) rest axes as columns: y along the bone, x its hinge (as in `rigging.rotations`).
    joints: (26, 3) the joints of a take in the rest pose.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: np.ndarray
    tails: np.ndarray
    frames: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True)
class Motion:
    """The motion of one person on their skeleton.

    person: id in the take. fps: nominal rate. times: (F,) seconds from the first frame of the footage.
    rotations: (F, B, 4) each bone's turn out of its rest pose, in its own rest axes, relative to its parent (what
        Blender calls a pose bone's rotation_quaternion); w, x, y, z, without sign flips along the clip.
    root_translation: (F, 3) metres, world: how far the pelvis is from its rest place.
    observed: (F,) the pelvis was seen; elsewhere the motion is interpolated, or held at the ends.
    """

    person: int
    skeleton: Skeleton
    fps: float
    times: np.ndarray
    rotations: np.ndarray
    root_translation: np.ndarray
    observed: np.ndarray


def rest_skeleton(joints: np.ndarray, solved: SegmentRotations, confidence: np.ndarray | None = None) -> Skeleton:
    """The T-pose of the person in `joints` (F, 26, 3), world metres, NaN where missing.

    solved: their `segment_rotations`. Lengths are medians over the frames in which both ends were seen (confidence
    (F, 26) above 0), of both sides together. What was never seen has an adult's proportions at the person's size; a
    trunk whose middle was never seen is divided as an adult's.
    """
    joints = np.asarray(joints, np.float64)
    if confidence is not None:
        joints = np.where((np.asarray(confidence) > 0)[..., None], joints, np.nan)
    has_face = bool((solved.twist[:, SEGMENTS.index("head")] > 0).any())
    tracks = {name: joints[:, row] for row, name in enumerate(TAKE.names)}
    if np.isnan(tracks["spine"]).any(-1).all():
        tracks["spine"] = tracks["pelvis"] + 0.445 * (tracks["thorax"] - tracks["pelvis"])
    tracks["skull_base"] = (
        skull_base(joints, solved["head"])
        if has_face
        else tracks["neck"] + 0.36 * (tracks["head_top"] - tracks["neck"])
    )
    measured = [_measure(tracks, solved, *row) for row in _LAYOUT]
    sizes = [np.linalg.norm(found) / np.linalg.norm(row[3]) for found, row in zip(measured, _LAYOUT, strict=True)]
    size = float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else 1.0

    places = {"pelvis": np.zeros(3)}
    for found, (joint, origin, segment, default) in zip(measured, _LAYOUT, strict=True):
        offset = found if np.isfinite(found).all() else size * np.array(default)
        for name, start, part, mirror in _both_sides(joint, origin, segment):
            places[name] = places[start] + rest_frame(part, "hips") @ (offset * mirror)
    points = {name: _TO_WORLD @ place for name, place in places.items()}
    floor = min(points[f"{side}_{end}"][2] for side in ("left", "right") for end in ("heel", "toe"))
    return _bones({name: point - [0, 0, floor] for name, point in points.items()})


#: The frame of the hips in a T-pose that faces -Y: x left, y up, z front.
_TO_WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def _both_sides(joint: str, origin: str, segment: str) -> list[tuple[str, str, str, np.ndarray]]:
    """A row of `_LAYOUT` and its mirror image: (joint, origin, segment, factor on the place)."""
    row = (joint, origin, segment, np.ones(3))
    if not joint.startswith("left_"):
        return [row]
    # On both sides z is the side's own and y points outwards, so the mirror image differs in x alone.
    right = (joint.replace("left", "right"), origin.replace("left", "right"), segment.replace(".L", ".R"))
    return [row, (*right, np.array([-1.0, 1, 1]))]


def _measure(
    tracks: dict[str, np.ndarray],
    solved: SegmentRotations,
    joint: str,
    origin: str,
    segment: str,
    default: tuple[float, float, float],
) -> np.ndarray:
    """(3,) place of a joint in its segment's frame, the same for both sides; NaN if it was never seen."""
    offsets = []
    for name, start, part, mirror in _both_sides(joint, origin, segment):
        world = tracks[name] - tracks[start]
        local = np.einsum("fji,fj->fi", solved[part], world) * mirror
        offsets.append(local[np.isfinite(local).all(1)])
    offset = np.concatenate(offsets)
    if len(offset) == 0:
        return np.full(3, np.nan)
    length = np.median(np.linalg.norm(offset, axis=1))
    direction = np.array(default) if joint in _LENGTH_ONLY else np.median(offset, 0)
    if not joint.startswith("left_"):
        direction[0] = 0.0
    return length * unit(direction)


def _bones(points: dict[str, np.ndarray]) -> Skeleton:
    """Joints in the rest pose, world -> bones."""
    spans = {
        "hips": (points["pelvis"], points["pelvis"] + 0.4 * (points["spine"] - points["pelvis"])),
        "spine": (points["pelvis"], points["spine"]),
        "chest": (points["spine"], points["thorax"]),
        "neck": (points["neck"], points["skull_base"]),
        "head": (points["skull_base"], points["head_top"]),
    }
    for side, prefix in (("L", "left_"), ("R", "right_")):
        heel, toe = points[prefix + "heel"], points[prefix + "toe"]
        ball = heel + _BALL * (toe - heel)
        chains = (
            (("shoulder", "upper_arm", "forearm", "hand"), ("shoulder", "elbow", "wrist", "hand"), points["thorax"]),
            (("thigh", "shin", "foot", "toe"), ("knee", "ankle", "ball", "toe"), points[prefix + "hip"]),
        )
        points[prefix + "ball"] = ball
        for segments, ends, start in chains:
            for segment, end in zip(segments, ends, strict=True):
                spans[f"{segment}.{side}"] = (start, points[prefix + end])
                start = points[prefix + end]
    joints = np.array([points[name] for name in TAKE.names])
    heads = np.array([spans[name][0] for name in SEGMENTS])
    tails = np.array([spans[name][1] for name in SEGMENTS])
    hinges = np.array([(_TO_WORLD @ rest_frame(name, "hips"))[:, 0] for name in SEGMENTS])
    return Skeleton(SEGMENTS, SEGMENT_PARENTS, heads, tails, frame_from_y(unit(tails - heads), hinges), joints)
