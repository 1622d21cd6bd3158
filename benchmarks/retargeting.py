# SPDX-License-Identifier: GPL-3.0-or-later
"""Retargeting onto a control rig: speed against Blender's own ways, accuracy on every character.

    python benchmarks/retargeting.py speed CHARACTER.blend ARMATURE MOTION.npz [FRAMES] [BAKED]
    python benchmarks/retargeting.py accuracy CHARACTERS_FOLDER MOTION_LIBRARY_FOLDER

speed: the whole retargeting, solve and write (FRAMES, 10000 by default), against `keyframe_insert` of the same keys and
against Copy Rotation constraints that are baked (BAKED frames of it, 1000 by default, the rest reckoned). MOTION.npz is
a take. accuracy: characters as in characters.json, clips by name; limbs in degrees with and without locked feet, slide
of standing feet, keys that reduction to 5 mm leaves.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
from bpy_extras import anim_utils
from video_mocap.rigging.blender.armature import build_armature
from video_mocap.rigging.blender.character import open_character
from video_mocap.rigging.blender.retarget import metric_rig, retarget_onto
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.controls import controls_of
from video_mocap.rigging.retarget.mapping import map_rig
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.presets import shipped_presets
from video_mocap.rigging.retarget.retarget import retarget
from video_mocap.rigging.retarget.source import take_source
from video_mocap.rigging.retarget.transfer import Source
from video_mocap.rigging.rotations import SEGMENTS, segment_rotations
from video_mocap.rigging.skeleton import rest_skeleton
from video_mocap.rigging.take import read_take

#: Walking, sitting, dancing, fighting, running.
CLIPS = (
    ("train", "cmu", "cmu_07_03"), ("train", "cmu", "cmu_14_30"), ("train", "cmu", "cmu_05_07"),
    ("val", "cmu", "cmu_135_04"), ("val", "cmu", "cmu_127_02"),
)  # fmt: skip


def repeated(source: Source, frames: int) -> Source:
    """The source over and over until there are so many frames."""
    rows = np.arange(frames) % len(source.times)
    step = float(np.median(np.diff(source.times)))
    contacts = None if source.contacts is None else source.contacts[rows]
    times = np.arange(frames) * step
    return Source(source.joints[rows], source.confidence[rows], times, contacts)


def mapped(armature: bpy.types.Object):
    """The armature's mapping and controls."""
    mapping = map_rig(metric_rig(armature), shipped_presets())
    return mapping, controls_of(mapping.preset, shipped_presets())


def inserts(armature: bpy.types.Object, action: bpy.types.Action) -> tuple[float, int]:
    """(seconds, keys) to write an action's keys by `keyframe_insert`, property by property, on a cleared armature."""
    holder = action.layers[0].strips[0].channelbags[0] if hasattr(action, "slots") else action
    curves: dict[str, list[np.ndarray]] = {}
    frames = np.empty(0)
    for curve in holder.fcurves:
        flat = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", flat)
        if not curve.data_path.endswith('"]'):
            frames = flat[0::2]
            curves.setdefault(curve.data_path, []).append(flat[1::2])
    armature.animation_data_clear()
    begin, keys = time.perf_counter(), 0
    for path, columns in curves.items():
        owner_path, _, name = path.rpartition(".")
        bone = armature.path_resolve(owner_path)
        values = np.stack(columns, 1)
        keys += values.size
        for frame, value in zip(frames.tolist(), values.tolist(), strict=True):
            setattr(bone, name, value)
            bone.keyframe_insert(name, frame=frame)
    return time.perf_counter() - begin, keys


def constraint_bake(armature: bpy.types.Object, slots: dict[str, str], source: Source, frames: int) -> float:
    """Seconds that Copy Rotation constraints and Blender's own bake take for `frames` frames."""
    armature.animation_data_clear()
    solved = segment_rotations(source.joints[:1])
    puppet = build_armature(rest_skeleton(source.joints[:1], solved), "puppet", bpy.context.scene.collection)
    for bone in puppet.pose.bones:
        bone.rotation_quaternion = (1, 0, 0, 0)
        bone.keyframe_insert("rotation_quaternion", frame=1)
        bone.rotation_quaternion = (0.9, 0.3, 0.2, 0.1)
        bone.keyframe_insert("rotation_quaternion", frame=frames)
    for slot, name in slots.items():
        if slot in SEGMENTS:
            constraint = armature.pose.bones[name].constraints.new("COPY_ROTATION")
            constraint.target, constraint.subtarget = puppet, slot
    names = set(slots.values())
    for bone in armature.data.bones:
        chosen = bone.name in names
        if hasattr(bone, "select"):
            bone.select = chosen
        else:
            armature.pose.bones[bone.name].select = chosen
    options = anim_utils.BakeOptions(
        only_selected=True, do_pose=True, do_object=False, do_visual_keying=True, do_constraint_clear=True,
        do_parents_clear=False, do_clean=False, do_location=True, do_rotation=True, do_scale=False, do_bbone=False,
        do_custom_props=False,
    )  # fmt: skip
    begin = time.perf_counter()
    anim_utils.bake_action(armature, action=None, frames=range(1, frames + 1), bake_options=options)
    return time.perf_counter() - begin


def speed(character: str, name: str, motion: str, frames: int = 10000, baked: int = 1000) -> None:
    """Measure and print."""
    armature = open_character(Path(character), name)
    take = read_take(motion)
    source = repeated(take_source(take, int(take.person_ids[0])), frames)
    mapping, controls = mapped(armature)
    options = Options(scene_fps=1 / float(np.median(np.diff(source.times))))
    begin = time.perf_counter()
    done = retarget_onto(armature, source, options, mapping.slots, controls)
    ours = time.perf_counter() - begin
    print(f"{frames} frames, {done.report.keys} keys: solve and write {ours:.2f} s", flush=True)
    slow, keys = inserts(armature, done.action)
    print(f"keyframe_insert of {keys} keys: {slow:.1f} s, {slow / ours:.0f} times as long", flush=True)
    bake = constraint_bake(armature, mapping.slots, source, baked) * frames / baked
    print(f"Copy Rotation and bake ({baked} frames measured): {bake:.1f} s, {bake / ours:.0f} times as long")


def library(folder: Path) -> ModuleType:
    """The motion library's own reader."""
    spec = importlib.util.spec_from_file_location("motion_library", folder / "motion_library.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["motion_library"] = module
    spec.loader.exec_module(module)
    return module


def clip_source(reader: ModuleType, folder: Path, split: str, file: str, name: str, fps: float = 30.0) -> Source:
    """A clip of the library at `fps` Hz."""
    clip = next(one for one in reader.load_file(folder / split / f"{file}.npz") if one.name == name)
    clip = reader.resample(clip, fps)
    joints = clip.positions[:, [reader.JOINT_INDEX[joint] for joint in TAKE.names]].astype(float)
    return Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(len(joints)) / fps)


def accuracy(characters: str, motions: str) -> None:
    """Measure and print."""
    reader = library(Path(motions))
    sources = {name: clip_source(reader, Path(motions), split, file, name) for split, file, name in CLIPS}
    print("character | clip | limbs mean/99 % (feet free) | mean/99 % (locked) | slide before -> after | below | keys")
    for path in sorted(Path(characters).glob("*.blend")):
        armature = open_character(path)
        mapping, _ = mapped(armature)
        rig = metric_rig(armature)
        for name, source in sources.items():
            base = Options(scene_fps=30.0)
            free = retarget(source, rig, mapping.slots, replace(base, feet=False)).report
            locked = retarget(source, rig, mapping.slots, base).report
            few = retarget(source, rig, mapping.slots, replace(base, keys="reduced", tolerance=5.0)).report
            print(
                f"{path.stem} | {name} | {free.error[0]:.3f} {free.error[1]:.3f} | "
                f"{locked.error[0]:.2f} {locked.error[1]:.2f} | {locked.slide[1]:.0f} -> {locked.slide[2]:.1f} mm/s | "
                f"{locked.below_floor:.0f} mm | {few.keys / few.all_keys:.2f}",
                flush=True,
            )


def main(arguments: list[str]) -> None:
    """Run what the first argument names."""
    if arguments[:1] == ["speed"]:
        numbers = [int(text) for text in arguments[4:]]
        speed(*arguments[1:4], *numbers)  # type: ignore[arg-type]
    elif arguments[:1] == ["accuracy"]:
        accuracy(*arguments[1:3])
    else:
        print(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
