# SPDX-License-Identifier: GPL-3.0-or-later
"""Accuracy on footage with 3D truth: one person in four calibrated views, each captured alone, beside mediapipe.

    python benchmarks/footage.py FOOTAGE_FOLDER [--work FOLDER] [--lifter NAME_OR_WEIGHTS ...]

FOOTAGE_FOLDER holds cam01.mp4 .. cam04.mp4 and truth_single_refined.npz. A capture is what a user gets: the focal
length is not told. mediapipe is its `solutions.pose` (full, tracking) with its own world landmarks on the same frames;
its translation is solved from its 2D with the true intrinsics, its camera is taken as level, since it knows no better.
Detected keypoints and mediapipe's takes are kept in the work folder, so that a second run only lifts. --lifter, as of
`video-mocap`, may be given several times.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from video_mocap.backend.evaluation.evaluate import evaluate
from video_mocap.backend.footage import probe, read_frames
from video_mocap.backend.keypoints import read_keypoints, write_keypoints
from video_mocap.backend.pipeline import CaptureOptions, detect, lift, write_take
from video_mocap.backend.root.linear import linear_root
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from video_mocap.rigging.take import Take, read_take

TRUTH = "truth_single_refined.npz"
VIEWS = ("cam01", "cam02", "cam03", "cam04")
ROWS = (
    ("p_mpjpe_mm", "P-MPJPE body, mm"),
    ("p_mpjpe_heels_mm", "P-MPJPE heels, mm"),
    ("p_mpjpe_toes_mm", "P-MPJPE toes, mm"),
    ("p_mpjpe_feet_mm", "P-MPJPE heels and toes, mm"),
    ("mpjpe_mm", "MPJPE root-relative, camera axes, mm"),
    ("accel_error_ratio", "acceleration error / truth's acceleration"),
    ("jitter_ratio", "jitter, ratio to the truth's"),
    ("bone_cv_percent", "bone-length variation, %"),
    ("gravity_tilt_degrees", "tilt, degrees"),
    ("path_rigid_mm", "root path, rigid fit, mm"),
    ("foot_sliding_mm_s", "foot speed in stance, mm/s"),
)
LANDMARKS = {
    "nose": 0, "left_ear": 7, "right_ear": 8, "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13,
    "right_elbow": 14, "left_wrist": 15, "right_wrist": 16, "left_hip": 23, "right_hip": 24, "left_knee": 25,
    "right_knee": 26, "left_ankle": 27, "right_ankle": 28, "left_heel": 29, "right_heel": 30, "left_toe": 31,
    "right_toe": 32,
}  # fmt: skip


def ours(footage: Path, view: str, work: Path, lifter: str) -> Take:
    """The take of one view, as a user gets it."""
    path = work / f"{view}.keypoints.npz"
    if not path.exists():
        write_keypoints(path, detect(footage / f"{view}.mp4", CaptureOptions()))
    return lift(read_keypoints(path), CaptureOptions(lifter=lifter))


def theirs(footage: Path, view: str, work: Path, intrinsics: np.ndarray) -> Take:
    """mediapipe's take of one view."""
    path = work / f"{view}.mediapipe.take.npz"
    if not path.exists():
        write_take(path, mediapipe_alone(footage / f"{view}.mp4", intrinsics))
    return read_take(path)


def mediapipe_alone(video: Path, intrinsics: np.ndarray) -> Take:
    """mediapipe's world landmarks as a take."""
    import mediapipe

    info = probe(video)
    times, joints, pixels = [], [], []
    rows = np.array([LANDMARKS.get(name, -1) for name in TAKE.names])
    with mediapipe.solutions.pose.Pose(model_complexity=1) as pose:
        for frame in read_frames(video):
            result = pose.process(frame.image)
            world, image = np.full((33, 3), np.nan), np.full((33, 2), np.nan)
            if result.pose_world_landmarks:
                world = np.array([[p.x, p.y, p.z] for p in result.pose_world_landmarks.landmark])
                image = np.array([[p.x * info.width, p.y * info.height] for p in result.pose_landmarks.landmark])
            times.append(frame.time)
            joints.append(np.where(rows[:, None] >= 0, world[rows], np.nan))
            pixels.append(np.where(rows[:, None] >= 0, image[rows], np.nan))
    points = np.stack(joints)
    root = linear_root(points, np.stack(pixels), np.ones(points.shape[:2]), intrinsics)
    level = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    placed = (points + root[:, None]) @ level[:3, :3]  # camera to world is the transpose of world to camera
    frames = len(times)
    return Take(
        info.fps, np.array(times), np.array([info.width, info.height]), intrinsics, level[None],
        TAKE.names, TAKE.parents, np.array([1]), placed[None], np.isfinite(placed[None]).all(-1).astype(float),
        KEYPOINTS.names, np.zeros((1, frames, len(KEYPOINTS), 3)), np.zeros((1, frames, 4)),
    )  # fmt: skip


def score(take: Take, footage: Path, camera: int) -> dict[str, float]:
    """The measures of the person in the truth."""
    return evaluate(take, footage / TRUTH, camera)["persons"][0]


def print_table(results: dict[str, list[dict[str, float]]]) -> None:
    """A line per measure and per who: the views and their mean, and beside the mean its share of mediapipe's."""
    print(f"| {'':42s} | {'who':12s} | " + " | ".join(f"{v:>7s}" for v in (*VIEWS, "mean", "share")) + " |")
    print("|---|---|" + "---|" * (len(VIEWS) + 2))
    for key, label in ROWS:
        means = {who: np.mean([entry[key] for entry in scores]) for who, scores in results.items()}
        for who, scores in results.items():
            values = [*(entry[key] for entry in scores), means[who], means[who] / means["mediapipe"]]
            print(f"| {label:42s} | {who[-12:]:12s} | " + " | ".join(f"{value:7.2f}" for value in values) + " |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy on footage with truth, beside mediapipe.")
    parser.add_argument("footage", type=Path)
    parser.add_argument("--work", type=Path, help="keeps detected keypoints and mediapipe's takes")
    parser.add_argument("--lifter", action="append", help="a name or weights; several times for several")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    with np.load(arguments.footage / TRUTH) as truth:
        intrinsics = truth["intrinsics"]
    results: dict[str, list[dict[str, float]]] = {}
    for lifter in arguments.lifter or ["default"]:
        takes = [ours(arguments.footage, view, work, lifter) for view in VIEWS]
        results[Path(lifter).stem] = [score(take, arguments.footage, camera) for camera, take in enumerate(takes)]
    takes = [theirs(arguments.footage, view, work, intrinsics[camera]) for camera, view in enumerate(VIEWS)]
    results["mediapipe"] = [score(take, arguments.footage, camera) for camera, take in enumerate(takes)]
    print_table(results)


if __name__ == "__main__":
    main()
