# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of joints: swing and twist one by one, softly, only where they are passed, and what the report says of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.limits import HUMAN, Limit, limit_joints, limited, soft_limit
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.retarget import retarget
from video_mocap.rigging.retarget.transfer import Source, transfer
from video_mocap.rigging.retarget.twist import twist_about

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import walk
from rigs import SLOTS, make_rig, turn


def person(joints: np.ndarray) -> Source:
    return Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(len(joints)) / 24.0)


def with_a_bent_back_foot() -> np.ndarray:
    """(F, 26, 3) a walk in which the left toes and heel change places from frame 20 to 29."""
    joints = walk()
    heel, toe = TAKE.index("left_heel"), TAKE.index("left_toe")
    joints[20:30, [heel, toe]] = joints[20:30, [toe, heel]]
    return joints


def test_swing_and_twist_are_limited_one_by_one() -> None:
    line = np.array([0.0, 1, 0])
    angles = np.linspace(-170, 170, 200)
    limit = Limit(60.0, (-40.0, 70.0))
    turns = np.stack([turn("x", float(0.5 * a)) @ turn("y", float(a)) for a in angles])
    found = limited(turns, limit, line)
    twist = np.degrees(twist_about(found, line))
    swing = np.degrees(np.arccos(np.clip((found @ line) @ line, -1, 1)))
    assert twist.min() > -40.01
    assert twist.max() < 70.01
    assert swing.max() < 60.01
    inside = (np.abs(0.5 * angles) < 50) & (angles > -33) & (angles < 59)
    assert np.allclose(found[inside], turns[inside], atol=1e-9)
    assert np.abs(np.diff(twist)).max() < 3


def test_a_limit_is_approached_softly() -> None:
    angles = np.linspace(0, 3, 500)
    found = soft_limit(angles, 1.0)
    assert found.max() < 1.0
    assert (np.diff(found) > 0).all()
    assert np.abs(np.diff(found, 2)).max() < 0.001


def test_healthy_motion_is_not_touched_and_a_broken_wrist_is() -> None:
    moved = transfer(person(walk()), make_rig(seed=2, arms_down=45.0), SLOTS)
    was = {row: turned.copy() for row, turned in moved.wanted.items()}
    same, told = limit_joints(moved, SLOTS)
    assert told == {}
    assert max(np.abs(same.wanted[row] - turned).max() for row, turned in was.items()) < 1e-9
    row = moved.poser.rig.rows[SLOTS["hand.L"]]
    rest = moved.anatomy.frames["forearm.L"][0]
    broken = rest @ turn("x", 150.0) @ rest.T @ was[row]
    moved.wanted[row] = broken
    done, told = limit_joints(moved, SLOTS, HUMAN)
    assert list(told) == ["hand.L"]
    assert told["hand.L"][0] == len(walk())
    step = np.swapaxes(done.wanted[row], 1, 2) @ broken
    angle = np.degrees(np.arccos(np.clip((np.trace(step, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert angle.min() > 20
    assert np.abs(done.poser.pose(row)[:, :3, :3] - done.wanted[row]).max() < 1e-9


def test_limits_are_an_option_and_the_report_says_where_they_held() -> None:
    rig, source = make_rig(arms_down=45.0), person(with_a_bent_back_foot())
    free = retarget(source, rig, SLOTS, Options(feet=False))
    assert free.report.limited is None
    held = retarget(source, rig, SLOTS, Options(feet=False, limits=True))
    assert held.report.limited is not None
    assert list(held.report.limited) == ["foot.L"]
    count, most = held.report.limited["foot.L"]
    assert 10 <= count <= 14
    assert most > 30
    assert any(
        line.startswith(f"joints held within their limits: left foot in {count} frames") for line in held.report.lines()
    )
    assert held.report.error[1] < 1e-4


def test_limits_leave_a_walk_as_it_is() -> None:
    rig, source = make_rig(seed=4), person(walk())
    free, held = (retarget(source, rig, SLOTS, Options(limits=limits)) for limits in (False, True))
    assert "no joint went beyond its limits" in held.report.lines()
    for one, other in zip(free.keys, held.keys, strict=True):
        assert np.allclose(one.values, other.values, atol=1e-9)
