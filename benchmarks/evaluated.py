# SPDX-License-Identifier: GPL-3.0-or-later
"""Retargeting judged by what Blender evaluates: world matrices of the rig's bones at every frame against the take.

    python benchmarks/evaluated.py characters CHARACTERS_FOLDER MOTION_LIBRARY_FOLDER [NAME]
    python benchmarks/evaluated.py axes MOTION_LIBRARY_FOLDER
    python benchmarks/evaluated.py legs MOTION_LIBRARY_FOLDER
    python benchmarks/evaluated.py files CHARACTERS_FOLDER MOTION_LIBRARY_FOLDER

characters: bones as characters.json names them. Degrees between limbs and the person's (upper arms, forearms, thighs,
shins; mean and 99th percentile), with free and with locked feet; twist: the angle between the bend of elbows and knees
and the hinge at rest that the upper bone carries, where bent by 30 to 150 degrees; the largest roll of a limb from one
frame to the next. axes: the largest angle between limbs, spine, hands and feet of rigs of one body that differ in axes
only. legs: feet and knees on legs of half and twice the length. files: action to .bvh, read by Blender, and back.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from made_rigs import KINDS, SIDES, legs, make_rig
from retargeting import clip_source, library, mapped
from video_mocap.rigging.blender.bvh_export import character_bvh
from video_mocap.rigging.blender.character import open_character
from video_mocap.rigging.blender.rate import set_rate
from video_mocap.rigging.blender.retarget import metric_rig, retarget_onto
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.bvh_source import bvh_source
from video_mocap.rigging.retarget.contacts import find_contacts, standing
from video_mocap.rigging.retarget.mapping import map_rig
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.presets import shipped_presets
from video_mocap.rigging.retarget.report import LIMBS
from video_mocap.rigging.retarget.transfer import Source, person_leg
from video_mocap.rigging.vectors import swing, unit

#: What is shown -> (split, file, clip, seconds of it).
SHOWN = {
    "walking": ("train", "cmu", "cmu_07_03"), "sitting": ("train", "cmu", "cmu_14_30"),
    "dancing": ("train", "cmu", "cmu_acrnn_salsa_07#0"), "basketball": ("val", "snu_vsports", "vsports_s_008_1_1#2"),
    "martial arts": ("val", "cmu", "cmu_135_04"), "lying down": ("train", "snu_timecritical", "martial_s_005_3_2#1"),
    "cartwheel": ("train", "snu_tillingpatch", "tilling_2_itonic3_wd2_wheel"),
    "crawling": ("train", "snu_tillingpatch", "tilling_2_itonic3_wd2_walktocrawl_1"),
    "turning round": ("train", "snu_ys2010", "ys2010_rawmotion_woddy2_walk_turn_180"),
}  # fmt: skip
FPS, MOST = 30.0, 360
_HINGES = (("upper_arm", "forearm", "hand", 1.0), ("thigh", "shin", "foot", -1.0))


def sources(folder: str, names: tuple[str, ...] = tuple(SHOWN)) -> dict[str, Source]:
    """At most 12 s of each clip."""
    reader, found = library(Path(folder)), {}
    for name in names:
        whole = clip_source(reader, Path(folder), *SHOWN[name], FPS)
        joints, seen, times = (values[:MOST] for values in (whole.joints, whole.confidence, whole.times))
        found[name] = Source(joints, seen, times)
    return found


def put(armature: bpy.types.Object, source: Source, **options: object) -> None:
    """Retarget with the automatic mapping."""
    set_rate(bpy.context.scene, FPS)
    mapping, controls = mapped(armature)
    retarget_onto(armature, source, Options(scene_fps=FPS, **options), mapping.slots, controls)  # type: ignore[arg-type]


def evaluate(armature: bpy.types.Object, names: list[str], frames: int) -> np.ndarray:
    """(F, B, 4, 4) world matrices, frames 1 to `frames`."""
    for thing in bpy.data.objects:
        thing.hide_viewport = thing.type == "MESH"
    found = []
    for frame in range(1, frames + 1):
        bpy.context.scene.frame_set(frame)
        shown = armature.evaluated_get(bpy.context.view_layer.depsgraph)
        world = np.array(shown.matrix_world)
        found.append([world @ np.array(shown.pose.bones[name].matrix) for name in names])
    return np.array(found)


def rotations(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) without scale."""
    u, _, vt = np.linalg.svd(matrices[..., :3, :3])
    return u @ vt


