# SPDX-License-Identifier: GPL-3.0-or-later
"""IK controls that give the same joints, and poles that do not flip."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.controls import Controls
from video_mocap.rigging.retarget.feet import lock_feet
from video_mocap.rigging.retarget.ik import ik_channels, pole_of
from video_mocap.rigging.retarget.keyed import posed_by
from video_mocap.rigging.retarget.limbs import reach
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.retarget import Retargeted, retarget
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.retarget.transfer import Source, Transfer, transfer
from video_mocap.rigging.vectors import perpendicular, unit

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, walk
from rigs import SLOTS, make_rig, turn

CONTROLS = {
    f"{control}.{side}": f"ik_{control}.{side}"
    for control in ("hand", "foot", "elbow_pole", "knee_pole")
    for side in "LR"
}


def with_controls(rig: Rig) -> Rig:
    """IK controls without a parent, turned anyhow."""
    chance, bones = np.random.default_rng(1), list(rig.bones)
    for control, name in CONTROLS.items():
        part = {"elbow_pole": "forearm", "knee_pole": "shin"}.get(control[:-2], control[:-2])
        rest = np.eye(4)
        rest[:3, :3] = np.linalg.qr(chance.normal(size=(3, 3)))[0]
        rest[:3, 0] *= np.sign(np.linalg.det(rest[:3, :3]))
        rest[:3, 3] = rig.bones[rig.rows[SLOTS[f"{part}{control[-2:]}"]]].rest[:3, 3] + chance.normal(size=3) * 0.1
        bones.append(Bone(name, -1, rest, 0.1, deform=False))
    return Rig(rig.name, tuple(bones), rig.world)


def moved_on(rig: Rig, joints: np.ndarray, fps: float = 24.0) -> tuple[Transfer, Source]:
    source = Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(len(joints)) / fps)
    moved = transfer(source, rig, SLOTS)
    lock_feet(moved, source, SLOTS)
    return moved, source


def solved(start: np.ndarray, end: np.ndarray, pole: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(F, 3) where two-bone IK puts the middle joint: in the plane of the pole, on its side."""
    line, distance = unit(end - start), np.linalg.norm(end - start, axis=-1)
    cosine = np.clip((a**2 + distance**2 - b**2) / (2 * a * distance), -1, 1)
    aside = perpendicular(pole - start, line)
    return start + (a * cosine)[:, None] * line + (a * np.sqrt(1 - cosine**2))[:, None] * aside


@pytest.mark.parametrize("axes", ["blender", "random"])
def test_targets_and_poles_give_the_same_joints(axes: str) -> None:
    world = np.eye(4)
    world[:3, :3] = 0.01 * turn("x", 20.0)
    rig = with_controls(make_rig(seed=3, arms_down=45.0, axes=axes, scale=100.0, world=world))
    joints, fps = library_clip("cmu_135_04")
    moved, source = moved_on(rig, joints[::2], fps / 2)
    found = ik_channels(moved, SLOTS, CONTROLS, len(source.times))
    assert set(found.locations) == set(CONTROLS.values())
    assert set(found.rotations) == {name for name in CONTROLS.values() if "pole" not in name}

    def head(name: str) -> np.ndarray:
        return rig.to_world(moved.poser.pose(rig.rows[name])[:, :3, 3])

    for parts, kind in ((("upper_arm", "forearm", "hand"), "elbow_pole"), (("thigh", "shin", "foot"), "knee_pole")):
        for side in "LR":
            start, middle, end = (head(SLOTS[f"{part}.{side}"]) for part in parts)
            sizes = np.linalg.norm(middle - start, axis=-1), np.linalg.norm(end - middle, axis=-1)
            away = solved(start, end, head(f"ik_{kind}.{side}"), *sizes) - middle
            assert np.linalg.norm(away, axis=-1).max() < 0.004
            assert np.median(np.linalg.norm(away, axis=-1)) < 1e-5


def test_a_target_is_glued_to_its_hand() -> None:
    rig = with_controls(make_rig(seed=5, arms_down=45.0))
    moved, source = moved_on(rig, walk())
    ik_channels(moved, SLOTS, CONTROLS, len(source.times))
    hand, control = (rig.rows[name] for name in (SLOTS["hand.R"], "ik_hand.R"))
    seen = np.linalg.inv(moved.poser.pose(hand)) @ moved.poser.pose(control)
    assert np.abs(seen - np.linalg.inv(rig.bones[hand].rest) @ rig.bones[control].rest).max() < 1e-9


