# SPDX-License-Identifier: GPL-3.0-or-later
"""Twist bones get their part of a limb's twist, and no joint moves for it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.feet import lock_feet
from video_mocap.rigging.retarget.rig import Bone, Constraint, Rig
from video_mocap.rigging.retarget.transfer import Source, Transfer, channels, transfer
from video_mocap.rigging.retarget.twist import find_twist_bones, share, twist_about

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import walk
from rigs import SLOTS, make_rig, turn


def source() -> Source:
    joints = walk(48)
    return Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(48) / 24)


def with_bones(rig: Rig, *extra: tuple[str, str, str, float, float, dict]) -> Rig:
    """`rig` with bones (name, parent, end, where along parent to end they start and stop, more of `Bone`)."""
    bones = list(rig.bones)
    for name, parent, end, first, last, more in extra:
        start, way = bones[rig.rows[parent]].rest[:3, 3], None
        way = bones[rig.rows[end]].rest[:3, 3] - start
        rest = bones[rig.rows[parent]].rest.copy()
        rest[:3, :3] = np.linalg.qr(np.stack([way, [0.1, 0.2, 0.3], [1, 0, 0.1]], 1))[0][:, [1, 0, 2]]
        rest[:3, 1] = way / np.linalg.norm(way)
        rest[:3, 0] *= np.sign(np.linalg.det(rest[:3, :3]))
        rest[:3, 3] = start + first * way
        length = (last - first) * float(np.linalg.norm(way))
        bones.append(Bone(name, rig.rows[parent], rest, length, **more))
    return Rig(rig.name, tuple(bones), rig.world)


def rolled(moved: Transfer, slot: str, end: str, degrees: float) -> Transfer:
    """The limb (and nothing else) turned about its own line."""
    rig, poser = moved.poser.rig, moved.poser
    row = rig.rows[SLOTS[slot]]
    line_from, line_to = rig.rows[SLOTS["forearm.L"]], rig.rows[SLOTS[end]]
    if slot.startswith("upper"):
        line_from = row
    axis = poser.pose(line_to)[:, :3, 3] - poser.pose(line_from)[:, :3, 3]
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    half = np.radians(degrees) / 2
    skew = np.cross(np.eye(3)[None], axis[:, None]).swapaxes(1, 2)
    turned = np.eye(3) + np.sin(2 * half) * skew + (1 - np.cos(2 * half)) * skew @ skew
    moved.wanted[row] = turned @ moved.wanted[row]
    for keyed in moved.order:
        poser.turn_to(keyed, moved.wanted[keyed])
    return moved


def roll_of(moved: Transfer, name: str, parent: str, line: str) -> np.ndarray:
    """(F,) degrees that a bone is turned about a limb's line against its parent and the rest pose."""
    rig, poser = moved.poser.rig, moved.poser
    row, base = rig.rows[name], rig.rows[parent]
    turns = [poser.pose(one)[:, :3, :3] @ rig.bones[one].rest[:3, :3].T for one in (row, base)]
    way = rig.bones[rig.rows[line]].rest[:3, 3] - rig.bones[base].rest[:3, 3]
    return np.degrees(twist_about(np.swapaxes(turns[1], 1, 2) @ turns[0], way / np.linalg.norm(way)))


EXTRA = (
    ("lower_twist", "b_forearm.L", "b_hand.L", 0.5, 1.0, {}),
    ("upper_twist", "b_upper_arm.L", "b_forearm.L", 0.0, 0.5, {}),
    ("driven", "b_forearm.R", "b_hand.R", 0.5, 1.0, {"constraints": (Constraint("COPY_ROTATION", ((3, 1.0),)),)}),
    ("control", "b_forearm.R", "b_hand.R", 0.5, 1.0, {"deform": False}),
    ("marker", "b_forearm.R", "b_hand.R", 0.5, 0.51, {}),
)


def test_twist_bones_are_found_by_where_they_lie() -> None:
    rig = with_bones(make_rig(seed=4), *EXTRA)
    aside = list(rig.bones)
    rest = aside[rig.rows["lower_twist"]].rest.copy()
    rest[:3, :3] = turn("x", 90.0) @ turn("z", 90.0) @ rest[:3, :3]
    aside.append(Bone("across", rig.rows["b_forearm.L"], rest, 0.1))
    found = find_twist_bones(Rig("rig", tuple(aside), rig.world), SLOTS)
    names = {
        rig.bones[limb.row].name: [(aside[row].name, round(part, 2)) for row, part in limb.beside] for limb in found
    }
    assert names == {"b_upper_arm.L": [("upper_twist", 0.25)], "b_forearm.L": [("lower_twist", 0.75)]}


