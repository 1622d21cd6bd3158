# SPDX-License-Identifier: GPL-3.0-or-later
"""Error measures of human motion, under the field's names.

Letters: F frames, J joints. Lengths keep the unit of the input (metres inside the product). NaN joints do not count;
results per frame are NaN where a frame has too few joints. Sources: MPJPE and its variants after VideoPose3D (Pavllo
et al., CVPR 2019, section 5) and Human3.6M; 3DPCK and AUC after Mehta et al. (3DV 2017); OKS after COCO; PSS after
EpipolarPose (Kocabas et al., CVPR 2019); jitter as in the mesh recovery literature (third difference).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: OKS constants of COCO-17, in its order.
COCO_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
#: Thresholds of the AUC: 0, 5 ... 150 mm, in metres.
AUC_THRESHOLDS = np.arange(0, 151, 5) / 1000


def mean(values: np.ndarray) -> float:
    """Mean of the finite values; NaN if there are none."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if finite.size else float("nan")


def root_relative(points: np.ndarray, root: Sequence[int]) -> np.ndarray:
    """Points (..., J, 3) minus the mean of the joints `root` (one pelvis, or two hips)."""
    return points - points[..., list(root), :].mean(axis=-2, keepdims=True)


def mpjpe(predicted: np.ndarray, truth: np.ndarray, min_joints: int = 1) -> np.ndarray:
    """(F,) mean distance of joints (F, J, 3); subtract the root first for the usual protocol ("P1")."""
    return _frame_means(np.linalg.norm(predicted - truth, axis=-1), min_joints)


def n_mpjpe(predicted: np.ndarray, truth: np.ndarray, min_joints: int = 1) -> np.ndarray:
    """(F,) MPJPE after the best scale per frame, sum p.g / sum p.p; both (F, J, 3) root-relative ("P3")."""
    both = np.isfinite(predicted + truth).all(-1, keepdims=True)
    p, g = np.where(both, predicted, 0.0), np.where(both, truth, 0.0)
    power = (p * p).sum((-2, -1))
    scale = (p * g).sum((-2, -1)) / np.where(power > 0, power, np.nan)
    return mpjpe(predicted * scale[:, None, None], truth, min_joints)


def similarity(source: np.ndarray, target: np.ndarray, with_scale: bool = True) -> tuple[float, np.ndarray, np.ndarray]:
    """Least-squares scale s, rotation R and translation t with target = s R source + t for points (N, 3).

    Reflections are not allowed. Umeyama, IEEE PAMI 13(4), 1991.
    """
    a, b = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, -1.0 if np.linalg.det(u @ vt) < 0 else 1.0])
    R = (u * signs) @ vt
    power = (a * a).sum()
    s = float((singular * signs).sum() / power) if with_scale and power > 0 else 1.0
    return s, R, target.mean(0) - s * R @ source.mean(0)


def procrustes(predicted: np.ndarray, truth: np.ndarray, min_joints: int = 3) -> tuple[np.ndarray, ...]:
    """Similarity of each frame: s (F,), R (F, 3, 3), t (F, 3) from joints (F, J, 3); NaN where too few joints."""
    frames = len(predicted)
    s, R, t = np.full(frames, np.nan), np.full((frames, 3, 3), np.nan), np.full((frames, 3), np.nan)
    known = np.isfinite(predicted + truth).all(-1)
    for f in np.flatnonzero(known.sum(-1) >= min_joints):
        s[f], R[f], t[f] = similarity(predicted[f, known[f]], truth[f, known[f]])
    return s, R, t


def p_mpjpe(predicted: np.ndarray, truth: np.ndarray, min_joints: int = 3) -> np.ndarray:
    """(F,) MPJPE after a similarity per frame without reflection ("P2", Procrustes)."""
    s, R, t = procrustes(predicted, truth, min_joints)
    return mpjpe(s[:, None, None] * predicted @ R.swapaxes(1, 2) + t[:, None], truth, min_joints)


