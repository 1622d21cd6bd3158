# SPDX-License-Identifier: GPL-3.0-or-later
"""How 2D joints become the input set of a lifter, and how far to believe its 3D joints.

Conversions are those of VideoPose3D's descendants (MotionBERT, mmpose): COCO to Human3.6M by midpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import UserError

_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
#: 2D joints that stand for one that a detector does not give: their mean, with the least of their confidences.
_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "pelvis": _HIPS,
    "spine": (*_HIPS, *_SHOULDERS),
    "thorax": _SHOULDERS,
    "neck": ("nose",),
    "head_top": ("left_eye", "right_eye"),
}
#: 2D joints that a 3D joint without a 2D point of its own is inferred from.
_INFERRED_FROM: Mapping[str, tuple[str, ...]] = {
    **_MADE_OF,
    "neck": _SHOULDERS,
    "head_top": ("nose",),
    "left_heel": ("left_ankle",),
    "right_heel": ("right_ankle",),
    "left_toe": ("left_ankle",),
    "right_toe": ("right_ankle",),
    "left_hand": ("left_wrist",),
    "right_hand": ("right_wrist",),
}
#: Confidence of a joint that is inferred without a point of its own (feet, hands) or from other frames.
_INFERRED = 0.5
#: Seconds after which an observation is worth a third; and the confidence below which a frame counts as not seen.
_MEMORY = 0.25
_UNSEEN = 0.05


def select_keypoints(
    keypoints: np.ndarray, names: Sequence[str], wanted: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Bring keypoints (F, K, 3) with `names` into the order of `wanted`: (F, len(wanted), 3), and warnings.

    Joints that the detector does not give are made of others where the tables know how (with a warning, because a
    lifter trained on the detector's own joints is far better), else they are missing: NaN with confidence 0.
    Raises UserError if more than a third of them would be missing.
    """
    rows = {name: row for row, name in enumerate(names)}
    out = np.full((len(keypoints), len(wanted), 3), np.nan)
    out[..., 2] = 0.0
    made, lacking = converted_joints(names, wanted), []
    for column, name in enumerate(wanted):
        if name in rows:
            out[:, column] = keypoints[:, rows[name]]
        elif name in made:
            out[:, column] = mean_point(keypoints[:, [rows[source] for source in _MADE_OF[name]]])
        else:
            lacking.append(name)
    if 3 * len(lacking) > len(wanted):
        raise UserError(f"the keypoints lack {', '.join(lacking)}, which the chosen lifter needs")
    warnings = []
    if made:
        warnings.append(
            f"the lifter takes {', '.join(made)}, which are made of other keypoints here; a lifter for the "
            "detector's own keypoints is more accurate"
        )
    return out, tuple(warnings)


def converted_joints(names: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Which of the `wanted` 2D joints a detector with `names` does not give, but others of its joints make."""
    return tuple(
        name for name in wanted if name not in names and all(source in names for source in _MADE_OF.get(name, ("",)))
    )


def mean_point(points: np.ndarray) -> np.ndarray:
    """(..., S, 3) to (..., 3): the mean position, the least confidence; missing where any source is."""
    confidence = points[..., 2:].min(axis=-2)
    position = np.where(confidence > 0, points[..., :2].mean(axis=-2), np.nan)
    return np.concatenate([position, confidence], axis=-1)


def output_confidence(
    confidence: np.ndarray, names: Sequence[str], times: np.ndarray, joints: Sequence[str]
) -> np.ndarray:
    """How far to believe 3D joints (F, J), 0..1, from the confidence (F, K) of the 2D joints `names` at `times`.

    A joint is as good as the 2D points that it hangs on. In a gap it falls to half of its last or next confidence and
    decays from there; a joint that is hidden while the rest is seen keeps a little, because the body constrains it.
    0 means that nothing was seen near this frame.
    """
    rows = {name: row for row, name in enumerate(names)}
    own = np.zeros((len(times), len(joints)))
    for column, joint in enumerate(joints):
        sources = [
            rows[name] for name in ((joint,) if joint in rows else _INFERRED_FROM.get(joint, ())) if name in rows
        ]
        if sources:
            indirect = joint not in rows and joint.endswith(("_heel", "_toe", "_hand"))
            own[:, column] = confidence[:, sources].min(axis=1) * (_INFERRED if indirect else 1.0)
    remembered = np.maximum(own, _INFERRED * _decayed_maximum(own, times))
    body = _decayed_maximum(confidence.max(axis=1, keepdims=True), times)
    body = np.where(body >= 2 * _UNSEEN, body, 0.0)
    return np.where(body > 0, np.maximum(remembered, _UNSEEN * body), 0.0)


def calibrated_confidence(near: np.ndarray, seen: np.ndarray, inferred: np.ndarray) -> np.ndarray:
    """What a network that tells its errors says, where it has seen the person; (F, J).

    near: (F, J) the probability it tells. seen: (F, K) confidence of the 2D joints. inferred: (F, J) as
    `output_confidence` gives: in a gap, which no network is trained to know as one, confidence is at most that.
    """
    present = (seen > _UNSEEN).any(axis=1, keepdims=True)
    return np.where(present, np.where(inferred > 0, near, 0.0), np.minimum(near, inferred))


def _decayed_maximum(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(F, D): for each frame the largest of all frames' values, each decayed exponentially over the time between."""
    with np.errstate(divide="ignore"):
        level = np.log(values)
    clock = (times - times[0])[:, None] / _MEMORY
    past = np.maximum.accumulate(level + clock, axis=0) - clock
    future = np.maximum.accumulate((level - clock)[::-1], axis=0)[::-1] + clock
    return np.exp(np.maximum(past, future))