def test_a_pole_never_flips_while_a_leg_goes_straight_and_past_it() -> None:
    frames = 80
    bends = np.linspace(40, -6, frames)
    start = np.zeros((frames, 3))
    middle = np.tile([0.0, 0, -0.45], (frames, 1))
    end = middle + np.stack([[0, 0.42 * np.sin(np.radians(b)), -0.42 * np.cos(np.radians(b))] for b in bends])
    hinge = np.tile([1.0, 0, 0], (frames, 1))
    found = pole_of(start, middle, end, hinge)
    assert (found[:, 1] < -0.2).all()
    assert np.abs(np.diff(found, axis=0)).max() < 0.02


def test_poles_agree_with_the_reach_of_limbs() -> None:
    chance = np.random.default_rng(0)
    start, hinge = np.zeros((50, 3)), np.tile([1.0, 0, 0], (50, 1))
    middle = np.tile([0.0, -0.1, -0.44], (50, 1))
    end = np.tile([0.0, 0.0, -0.85], (50, 1))
    target = np.stack([chance.uniform(-0.3, 0.3, 50), chance.uniform(-0.3, 0.3, 50), chance.uniform(-0.8, -0.5, 50)], 1)
    upper, lower = reach(start, middle, end, target, hinge)
    knee = (upper @ middle[..., None])[..., 0]
    ankle = knee + (lower @ (end - middle)[..., None])[..., 0]
    assert np.allclose(ankle, target, atol=1e-9)
    pole = pole_of(start, knee, ankle, (upper @ hinge[..., None])[..., 0])
    sizes = np.linalg.norm(middle - start, axis=-1), np.linalg.norm(end - middle, axis=-1)
    assert np.allclose(solved(start, ankle, pole, *sizes), knee, atol=1e-9)


def test_controls_that_are_not_there_are_left_out() -> None:
    moved, source = moved_on(make_rig(), walk(10))
    found = ik_channels(moved, SLOTS, {"hand.L": "nothing", "tail.L": "b_hand.L"}, len(source.times))
    assert not found.locations
    assert not found.rotations


def ik_joints(done: Retargeted, rig: Rig) -> np.ndarray:
    """(F, 8, 3) metres: middles and ends of arms and legs where two-bone IK puts them for the keys."""
    poser, places = posed_by(done.keys, rig, done.frames), []
    for parts, kind in ((("upper_arm", "forearm", "hand"), "elbow_pole"), (("thigh", "shin", "foot"), "knee_pole")):
        for side in "LR":
            rows = [rig.rows[SLOTS[f"{part}.{side}"]] for part in parts]
            rest = np.stack([rig.bones[row].rest[:3, 3] for row in rows])
            target, pole = (rig.rows[f"ik_{kind_}.{side}"] for kind_ in (parts[2], kind))
            end = poser.pose(target) @ np.linalg.inv(rig.bones[target].rest) @ rig.bones[rows[2]].rest
            start = np.broadcast_to(poser.pose(rows[0])[:, :3, 3], (len(done.frames), 3))
            sizes = np.linalg.norm(np.diff(rest, axis=0), axis=-1)
            middle = solved(start, end[:, :3, 3], poser.pose(pole)[:, :3, 3], sizes[0], sizes[1])
            places += [middle, end[:, :3, 3]]
    return rig.size * np.stack(places, 1)


@pytest.mark.parametrize("clip", ["cmu_07_03", "cmu_05_07"])
def test_with_fewer_keys_limbs_stay_where_they_were_and_feet_stand(clip: str) -> None:
    rig = with_controls(make_rig(seed=3, arms_down=45.0))
    joints, fps = library_clip(clip, "train")
    joints = joints[: round(5 * fps)]
    source = Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(len(joints)) / fps)
    every, few = (
        retarget(source, rig, SLOTS, Options(scene_fps=30.0, limbs="ik", keys=keys), Controls(ik=CONTROLS))
        for keys in ("scene", "reduced")
    )
    away = np.linalg.norm(ik_joints(few, rig) - ik_joints(every, rig), axis=-1)
    assert 1000 * away[:, 1::2].max() < 5 + 1e-6
    assert 1000 * away[:, 0::2].max() < 5 + 1e-6
    assert few.report.slide[2] < 15
    assert few.report.keys < 0.35 * few.report.all_keys
