# SPDX-License-Identifier: GPL-3.0-or-later
"""Training pictures for a detector: groups of dressed characters in captured motion, with exact keypoints, as COCO.

    python benchmarks/training_pictures.py CHARACTERS_FOLDER MOTION_LIBRARY OUTPUT [--scenes 5] [--first 0] [--each 8]
        [--who mpfb_default ...] [--motion-of train val]

Every scene puts one to four people into motion and takes `--each` pictures of them, each at another moment by another
camera in another room under another light. Writes OUTPUT/pictures/*.jpg, OUTPUT/scenes/NNN.json per scene and, from all
of these that are there, OUTPUT/annotations.json: what `video-mocap train detector --pictures OUTPUT` reads. A scene
depends on its number and on whom and what motion it may take; scenes that are there are not made again.

Keypoints are COCO-17 on the rigs' joint centres and the face's skin: 2 where the camera sees the body there, 1 where
something is in front, 0 outside the picture. A person of whom no keypoint is seen is a box without keypoints, as in
COCO. `area` is the person's silhouette without what other people hide of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
from figures import CHARACTERS, Figure, animated, entries
from mathutils import Vector
from noise_scenes import Camera, choose_camera, choose_motion, place_camera
from noise_stage import build_room, dress, posed_vertices, set_up
from textures import paint, scatter
from video_mocap.rigging.joints import COCO17, TAKE
from video_mocap.rigging.retarget.transfer import Source

#: COCO's own list of bones.
SKELETON = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
INFO = {
    "description": "Made pictures: characters in captured motion, rendered by Blender's Workbench",
    "characters": "MakeHuman and MPFB assets, CC0 1.0",
    "complete": True,  # everybody is labelled
    "motion": "Carnegie Mellon University and SNU Movement Research Lab; terms beside the motion library",
}
#: How deep a seen keypoint may lie under the skin that hides it, metres.
_DEPTH = {"shoulder": 0.13, "hip": 0.16, "knee": 0.1, "ankle": 0.09, "elbow": 0.08, "wrist": 0.07}
_FACE_DEPTH = 0.03
_PEOPLE = (1, 2, 3, 4)
_SECONDS = 1.5


@dataclass
class Person(Figure):
    """A figure among others. path: (F, 3) pelvis, metres."""

    path: np.ndarray


@dataclass(frozen=True)
class Cast:
    """Whom and what scenes may take. characters, motion: folders. who: names of characters. parts: of the motion."""

    characters: Path
    motion: Path
    who: tuple[str, ...] = CHARACTERS
    parts: tuple[str, ...] = ("train", "val")


def invite(entry: dict[str, Any], characters: Path, source: Source, random: np.random.Generator) -> Person:
    """Put a character of `characters.json` into the scene, dressed and moving as `source`."""
    wanted = [entry["armature"], *entry["meshes"]]
    for worn in bpy.data.materials:
        worn.name = "worn"  # parts of a body are known by their materials' names, which have to be free
    with bpy.data.libraries.load(str(characters / entry["file"]), link=False) as (_, taken):
        taken.objects = list(wanted)
    for thing in taken.objects:
        bpy.context.scene.collection.objects.link(thing)
    armature, body = taken.objects[0], taken.objects[1]
    bpy.context.view_layer.update()
    figure = animated(entry, armature, body, source)
    dress(body, random)
    paint(body, 0.6, (0.1, 1.0), random)
    return Person(**vars(figure), path=source.joints[:, TAKE.index("pelvis")])


def moved(source: Source, turn: float, place: np.ndarray) -> Source:
    """The motion turned about the vertical through the origin, radians, and moved to `place`, (2,) metres."""
    c, s = np.cos(turn), np.sin(turn)
    joints = source.joints @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]).T
    joints[..., :2] += place
    return replace(source, joints=joints)


def gather(cast: Cast, random: np.random.Generator) -> list[Person]:
    """One to four people: some close together, some apart."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    by_name = entries(cast.characters)
    spread = random.uniform(0.6, 3.5)
    people: list[Person] = []
    for _ in range(random.choice(_PEOPLE, p=[0.2, 0.35, 0.25, 0.2])):
        _, source = choose_motion(cast.motion, _SECONDS, random, cast.parts)
        place = random.normal(size=2) * spread / 2 if people else np.zeros(2)
        source = moved(source, random.uniform(-np.pi, np.pi), place)
        entry = by_name[cast.who[random.integers(len(cast.who))]]
        people.append(invite(entry, cast.characters, source, random))
    return people


