# SPDX-License-Identifier: GPL-3.0-or-later
"""Made footage with exact keypoints: dressed characters moved by captured motion before random cameras.

    python benchmarks/noise_scenes.py CHARACTERS_FOLDER MOTION_LIBRARY OUTPUT [--scenes 40] [--first 0] [--seconds 3]

Writes OUTPUT/scene_NNN: pictures 0000.jpg .. and truth.npz (`points` (F, 17, 3) COCO-17 in camera axes, metres;
`intrinsics` (3, 3); `image_size`; `fps`; `stature` metres; `scene`, what is to be seen). A scene depends on its number
only. Elbows, wrists, hips, knees, ankles and shoulders are the rig's joint centres, the face its skin.
`detector_noise.py` measures a detector on them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import cv2
import numpy as np
from figures import CHARACTERS, FPS, entries, open_figure
from mathutils import Matrix
from noise_stage import build_room, dress, set_up
from retargeting import clip_source, library
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.transfer import Source

SIZES = ((640, 480), (640, 360), (640, 360), (540, 960), (360, 640), (854, 480), (480, 640))


@dataclass(frozen=True)
class Camera:
    """matrix: (4, 4) world to camera, OpenCV axes. focal: pixels. size: width and height, pixels."""

    matrix: np.ndarray
    focal: float
    size: tuple[int, int]

    @property
    def intrinsics(self) -> np.ndarray:
        width, height = self.size
        return np.array([[self.focal, 0, width / 2], [0, self.focal, height / 2], [0, 0, 1.0]])


def choose_motion(
    folder: Path, seconds: float, random: np.random.Generator, parts: Sequence[str] = ("train", "val")
) -> tuple[str, Source]:
    """A stretch of a random clip of some parts of the library: sometimes its lowest one, sometimes its fastest."""
    reader = library(folder)
    files = [path for part in parts for path in sorted((folder / part).glob("*.npz"))]
    path = files[random.integers(len(files))]
    clips = [clip for clip in reader.load_file(path) if clip.seconds > seconds + 0.2]
    kind = random.choice(["any", "low", "fast"], p=[0.5, 0.25, 0.25])
    some = [clips[row] for row in random.permutation(len(clips))[: 1 if kind == "any" else 40]]
    best, found = -np.inf, (some[0], 0.0)
    for clip in some:
        start = random.uniform(0, clip.seconds - seconds - 0.1)
        rows = slice(int(start * clip.fps), int((start + seconds) * clip.fps))
        head = clip.positions[rows, reader.JOINT_INDEX["head"]]
        limbs = clip.positions[rows] - clip.positions[rows, :1]
        speed = np.linalg.norm(np.diff(limbs, axis=0), axis=-1).mean() * clip.fps
        worth = {"any": 0.0, "low": -float(np.median(head[:, 2])), "fast": float(speed)}[kind]
        if worth > best:
            best, found = worth, (clip, start)
    clip, start = found
    source = clip_source(reader, folder, path.parent.name, path.stem, clip.name, FPS)
    rows = slice(round(start * FPS), round((start + seconds) * FPS))
    joints = source.joints[rows].copy()
    joints[..., :2] -= joints[:, TAKE.index("pelvis"), :2].mean(0)
    times = np.arange(len(joints)) / FPS
    return f"{path.stem}/{clip.name} {kind}", Source(joints, source.confidence[rows], times, None)


def choose_camera(path: np.ndarray, stature: float, random: np.random.Generator) -> Camera:
    """A still camera that sees a person who walks along `path`, (F, 3) metres of the pelvis, 80 to 900 pixels tall."""
    size = SIZES[random.integers(len(SIZES))]
    middle = path.mean(0)
    reach = np.linalg.norm(path - middle, axis=-1).max()
    distance = max(float(np.exp(random.uniform(np.log(2.0), np.log(9.0)))), 1.3 + reach)
    tall = np.exp(random.uniform(np.log(80), np.log(min(900.0, 1.25 * size[1]))))
    focal = float(np.clip(tall * distance / stature, 0.7 * max(size), 6.0 * max(size)))
    distance = max(focal * stature / tall, 1.2 + reach)
    height = random.uniform(0.15, 4.0) if random.random() < 0.3 else np.clip(random.normal(1.4, 0.5), 0.2, 3)
    azimuth = random.uniform(-np.pi, np.pi)
    eye = np.array([distance * np.cos(azimuth), distance * np.sin(azimuth), height])
    aim = middle - eye
    half = np.arctan(np.array(size) / 2 / focal)
    off = 0.25 if random.random() < 0.7 else 0.9  # some are cut by the picture's edge
    yaw = np.arctan2(aim[1], aim[0]) + random.uniform(-off, off) * half[0]
    pitch = np.arctan2(aim[2], np.linalg.norm(aim[:2])) + random.uniform(-off, off) * half[1]
    roll = random.uniform(-0.5, 0.5) if random.random() < 0.15 else random.normal(0, 0.05)
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    matrix = np.eye(4)
    matrix[:3, :3] = [c * right + s * down, c * down - s * right, forward]
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return Camera(matrix, focal, size)


def place_camera(camera: Camera) -> None:
    """Put Blender's camera there."""
    scene = bpy.context.scene
    width, height = camera.size
    data = bpy.data.cameras.new("Camera")
    data.sensor_fit, data.sensor_width, data.lens = "HORIZONTAL", 36.0, camera.focal * 36.0 / width
    data.clip_end = 500.0
    thing = bpy.data.objects.new("Camera", data)
    scene.collection.objects.link(thing)
    thing.matrix_world = Matrix(np.linalg.inv(np.diag([1.0, -1, -1, 1]) @ camera.matrix).tolist())
    scene.camera = thing
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100


