# SPDX-License-Identifier: GPL-3.0-or-later
"""Root motion on a bone, the object or nowhere: the same figure is seen, and the carrier goes smoothly."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.feet import lock_feet
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.retarget.roots import carry, ground_path
from video_mocap.rigging.retarget.transfer import Source, Transfer, channels, hip_joints, transfer

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import walk
from rigs import SLOTS, make_rig, turn

ROOTED = {**SLOTS, "root": "master"}


def with_root(rig: Rig) -> Rig:
    """A rig whose hips hang from a bone on the floor, turned and lying as such bones do."""
    rest = np.eye(4)
    rest[:3, :3] = turn("z", 30.0) @ turn("x", 90.0)
    moved = tuple(replace(bone, parent=bone.parent + 1) for bone in rig.bones)
    return Rig(rig.name, (Bone("master", -1, rest, 1.0), *moved), rig.world)


def placed() -> np.ndarray:
    world = np.eye(4)
    world[:3, :3] = 0.01 * turn("z", 50.0) @ turn("x", 90.0) @ turn("x", -90.0)
    world[:3, 3] = [1.0, 2.0, 0.3]
    return world


def walking(rig: Rig, joints: np.ndarray | None = None, slots: dict[str, str] = ROOTED) -> tuple[Transfer, Source]:
    joints = walk(72) if joints is None else joints
    source = Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(len(joints)) / 24)
    moved = transfer(source, rig, slots)
    lock_feet(moved, source, slots)
    return moved, source


def heads(moved: Transfer, world: np.ndarray | None = None) -> np.ndarray:
    """(F, B, 3) world heads of all mapped bones but the root."""
    rig = moved.poser.rig
    poses = [moved.poser.pose(rig.rows[name])[:, :3, 3] for name in SLOTS.values()]
    stacked = np.stack(np.broadcast_arrays(*poses), 1)
    if world is None:
        return rig.to_world(stacked)
    return np.einsum("fij,fbj->fbi", world[:, :3, :3], stacked) + world[:, None, :3, 3]


@pytest.mark.parametrize("world", [np.eye(4), placed()], ids=["plain", "scaled and turned"])
def test_a_root_bone_carries_the_same_figure(world: np.ndarray) -> None:
    scale = 1 / np.cbrt(np.linalg.det(world[:3, :3]))
    rig = with_root(make_rig(seed=2, arms_down=40.0, scale=scale, world=world))
    moved, source = walking(rig)
    before, path = heads(moved), ground_path(moved, ROOTED, source.times)[0]
    done = carry(moved, ROOTED, source.times, "root")
    assert np.abs(heads(done.moved) - before).max() < 1e-6
    assert set(done.locations) == {"master"}
    assert "master" in channels(done.moved, source, ROOTED).rotations
    root = rig.to_world(done.moved.poser.pose(0)[:, :3, 3])
    assert np.abs(np.diff(root - path, axis=0)).max() < 0.02
    hips = rig.rows[SLOTS["hips"]]
    rest = np.linalg.inv(rig.bones[0].rest) @ rig.bones[hips].rest
    seen = np.linalg.inv(done.moved.poser.pose(0)) @ done.moved.poser.pose(hips)
    assert np.linalg.norm(seen[:, :3, 3] - rest[:3, 3], axis=-1).max() * rig.size < 0.15


def test_an_object_carries_the_same_figure() -> None:
    rig = make_rig(seed=2, arms_down=40.0, scale=100.0, world=placed())
    moved, source = walking(rig, slots=SLOTS)
    before = heads(moved)
    done = carry(moved, SLOTS, source.times, "object")
    assert done.object is not None
    assert np.abs(heads(done.moved, done.object) - before).max() < 1e-6
    size = np.cbrt(np.linalg.det(done.object[:, :3, :3]))
    assert np.allclose(size, 0.01)
    hips = done.moved.poser.pose(rig.rows[SLOTS["hips"]])[:, :3, 3] * rig.size
    assert np.ptp(hips, axis=0).max() < 0.1
    assert np.ptp(done.object[:, :3, 3], axis=0).max() > 1.0


def test_a_whole_turn_and_more_turns_the_carrier_without_a_flip() -> None:
    still = walk(2)[0]
    angles = np.linspace(0, 900, 200)
    joints = np.stack([(turn("z", float(angle)) @ still.T).T for angle in angles])
    moved, source = walking(make_rig(seed=4), joints, SLOTS)
    _, heading = ground_path(moved, SLOTS, source.times)
    assert np.degrees(heading[-20] - heading[20]) == pytest.approx(angles[-20] - angles[20], abs=1.0)
    assert np.abs(np.diff(heading)).max() < np.radians(6)


def test_a_roll_on_the_floor_does_not_spin_the_carrier() -> None:
    still = walk(2)[0]
    angles = np.concatenate([np.zeros(30), np.linspace(0, 360, 60), np.full(30, 360.0)])
    joints = np.stack([(turn("x", float(angle)) @ (still - still[0]).T).T + np.array([0, 0, 1.0]) for angle in angles])
    moved, source = walking(make_rig(seed=4), joints, SLOTS)
    _, heading = ground_path(moved, SLOTS, source.times)
    assert np.degrees(np.ptp(heading)) < 30


def test_in_place_keeps_bounce_and_sway() -> None:
    rig = make_rig(seed=3, world=placed(), scale=100.0)
    moved, source = walking(rig, slots=SLOTS)
    height = hip_joints(moved.poser, SLOTS)[:, 2].copy()
    done = carry(moved, SLOTS, source.times, "in place")
    hips = hip_joints(done.moved.poser, SLOTS)
    assert np.ptp(hips[10:-10, :2], axis=0).max() < 0.1
    assert np.allclose(hips[:, 2], height, atol=1e-6)


def test_hips_are_left_as_they_are_if_so_wanted() -> None:
    moved, source = walking(make_rig(), slots=SLOTS)
    done = carry(moved, SLOTS, source.times, "hips")
    assert done.moved is moved
    assert done.object is None
    assert not done.locations


@pytest.mark.parametrize(
    ("slots", "mode", "said"),
    [
        (SLOTS, "root", "test rig has no bone mapped as root"),
        ({**SLOTS, "root": SLOTS["head"]}, "root", "b_head does not carry b_hips"),
        (SLOTS, "feet", "no root motion called 'feet'"),
    ],
)
def test_what_cannot_carry_is_refused(slots: dict[str, str], mode: str, said: str) -> None:
    moved, source = walking(make_rig(), slots=slots)
    with pytest.raises(ValueError, match=said):
        carry(moved, slots, source.times, mode)