def seen(points: np.ndarray, person: Person, eye: np.ndarray) -> np.ndarray:
    """(17,) bool: is nothing but the person's own skin, near the keypoint, between it and the camera?"""
    graph = bpy.context.evaluated_depsgraph_get()
    found = []
    for name, point in zip(COCO17.names, points, strict=True):
        way = point - eye
        far = float(np.linalg.norm(way))
        hit, where, _, _, thing, _ = bpy.context.scene.ray_cast(graph, Vector(eye), Vector(way / far), distance=far)
        depth = np.linalg.norm(np.array(where) - point) if hit else 0.0
        deepest = _DEPTH.get(name.partition("_")[2], _FACE_DEPTH)
        found.append(not hit or (thing.original == person.body and depth < deepest))
    return np.array(found)


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """(N, 3) pixels and depth in metres of (N, 3) points in the world."""
    inside = points @ camera.matrix[:3, :3].T + camera.matrix[:3, 3]
    picture = inside @ camera.intrinsics.T
    return np.concatenate([picture[:, :2] / np.maximum(picture[:, 2:], 1e-6), inside[:, 2:]], 1)


def silhouette(person: Person, camera: Camera) -> np.ndarray:
    """(H, W) bool: where the person would be seen if nothing were in front."""
    mask = np.zeros(camera.size[::-1], np.uint8)
    corners = project(posed_vertices(person.body), camera)
    far = 4 * max(camera.size)
    pixels = np.clip(np.round(corners[:, :2]), -far, far).astype(np.int32)
    for face in person.body.data.polygons:
        rows = list(face.vertices)
        if corners[rows, 2].min() > 0.05:
            cv2.fillConvexPoly(mask, pixels[rows], 1)
    return mask > 0


def annotate(people: list[Person], camera: Camera) -> list[dict[str, Any]]:
    """COCO annotations of who is in the picture as the scene stands now, without ids."""
    eye = -camera.matrix[:3, :3].T @ camera.matrix[:3, 3]
    points = [person.points() for person in people]
    nearest = np.argsort([np.linalg.norm(each[[5, 6, 11, 12]].mean(0) - eye) for each in points])
    before = np.zeros(camera.size[::-1], bool)
    annotations = []
    for row in nearest:
        whole = silhouette(people[row], camera)
        own, before = whole & ~before, before | whole
        pixels = project(points[row], camera)
        inside = ((pixels[:, :2] >= 0) & (pixels[:, :2] < camera.size)).all(1) & (pixels[:, 2] > 0)
        flags = np.where(inside, np.where(seen(points[row], people[row], eye), 2, 1), 0)
        if not whole.any():
            continue
        flags = flags if (flags == 2).any() else np.zeros_like(flags)
        x, y, width, height = cv2.boundingRect((own if own.any() else whole).astype(np.uint8))
        keypoints = np.where(flags[:, None] > 0, np.c_[np.round(pixels[:, :2], 2), flags], 0)
        annotations.append(
            {
                "category_id": 1, "iscrowd": 0, "bbox": [x, y, width, height], "area": int(max(1, own.sum())),
                "keypoints": keypoints.ravel().tolist(), "num_keypoints": int((flags > 0).sum()),
            }
        )  # fmt: skip
    return annotations


