# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a take against the truth: who is who, the same instants, then every measure of `measures.py`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...rigging.take import Take
from ..camera import project, to_camera
from . import metrics
from .measures import MEASURES
from .truth import Truth, read_truth, select_joints

_SIDES = ("left", "right")
BODY = tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in _SIDES)
FEET = tuple(f"{side}_{part}" for part in ("heel", "toe") for side in _SIDES)
_HIPS = (BODY.index("left_hip"), BODY.index("right_hip"))
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
_BONES = [(BODY.index(f"{side}_{a}"), BODY.index(f"{side}_{b}")) for a, b in _LIMBS for side in _SIDES]
#: Fewest joints of a frame, and fewest frames that two people must share to be compared.
_MIN_JOINTS = 8
_MIN_FRAMES = 5


@dataclass(frozen=True)
class _Person:
    """One person on the truth's frames: body (F, 12, 3) and feet (F, 4, 3), metres, its own world."""

    body: np.ndarray
    feet: np.ndarray


def evaluate(take: Take, truth_path: str | Path, camera: int | None = None) -> dict[str, Any]:
    """Measure a take.

    truth_path: a truth recording (see `truth.py`) or a take file. camera: of a recording with several, from 0.
    Returns a JSON-able dict: `measures` says name, alignment, joints and unit of every key; `persons` has one entry per
    person of the truth, in its order, with the row of the matched person of the take (None if nobody matches) and the
    measures (None where it cannot be said).
    Raises UserError if the truth cannot be read.
    """
    truth = read_truth(truth_path, camera)
    gap = 2.5 * max(1 / take.fps, 1 / truth.fps)
    takes = [_person(_at(points, take.times, truth.times, gap), take.joint_names) for points in take.joints]
    truths = [_person(points, truth.joint_names) for points in truth.joints]
    nearest = _nearest(take.times, truth.times)
    matrices = take.world_to_camera[nearest if len(take.world_to_camera) > 1 else np.zeros_like(nearest)]
    persons = []
    for row, match in enumerate(_match(truths, takes)):
        entry: dict[str, Any] = {"truth_person": row, "take_person": match, "coverage": 0.0}
        if match is not None:
            entry |= _pose_measures(takes[match], truths[row], matrices, truth)
            entry |= _world_measures(takes[match], truths[row], matrices, truth)
            keypoints = _at(take.keypoints[match], take.times, truth.times, gap)
            entry |= _image_measures(keypoints, take.keypoint_names, truth, row)
            entry["reprojection_rms_px"] = _reprojection(take, match)
        persons.append({key: _plain(value) for key, value in entry.items()})
    return {
        "truth": str(truth_path),
        "camera": camera,
        "frames": len(truth.times),
        "truth_persons": len(truths),
        "take_persons": len(takes),
        "measures": {key: asdict(measure) for key, measure in MEASURES.items()},
        "persons": persons,
    }


def report(result: dict[str, Any]) -> str:
    """The result as text for a terminal: a line per measure with its protocol."""
    lines = []
    for person in result["persons"]:
        who = f"truth person {person['truth_person']}"
        match = person["take_person"]
        lines.append(f"{who}: " + ("nobody in the take" if match is None else f"person {match} of the take"))
        for key, m in MEASURES.items():
            if person.get(key) is not None and match is not None:
                lines.append(f"  {m.name:44s} {person[key]:10.3f} {m.unit:10s} {m.joints}; {m.alignment}")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return float(value) if isfinite(value) else None
    return value


def _person(points: np.ndarray, names: tuple[str, ...]) -> _Person:
    return _Person(select_joints(points, names, BODY), select_joints(points, names, FEET))


