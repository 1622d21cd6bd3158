# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector does to true keypoints, measured: on made footage and on filmed footage with truth.

    python benchmarks/noise_scenes.py CHARACTERS MOTION_LIBRARY SCENES --scenes 60       (Blender; about an hour)
    python benchmarks/detector_noise.py detect SCENES [--footage FOOTAGE_FOLDER] [--detector mediapipe]
    python benchmarks/detector_noise.py measure SCENES [--output DETECTOR_NOISE.json]
    python benchmarks/detector_noise.py compare SCENES

detect runs the detector with grouping, tracking and repair of sides as a capture does, and writes pairs_*.npz beside
the scenes. measure turns them into the numbers that the training draws its noise from and prints tables. compare puts
the noise that training draws for the same motion beside what was measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from noise_tables import by_group, by_joint, by_truth, print_summaries
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.detection.base import create_detector, describe_detector
from video_mocap.backend.errors import UserError
from video_mocap.backend.footage import FootageInfo, Frame, probe, read_frames
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.training.noise_calibrate import calibrate, simulate
from video_mocap.backend.lifting.training.noise_measure import measure
from video_mocap.backend.lifting.training.noise_numbers import MEASURED, load_noise
from video_mocap.backend.lifting.training.noise_statistics import Recording, summary
from video_mocap.backend.lifting.training.occlusion import occluded
from video_mocap.backend.observe import observe
from video_mocap.rigging.joints import COCO17

VIEWS = ("cam01", "cam02", "cam03", "cam04")
FILMED_STATURE = 1.70  # of the man in the footage, from his thighs and shins


def pictures(folder: Path, fps: float) -> Iterator[Frame]:
    """The pictures of a made scene."""
    for row, path in enumerate(sorted(folder.glob("[0-9]*.jpg"))):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        yield Frame(row, row / fps, image)