def mpjve(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean velocity error of joints (F, J, 3), length per frame."""
    return mean(np.linalg.norm(np.diff(predicted - truth, axis=0), axis=-1))


def acceleration_error(predicted: np.ndarray, truth: np.ndarray, fps: float) -> float:
    """Mean acceleration error of joints (F, J, 3), length per second squared."""
    return mean(np.linalg.norm(np.diff(predicted - truth, 2, axis=0), axis=-1)) * fps**2


def acceleration(points: np.ndarray) -> float:
    """Mean length of the second difference of joints (F, J, 3), length per frame squared."""
    return mean(np.linalg.norm(np.diff(points, 2, axis=0), axis=-1))


def jitter(points: np.ndarray, fps: float) -> float:
    """Mean length of the third difference of joints (F, J, 3), length per second cubed; papers print a tenth of it."""
    return mean(np.linalg.norm(np.diff(points, 3, axis=0), axis=-1)) * fps**3


def pck_3d(errors: np.ndarray, threshold: float = 0.150) -> float:
    """Share of joint errors (...,) that are at most the threshold (inclusive), 0..1."""
    errors = errors[np.isfinite(errors)]
    return float((errors <= threshold).mean()) if errors.size else float("nan")


def auc_3d(errors: np.ndarray, strict: bool = False) -> float:
    """Mean PCK over `AUC_THRESHOLDS`, 0..1. strict: count errors below instead of at most the threshold.

    The choice matters (thresholds start at 0 and errors are often rounded), so say which when quoting.
    """
    errors = errors[np.isfinite(errors)]
    if not errors.size:
        return float("nan")
    compare = np.less if strict else np.less_equal
    return float(compare(errors[:, None], AUC_THRESHOLDS).mean())


def reliability(confidence: np.ndarray, true: np.ndarray, bins: int = 10) -> list[tuple[float, float, float]]:
    """Of every bin of confidence (N,) in 0..1 with something in it: share of all, mean confidence, share that is true.

    true: (N,) bool, whether what a confidence speaks of is so. Bins are of equal width.
    """
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    inside = [bin_of == row for row in range(bins)]
    return [(float(b.mean()), float(confidence[b].mean()), float(true[b].mean())) for b in inside if b.any()]


def calibration_error(confidence: np.ndarray, true: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Guo et al., ICML 2017, equation 3) of confidences (N,) about `true` (N,) bool."""
    return sum(share * abs(told - found) for share, told, found in reliability(confidence, true, bins))


def oks(predicted: np.ndarray, truth: np.ndarray, area: float, sigmas: np.ndarray = COCO_SIGMAS) -> np.ndarray:
    """(J,) COCO's keypoint similarity exp(-d^2 / (2 area (2 sigma)^2)) of pixels (J, 2); its mean is the OKS."""
    squared = ((predicted - truth) ** 2).sum(-1)
    return np.exp(-squared / (2 * area * (2 * sigmas) ** 2))


def pss(predicted: np.ndarray, truth: np.ndarray, centres: np.ndarray) -> float:
    """Pose structure score, 0..1: share of frames in the same cluster of poses as the truth.

    predicted, truth: (F, J, 3) root-relative. centres: (C, J, 3), cluster centres of normalised training poses.
    """

    def cluster(poses: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(poses, axis=(-2, -1), keepdims=True)
        return np.linalg.norm((poses / norm)[:, None] - centres, axis=(-2, -1)).argmin(1)

    return float((cluster(predicted) == cluster(truth)).mean())


def bone_length_cv(points: np.ndarray, bones: Sequence[tuple[int, int]]) -> float:
    """Mean over bones (row pairs) of standard deviation / mean of the length over frames (F, J, 3); no truth needed."""
    ratios = []
    for a, b in bones:
        length = np.linalg.norm(points[:, a] - points[:, b], axis=-1)
        length = length[np.isfinite(length)]
        if len(length) > 2 and length.mean() > 0:
            ratios.append(length.std() / length.mean())
    return mean(np.array(ratios))


def reprojection_rms(projected: np.ndarray, pixels: np.ndarray, confidence: np.ndarray) -> float:
    """Weighted root mean square distance of pixels (..., 2): how well a take fits its 2D, not how true it is."""
    squared = ((projected - pixels) ** 2).sum(-1)
    weight = np.where(np.isfinite(squared), confidence, 0.0)
    total = weight.sum()
    return float(np.sqrt((weight * np.nan_to_num(squared)).sum() / total)) if total > 0 else float("nan")


def path_error(predicted: np.ndarray, truth: np.ndarray, with_scale: bool) -> tuple[float, float]:
    """Mean distance of two root paths (F, 3) after one rigid or similarity fit, and the fitted scale."""
    known = np.isfinite(predicted + truth).all(-1)
    if known.sum() < 3:
        return float("nan"), float("nan")
    s, R, t = similarity(predicted[known], truth[known], with_scale)
    return mrpe(s * predicted[known] @ R.T + t, truth[known]), s


def mrpe(predicted: np.ndarray, truth: np.ndarray) -> float:
    """MRPE: mean distance of two root paths (F, 3) as they are."""
    return mean(np.linalg.norm(predicted - truth, axis=-1))


def gravity_tilt(up: np.ndarray, true_up: np.ndarray) -> np.ndarray:
    """(F,) angle in degrees between two up directions (F, 3) in camera axes."""
    norms = np.linalg.norm(up, axis=-1) * np.linalg.norm(true_up, axis=-1)
    return np.degrees(np.arccos(np.clip((up * true_up).sum(-1) / norms, -1, 1)))


def foot_sliding(feet: np.ndarray, true_feet: np.ndarray, fps: float, still: float = 0.1) -> tuple[float, float, int]:
    """Speed of foot joints (F, J, 3), world, while the truth's are planted (slower than `still` per second).

    Returns the mean speed, the truth's own mean speed, both length per second, and the number of samples.
    """
    speed, true_speed = (_speed(points, fps) for points in (feet, true_feet))
    with np.errstate(invalid="ignore"):
        planted = (true_speed < still) & np.isfinite(speed)
    return mean(speed[planted]), mean(true_speed[planted]), int(planted.sum())


def _speed(points: np.ndarray, fps: float) -> np.ndarray:
    out = np.full(points.shape[:2], np.nan)
    out[1:-1] = np.linalg.norm(points[2:] - points[:-2], axis=-1) * fps / 2
    return out


def _frame_means(errors: np.ndarray, min_joints: int) -> np.ndarray:
    known = np.isfinite(errors)
    counts = known.sum(-1)
    enough = counts >= max(min_joints, 1)
    return np.where(enough, np.where(known, errors, 0.0).sum(-1) / np.maximum(counts, 1), np.nan)
