# SPDX-License-Identifier: GPL-3.0-or-later
"""What `evaluate` reports: every number with its name, alignment, joints and unit, because names alone collide."""

from __future__ import annotations

from dataclasses import dataclass

_BODY_TEXT, _FEET_TEXT = "12 body joints", "heels and toes"
_ROOT_CAMERA = "mid-hip subtracted, camera axes"


@dataclass(frozen=True)
class Measure:
    """name: the field's. alignment: what is taken out before comparing. joints: which. unit."""

    name: str
    alignment: str
    joints: str
    unit: str


#: Key of the result to what it means.
MEASURES: dict[str, Measure] = {
    "coverage": Measure("coverage", "truth frames with the person in the take", "any body joint", "share"),
    "p_mpjpe_mm": Measure("P-MPJPE", "similarity per frame, no reflection", _BODY_TEXT, "mm"),
    "p_mpjpe_feet_mm": Measure("P-MPJPE of the feet", "the body's similarity per frame", _FEET_TEXT, "mm"),
    "p_mpjpe_heels_mm": Measure("P-MPJPE of the heels", "the body's similarity per frame", "heels", "mm"),
    "p_mpjpe_toes_mm": Measure("P-MPJPE of the toes", "the body's similarity per frame", "toes", "mm"),
    "n_mpjpe_mm": Measure("N-MPJPE", f"{_ROOT_CAMERA}, scale per frame", _BODY_TEXT, "mm"),
    "mpjpe_mm": Measure("MPJPE", _ROOT_CAMERA, _BODY_TEXT, "mm"),
    "pck3d_150_percent": Measure("3DPCK@150", f"{_ROOT_CAMERA}, error <= 150 mm", _BODY_TEXT, "%"),
    "auc_percent": Measure("AUC", f"{_ROOT_CAMERA}, <= 0, 5 ... 150 mm", _BODY_TEXT, "%"),
    "mpjve_mm_frame": Measure("MPJVE", _ROOT_CAMERA, _BODY_TEXT, "mm/frame"),
    "accel_error_m_s2": Measure("acceleration error", _ROOT_CAMERA, _BODY_TEXT, "m/s^2"),
    "accel_error_ratio": Measure("acceleration error / truth's acceleration", _ROOT_CAMERA, _BODY_TEXT, "ratio"),
    "jitter_m_s3": Measure("jitter", "mid-hip subtracted", _BODY_TEXT, "m/s^3"),
    "truth_jitter_m_s3": Measure("jitter of the truth", "mid-hip subtracted", _BODY_TEXT, "m/s^3"),
    "jitter_ratio": Measure("jitter / truth's", "mid-hip subtracted", _BODY_TEXT, "ratio"),
    "jitter_world_m_s3": Measure("jitter", "world", _BODY_TEXT, "m/s^3"),
    "truth_jitter_world_m_s3": Measure("jitter of the truth", "world", _BODY_TEXT, "m/s^3"),
    "jitter_world_ratio": Measure("jitter / truth's", "world", _BODY_TEXT, "ratio"),
    "accel_mm_frame2": Measure("acceleration", "mid-hip subtracted", _BODY_TEXT, "mm/frame^2"),
    "bone_cv_percent": Measure("bone length variation", "standard deviation / mean", "8 limb bones", "%"),
    "truth_bone_cv_percent": Measure(
        "bone length variation of the truth", "standard deviation / mean", "8 limb bones", "%"
    ),
    "mrpe_mm": Measure("MRPE", "none, camera axes", "mid-hip", "mm"),
    "mrpe_depth_mm": Measure("MRPE along the view", "none, camera axes", "mid-hip", "mm"),
    "path_similarity_mm": Measure("path error", "one similarity", "mid-hip", "mm"),
    "path_rigid_mm": Measure("path error", "one rigid motion", "mid-hip", "mm"),
    "path_scale": Measure("scale of that similarity", "truth / take", "mid-hip", "ratio"),
    "gravity_tilt_degrees": Measure("gravity tilt", "camera axes", "world up", "degrees"),
    "foot_sliding_mm_s": Measure("foot sliding", "world, while the truth's foot < 100 mm/s", _FEET_TEXT, "mm/s"),
    "truth_foot_speed_mm_s": Measure("foot speed of the truth", "world, the same samples", _FEET_TEXT, "mm/s"),
    "image_error_relative": Measure("2D error / height in the image", "none", _BODY_TEXT, "ratio"),
    "image_pck_005_percent": Measure("2D PCK@0.05 of the height", "none", _BODY_TEXT, "%"),
    "reprojection_rms_px": Measure("reprojection to own 2D (a fit, not accuracy)", "none", "all named joints", "px"),
}