def _at(values: np.ndarray, times: np.ndarray, wanted: np.ndarray, max_gap: float) -> np.ndarray:
    """Values (F, ...) at other instants, linearly; NaN outside the span and between frames further apart than max_gap.

    An instant within a millisecond of a frame takes that frame as it is.
    """
    values = np.asarray(values, np.float64)
    nearest = _nearest(times, wanted)
    out = values[nearest]
    between = np.abs(times[nearest] - wanted) >= 1e-3
    if len(times) < 2:
        out[between] = np.nan
        return out
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    step = times[after] - times[after - 1]
    share = ((wanted - times[after - 1]) / step).reshape(-1, *[1] * (values.ndim - 1))
    mixed = (1 - share) * values[after - 1] + share * values[after]
    mixed[(wanted < times[0]) | (wanted > times[-1]) | (step > max_gap)] = np.nan
    out[between] = mixed[between]
    return out


def _nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(W,) row of the nearest of `times` (F,) for every instant of `wanted` (W,)."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    return np.where(np.abs(times[after] - wanted) < np.abs(times[before] - wanted), after, before)


def _match(truths: list[_Person], takes: list[_Person]) -> list[int | None]:
    """For every person of the truth the row of the take, one to one, by the least sum of P-MPJPE."""
    impossible = 1e6
    costs = np.full((len(truths), len(takes)), impossible)
    for i, truth in enumerate(truths):
        for k, take in enumerate(takes):
            errors = metrics.p_mpjpe(take.body, truth.body, _MIN_JOINTS)
            if np.isfinite(errors).sum() >= _MIN_FRAMES:
                costs[i, k] = metrics.mean(errors)
    found: list[int | None] = [None] * len(truths)
    for i, k in zip(*linear_sum_assignment(costs), strict=True):
        if costs[i, k] < impossible:
            found[i] = int(k)
    return found


def _pose_measures(take: _Person, truth: _Person, matrices: np.ndarray, about: Truth) -> dict[str, Any]:
    """Errors of the pose, and how noisy it is."""
    s, R, t = metrics.procrustes(take.body, truth.body, _MIN_JOINTS)
    feet = s[:, None, None] * take.feet @ R.swapaxes(1, 2) + t[:, None]
    heels, toes = slice(0, 2), slice(2, 4)
    p = metrics.root_relative(to_camera(take.body, matrices), _HIPS)
    g = metrics.root_relative(to_camera(truth.body, about.world_to_camera), _HIPS)
    errors = np.linalg.norm(p - g, axis=-1)
    acceleration_error = metrics.acceleration_error(p, g, about.fps)
    own_acceleration = metrics.acceleration(np.where(np.isfinite(p), g, np.nan)) * about.fps**2
    out: dict[str, Any] = {
        "p_mpjpe_mm": 1000 * metrics.mean(metrics.p_mpjpe(take.body, truth.body, _MIN_JOINTS)),
        "p_mpjpe_feet_mm": 1000 * metrics.mean(metrics.mpjpe(feet, truth.feet)),
        "p_mpjpe_heels_mm": 1000 * metrics.mean(metrics.mpjpe(feet[:, heels], truth.feet[:, heels])),
        "p_mpjpe_toes_mm": 1000 * metrics.mean(metrics.mpjpe(feet[:, toes], truth.feet[:, toes])),
        "n_mpjpe_mm": 1000 * metrics.mean(metrics.n_mpjpe(p, g, _MIN_JOINTS)),
        "mpjpe_mm": 1000 * metrics.mean(metrics.mpjpe(p, g, _MIN_JOINTS)),
        "pck3d_150_percent": 100 * metrics.pck_3d(errors),
        "auc_percent": 100 * metrics.auc_3d(errors),
        "mpjve_mm_frame": 1000 * metrics.mpjve(p, g),
        "accel_error_m_s2": acceleration_error,
        "accel_error_ratio": acceleration_error / own_acceleration if own_acceleration > 0 else float("nan"),
        "bone_cv_percent": 100 * metrics.bone_length_cv(take.body, _BONES),
        "truth_bone_cv_percent": 100 * metrics.bone_length_cv(truth.body, _BONES),
    }
    both = (np.isfinite(take.body).all(-1).any(1) & np.isfinite(truth.body).all(-1).any(1))[:, None, None]
    for suffix, prepare in (("", lambda x: metrics.root_relative(x, _HIPS)), ("_world", lambda x: x)):
        a, b = (np.where(both, prepare(person.body), np.nan) for person in (take, truth))
        noise, own = metrics.jitter(a, about.fps), metrics.jitter(b, about.fps)
        out[f"jitter{suffix}_m_s3"], out[f"truth_jitter{suffix}_m_s3"] = noise, own
        out[f"jitter{suffix}_ratio"] = noise / own if own > 0 else float("nan")
        if not suffix:
            out["accel_mm_frame2"] = 1000 * metrics.acceleration(a)
    return out


