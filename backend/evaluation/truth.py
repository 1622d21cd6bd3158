# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth that a take is measured against: a recording with one or several cameras, or another take.

A recording is an `.npz` with `fps`, `joint_names` (J,), `joints_world` (P, F, J, 3) in metres, Z up, NaN where unknown,
and per camera `intrinsics` (C, 3, 3), `distortion` (C, 4 or 5, OpenCV's order), `world_to_camera` (C, 4, 4). Frame i is
at i / fps seconds and is frame i of every camera's video.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...rigging.take import FORMAT, FileFormatError, Take, load_arrays, read_take
from ..errors import UserError

_ALIASES = {
    "foot_index": "toe",
    "big_toe": "toe",
    "bigtoe": "toe",
    "toes": "toe",
    "toe_base": "toe",
    "foot": "ankle",
    "head": "head_top",
}


@dataclass(frozen=True)
class Truth:
    """P people over F frames.

    fps: Hz. times: (F,) seconds from the first video frame. joint_names: (J,) canonical. joints: (P, F, J, 3) metres,
    world Z up. intrinsics: (3, 3) pixels. distortion: (5,) OpenCV's k1 k2 p1 p2 k3. world_to_camera: (F, 4, 4).
    """

    fps: float
    times: np.ndarray
    joint_names: tuple[str, ...]
    joints: np.ndarray
    intrinsics: np.ndarray
    distortion: np.ndarray
    world_to_camera: np.ndarray


def canonical_name(name: str) -> str:
    """One spelling for RHip, right_hip, hip.R, mixamorig:RightHip; big toe, foot index and toe are `toe`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.rpartition(":")[2])
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    side = next((word for word in words if word in ("l", "r", "left", "right")), "")
    if side:
        words.remove(side)
    part = "_".join(words)
    prefix = {"": "", "l": "left_", "r": "right_"}[side[:1]]
    return prefix + _ALIASES.get(part, part)


def select_joints(points: np.ndarray, names: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Points (..., J, D) in the order of canonical names `wanted`; NaN where there is no such joint."""
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        rows.setdefault(canonical_name(str(name)), row)
    out = np.full((*points.shape[:-2], len(wanted), points.shape[-1]), np.nan)
    for column, name in enumerate(wanted):
        if name in rows:
            out[..., column, :] = points[..., rows[name], :]
    return out


def read_truth(path: str | Path, camera: int | None = None) -> Truth:
    """Read a truth file of either kind.

    camera: which camera of a recording the take was made from, from 0; needed only where there are several.
    Raises UserError, in one sentence, if the file is not one or the camera is not in it.
    """
    path = Path(path)
    try:
        arrays = load_arrays(path, "a truth file")
        if "format" in arrays and str(arrays["format"]) == FORMAT:
            return _of_take(read_take(path))
        return _of_recording(path, arrays, camera)
    except (FileFormatError, FileNotFoundError) as error:
        raise UserError(str(error)) from None
    except (TypeError, ValueError) as error:  # texts where numbers should be
        raise UserError(f"{path} is not a truth file ({error})") from None


def _of_take(take: Take) -> Truth:
    return Truth(
        fps=take.fps,
        times=take.times,
        joint_names=take.joint_names,
        joints=np.asarray(take.joints, np.float64),
        intrinsics=take.intrinsics,
        distortion=np.zeros(5),
        world_to_camera=np.broadcast_to(take.world_to_camera, (len(take.times), 4, 4)),
    )


def _of_recording(path: Path, arrays: Mapping[str, np.ndarray], camera: int | None) -> Truth:
    required = ("fps", "joint_names", "joints_world", "intrinsics", "world_to_camera")
    missing = [key for key in required if key not in arrays]
    if missing:
        raise UserError(f"{path} is neither a take nor a truth recording (it lacks {', '.join(missing)})")
    joints = arrays["joints_world"].astype(np.float64)
    cameras = len(np.atleast_1d(arrays["intrinsics"]))
    expected = {
        "joints_world": (*joints.shape[:2], len(arrays["joint_names"]), 3),
        "intrinsics": (cameras, 3, 3),
        "world_to_camera": (cameras, 4, 4),
    }
    for key, shape in expected.items():
        if arrays[key].shape != shape:
            raise UserError(f"{path}: {key} has shape {arrays[key].shape}, but {shape} is needed")
    fps = float(arrays["fps"])
    if not (np.isfinite(fps) and fps > 0):
        raise UserError(f"{path}: fps must be positive, not {fps}")
    if camera is None and cameras > 1:
        raise UserError(f"{path} has {cameras} cameras: say which one the take was made from (0 to {cameras - 1})")
    chosen = camera or 0
    if not 0 <= chosen < cameras:
        raise UserError(f"{path} has cameras 0 to {cameras - 1}, not {chosen}")
    distortion = np.zeros(5)
    if "distortion" in arrays:
        values = np.ravel(arrays["distortion"][chosen])[:5]
        distortion[: len(values)] = values
    frames = joints.shape[1]
    return Truth(
        fps=fps,
        times=np.arange(frames) / fps,
        joint_names=tuple(str(name) for name in arrays["joint_names"]),
        joints=joints,
        intrinsics=arrays["intrinsics"][chosen].astype(np.float64),
        distortion=distortion,
        world_to_camera=np.broadcast_to(arrays["world_to_camera"][chosen].astype(np.float64), (frames, 4, 4)),
    )
