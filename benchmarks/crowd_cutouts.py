# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut-out people with exact keypoints, of which `crowds.py` makes crowded pictures.

    python benchmarks/crowd_cutouts.py CHARACTERS_FOLDER MOTION_LIBRARY OUTPUT [--figures 24] [--first 0]   (Blender)

Writes OUTPUT/NNN_F.png, dressed characters in the middle of captured motion before nothing (RGBA), NNN.npz with
`points` (F, 17, 2) COCO-17 in pixels, and room_NN.png, rooms with nobody in them. Each depends on its number only.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import bpy
import numpy as np
from figures import CHARACTERS, entries, open_figure
from noise_scenes import Camera, choose_motion, place_camera
from noise_stage import build_room, dress, set_up
from video_mocap.rigging.joints import TAKE

SIDE = 640  # pixels of a picture
PICTURES = 5  # of each figure
SECONDS = 2.0
ROOMS = 12
ROOM_SIZE = (1280, 720)


def camera_at(target: np.ndarray, stature: float, random: np.random.Generator) -> Camera:
    """A camera 3 to 9 m away that sees a person around `target`, metres, as two thirds of the picture."""
    distance, azimuth = random.uniform(3, 9), random.uniform(-np.pi, np.pi)
    pitch = random.uniform(-0.1, 0.5)
    forward = np.array([np.cos(azimuth) * np.cos(pitch), np.sin(azimuth) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    matrix = np.eye(4)
    matrix[:3, :3] = [right, np.cross(forward, right), forward]
    matrix[:3, 3] = -matrix[:3, :3] @ (target - distance * forward)
    return Camera(matrix, 0.66 * SIDE * distance / stature, (SIDE, SIDE))


def cut_out(number: int, characters: Path, motion: Path, output: Path) -> None:
    """Make the pictures of one figure."""
    random = np.random.default_rng(7000 + number)
    entry = entries(characters)[CHARACTERS[number % len(CHARACTERS)]]
    _, source = choose_motion(motion, SECONDS, random)
    figure = open_figure(entry, characters, source)
    dress(figure.body, random)
    set_up(random)
    scene = bpy.context.scene
    scene.render.film_transparent, scene.render.image_settings.color_mode = True, "RGBA"
    points = []
    for row, frame in enumerate(np.linspace(0, len(source.times) - 1, PICTURES).astype(int)):
        camera = camera_at(source.joints[frame, TAKE.index("pelvis")], figure.stature, random)
        place_camera(camera)
        scene.frame_set(int(frame))
        seen = figure.points() @ camera.matrix[:3, :3].T + camera.matrix[:3, 3]
        points.append((seen @ camera.intrinsics.T)[:, :2] / seen[:, 2:])
        scene.render.filepath = str(output / f"{number:03d}_{row}.png")
        bpy.ops.render.render(write_still=True)
    np.savez_compressed(output / f"{number:03d}.npz", points=np.array(points))


def room(number: int, output: Path) -> None:
    """Make the picture of a room."""
    random = np.random.default_rng(8000 + number)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    camera = camera_at(np.array([0, 0, 0.9]), 1.7, random)
    build_room(random, -camera.matrix[:3, :3].T @ camera.matrix[:3, 3])
    place_camera(Camera(camera.matrix, 1.1 * ROOM_SIZE[0], ROOM_SIZE))
    set_up(random)
    bpy.context.scene.render.filepath = str(output / f"room_{number:02d}.png")
    bpy.ops.render.render(write_still=True)


def main() -> None:
    """Read the arguments, make the figures that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("characters", type=Path)
    parser.add_argument("motion", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--figures", type=int, default=24)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.first, arguments.first + arguments.figures):
        if not (arguments.output / f"{number:03d}.npz").exists():
            cut_out(number, arguments.characters, arguments.motion, arguments.output)
            print(f"figure {number}", flush=True)
    for number in range(ROOMS):
        if not (arguments.output / f"room_{number:02d}.png").exists():
            room(number, arguments.output)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # Blender may hang at the end of a process that read Rigify