def _world_measures(take: _Person, truth: _Person, matrices: np.ndarray, about: Truth) -> dict[str, Any]:
    """Errors of place, path, gravity and feet."""
    seen, known = (np.isfinite(person.body).all(-1).any(1) for person in (take, truth))
    path, true_path = (person.body[:, list(_HIPS)].mean(1) for person in (take, truth))
    offset = (to_camera(path[:, None], matrices) - to_camera(true_path[:, None], about.world_to_camera))[:, 0]
    tilt = metrics.gravity_tilt(matrices[:, :3, 2], about.world_to_camera[:, :3, 2])
    similar, scale = metrics.path_error(path, true_path, with_scale=True)
    slide, own, samples = metrics.foot_sliding(take.feet, truth.feet, about.fps)
    return {
        "frames": int(known.sum()),
        "coverage": float((seen & known).sum() / max(known.sum(), 1)),
        "mrpe_mm": 1000 * metrics.mrpe(offset, np.zeros_like(offset)),
        "mrpe_depth_mm": 1000 * metrics.mean(np.abs(offset[:, 2])),
        "path_similarity_mm": 1000 * similar,
        "path_rigid_mm": 1000 * metrics.path_error(path, true_path, with_scale=False)[0],
        "path_scale": scale,
        "gravity_tilt_degrees": metrics.mean(tilt[seen & known]),
        "foot_sliding_mm_s": 1000 * slide,
        "truth_foot_speed_mm_s": 1000 * own,
        "foot_still_samples": samples,
    }


def _image_measures(keypoints: np.ndarray, names: tuple[str, ...], truth: Truth, row: int) -> dict[str, Any]:
    """The take's 2D (F, K, 3) against the truth seen through its camera, relative to the height of the person."""
    seen = to_camera(truth.joints[row], truth.world_to_camera)
    pixels = project(_distorted(seen, truth.distortion), truth.intrinsics)
    y = pixels[..., 1]
    known = np.isfinite(y)
    height = np.where(known, y, -np.inf).max(1) - np.where(known, y, np.inf).min(1)
    height = np.where(known.any(1), height, np.nan)
    found = select_joints(keypoints[..., :2], names, BODY)
    error = np.linalg.norm(found - select_joints(pixels, truth.joint_names, BODY), axis=-1) / height[:, None]
    return {
        "image_error_relative": metrics.mean(error),
        "image_pck_005_percent": 100 * metrics.pck_3d(error, 0.05),
    }


def _distorted(points: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Points (..., 3) in camera axes moved to where a lens (OpenCV's k1 k2 p1 p2 k3) shows them, at depth 1."""
    k1, k2, p1, p2, k3 = distortion
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.stack([u, v, np.where(points[..., 2] > 0, 1.0, np.nan)], axis=-1)


def _reprojection(take: Take, row: int) -> float:
    """Weighted root mean square distance, pixels, of the take's joints to its own keypoints of the same names."""
    shared = [name for name in take.joint_names if name in take.keypoint_names]
    joints = take.joints[row][:, [take.joint_names.index(name) for name in shared]].astype(np.float64)
    keypoints = take.keypoints[row][:, [take.keypoint_names.index(name) for name in shared]].astype(np.float64)
    projected = project(to_camera(joints, take.world_to_camera), take.intrinsics)
    return metrics.reprojection_rms(projected, keypoints[..., :2], keypoints[..., 2])
