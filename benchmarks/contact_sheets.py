# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of characters in eight frames of walking, sitting, dancing, fighting and running, to be looked at.

    python benchmarks/contact_sheets.py CHARACTERS_FOLDER MOTION_LIBRARY_FOLDER OUTPUT_FOLDER [NAME]

One PNG a character, a row a clip. The floor is drawn, so that feet in it are seen.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

sys.path.insert(0, str(Path(__file__).parent))
from retargeting import CLIPS, clip_source, library, mapped
from video_mocap.rigging.blender.character import open_character
from video_mocap.rigging.blender.rate import set_rate
from video_mocap.rigging.blender.retarget import retarget_onto
from video_mocap.rigging.retarget.options import Options

SIZE, FRAMES, FPS = 240, 8, 30.0


def stage(height: float) -> tuple[bpy.types.Object, bpy.types.Object]:
    """(camera, floor) of a scene that Workbench draws plainly."""
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.display.shading.light = "STUDIO"
    scene.display.shading.show_cavity = True
    scene.render.image_settings.file_format = "PNG"
    camera = bpy.data.objects.new("sheet camera", bpy.data.cameras.new("sheet camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.05 * height
    camera.data.clip_end = 1000
    mesh = bpy.data.meshes.new("floor")
    ring = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]
    mesh.from_pydata([tuple(height * value for value in corner) for corner in ring], [], [(0, 1, 2, 3)])
    floor = bpy.data.objects.new("floor", mesh)
    for thing in (camera, floor):
        scene.collection.objects.link(thing)
    scene.camera = camera
    return camera, floor


def picture(
    armature: bpy.types.Object, hips: str, camera: bpy.types.Object, floor: bpy.types.Object, height: float, path: Path
) -> np.ndarray:
    """(SIZE, SIZE, 4) the current frame from the front and a little from the side."""
    place = armature.matrix_world @ armature.pose.bones[hips].head
    middle = Vector((place.x, place.y, 0.5 * height))
    floor.location = (place.x, place.y, 0)
    away = Vector((0.55, -1.0, 0.22)).normalized()
    camera.location = middle + 5 * height * away
    camera.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.array(image.pixels[:], np.float32).reshape(SIZE, SIZE, 4)
    bpy.data.images.remove(image)
    return pixels


def sheet(character: Path, motions: Path, output: Path) -> None:
    """One character's sheet."""
    reader, rows = library(motions), []
    for split, file, name in CLIPS:
        armature = open_character(character)
        mapping, controls = mapped(armature)
        source = clip_source(reader, motions, split, file, name, FPS)
        set_rate(bpy.context.scene, FPS)
        done = retarget_onto(armature, source, Options(scene_fps=FPS), mapping.slots, controls)
        height = 1.2 * max((armature.matrix_world @ bone.tail_local).z for bone in armature.data.bones)
        height = min(height, 2.4)
        camera, floor = stage(height)
        cells = []
        with tempfile.TemporaryDirectory() as folder:
            for frame in np.linspace(*done.report.frames, FRAMES + 2)[1:-1].round().astype(int).tolist():
                bpy.context.scene.frame_set(frame)
                path = Path(folder) / "cell.png"
                cells.append(picture(armature, mapping.slots["hips"], camera, floor, height, path))
        rows.append(np.concatenate(cells, 1))
        print(f"{character.stem} {name}: " + "; ".join(done.report.lines()[:1]), flush=True)
    pixels = np.concatenate(rows[::-1], 0)
    pixels[..., 3] = 1.0
    image = bpy.data.images.new("sheet", pixels.shape[1], pixels.shape[0])
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw, image.file_format = str(output / f"{character.stem}.png"), "PNG"
    image.save()


def main(arguments: list[str]) -> None:
    """Draw the sheets of every character with a mesh, or of the one named."""
    characters, motions, output = (Path(text).resolve() for text in arguments[:3])
    for path in sorted(characters.glob("mpfb_*.blend")):
        if len(arguments) < 4 or path.stem == arguments[3]:
            sheet(path, motions, output)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