def shoot(people: list[Person], path: Path, random: np.random.Generator) -> tuple[Camera, list[dict[str, Any]]]:
    """Render one picture to `path`."""
    scene = bpy.context.scene
    for name in ("room", "heaps"):
        if name in bpy.data.objects:
            bpy.data.objects.remove(bpy.data.objects[name])
    frame = int(random.integers(min(len(person.path) for person in people)))
    scene.frame_set(frame)
    chosen = people[random.integers(len(people))]
    around = np.array([person.path[frame] for person in people])
    camera = choose_camera(around if random.random() < 0.7 else chosen.path[frame : frame + 1], chosen.stature, random)
    eye = -camera.matrix[:3, :3].T @ camera.matrix[:3, 3]
    build_room(random, eye)
    room = bpy.data.objects["room"]
    paint(room, 0.8, (0.1, 4.0), random)
    if random.random() < 0.85:
        scatter(list(room.data.materials), eye, random)
    place_camera(camera)
    set_up(random)
    scene.display.shading.color_type = "TEXTURE"
    bpy.context.view_layer.update()
    scene.render.filepath = str(path.with_suffix(".png"))
    bpy.ops.render.render(write_still=True)
    picture = cv2.imread(scene.render.filepath)
    Path(scene.render.filepath).unlink()
    if blur := random.choice([0.0, 0.6, 1.2], p=[0.5, 0.35, 0.15]):
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    sand = random.uniform(0, 8) * random.standard_normal(picture.shape)
    picture = cv2.add(picture, sand.astype(np.float32), dtype=cv2.CV_8U)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return camera, annotate(people, camera)


def film(number: int, each: int, cast: Cast, output: Path) -> None:
    """Make the pictures of one scene."""
    random = np.random.default_rng(77_000 + number)
    people = gather(cast, random)
    made: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    for row in range(each):
        picture = number * 1000 + row
        name = f"pictures/{picture:06d}.jpg"
        camera, annotations = shoot(people, output / name, random)
        width, height = camera.size
        made["images"].append({"id": picture, "file_name": name, "width": width, "height": height, "license": 1})
        for place, annotation in enumerate(annotations):
            made["annotations"].append({"id": picture * 10 + place, "image_id": picture, **annotation})
    (output / "scenes" / f"{number:03d}.json").write_text(json.dumps(made))


def collect(output: Path) -> int:
    """Write annotations.json of all scenes; returns the number of pictures."""
    scenes = [json.loads(path.read_text()) for path in sorted((output / "scenes").glob("*.json"))]
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO17.names)}
    category["skeleton"] = [[a + 1, b + 1] for a, b in SKELETON]
    whole = {
        "info": INFO,
        "licenses": [{"id": 1, "name": "characters CC0 1.0; motion as info says"}],
        "categories": [category],
        "images": [image for scene in scenes for image in scene["images"]],
        "annotations": [annotation for scene in scenes for annotation in scene["annotations"]],
    }
    (output / "annotations.json").write_text(json.dumps(whole))
    return len(whole["images"])


def main() -> None:
    """Read the arguments, make the scenes that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("characters", type=Path)
    parser.add_argument("motion", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scenes", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--each", type=int, default=8)
    parser.add_argument("--who", nargs="+", choices=CHARACTERS, default=CHARACTERS)
    parser.add_argument("--motion-of", nargs="+", choices=("train", "val"), default=("train", "val"))
    arguments = parser.parse_args()
    cast = Cast(arguments.characters, arguments.motion, tuple(arguments.who), tuple(arguments.motion_of))
    for folder in ("pictures", "scenes"):
        (arguments.output / folder).mkdir(parents=True, exist_ok=True)
    for number in range(arguments.first, arguments.first + arguments.scenes):
        if not (arguments.output / "scenes" / f"{number:03d}.json").exists():
            film(number, arguments.each, cast, arguments.output)
            print(f"scene {number}", flush=True)
    print(f"{arguments.output}: {collect(arguments.output)} pictures")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # Blender may hang at the end of a process that read Rigify
