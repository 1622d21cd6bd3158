# SPDX-License-Identifier: GPL-3.0-or-later
"""Joint rotations from joint positions, by anatomical frames.

Every segment of the body has a world frame whose columns are

    x   the hinge: a positive turn about it bends trunk and neck forward, knee back, elbow forward, foot down
    y   along the segment, from its joint to the next
    z   x cross y, the side to which a positive turn about x moves the segment's end

so in a T-pose facing -Y (left is +X): trunk and head x left, y up, z front; arms y outwards, z front; thigh and shin x
left, y down, z back; foot and toe x left, y forward along the sole, z down. A knee or an elbow always has a positive
angle. The same recipe serves a clip and a single rest pose, so that `D(t) = F_clip(t) @ F_rest^T` turns any rest pose
whatever its bone rolls (retargeting specification 3.8, items 1 to 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import quaternions
from .hinges import ELBOW, KNEE, solve_hinge
from .joints import TAKE
from .vectors import dot, frame_from_x, frame_from_y, perpendicular, smoothstep, swing, unit

_TRUNK = np.eye(3)
_LEFT_ARM = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
_RIGHT_ARM = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
_LEG = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
_FOOT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])

#: Cosines of the angles at which a hand is not believed at all, and up to which it is.
_WRIST = (-0.95, -0.2)

#: The nose lies below the ears by this angle when the head is upright (adult means: 120 mm in front, 20 mm below).
_NOSE_PITCH = np.arctan2(0.020, 0.120)

#: (segment, parent segment, its frame in the parent's axes in a T-pose), parents first.
_TREE: tuple[tuple[str, str, np.ndarray], ...] = (
    ("hips", "", _TRUNK),
    ("spine", "hips", _TRUNK),
    ("chest", "spine", _TRUNK),
    ("neck", "chest", _TRUNK),
    ("head", "neck", _TRUNK),
    *((f"shoulder.{side}", "chest", frame) for side, frame in (("L", _LEFT_ARM), ("R", _RIGHT_ARM))),
    *((f"upper_arm.{side}", f"shoulder.{side}", _TRUNK) for side in "LR"),
    *((f"forearm.{side}", f"upper_arm.{side}", _TRUNK) for side in "LR"),
    *((f"hand.{side}", f"forearm.{side}", _TRUNK) for side in "LR"),
    *((f"thigh.{side}", "hips", _LEG) for side in "LR"),
    *((f"shin.{side}", f"thigh.{side}", _TRUNK) for side in "LR"),
    *((f"foot.{side}", f"shin.{side}", _FOOT) for side in "LR"),
    *((f"toe.{side}", f"foot.{side}", _TRUNK) for side in "LR"),
)

#: The segments of the body, parents first; `SEGMENT_PARENTS` gives the row of each one's parent, -1 for the hips.
SEGMENTS: tuple[str, ...] = tuple(name for name, _, _ in _TREE)
SEGMENT_PARENTS: tuple[int, ...] = tuple(SEGMENTS.index(parent) if parent else -1 for _, parent, _ in _TREE)


@dataclass(frozen=True)
class SegmentRotations:
    """World frames of the S `SEGMENTS` over F frames.

    rotations: (F, S, 3, 3), columns x, y, z as in the module's docstring; never NaN.
    observed: (F, S) the segment's direction was measured. Elsewhere its rotation relative to its parent is
        interpolated over the gap (held at the ends of the clip); a segment that was never observed follows its parent.
    twist: (F, S) 0..1, how well the roll about y was measured. Where it is 0 the roll is carried over from bent frames
        (upper arm, thigh) or is the parent's (forearm, hand, foot without a heel, toe, neck without a face).
    """

    rotations: np.ndarray
    observed: np.ndarray
    twist: np.ndarray

    def __getitem__(self, segment: str) -> np.ndarray:
        """(F, 3, 3) world frames of one segment."""
        return self.rotations[:, SEGMENTS.index(segment)]


class _Points:
    """Joints by name; a joint is there where it is finite and its confidence is above 0."""

    def __init__(self, joints: np.ndarray, confidence: np.ndarray | None) -> None:
        self.joints = np.asarray(joints, np.float64)
        if self.joints.ndim != 3 or self.joints.shape[1:] != (len(TAKE), 3):
            raise ValueError(f"joints have shape {self.joints.shape}, but (F, {len(TAKE)}, 3) is needed")
        present = np.isfinite(self.joints).all(-1)
        self.confidence = present.astype(np.float64)
        if confidence is not None:
            self.confidence *= np.clip(np.nan_to_num(np.asarray(confidence, np.float64)), 0.0, 1.0)
        self.joints = np.where((self.confidence > 0)[..., None], self.joints, np.nan)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.joints[:, TAKE.index(name)]

    def trust(self, *names: str) -> np.ndarray:
        """(F,) the least confidence of these joints."""
        return self.confidence[:, [TAKE.index(name) for name in names]].min(1)

    def direction(self, start: str, end: str) -> np.ndarray:
        return unit(self[end] - self[start])


class _Body:
    """Segments as they are found, each completed over its gaps before its children are looked at."""

    def __init__(self, frames: int) -> None:
        self.rotations = np.tile(np.eye(3), (frames, len(SEGMENTS), 1, 1))
        self.observed = np.zeros((frames, len(SEGMENTS)), bool)
        self.twist = np.zeros((frames, len(SEGMENTS)))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.rotations[:, SEGMENTS.index(name)]

    def put(self, name: str, measured: np.ndarray, twist: np.ndarray | float, parent: str | None = None) -> None:
        """Store `measured` (F, 3, 3), NaN where unknown; gaps are filled relative to `parent` (default: the tree's)."""
        row = SEGMENTS.index(name)
        known = np.isfinite(measured).all((1, 2))
        self.observed[:, row] = known
        self.twist[:, row] = np.where(known, np.nan_to_num(twist), 0.0)
        parent = _TREE[row][1] if parent is None else parent
        base = self[parent] if parent else np.broadcast_to(np.eye(3), measured.shape)
        self.rotations[:, row] = _complete(measured, known, base, rest_frame(name, parent))


def rest_frame(segment: str, ancestor: str) -> np.ndarray:
    """(3, 3) frame of a segment in the axes of one of its ancestors in a T-pose."""
    frame = np.eye(3)
    while segment != ancestor:
        _, parent, local = _TREE[SEGMENTS.index(segment)]
        frame, segment = local @ frame, parent
    return frame


def segment_rotations(joints: np.ndarray, confidence: np.ndarray | None = None) -> SegmentRotations:
    """World frames of all segments.

    joints: (F, 26, 3) metres, world, Z up, rows as `rigging.joints.TAKE`; NaN where missing. F = 1 is a rest pose: its
    straight elbows then bend to the chest's front and its straight knees to the hips' back, unless they are bent by
    more than 2 degrees. Fill a rest pose that has no face or heels by `complete_rest_pose` first.
    confidence: (F, 26) 0..1, or None for certain.
    Raises ValueError on other shapes.
    """
    points = _Points(joints, confidence)
    body = _Body(len(points.joints))
    _solve_trunk(points, body)
    _solve_head(points, body)
    for side, prefix in (("L", "left_"), ("R", "right_")):
        _solve_arm(points, body, side, prefix)
        _solve_leg(points, body, side, prefix)
    return SegmentRotations(body.rotations, body.observed, body.twist)


def rotation_differences(clip: SegmentRotations, rest: SegmentRotations) -> np.ndarray:
    """(F, S, 3, 3) world rotations that take each segment from the rest pose (one frame) to the clip.

    A segment that the clip or the rest pose never showed turns with its parent.
    """
    differences = clip.rotations @ np.swapaxes(rest.rotations, -1, -2)
    unseen = ~(clip.observed.any(0) & rest.observed.any(0))
    for row, parent in enumerate(SEGMENT_PARENTS):
        if unseen[row] and parent >= 0:
            differences[:, row] = differences[:, parent]
    return differences


def complete_rest_pose(joints: np.ndarray) -> np.ndarray:
    """Add the face and heels that a rig's bones do not show to a rest pose standing on the floor.

    joints: (26, 3) or (1, 26, 3) world metres. The head is taken to be upright and to look where the chest does; the
    sole to be level, the heel below the ankle at the height of the toe. Joints that are there are kept. Returns a copy.
    """
    pose = np.array(joints, np.float64)
    rows = pose.reshape(-1, len(TAKE), 3)
    chest = segment_rotations(rows)["chest"]
    front = perpendicular(chest[:, :, 2], np.array([0.0, 0, 1]))
    left = np.cross([0.0, 0, 1], front)

    def fill(name: str, value: np.ndarray) -> None:
        row = rows[:, TAKE.index(name)]
        row[...] = np.where(np.isfinite(row), row, value)

    neck, top = rows[:, TAKE.index("neck")], rows[:, TAKE.index("head_top")]
    size = np.linalg.norm(top - neck, axis=-1, keepdims=True)
    centre = neck + 0.45 * (top - neck)
    fill("left_ear", centre + 0.30 * size * left)
    fill("right_ear", centre - 0.30 * size * left)
    fill("nose", centre + size * (0.48 * front - 0.08 * np.array([0.0, 0, 1])))
    for prefix in ("left_", "right_"):
        ankle, toe = rows[:, TAKE.index(prefix + "ankle")], rows[:, TAKE.index(prefix + "toe")]
        fill(prefix + "heel", np.concatenate([ankle[:, :2], toe[:, 2:]], -1))
    return pose


def _complete(measured: np.ndarray, known: np.ndarray, parent: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Fill gaps in `measured` by its rotation relative to `parent`; `rest` is that rotation if nothing is known."""
    if known.all():
        return measured
    if not known.any():
        return parent @ rest
    rows = np.flatnonzero(known).astype(np.float64)
    local = quaternions.from_matrix(np.swapaxes(parent[known], -1, -2) @ measured[known])
    filled = quaternions.to_matrix(quaternions.resample(local, rows, np.arange(len(known), dtype=np.float64)))
    return np.where(known[:, None, None], measured, parent @ filled)


def _solve_trunk(points: _Points, body: _Body) -> None:
    hip_line = points.direction("right_hip", "left_hip")
    up = points.direction("pelvis", "spine")
    # Without the trunk's middle joint the whole trunk gives the direction.
    up = np.where(np.isfinite(up), up, points.direction("pelvis", "thorax"))
    body.put("hips", frame_from_x(hip_line, up), points.trust("right_hip", "left_hip"))
    upper = points.direction("spine", "thorax")
    upper = np.where(np.isfinite(upper), upper, points.direction("pelvis", "thorax"))
    shoulder_line = points.direction("right_shoulder", "left_shoulder")
    body.put("chest", frame_from_y(upper, shoulder_line), points.trust("right_shoulder", "left_shoulder"), "hips")
    # Half of the turn between hips and shoulders happens below the middle joint.
    between = unit(body["hips"][:, :, 0] + body["chest"][:, :, 0])
    body.put("spine", frame_from_y(up, between), 0.0, "hips")


def _solve_head(points: _Points, body: _Body) -> None:
    ears = points.direction("right_ear", "left_ear")
    middle = (points["left_ear"] + points["right_ear"]) / 2
    nose = perpendicular(points["nose"] - middle, ears)
    front = np.cos(_NOSE_PITCH) * nose + np.sin(_NOSE_PITCH) * np.cross(nose, ears)
    face = np.stack([ears, np.cross(front, ears), front], -1)
    has_face = bool(np.isfinite(face).all((1, 2)).any())
    stalk = points.direction("neck", "head_top")
    if not has_face:
        face = frame_from_y(stalk, body["chest"][:, :, 0])
    body.put("head", face, points.trust("left_ear", "right_ear", "nose") if has_face else 0.0, "chest")
    base = skull_base(points.joints, body["head"]) if has_face else points["head_top"]
    neck = unit(base - points["neck"])
    between = unit(body["chest"][:, :, 0] + body["head"][:, :, 0])
    body.put("neck", frame_from_y(neck, between), 0.0)


def skull_base(joints: np.ndarray, head: np.ndarray) -> np.ndarray:
    """(F, 3) where neck and head meet: below and behind the middle of the ears by adult means, sized by the ears.

    joints: (F, 26, 3). head: (F, 3, 3) frames of the head. NaN where an ear is missing.
    """
    left, right = joints[:, TAKE.index("left_ear")], joints[:, TAKE.index("right_ear")]
    size = np.linalg.norm(left - right, axis=-1, keepdims=True) / 0.146
    return (left + right) / 2 - size * (0.025 * head[:, :, 1] + 0.008 * head[:, :, 2])


def _hinged(
    points: _Points, body: _Body, segments: tuple[str, str], joints: tuple[str, str, str], carrier: str
) -> None:
    """Put the two segments of a limb, sharing the hinge between them."""
    first, second = segments
    upper, lower = points.direction(*joints[:2]), points.direction(*joints[1:])
    known = np.isfinite(upper).all(-1)
    hinge = KNEE if first.startswith("thigh") else ELBOW
    axis, weight = np.full(upper.shape, np.nan), np.zeros(len(upper))
    if known.any():
        trust = np.where(np.isfinite(lower).all(-1), points.trust(*joints), 0.0)
        frame = rest_frame(first, carrier)
        axis[known], weight[known] = solve_hinge(
            upper[known], lower[known], trust[known], body[carrier][known], frame, hinge
        )
    body.put(first, frame_from_y(upper, axis), weight, carrier)
    # The joint is a hinge: the lower bone has the upper's axis, to the extent that noise leaves it perpendicular.
    body.put(second, frame_from_y(lower, body[first][:, :, 0]), 0.0)


def _solve_arm(points: _Points, body: _Body, side: str, prefix: str) -> None:
    collar = f"shoulder.{side}"
    neutral = body["chest"] @ rest_frame(collar, "chest")
    bone = points.direction("thorax", prefix + "shoulder")
    body.put(collar, swing(neutral[:, :, 1], bone) @ neutral, 0.0)
    names = (prefix + "shoulder", prefix + "elbow", prefix + "wrist")
    _hinged(points, body, (f"upper_arm.{side}", f"forearm.{side}"), names, "chest")
    forearm = body[f"forearm.{side}"]
    hand = points.direction(prefix + "wrist", prefix + "hand")
    body.put(f"hand.{side}", _folded(forearm[:, :, 1], hand) @ forearm, 0.0)


def _folded(along: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(F, 3, 3) swings of a wrist. Folded further than wrists go it is noise, and flat back there is no telling about
    which axis: from some 100 degrees on it goes back to straight, so that nothing flips."""
    share = smoothstep(dot(along, wanted), *_WRIST)[:, None]
    return swing(along, unit(share * wanted + (1 - share) * along))


def _solve_leg(points: _Points, body: _Body, side: str, prefix: str) -> None:
    names = (prefix + "hip", prefix + "knee", prefix + "ankle")
    _hinged(points, body, (f"thigh.{side}", f"shin.{side}"), names, "hips")
    shin_x = body[f"shin.{side}"][:, :, 0]
    ankle, heel, toe = points[prefix + "ankle"], points[prefix + "heel"], points[prefix + "toe"]
    sole = unit(toe - heel)
    twist = np.zeros(len(sole))
    if np.isfinite(sole).any():
        normal = np.cross(unit(ankle - heel), sole)
        # Neither a flat triangle nor one turned far from the shin says how the foot rolls.
        twist = smoothstep(np.nan_to_num(np.linalg.norm(normal, axis=-1)), 0.1, 0.3)
        twist = twist * smoothstep(np.nan_to_num(dot(unit(normal), shin_x)), 0.2, 0.6)
        axis = np.where(twist[:, None] > 0, twist[:, None] * unit(normal), 0.0) + (1 - twist[:, None]) * shin_x
        twist = twist * points.trust(prefix + "heel", prefix + "toe", prefix + "ankle")
    else:
        sole, axis = unit(toe - ankle), shin_x
    body.put(f"foot.{side}", frame_from_y(sole, axis), twist)
    body.put(f"toe.{side}", np.full((len(sole), 3, 3), np.nan), 0.0)
