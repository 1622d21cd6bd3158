# SPDX-License-Identifier: GPL-3.0-or-later
"""Several people of one clip: are the distances between them, their relative heights and their common floor right?

    python benchmarks/together.py MOTION_LIBRARY [--scenes 24] [--lifter NAME_OR_WEIGHTS]

MOTION_LIBRARY has a folder `val` with motion of two to four people who were captured together. Six seconds at 30
frames a second are filmed by one random still camera, seen as COCO-17 with the measured noise of a detector, with the
true focal length. Statures differ by 6 % (standard deviation); in every other scene somebody is 0.7 times as tall.

"alone" lifts everybody as if nobody else were there, "together" as a capture does. Nothing in a picture shows the size
of everything, so each scene is scaled once to the truth; "unscaled" is without that. Printed are medians over scenes:

- distance between the pelvises of two people, median over frames and pairs, cm and % of the true distance;
- error of the ratio of two people's sizes, %;
- floor: spread (standard deviation over the people) of the heights of their standing feet above the true level, cm;
- tilt, degrees.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from video_mocap.backend.camera import to_camera
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.training.camera import sample_cameras
from video_mocap.backend.lifting.training.detector_noise import add_noise, occluded
from video_mocap.backend.lifting.training.motion import CANONICAL_SIZE, load_motion
from video_mocap.backend.pipeline import CaptureOptions, lift
from video_mocap.rigging.joints import COCO17, TAKE
from video_mocap.rigging.take import Take

FPS, FRAMES, WIDTH = 30.0, 180, 1000
#: Metres: a limb's half thickness, and a person's height as far as keypoints see it.
LIMB, HEIGHT = 0.07, 1.65
CHILD = 0.7
FEET = [TAKE.index(name) for name in ("left_heel", "left_toe", "right_heel", "right_toe")]
SIZE = [("left_knee", "left_hip"), ("left_ankle", "left_knee"), ("spine", "pelvis"), ("thorax", "spine")]


@dataclass(frozen=True)
class Scene:
    """P people filmed together: what is seen of them, (P, F, 26, 3) metres in camera axes, and (3,) world up there."""

    keypoints: Keypoints
    joints: np.ndarray
    up: np.ndarray


@dataclass(frozen=True)
class Measured:
    """Of one scene, as the module says."""

    distance: float
    relative: float
    unscaled: float
    ratio: float
    floor: float
    tilt: float


def gatherings(folder: Path) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """Joint names, and (P, F, J, 3) metres, Z up, of every six seconds in which two people or more are there."""
    motion = load_motion(folder)
    keys = ("clip_take", "clip_player", "clip_take_start")
    files = [np.load(path, allow_pickle=False) for path in sorted(folder.glob("*.npz"))]
    take, player, begin = (np.concatenate([data[key] for data in files]) for key in keys)
    found = []
    for name in sorted(set(take.tolist()) - {""}):
        clips = np.flatnonzero(take == name)
        people = sorted(set(player[clips].tolist()))
        ends = [int(begin[clip] + motion.length[clip]) for clip in clips]
        joints = np.full((len(people), max(ends), len(motion.names), 3), np.nan)
        for clip, end in zip(clips, ends, strict=True):
            first = int(motion.start[clip])
            rows = motion.positions[first : first + int(motion.length[clip])].numpy()
            joints[people.index(player[clip]), begin[clip] : end] = rows
        for start in range(0, max(ends) - FRAMES + 1, FRAMES):
            part = joints[:, start : start + FRAMES]
            present = part[np.isfinite(part).all((1, 2, 3))]
            if len(present) > 1:
                found.append((motion.names, present))
    return found


def scaled(joints: np.ndarray, names: tuple[str, ...], factor: float) -> np.ndarray:
    """Somebody (F, J, 3) made `factor` times the lifter's canonical size, about the floor below them."""
    bones = [(joints[0, names.index(a)] - joints[0, names.index(b)]) for a, b in SIZE]
    middle = joints[:, names.index("pelvis")].mean(0) * [1, 1, 0]
    return middle + factor * CANONICAL_SIZE / np.linalg.norm(bones, axis=-1).sum() * (joints - middle)


def filmed(people: np.ndarray, names: tuple[str, ...], number: int) -> Scene:
    """One of the scenes that a camera may have seen of people (P, F, J, 3); number: says which."""
    generator = torch.Generator().manual_seed(number)
    factors = np.exp(0.06 * torch.randn(len(people), generator=generator).numpy())
    factors[0] *= CHILD if number % 2 else 1.0
    people = np.stack([scaled(joints, names, factor) for joints, factor in zip(people, factors, strict=True)])
    paths = torch.from_numpy(people[:, :, names.index("pelvis")]).float()
    cameras = sample_cameras(paths.flatten(0, 1)[None], generator)
    seen = cameras.to_camera(torch.from_numpy(people).float().flatten(0, 1)[None]).reshape(people.shape)
    coco = seen[:, :, [names.index(name) for name in COCO17.names]]
    depth = coco[..., 2].clamp_min(0.3)
    image = coco[..., :2] / depth[..., None]
    pelvis = depth[:, :, 11:13].mean(2)
    outside = (image.abs() > cameras.half_size[:, None, None]).any(-1)
    size = HEIGHT * torch.from_numpy(factors).float()[:, None] / pelvis
    points = add_noise(image, size, occluded(image, depth, LIMB / pelvis), outside, FPS, generator).double().numpy()
    points[..., :2] = (points[..., :2] + 0.5) * WIDTH
    points[points[..., 2] <= 0] = (np.nan, np.nan, 0)
    intrinsics = np.array([[WIDTH, 0, WIDTH / 2], [0, WIDTH, WIDTH / 2], [0, 0, 1.0]])
    times, identities = np.arange(FRAMES) / FPS, 1 + np.arange(len(people))
    keypoints = Keypoints(FPS, times, (WIDTH, WIDTH), COCO17.names, identities, points, intrinsics)
    joints = seen[:, :, [names.index(name) for name in TAKE.names]].double().numpy()
    return Scene(keypoints, joints, cameras.rotation[0, :, 2].double().numpy())