def track(found: Keypoints, truth: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(F, 17, 3) the person nearest to the truth, COCO-17; NaN, NaN, 0 where missing. truth: (F, 17, 2) pixels."""
    rows = [found.keypoint_names.index(name) for name in COCO17.names]
    people = found.keypoints[:, :, rows].astype(float)
    away = np.linalg.norm(people[..., :2] - truth, axis=-1) / size[:, None]
    near = np.where(np.isfinite(away), np.minimum(away, 1), 1).mean((1, 2))
    return people[int(near.argmin())]


def write_pairs(path: Path, detected: np.ndarray, points: np.ndarray, intrinsics: np.ndarray, **facts: object) -> None:
    """points: (F, 17, 3) camera axes, metres, NaN where unknown. detected: (F, 17, 3) pixels and confidence."""
    np.savez_compressed(path, detected=detected, points=points, intrinsics=intrinsics, **facts)  # type: ignore


def person_size(points: np.ndarray, intrinsics: np.ndarray, stature: float) -> np.ndarray:
    """(F,) the person's size in pixels: 0.97 of the stature at the distance of the hips."""
    hips = points[:, [COCO17.index("left_hip"), COCO17.index("right_hip")], 2].mean(1)
    return 0.97 * stature * intrinsics[0, 0] / hips


def detect_made(folder: Path, output: Path, name: str) -> None:
    """One made scene; a scene in which nobody is found counts as all missing."""
    with np.load(folder / "truth.npz") as data:
        points, intrinsics, fps = data["points"], data["intrinsics"], float(data["fps"])
        width, height = (int(side) for side in data["image_size"])
        stature, scene = float(data["stature"]), str(data["scene"])
    truth = project(points, intrinsics)
    info = FootageInfo(folder, width, height, fps, len(points), None, "images", "jpg")
    detector = create_detector(name, 1, "standard")
    try:
        found = track(
            observe(pictures(folder, fps), info, detector, 1), truth, person_size(points, intrinsics, stature)
        )
    except UserError:
        found = np.tile([np.nan, np.nan, 0.0], (len(points), 17, 1))
    finally:
        detector.close()
    write_pairs(
        output, found, points, intrinsics, fps=fps, image_size=np.array([width, height]), stature=stature, scene=scene
    )


def detect_filmed(footage: Path, view: int, output: Path, name: str) -> None:
    """One view of the filmed person."""
    with np.load(footage / "truth_single_refined.npz") as data:
        known = [str(joint) for joint in data["joint_names"]]
        world, fps = data["joints_world"][0].astype(float), float(data["fps"])
        intrinsics, matrix = data["intrinsics"][view].astype(float), data["world_to_camera"][view]
    joints = np.full((len(world), 17, 3), np.nan)
    for row, joint in enumerate(COCO17.names):
        if joint in known:
            joints[:, row] = world[:, known.index(joint)]
    points = to_camera(joints, matrix[None])
    video = footage / f"{VIEWS[view]}.mp4"
    info = probe(video)
    detector = create_detector(name, 8, "standard")
    try:
        keypoints = observe(read_frames(video), info, detector)
    finally:
        detector.close()
    found = track(keypoints, project(points, intrinsics), person_size(points, intrinsics, FILMED_STATURE))
    write_pairs(
        output, found[: len(points)], points, intrinsics, fps=fps, image_size=np.array([info.width, info.height]),
        stature=FILMED_STATURE, scene=f"filmed {VIEWS[view]}",
    )  # fmt: skip


def detect(scenes: Path, footage: Path | None, name: str) -> None:
    """Every scene whose pictures are there and whose pairs are not."""
    for folder in sorted(path.parent for path in scenes.glob("scene_*/truth.npz")):
        output = scenes / f"pairs_{folder.name}.npz"
        if not output.exists():
            detect_made(folder, output, name)
            print(output.name, flush=True)
    for view in range(len(VIEWS)) if footage else ():
        output = scenes / f"pairs_filmed_{VIEWS[view]}.npz"
        if not output.exists():
            detect_filmed(footage, view, output, name)
            print(output.name, flush=True)


def recordings(scenes: Path, pattern: str = "pairs_scene_*.npz") -> list[Recording]:
    """What was detected beside the truth; scenes in which hardly anybody was found are left out."""
    found = [read_pairs(path) for path in sorted(scenes.glob(pattern))]
    return [one for one in found if (one.detected[..., 2] > 0).mean() > 0.2]


def read_pairs(path: Path) -> Recording:
    """A file of `write_pairs`."""
    with np.load(path) as data:
        points, intrinsics, stature = data["points"], data["intrinsics"], float(data["stature"])
        width, height = data["image_size"]
        detected, fps = data["detected"].copy(), float(data["fps"])
    pixels = project(points, intrinsics)
    size = person_size(points, intrinsics, stature)
    image = torch.tensor(points[None, ..., :2] / points[None, ..., 2:])
    radius = torch.tensor(size[None]) * 0.07 / 1.65 / intrinsics[0, 0]
    hidden = occluded(image, torch.tensor(points[None, ..., 2]), radius)[0].numpy()
    outside = (pixels < 0).any(-1) | (pixels > (width, height)).any(-1)
    detected[..., :2] /= size[:, None, None]
    across, up = points[:, 11] - points[:, 12], points[:, 5:7].mean(1) - points[:, 11:13].mean(1)
    front = np.cross(across, up)
    facing = np.nanmedian(-front[:, 2] / np.linalg.norm(front, axis=-1))
    view = "front" if facing > 0.5 else "back" if facing < -0.5 else "side"
    return Recording(pixels / size[:, None, None], detected, hidden, outside, fps, float(np.nanmedian(size)), view)


def measure_all(scenes: Path, output: Path, detector: str) -> None:
    """Write the numbers of all made scenes."""
    found = recordings(scenes)
    numbers = calibrate(measure(found), found)
    facts = {"detector": describe_detector(detector), "recordings": len(found)}
    facts["frames"] = sum(len(one.true) for one in found)
    rounded = {name: np.round(np.array(table, float), 5).tolist() for name, table in numbers.items()}
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(table)}" for name, table in {**facts, **rounded}.items())
    output.write_text("{\n" + text + "\n}\n")


def compare(scenes: Path) -> None:
    """Print the tables: by group, measured beside simulated, and filmed beside simulated at its size."""
    found, noise = recordings(scenes), load_noise()
    by_group(found)
    by_joint(found)
    by_truth(found)
    drawn = summary(simulate(found, noise, copies=6, seed=99))
    print_summaries({"made": summary(found), "simulated": drawn})
    if filmed := recordings(scenes, "pairs_filmed_*.npz"):
        by_group(filmed)
        print_summaries({"filmed": summary(filmed), "simulated": summary(simulate(filmed, noise, copies=20, seed=99))})


def main() -> None:
    """Do what the first argument names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("detect", "measure", "compare"))
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--footage", type=Path)
    parser.add_argument("--detector", default="mediapipe")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "detect":
        detect(arguments.scenes, arguments.footage, arguments.detector)
    elif arguments.what == "measure":
        measure_all(arguments.scenes, arguments.output or MEASURED, arguments.detector)
    else:
        compare(arguments.scenes)


if __name__ == "__main__":
    main()