def between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between vectors."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second), axis=-1), (first * second).sum(-1)))


class Shown:
    """A rig's bones by slot, as evaluated, and at rest."""

    def __init__(self, armature: bpy.types.Object, slots: dict[str, str], frames: int) -> None:
        names = list(dict.fromkeys(slots.values()))
        self.rows = {slot: names.index(name) for slot, name in slots.items()}
        self.pose = evaluate(armature, names, frames)
        world = np.array(armature.matrix_world)
        self.rest = np.array([world @ np.array(armature.data.bones[name].matrix_local) for name in names])

    def way(self, start: str, end: str, rest: bool = False) -> np.ndarray:
        """(F, 3) unit from one slot's head to another's."""
        places = (self.rest[None] if rest else self.pose)[:, :, :3, 3]
        return unit(places[:, self.rows[end]] - places[:, self.rows[start]])

    def limb_errors(self, source: Source) -> np.ndarray:
        """(F * 8,) degrees."""
        found = []
        for slot, (end, first, second) in LIMBS.items():
            person = source.joints[:, TAKE.index(second)] - source.joints[:, TAKE.index(first)]
            found.append(between(self.way(slot, end), unit(person)))
        return np.concatenate(found)

    def twists(self) -> np.ndarray:
        """Degrees where limbs are bent by 30 to 150."""
        up = unit(self.way("thigh.L", "upper_arm.L", True) + self.way("thigh.R", "upper_arm.R", True))
        front, found = np.cross(self.way("thigh.R", "thigh.L", True), up), []
        for first, second, third, ahead in _HINGES:
            for side in "LR":
                one, two, three = (f"{part}.{side}" for part in (first, second, third))
                upper, lower = self.way(one, two, True), self.way(two, three, True)
                straight = between(upper, lower)[0] < 2
                hinge = unit(np.cross(upper, ahead * front if straight else lower))
                row = self.rows[one]
                turn = rotations(self.pose[:, row]) @ rotations(self.rest[row]).T
                upper, lower = self.way(one, two), self.way(two, three)
                bend = between(upper, lower)
                off = between(unit(np.cross(upper, lower)), (turn @ hinge[0][:, None])[..., 0])
                found.append(off[(bend > 30) & (bend < 150)])
        return np.concatenate(found)

    def largest_roll(self) -> float:
        """Degrees that a limb turns about its own line from one frame to the next, at most; a flip would be 180."""
        most = 0.0
        for slot, (end, _, _) in LIMBS.items():
            line, turned = self.way(slot, end), rotations(self.pose[:, self.rows[slot]])
            plain = swing(line[:-1], line[1:]) @ turned[:-1]
            cosine = (np.einsum("fij,fij->f", plain, turned[1:]) - 1) / 2
            most = max(most, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max()))
        return most

    def knees(self) -> np.ndarray:
        """(F, 2) degrees of bend."""
        ways = [(self.way(f"thigh.{s}", f"shin.{s}"), self.way(f"shin.{s}", f"foot.{s}")) for s in "LR"]
        return np.stack([between(*pair) for pair in ways], -1)

    def feet(self, source: Source) -> tuple[float, float]:
        """(mm/s of standing heels and tips of toes, mm of the lowest of them over the floor of the rest pose)."""
        contacts = find_contacts(source.joints, source.times, person_leg(source))
        stands, slides, low = standing(contacts, source.times), [], []
        for number, side in enumerate("LR"):
            row, ball = self.rows[f"foot.{side}"], self.rest[self.rows[f"toe.{side}"], :3, 3]
            ankle = self.rest[row, :3, 3]
            for point, place in enumerate((ankle, ankle + 1.5 * (ball - ankle))):
                moved = self.pose[:, row] @ np.linalg.inv(self.rest[row]) @ np.array([*place[:2], 0.0, 1.0])
                still = stands[1:, 2 * number + point] & stands[:-1, 2 * number + point]
                slides.append((np.linalg.norm(np.diff(moved[:, :2], axis=0), axis=1) * FPS * 1000)[still])
                low.append(1000 * float(moved[:, 2].min()))
        return float(np.concatenate(slides).mean()), min(low)


