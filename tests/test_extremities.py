# SPDX-License-Identifier: GPL-3.0-or-later
"""Where palms, tips of the feet and the floor are: bones' heads say it; tails only where nothing else can."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.anatomy import Anatomy, find_anatomy
from video_mocap.rigging.retarget.retarget import Options, retarget
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.retarget.transfer import Source

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import walk
from rigs import SLOTS, make_rig, turn


def slots(rig: Rig) -> dict[str, str]:
    return {slot: name for slot, name in SLOTS.items() if name in rig.rows}


def anatomy(rig: Rig) -> Anatomy:
    return find_anatomy(rig, slots(rig))


def without_toes(**options: object) -> Rig:
    return make_rig(without=("toe.L", "toe.R"), **options)  # type: ignore[arg-type]


def turned(rig: Rig, name: str, rotation: np.ndarray) -> Rig:
    """The rig with one bone's axes turned, in the world."""
    bones = list(rig.bones)
    rest = bones[rig.rows[name]].rest.copy()
    rest[:3, :3] = rotation @ rest[:3, :3]
    bones[rig.rows[name]] = replace(bones[rig.rows[name]], rest=rest)
    return replace(rig, bones=tuple(bones))


@pytest.mark.parametrize("seed", range(6))
def test_rigs_that_differ_in_axes_only_move_their_joints_alike(seed: int) -> None:
    joints = walk(48)
    source = Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(48) / 24)
    places = []
    for axes in ("blender", "random"):
        rig = make_rig(seed=seed, arms_down=40.0, elbows=30.0, axes=axes)
        done = retarget(source, rig, SLOTS, Options(scene_fps=24.0))
        places.append([done.poser.pose(rig.rows[name])[:, :3, 3] for name in SLOTS.values()])
    assert np.abs(np.array(places[0]) - np.array(places[1])).max() < 1e-6


def test_a_rig_stands_on_its_soles_as_it_does_at_rest() -> None:
    rig = without_toes(world=np.array([[0.0, -2, 0, 3], [2, 0, 0, 1], [0, 0, 2, 0.5], [0, 0, 0, 1]]))
    found = anatomy(rig)
    for joint in ("left_heel", "left_toe", "right_heel", "right_toe"):
        assert found.joint(joint)[2] == pytest.approx(0.5)


def test_a_rig_that_hangs_from_its_origin_stands_on_its_toes() -> None:
    rig = make_rig()
    hips = rig.bones[rig.rows["b_hips"]].rest[:3, 3].copy()
    bones = []
    for bone in rig.bones:
        rest = bone.rest.copy()
        rest[:3, 3] -= hips
        bones.append(replace(bone, rest=rest))
    hanging = replace(rig, bones=tuple(bones))
    assert anatomy(hanging).joint("left_toe")[2] == pytest.approx(hanging.heads[hanging.rows["b_toe.L"], 2])


def test_where_the_origin_is_in_the_hips_the_figure_walks_on_the_height_of_its_soles() -> None:
    joints = walk(48)
    source = Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(48) / 24)
    ordinary, shift = make_rig(arms_down=40.0), np.eye(4)
    shift[2, 3] = -0.9
    bones = tuple(replace(bone, rest=shift @ bone.rest) for bone in ordinary.bones)
    hung = replace(ordinary, bones=bones, world=ordinary.world @ np.linalg.inv(shift))
    places = []
    for rig in (ordinary, hung):
        poser = retarget(source, rig, SLOTS, Options(scene_fps=24.0)).poser
        places.append([rig.to_world(poser.pose(rig.rows[name])[:, :3, 3]) for name in SLOTS.values()])
    assert np.abs(np.array(places[0]) - np.array(places[1])).max() < 1e-6


def test_a_standing_rest_pose_is_not_moved_when_feet_are_locked() -> None:
    rig = make_rig(arms_down=40.0, seed=4)
    joints = np.repeat(anatomy(rig).joints[None], 20, 0)
    done = retarget(Source(joints, np.ones(joints.shape[:2]), np.arange(20) / 24), rig, SLOTS, Options(scene_fps=24.0))
    for bone in rig.bones:
        pose = done.poser.pose(rig.rows[bone.name])
        assert np.abs(pose - bone.rest).max() < 1e-3, bone.name


def test_tails_of_the_last_bones_count_where_left_and_right_mirror_each_other() -> None:
    rig = without_toes()
    pigeon = turned(turned(rig, "b_foot.L", turn("z", 20.0)), "b_foot.R", turn("z", -20.0))
    way = anatomy(pigeon).joint("left_toe") - anatomy(pigeon).joint("left_ankle")
    assert np.degrees(np.arctan2(way[0], -way[1])) == pytest.approx(20.0, abs=0.5)
    askew = turned(turned(rig, "b_foot.L", turn("z", 40.0)), "b_foot.R", turn("z", 40.0))
    way = anatomy(askew).joint("left_toe") - anatomy(askew).joint("left_ankle")
    assert abs(way[0]) < 1e-6


def test_a_control_has_the_fingers_of_the_skins_bone_at_its_place() -> None:
    rig = make_rig(arms_down=40.0)
    row = rig.rows["b_hand.L"]
    hand = rig.bones[row]
    bones = list(rig.bones)
    bones[row] = replace(hand, deform=False)
    bones.append(replace(hand, name="skin", parent=row))
    finger = hand.rest.copy()
    finger[:3, 3] += finger[:3, :3] @ [0.0, 0.09, 0.03]
    bones.append(Bone("finger", len(bones) - 1, finger, 0.05))
    found = find_anatomy(replace(rig, bones=tuple(bones)), SLOTS)
    assert np.allclose(found.joint("left_hand"), finger[:3, 3])
