# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animated rig says beyond where its joints are arrives on another rig: trunk, shoulders, rolls, toes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging import quaternions
from video_mocap.rigging.retarget.anatomy import find_anatomy
from video_mocap.rigging.retarget.body import body_joints
from video_mocap.rigging.retarget.pose import Poser
from video_mocap.rigging.retarget.retarget import Options, Retargeted, retarget
from video_mocap.rigging.retarget.rig import Rig
from video_mocap.rigging.retarget.smoothing import smoothed_source
from video_mocap.rigging.retarget.source import trimmed
from video_mocap.rigging.retarget.transfer import Source
from video_mocap.rigging.retarget.turns import read_turns, turning_bones

sys.path.insert(0, str(Path(__file__).parent))
from rigs import SLOTS, make_rig, turn

FRAMES = 40
FREE = Options(scene_fps=24.0, feet=False)


def posed(rig: Rig, angles: dict[str, tuple[str, float]]) -> Poser:
    """The rig with bones turned about an axis of theirs, by up to so many degrees, there and back."""
    poser = Poser(rig)
    way = np.sin(np.linspace(0, np.pi, FRAMES))
    for slot, name in SLOTS.items():
        axis, most = angles.get(slot, ("x", 0.0))
        vector = np.array({"x": [1.0, 0, 0], "y": [0.0, 1, 0], "z": [0.0, 0, 1], "odd": [0.6, 0.64, 0.48]}[axis])
        half = np.radians(most * way)[:, None] / 2
        poser.put(rig.rows[name], quaternions.to_matrix(np.concatenate([np.cos(half), np.sin(half) * vector], -1)))
    return poser


def source_of(poser: Poser) -> Source:
    rig = poser.rig
    frames = {name: np.broadcast_to(poser.pose(rig.rows[name]), (FRAMES, 4, 4)) for name in turning_bones(SLOTS)}
    joints = body_joints(rig, SLOTS, frames)
    return Source(
        joints,
        np.ones(joints.shape[:2]),
        np.arange(FRAMES) / 24,
        neutral=find_anatomy(rig, SLOTS).joints,
        turns=read_turns(rig, SLOTS, frames),
    )


def heads(poser: Poser) -> np.ndarray:
    """(B, F, 3) world."""
    rig = poser.rig
    places = [np.broadcast_to(poser.pose(rig.rows[name])[:, :3, 3], (FRAMES, 3)) for name in SLOTS.values()]
    return rig.to_world(np.array(places))


def turned(poser: Poser, slot: str) -> np.ndarray:
    """(F, 3, 3) world turn of a bone out of its rest pose."""
    rig, row = poser.rig, poser.rig.rows[SLOTS[slot]]
    pose = np.broadcast_to(poser.pose(row)[:, :3, :3], (FRAMES, 3, 3))
    return rig.turn @ pose @ rig.bones[row].rest[:3, :3].T @ rig.turn.T


def degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    cosine = (np.einsum("fij,fij->f", first, second) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def onto(source: Source, options: Options = FREE, **rig: object) -> Retargeted:
    return retarget(source, make_rig(arms_down=40.0, elbows=20.0, knees=8.0, **rig), SLOTS, options)  # type: ignore[arg-type]


@pytest.mark.parametrize("world", [np.eye(4), np.diag([1.0, 1.0, 1.0, 1.0]) @ np.pad(turn("z", 110.0), (0, 1))])
def test_every_joint_of_a_rig_of_the_same_proportions_is_where_the_source_has_it(world: np.ndarray) -> None:
    world[3, 3] = 1.0
    chance = np.random.default_rng(3)
    angles = {slot: ("odd", float(chance.uniform(-35, 35))) for slot in SLOTS}
    was = posed(make_rig(seed=1, arms_down=40.0, elbows=20.0, knees=8.0, world=world), angles)
    done = onto(source_of(was), seed=2, axes="random")
    assert np.abs(heads(done.poser) - heads(was)).max() < 1e-3


def test_forearms_and_hands_turn_about_themselves_as_the_sources_do() -> None:
    angles = {"forearm.L": ("y", 50.0), "hand.L": ("y", -70.0), "toe.R": ("x", 30.0), "chest": ("x", 25.0)}
    was = posed(make_rig(arms_down=40.0, elbows=20.0, knees=8.0), angles)
    done = onto(source_of(was), seed=5)
    for slot in ("forearm.L", "hand.L", "toe.R", "chest", "upper_arm.L"):
        assert degrees(turned(done.poser, slot), turned(was, slot)).max() < 0.5, slot


def test_a_source_whose_elbows_are_no_hinges_does_not_wring_forearms() -> None:
    was = posed(make_rig(arms_down=40.0), {"forearm.L": ("z", 80.0)})
    done = onto(source_of(was), seed=5)
    upper, lower = (turned(done.poser, f"{part}.L") for part in ("upper_arm", "forearm"))
    rig = done.poser.rig
    line = rig.bones[rig.rows["b_hand.L"]].rest[:3, 3] - rig.bones[rig.rows["b_forearm.L"]].rest[:3, 3]
    q = quaternions.from_matrix(np.swapaxes(upper, 1, 2) @ lower)
    twist = 2 * np.arctan2(q[:, 1:] @ (line / np.linalg.norm(line)), q[:, 0])
    assert np.abs(np.degrees(twist)).max() < 25


def test_an_upper_arm_that_does_not_turn_about_itself_leaves_the_forearm_its_hinge() -> None:
    rig = make_rig(arms_down=40.0, elbows=20.0, knees=8.0)
    was = posed(rig, {"upper_arm.L": ("y", 60.0), "forearm.L": ("x", 70.0)})
    truth = turned(was, "forearm.L")
    row = rig.rows["b_upper_arm.L"]
    frames = {name: np.broadcast_to(was.pose(rig.rows[name]), (FRAMES, 4, 4)).copy() for name in turning_bones(SLOTS)}
    joints = body_joints(rig, SLOTS, frames)
    frames["b_upper_arm.L"] = np.broadcast_to(rig.bones[row].rest, (FRAMES, 4, 4))  # the first bone of a chain
    source = Source(joints, np.ones(joints.shape[:2]), np.arange(FRAMES) / 24, turns=read_turns(rig, SLOTS, frames))
    done = onto(source, seed=5)
    assert degrees(turned(done.poser, "forearm.L"), truth).max() < 0.5


def test_turns_are_trimmed_and_smoothed_with_the_joints() -> None:
    was = posed(make_rig(), {"forearm.L": ("y", 50.0), "chest": ("x", 25.0)})
    part = trimmed(source_of(was), 0.5, 1.0)
    assert part.turns is not None
    assert len(part.turns.frames["chest"]) == len(part.times) == len(part.turns.rolls["hand.L"])
    calm = smoothed_source(part, "butterworth", 0.5)
    assert calm.turns is not None
    assert degrees(calm.turns.frames["chest"], part.turns.frames["chest"]).max() < 5
    assert np.abs(calm.turns.rolls["forearm.L"] - part.turns.rolls["forearm.L"]).max() < 0.2
