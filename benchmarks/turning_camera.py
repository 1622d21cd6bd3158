# SPDX-License-Identifier: GPL-3.0-or-later
"""What finding out that the camera turns is worth.

    python benchmarks/turning_camera.py rooms
    python benchmarks/turning_camera.py motion MOTION_LIBRARY [--clips 8]
    python benchmarks/turning_camera.py footage FOOTAGE [--clip cam03] [--degrees 8]

rooms: made pictures (`tests/panning.py`, 960 x 540, somebody walks through them) by cameras with known turns: error of
the turns found, through the true lens; the focal length found and how uncertain it is said to be; processor time.
motion: validation motion before the panning cameras of `world_clips.py`, whose background is taken as seen exactly;
what is measured is as in `world.py`. "still": nobody looks at the background. Means over the clips.
footage: a clip of a camera that stands still with known intrinsics is filmed again by a virtual camera in the same
place that looks around in it, so its turns are known; it is then captured like the whole clip. "apart" is the distance
between the two takes' joints after the best rotation and translation of the whole clip, what the capture itself does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from video_mocap.backend.background.tracker import BackgroundTracker
from video_mocap.backend.background.turning import motion_of, rotations, turning_focal
from video_mocap.backend.cache import StageCache
from video_mocap.backend.footage import read_frames
from video_mocap.backend.pipeline import CaptureOptions, capture, lift

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from panning import angle_between, panorama, pictures, turned

SIZE, FRAMES = (960, 540), 90


def rooms() -> None:
    """Print the table of made rooms."""
    none, way, times = np.zeros(FRAMES), np.linspace(0, 1, FRAMES), np.arange(FRAMES) / 30
    nods = 5 * np.sin(3 * way)
    scenes = {
        "stands still": (turned(none, none, none), 900.0, 2.0),
        "stands still, noise 12": (turned(none, none, none), 900.0, 12.0),
        "handheld, 1 degree": (
            turned(
                np.sin(7 * times) + 0.4 * np.sin(19 * times),
                0.8 * np.sin(5 * times + 1) + 0.3 * np.sin(23 * times),
                0.5 * np.sin(6 * times),
            ),
            900.0,
            2.0,
        ),
        "pan of 15 degrees": (turned(15 * way, none, none), 900.0, 2.0),
        "pan of 90 and nods": (turned(90 * way, nods, none), 900.0, 2.0),
        "the same and back": (turned(90 * np.sin(np.pi * way), nods, none), 900.0, 2.0),
        "whipped, 200 degrees/s": (turned(60 / (1 + np.exp(-40 * (way - 0.5))), none, none), 900.0, 2.0),
        "roll of 20 degrees": (turned(none, none, 20 * way), 900.0, 2.0),
        "long lens, pan of 20": (turned(20 * way, none, none), 2600.0, 2.0),
        "wide lens, pan of 60": (turned(60 * way, none, none), 480.0, 2.0),
    }
    room = panorama()
    print(
        "| camera | seen to move | turns wrong by, degrees, mean / most | focal length, of the true one | ms a frame |"
    )
    print("|---|---|---|---|---|")
    for name, (turns, focal, noise) in scenes.items():
        tracker, spent = BackgroundTracker(), 0.0
        for image, people in pictures(room, turns, focal, SIZE, noise):
            start = time.process_time()
            tracker.update(image, people)
            spent += time.process_time() - start
        motion = tracker.finish()
        lens = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
        wrong = angle_between(rotations(motion, lens), turns)
        found = turning_focal(motion, SIZE)
        said = "-" if found is None else f"{found.pixels / focal:.3f}, within {100 * found.uncertainty:.0f} %"
        moved = {True: "yes", False: "no", None: "unknown"}[motion.moved(SIZE)]
        print(f"| {name} | {moved} | {wrong.mean():.3f} / {wrong.max():.3f} | {said} | {1000 * spent / FRAMES:.1f} |")


def motion(library: Path, count: int) -> None:
    """Print the table of validation motion."""
    from world_clips import load_clips
    from world_measures import measures

    names = ("mpjpe", "p_mpjpe", "world", "path", "tilt", "jitter", "slide", "below")
    found = defaultdict(list)
    for clip in load_clips(library, count, panning=True):
        turns = clip.camera.rotation @ clip.camera.rotation[0].T
        background = motion_of(turns, clip.camera.intrinsics, clip.camera.size)
        for lens in ("right", "unknown"):
            intrinsics = clip.camera.intrinsics if lens == "right" else None
            keypoints = replace(clip.keypoints, background=background, intrinsics=intrinsics)
            for choice in ("still", "auto"):
                take = lift(keypoints, CaptureOptions(camera_motion=choice))
                values = measures(take.joints[0].astype(float), take.world_to_camera, clip)
                wrong = 100 * abs(take.intrinsics[0, 0] / clip.camera.focal - 1)
                found[lens, choice].append([*(values[name] for name in names), wrong])
    print("| focal length | camera | MPJPE | P-MPJPE | world | path | tilt | jitter | slide | below | focal, % |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for (lens, choice), rows in found.items():
        *lengths, tilt, jitter, slide, below, focal = np.mean(rows, axis=0)
        start = " | ".join(f"{value:.0f}" for value in lengths)
        said = "taken as still" if choice == "still" else "turning, found"
        print(f"| {lens} | {said} | {start} | {tilt:.1f} | {jitter:.2f} | {slide:.0f} | {below:.0f} | {focal:.1f} |")


def footage(folder: Path, clip: str, degrees: float) -> None:
    """Print the comparison of a clip and of the same looked at by a camera that turns."""
    truth = np.load(folder / "truth_single_refined.npz")
    row = [name.removesuffix(".mp4") for name in truth["video_files"].tolist()].index(clip)
    lens = truth["intrinsics"][row].astype(float)
    video = folder / f"{clip}.mp4"
    frames = list(read_frames(video))
    phase = np.linspace(0, 2 * np.pi, len(frames))
    turns = turned(degrees * np.sin(phase), 0.3 * degrees * np.sin(2 * phase), 0.1 * degrees * np.sin(phase))
    height, width = frames[0].image.shape[:2]
    size = (round(0.8 * width), round(0.8 * height))
    own = np.array([[lens[0, 0], 0, size[0] / 2], [0, lens[1, 1], size[1] / 2], [0, 0, 1]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    whole = capture(video, CaptureOptions(focal_length=lens[0, 0]))
    print("| capture | camera | focal length, of the true one | turns wrong by, degrees | apart, mm | path apart, mm |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as parent:
        for frame, turn in zip(frames, turns, strict=True):
            matrix = np.linalg.inv(half) @ own @ turn @ np.linalg.inv(lens) @ half
            picture = cv2.warpPerspective(frame.image, matrix, size)
            cv2.imwrite(f"{parent}/{frame.index:04d}.png", picture[..., ::-1])
        options = CaptureOptions()
        for name, more in (
            ("its lens known, camera taken as still", {"focal_length": lens[0, 0], "camera_motion": "still"}),
            ("its lens known", {"focal_length": lens[0, 0]}),
            ("nothing known", {}),
        ):
            take = capture(parent, replace(options, **more), cache=StageCache(f"{parent}/cache"))
            matrices = np.broadcast_to(take.world_to_camera, (len(turns), 4, 4))[:, :3, :3]
            wrong = angle_between(matrices @ matrices[0].T, turns).mean()
            fitted = _fitted(take.joints[0], whole.joints[0])
            apart = 1000 * np.linalg.norm(fitted - whole.joints[0], axis=-1)
            cells = f"{take.intrinsics[0, 0] / lens[0, 0]:.3f} | {wrong:.2f}"
            moving = take.metadata["camera_motion"]
            print(
                f"| {name} | {moving} | {cells} | {np.nanmean(apart):.0f} | {np.nanmean(apart[:, 0]):.0f} |", flush=True
            )


def _fitted(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Moved onto the truth by the best rotation and translation of the whole clip (Kabsch)."""
    a, b = found.reshape(-1, 3).astype(float), truth.reshape(-1, 3).astype(float)
    known = np.isfinite(a).all(-1) & np.isfinite(b).all(-1)
    middle, target = a[known].mean(0), b[known].mean(0)
    u, _, v = np.linalg.svd((a[known] - middle).T @ (b[known] - target))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
    return ((a - middle) @ turn + target).reshape(found.shape)


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description="What finding out that the camera turns is worth.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("rooms")
    moving = kinds.add_parser("motion")
    moving.add_argument("library", type=Path)
    moving.add_argument("--clips", type=int, default=8)
    real = kinds.add_parser("footage")
    real.add_argument("folder", type=Path)
    real.add_argument("--clip", default="cam03")
    real.add_argument("--degrees", type=float, default=8.0)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.kind == "rooms":
        rooms()
    elif arguments.kind == "motion":
        motion(arguments.library, arguments.clips)
    else:
        footage(arguments.folder, arguments.clip, arguments.degrees)


if __name__ == "__main__":
    main()
