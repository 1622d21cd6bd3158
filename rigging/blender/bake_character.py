# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A take's person onto a character of the animator's, as a file, in a process of its own (see `bake`).

The job besides what `bake` takes: `character` (path), `armature` (name of the object or null), `mapping` (path of a rig
preset or null), `options` (a table as `retarget.settings` has it). What came of it goes to stdout as one line of JSON
after "report: ".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ..retarget.controls import controls_of
from ..retarget.mapping import Mapping, map_rig
from ..retarget.presets import read_preset, shipped_presets
from ..retarget.settings import options_of
from ..retarget.source import take_source
from ..take import Take
from .bvh_export import character_bvh
from .character import open_character, select_character
from .rate import scene_rate, set_rate
from .retarget import Result, metric_rig, retarget_onto

_NEW_SCENES = (".fbx", ".glb", ".gltf", ".bvh")


def bake_character(take: Take, person: int, job: dict[str, Any], save: Callable[[Path], None]) -> None:
    """Do one job. save: writes the current file as the .blend at a path. Raises ValueError or OSError, one sentence."""
    path, output = Path(job["character"]), Path(job["output"])
    source = take_source(take, person)
    armature = open_character(path, job.get("armature"))
    scene = bpy.context.scene
    if path.suffix.lower() in _NEW_SCENES:
        set_rate(scene, take.fps)
    presets = shipped_presets()
    rig = metric_rig(armature)
    if job.get("mapping"):
        presets = (read_preset(Path(job["mapping"])),)
    mapping = map_rig(rig, presets)
    # An .fbx has times, not frames: its time 0 is the first frame of the footage (Blender imports it as frame 1).
    first = 0 if output.suffix.lower() == ".fbx" else 1
    given = {"scene_fps": scene_rate(scene), "start_frame": first, "name": job["name"]}
    options = options_of(job.get("options") or {}, **given)
    done = retarget_onto(armature, source, options, mapping.slots, controls_of(mapping.preset, presets))
    first, last = done.report.frames
    scene.frame_start, scene.frame_end = max(0, int(first)), max(0, int(last))
    scene.frame_set(scene.frame_start)
    titles = {preset.name: preset.title for preset in presets}
    print("report: " + json.dumps(_facts(done, mapping, titles)), flush=True)
    suffix = output.suffix.lower()
    if suffix == ".blend":
        save(output)
        return
    select_character(armature)
    if suffix == ".fbx":
        _export_fbx(output, armature)
    else:
        frames = list(range(scene.frame_start, scene.frame_end + 1))
        output.write_text(character_bvh(armature, rig, mapping.slots, frames, scene_rate(scene)), "utf-8", newline="\n")


def _facts(done: Result, mapping: Mapping, titles: dict[str, str]) -> dict[str, Any]:
    by = f"the names of {titles[mapping.preset]}" if mapping.preset else "the shape of the skeleton"
    mapped = f"bones found by {by}"
    lines = [mapped, *mapping.notes, *done.report.lines()]
    return asdict(done.report) | {"lines": lines, "preset": mapping.preset, "slots": dict(mapping.slots)}


def _export_fbx(output: Path, armature: bpy.types.Object) -> None:
    bones = armature.data.bones
    bpy.ops.export_scene.fbx(
        filepath=str(output),
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        # Of a control rig the bones that move skin are enough, and all that other programs can use.
        use_armature_deform_only=any(bone.use_deform for bone in bones) and not all(bone.use_deform for bone in bones),
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )
