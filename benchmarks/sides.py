# SPDX-License-Identifier: GPL-3.0-or-later
"""Repair of left and right: what of confused sides is put right, and what of right ones is broken.

    python benchmarks/sides.py MOTION_LIBRARY [--people 60] [--fps 30] [--footage FOOTAGE_FOLDER]

People of the validation motion, each for 4 s before a camera of their own, with the noise of the training's detector
but for its exchanged sides; then the sides of a part are exchanged for a run of frames somewhere. A part (face, arms,
legs) of a frame counts if its left and right lie farther apart than a twentieth of the person's size. --footage: what
the carried detector gives of cam02, beside the truth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.detection.base import create_detector
from video_mocap.backend.detection.convert import joint_set_of
from video_mocap.backend.footage import read_frames
from video_mocap.backend.grouping.people import group_people
from video_mocap.backend.lifting.training.detector_noise import add_noise, occluded
from video_mocap.backend.lifting.training.motion import load_motion
from video_mocap.backend.lifting.training.noise_numbers import Spread, measured_noise
from video_mocap.backend.lifting.training.samples import film
from video_mocap.backend.lifting.training.settings import DataSettings
from video_mocap.backend.tracking.sides import correct_sides
from video_mocap.backend.tracking.tracker import Tracker
from video_mocap.rigging.joints import COCO17, TAKE

SECONDS, LENGTHS, WIDTH = 4.0, (0.05, 0.1, 0.25, 0.5, 1.0), 1000.0
PARTS = (slice(1, 5), slice(5, 11), slice(11, 17))
KINDS = {
    "everything": (True, True, True),
    "all but the face": (False, True, True),
    "arms": (False, True, False),
    "legs": (False, False, True),
    "nothing": (False, False, False),
}


@dataclass(frozen=True)
class Person:
    """keypoints: (F, 17, 3) pixels and confidence. apart: (F, 3) bool, parts whose sides are to be told apart."""

    keypoints: np.ndarray
    apart: np.ndarray


def people(folder: Path, count: int, fps: float) -> list[Person]:
    """`count` people of validation motion, with right sides."""
    generator = torch.Generator().manual_seed(0)
    data = DataSettings(fps=fps, shape=0.0, tempo=0.0, arms=0.0, down=0.0, noise="none")
    scene = film(load_motion(folder / "val"), count, round(SECONDS * fps), generator, data)
    image = scene.keypoints[..., :2]
    rows = [TAKE.index(name.replace("eye", "ear")) for name in COCO17.names]
    depth = scene.joints[:, :, rows, 2].clamp_min(0.3)
    pelvis = depth[:, :, 11:13].mean(2)
    hidden = occluded(image, depth, 0.07 / pelvis)
    noise = measured_noise("cpu")
    noise = replace(noise, swap=torch.zeros_like(noise.swap))
    spread = replace(Spread(), swapped=0.0, cut=0.0)
    size, inside = 1.65 / pelvis, torch.zeros_like(hidden)
    found = add_noise(image, size, hidden, inside, fps, generator, noise, spread).numpy().astype(float)
    found[..., :2] *= WIDTH
    found[found[..., 2] <= 0] = (np.nan, np.nan, 0)
    width = np.linalg.norm((image - image[:, :, COCO17.mirror]).numpy(), axis=-1)
    apart = np.stack([width[..., part].mean(-1) > 0.05 * size.numpy() for part in PARTS], -1)
    apart &= np.stack([(found[..., part, 2] > 0).any(-1) for part in PARTS], -1)
    return [Person(*each) for each in zip(found, apart, strict=True)]


def confused(clips: list[Person], kind: str, frames: int) -> Iterator[tuple[Person, np.ndarray, np.ndarray]]:
    """Each person, their keypoints with sides exchanged for `frames` frames, and (F, 3) bool, which were."""
    random = np.random.default_rng(frames)
    for person in clips:
        exchanged = np.zeros(person.apart.shape, bool)
        start = int(random.integers(len(exchanged) - frames + 1))
        exchanged[start : start + frames] = KINDS[kind]
        keypoints = person.keypoints.copy()
        for part, which in zip(PARTS, exchanged.T, strict=True):
            keypoints[which, part] = person.keypoints[:, COCO17.mirror][which, part]
        yield person, keypoints, exchanged


def repaired(clips: list[Person], kind: str, frames: int, fps: float) -> tuple[float, float]:
    """(%, %): of what was exchanged, put right; of what was right, broken."""
    counts = np.zeros((2, 2))
    for person, keypoints, exchanged in confused(clips, kind, frames):
        times = np.arange(len(keypoints)) / fps
        wrong = correct_sides(keypoints, times, COCO17.mirror, COCO17.names)[1] != exchanged
        for row, which in enumerate((exchanged & person.apart, ~exchanged & person.apart)):
            counts[row] += wrong[which].sum(), which.sum()
    shares = 100 * counts[:, 0] / np.maximum(counts[:, 1], 1)
    return 100 - shares[0], shares[1]


def filmed(footage: Path) -> tuple[np.ndarray, np.ndarray]:
    """(3,), (3,) frames of cam02 in which the face, the arms, the legs are the wrong way round, before and after."""
    detector = create_detector("mediapipe", 8, "standard")
    joints, tracker = joint_set_of(detector.names), Tracker(detector.names)
    for frame in read_frames(footage / "cam02.mp4"):
        tracker.update(group_people(detector.detect(frame.image, frame.time), joints, tracker.current), frame.time)
    detector.close()
    tracks = tracker.finish()
    with np.load(footage / "truth_single_refined.npz") as data:
        known = [str(name) for name in data["joint_names"]]
        world, camera, intrinsics = data["joints_world"][0], data["world_to_camera"][1], data["intrinsics"][1]
    names = [name for name in detector.names if name in known]
    truth = project(to_camera(world[:, [known.index(name) for name in names]].astype(float), camera[None]), intrinsics)
    mirror = joints.mirror
    track = tracks.keypoints[0].astype(float)
    rows = [detector.names.index(name) for name in names]
    found = []
    for points in (track, correct_sides(track, tracks.times, mirror, detector.names)[0]):
        straight, crossed = (
            np.linalg.norm(p[: len(truth), rows, :2] - truth, axis=-1) for p in (points, points[:, mirror])
        )
        ends = (("eye", "ear"), ("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "heel", "toe"))
        parts = [[row for row, name in enumerate(names) if name.endswith(end)] for end in ends]
        found.append(np.array([(np.nansum(straight[:, part] - crossed[:, part], 1) > 0).sum() for part in parts]))
    return found[0], found[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--footage", type=Path)
    arguments = parser.parse_args()
    clips = people(arguments.motion, arguments.people, arguments.fps)
    began, runs = time.process_time(), 0
    print(
        "| exchanged |" + "".join(f" {length:g} s |" for length in LENGTHS) + "\n" + "|---" * (len(LENGTHS) + 1) + "|"
    )
    for kind in KINDS:
        lengths = LENGTHS if kind != "nothing" else LENGTHS[:1]
        frames = [max(1, round(length * arguments.fps)) for length in lengths]
        cells = ["{:.1f} / {:.2f}".format(*repaired(clips, kind, each, arguments.fps)) for each in frames]
        runs += len(clips) * len(frames)
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{1000 * (time.process_time() - began) / runs / SECONDS:.1f} ms of processor time a second of a person")
    if arguments.footage:
        print("cam02, frames with exchanged face, arms, legs: {} before, {} after".format(*filmed(arguments.footage)))


if __name__ == "__main__":
    main()