def scenes(folder: Path, count: int) -> list[Scene]:
    """Scenes spread over the gatherings, in which everybody is in front of the camera."""
    found = gatherings(folder)
    out: list[Scene] = []
    for number in range(20 * count):
        names, people = found[(number * 7) % len(found)]
        scene = filmed(people, names, number)
        if len(out) < count and scene.joints[..., 2].min() > 1.0:
            out.append(scene)
    return out


def size_of(joints: np.ndarray) -> float:
    """Median length of thigh, shin and trunk (F, 26, 3), metres."""
    bones = [joints[:, TAKE.index(a)] - joints[:, TAKE.index(b)] for a, b in SIZE]
    return float(np.nanmedian(np.linalg.norm(bones, axis=-1).sum(0)))


def measure(scene: Scene, joints: np.ndarray, up: np.ndarray) -> Measured:
    """joints: (P, F, 26, 3) metres in camera axes, up: (3,), as captured."""
    truth = scene.joints
    people = range(len(truth))
    scale = float(np.exp(np.mean([np.log(size_of(truth[p]) / size_of(joints[p])) for p in people])))
    errors, relative, unscaled, ratios = [], [], [], []
    for a, b in combinations(people, 2):
        true = np.linalg.norm(truth[a, :, 0] - truth[b, :, 0], axis=-1)
        found = np.linalg.norm(joints[a, :, 0] - joints[b, :, 0], axis=-1)
        errors.append(np.abs(scale * found - true))
        relative.append(np.abs(scale * found / true - 1))
        unscaled.append(np.abs(found - true))
        ratio = size_of(joints[a]) / size_of(joints[b]) / (size_of(truth[a]) / size_of(truth[b]))
        ratios.append(abs(ratio - 1))
    return Measured(
        100 * float(np.nanmedian(errors)),
        100 * float(np.nanmedian(relative)),
        100 * float(np.nanmedian(unscaled)),
        100 * float(np.mean(ratios)),
        100 * float(np.std([soles(scene, joints, p, scale) for p in people])),
        float(np.degrees(np.arccos(np.clip(up @ scene.up, -1, 1)))),
    )


def soles(scene: Scene, joints: np.ndarray, person: int, scale: float) -> float:
    """How high above the floor the feet of a person are that truly stand, metres (median)."""
    true, found = scene.joints[person][:, FEET] @ scene.up, scale * joints[person][:, FEET] @ scene.up
    standing = true < np.percentile(true, 5) + 0.03
    return float(np.nanmedian(found[standing]))


def seen_by_camera(take: Take) -> tuple[np.ndarray, np.ndarray]:
    """(P, F, 26, 3) in camera axes, and up there."""
    world = take.joints.astype(np.float64)
    return np.stack([to_camera(person, take.world_to_camera) for person in world]), take.world_to_camera[0, :3, 2]


def alone(scene: Scene, options: CaptureOptions) -> Measured:
    """Everybody lifted by themselves."""
    found = []
    for row, identity in enumerate(scene.keypoints.person_ids):
        one = replace(
            scene.keypoints, person_ids=np.array([identity]), keypoints=scene.keypoints.keypoints[row : row + 1]
        )
        found.append(seen_by_camera(lift(one, options)))
    up = np.sum([up for _, up in found], axis=0)
    return measure(scene, np.concatenate([joints for joints, _ in found]), up / np.linalg.norm(up))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Distances, relative heights and floor of people seen together.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--lifter", default="default", help="a name or weights")
    arguments = parser.parse_args()
    options = CaptureOptions(lifter=arguments.lifter)
    rows: dict[str, list[Measured]] = {}
    for scene in scenes(arguments.motion / "val", arguments.scenes):
        kind = "a child among them" if np.ptp([np.log(size_of(person)) for person in scene.joints]) > 0.25 else "adults"
        rows.setdefault(f"{kind} | alone", []).append(alone(scene, options))
        rows.setdefault(f"{kind} | together", []).append(
            measure(scene, *seen_by_camera(lift(scene.keypoints, options)))
        )
    print("| people | lifted | scenes | distance, cm | distance, % | unscaled, cm | size ratio, % | floor, cm | tilt |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, values in sorted(rows.items()):
        table = np.median([[getattr(value, key) for key in Measured.__annotations__] for value in values], axis=0)
        print(f"| {name} | {len(values)} | " + " | ".join(f"{value:.1f}" for value in table) + " |")


if __name__ == "__main__":
    main()