def characters(folder: str, motions: str, only: str = "") -> None:
    """Measure and print."""
    clips = sources(motions)
    print("character | clip | limbs, feet free | feet locked | twist mean, 99 %, most | largest roll a frame")
    for entry in json.loads((Path(folder) / "characters.json").read_text())["characters"]:
        if only not in ("", entry["name"]) or not entry["file"].endswith(".blend"):
            continue
        armature = open_character(Path(folder) / entry["file"], entry["armature"])
        slots = mapped(armature)[0].slots
        wrong = [slot for slot, name in entry["map"].items() if slots.get(slot) != name]
        print(f"{entry['name']}: {len(entry['map'])} slots, wrong: {', '.join(wrong) or 'none'}")
        for name, source in clips.items():
            cells = []
            for locked in (False, True):
                put(armature, source, feet=locked)
                shown = Shown(armature, entry["map"], len(source.times))
                errors = shown.limb_errors(source)
                cells.append(f"{errors.mean():.2f} {np.percentile(errors, 99):.2f}")
            twist = shown.twists()
            cells.append(f"{twist.mean():.2f} {np.percentile(twist, 99):.2f} {twist.max():.2f}")
            print(f"{entry['name']} | {name} | {' | '.join(cells)} | {shown.largest_roll():.0f}", flush=True)


def axes(motions: str) -> None:
    """Measure and print."""
    sides = [(f"{a}.{s}", f"{b}.{s}") for a, _, b in SIDES if b not in ("finger", "tip") for s in "LR"]
    pairs = [("hips", "spine"), ("spine", "chest"), ("chest", "neck"), ("neck", "head"), *sides]
    slots = {slot: slot for pair in pairs for slot in pair}
    for clip, source in sources(motions, ("dancing", "cartwheel", "basketball")).items():
        first: dict[tuple[str, str], np.ndarray] = {}
        for kind, options in KINDS.items():
            armature = make_rig(**options)
            put(armature, source)
            shown = Shown(armature, slots, len(source.times))
            ways = {pair: shown.way(*pair) for pair in pairs}
            first = first or ways
            worst = max(float(between(ways[pair], first[pair]).max()) for pair in pairs)
            print(f"{clip} | {kind} | {worst:.4f} degrees", flush=True)


def longer_legs(motions: str) -> None:
    """Measure and print."""
    print("clip | legs | slide mm/s | lowest mm | knees, degrees a frame^2: rig's most, person's most | limbs")
    for clip, source in sources(motions).items():
        for factor in (0.5, 1.0, 2.0):
            armature = make_rig(rolls=True, seed=1, joints=legs(factor))
            put(armature, source)
            shown = Shown(armature, {bone.name: bone.name for bone in armature.data.bones}, len(source.times))
            slide, low = shown.feet(source)
            hip, knee, ankle = (
                np.stack([source.joints[:, TAKE.index(f"{side}_{joint}")] for side in ("left", "right")], 1)
                for joint in ("hip", "knee", "ankle")
            )
            own = between(knee - hip, ankle - knee)
            pops = [float(np.abs(np.diff(bend, 2, axis=0)).max()) for bend in (shown.knees(), own)]
            errors = shown.limb_errors(source)
            limbs = f"{errors.mean():.2f} {np.percentile(errors, 99):.2f}"
            print(f"{clip} | {factor:g} | {slide:.1f} | {low:.1f} | {pops[0]:.1f} {pops[1]:.1f} | {limbs}", flush=True)


def files(folder: str, motions: str) -> None:
    """Measure and print."""
    for clip, source in sources(motions, ("walking", "dancing", "cartwheel")).items():
        armature = open_character(Path(folder) / "mpfb_game_engine.blend")
        put(armature, source)
        count, slots = len(source.times), mapped(armature)[0].slots
        text = character_bvh(armature, metric_rig(armature), slots, list(range(1, count + 1)), FPS)
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "action.bvh"
            path.write_text(text)
            read = open_character(path)
        names = [name for slot, name in slots.items() if slot != "root"]
        truth = evaluate(read, names, count)[:, :, :3, 3]
        read.animation_data_clear()
        put(read, bvh_source(text, "action.bvh", lambda rig: map_rig(rig, shipped_presets()).slots), feet=False)
        away = evaluate(read, names, count)[:, :, :3, 3] - truth
        away = 1000 * np.linalg.norm(away - away.mean((0, 1)), axis=-1)
        print(f"{clip} | action, .bvh, action | mean {away.mean():.3f}, most {away.max():.3f} mm", flush=True)


def main(arguments: list[str]) -> None:
    """Run what the first argument names."""
    known = {"characters": characters, "axes": axes, "legs": longer_legs, "files": files}
    if arguments[:1] and arguments[0] in known:
        known[arguments[0]](*arguments[1:])
    else:
        print(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