def test_a_hand_that_turns_takes_the_forearm_with_it() -> None:
    rig = with_bones(make_rig(seed=4, arms_down=30.0), *EXTRA)
    moved = rolled(transfer(source(), rig, SLOTS), "hand.L", "hand.L", 60.0)
    before = roll_of(moved, "b_hand.L", "b_forearm.L", "b_hand.L")
    places = [moved.poser.pose(rig.rows[name])[:, :3, 3].copy() for name in SLOTS.values()]
    done = share(moved, SLOTS)
    assert np.allclose(roll_of(done, "lower_twist", "b_forearm.L", "b_hand.L"), 0.75 * before, atol=0.5)
    assert np.abs(before).max() > 50
    for name, place in zip(SLOTS.values(), places, strict=True):
        assert np.abs(done.poser.pose(rig.rows[name])[:, :3, 3] - place).max() < 1e-9
    assert "lower_twist" in channels(done, source(), SLOTS).rotations


def test_an_upper_arm_turns_least_at_the_shoulder() -> None:
    rig = with_bones(make_rig(seed=4, arms_down=30.0), *EXTRA)
    moved = rolled(transfer(source(), rig, SLOTS), "upper_arm.L", "forearm.L", 50.0)
    whole = roll_of(moved, "b_upper_arm.L", "b_shoulder.L", "b_upper_arm.L")
    done = share(moved, SLOTS)
    undone = roll_of(done, "upper_twist", "b_upper_arm.L", "b_forearm.L")
    assert np.abs(undone).max() > 20
    rig_row = rig.rows["b_upper_arm.L"]
    line = rig.bones[rig.rows["b_forearm.L"]].rest[:3, 3] - rig.bones[rig_row].rest[:3, 3]
    turns = [
        done.poser.pose(rig.rows[one])[:, :3, :3] @ rig.bones[rig.rows[one]].rest[:3, :3].T
        for one in ("b_upper_arm.L", "b_shoulder.L")
    ]
    twist = np.degrees(twist_about(np.swapaxes(turns[1], 1, 2) @ turns[0], line / np.linalg.norm(line)))
    assert np.allclose(undone, -0.75 * twist, atol=0.5)
    assert whole.shape == twist.shape


def two_links(seed: int = 5) -> Rig:
    """Forearms hang from a second link of the upper arms (upperarm01, upperarm02)."""
    rig = make_rig(seed=seed, arms_down=40.0)
    rig = with_bones(rig, *((f"second.{s}", f"b_upper_arm.{s}", f"b_forearm.{s}", 0.5, 1.0, {}) for s in "LR"))
    bones = list(rig.bones)
    for side in "LR":
        row = rig.rows[f"b_forearm.{side}"]
        bones[row] = replace(bones[row], parent=rig.rows[f"second.{side}"])
    order, placed = [], set()
    while len(order) < len(bones):
        for row, bone in enumerate(bones):
            if row not in placed and (bone.parent < 0 or bone.parent in placed):
                order.append(row)
                placed.add(row)
    rows = {row: number for number, row in enumerate(order)}
    return Rig("links", tuple(replace(bones[r], parent=rows.get(bones[r].parent, -1)) for r in order), rig.world)


def test_links_in_line_share_the_roll_without_moving_a_joint() -> None:
    rig = two_links()
    moved = rolled(transfer(source(), rig, SLOTS), "upper_arm.L", "forearm.L", 50.0)
    places = [moved.poser.pose(rig.rows[name])[:, :3, 3].copy() for name in SLOTS.values()]
    assert share(moved, SLOTS) is moved
    done = share(moved, SLOTS, links=True)
    for name, place in zip(SLOTS.values(), places, strict=True):
        assert np.abs(done.poser.pose(rig.rows[name])[:, :3, 3] - place).max() < 1e-9
    assert np.abs(roll_of(done, "second.L", "b_upper_arm.L", "b_forearm.L")).min() > 20
    for row in done.order:
        if row in done.wanted:
            assert np.abs(done.poser.pose(row)[:, :3, :3] - done.wanted[row]).max() < 1e-9
    lock_feet(done, source(), SLOTS)


def test_a_twist_does_not_jump_where_the_arm_goes_right_round() -> None:
    angles = np.linspace(0, 2 * np.pi, 200)
    line = np.array([1.0, 0, 0])
    swings = np.stack([turn("y", float(np.degrees(angle))) @ turn("x", 40.0) for angle in angles])
    twist = np.degrees(twist_about(swings, line))
    assert twist[0] == pytest.approx(40.0)
    assert np.abs(np.diff(twist)).max() < 15