def film(number: int, characters: Path, motion: Path, output: Path, seconds: float) -> None:
    """Make one scene."""
    random = np.random.default_rng(1000 + number)
    name = CHARACTERS[number % len(CHARACTERS)]
    entry = entries(characters)[name]
    what, source = choose_motion(motion, seconds, random)
    camera = choose_camera(source.joints[:, TAKE.index("pelvis")], entry["height_m"], random)
    figure = open_figure(entry, characters, source)
    dress(figure.body, random)
    build_room(random, -camera.matrix[:3, :3].T @ camera.matrix[:3, 3])
    place_camera(camera)
    set_up(random)
    folder = output / f"scene_{number:03d}"
    folder.mkdir(parents=True, exist_ok=True)
    blur, grain = random.choice([0.0, 0.6, 1.2], p=[0.5, 0.35, 0.15]), random.uniform(0, 8)
    sand = (grain * random.standard_normal((camera.size[1], camera.size[0], 3))).astype(np.float32)
    points = []
    scene = bpy.context.scene
    for frame in range(len(source.times)):
        scene.frame_set(frame)
        points.append(figure.points())
        scene.render.filepath = str(folder / "render.png")
        bpy.ops.render.render(write_still=True)
        picture = cv2.imread(str(folder / "render.png"))
        if blur:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        noisy = cv2.add(picture, np.roll(sand, int(random.integers(sand.size)), None), dtype=cv2.CV_8U)
        cv2.imwrite(str(folder / f"{frame:04d}.jpg"), noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])
    (folder / "render.png").unlink()
    seen = np.array(points) @ camera.matrix[:3, :3].T + camera.matrix[:3, 3]
    np.savez_compressed(
        folder / "truth.npz", points=seen, intrinsics=camera.intrinsics, image_size=np.array(camera.size),
        fps=FPS, stature=entry["height_m"], scene=f"{name} {what}",
    )  # fmt: skip


def main() -> None:
    """Read the arguments, make the scenes that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("characters", type=Path)
    parser.add_argument("motion", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    for number in range(arguments.first, arguments.first + arguments.scenes):
        if not (arguments.output / f"scene_{number:03d}" / "truth.npz").exists():
            film(number, arguments.characters, arguments.motion, arguments.output, arguments.seconds)
            print(f"scene {number}", flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # Blender may hang at the end of a process that read Rigify
