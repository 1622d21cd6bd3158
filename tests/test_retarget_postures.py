# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet in other postures than upright ones: who sits, sits; who crawls or lies is not put on their feet; stairs are
climbed and jumps are jumped."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.contacts import find_contacts
from video_mocap.rigging.retarget.feet import foot_points
from video_mocap.rigging.retarget.report import LIMBS
from video_mocap.rigging.vectors import perpendicular, unit

sys.path.insert(0, str(Path(__file__).parent))
from rigs import SLOTS, adult, make_rig, turn
from test_retarget_feet import FPS, Locked, joints_of, jump, lock

LEGS = {"L": "left_", "R": "right_"}


def at(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[..., TAKE.index(name), :]


def legs_turned(thigh: float, shin: float) -> np.ndarray:
    """(26, 3) an adult whose thighs are turned forwards by `thigh` degrees and shins back by `shin`; feet level."""
    joints = adult().joints.copy()
    for side in LEGS.values():
        hip, knee, ankle = (at(joints, side + part).copy() for part in ("hip", "knee", "ankle"))
        new_knee = hip + turn("x", -thigh) @ (knee - hip)
        new_ankle = new_knee + turn("x", shin - thigh) @ (ankle - knee)
        for name in ("heel", "toe"):
            joints[TAKE.index(side + name)] += new_ankle - ankle
        joints[TAKE.index(side + "knee")], joints[TAKE.index(side + "ankle")] = new_knee, new_ankle
    return joints


def swaying(joints: np.ndarray, frames: int = 60) -> np.ndarray:
    """(F, 26, 3) the upper body sways by a centimetre."""
    found = np.repeat(joints[None], frames, 0)
    low = [TAKE.index(side + part) for side in LEGS.values() for part in ("hip", "knee", "ankle", "heel", "toe")]
    upper = [row for row in range(len(TAKE)) if row not in [*low, TAKE.index("pelvis")]]
    found[:, upper, 0] += 0.01 * np.sin(np.arange(frames) / 8)[:, None]
    return found


def limb_error(done: Locked, joints: np.ndarray) -> np.ndarray:
    """(limbs, F) degrees between legs of the rig and of the person."""
    found = []
    for slot, (end, first, second) in LIMBS.items():
        if slot.startswith(("thigh", "shin")):
            number = "LR".index(slot[-1])
            way = unit(joints_of(done.moved, end[:-2])[:, number] - joints_of(done.moved, slot[:-2])[:, number])
            cosine = (way * unit(at(joints, second) - at(joints, first))).sum(-1)
            found.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.stack(found)


def soles(done: Locked) -> np.ndarray:
    """(F, 2, 3) unit from heel to toe."""
    frames = len(done.times)
    points = [foot_points(done.moved, SLOTS, side) for side in "LR"]
    return np.stack([np.broadcast_to(unit(toe - heel), (frames, 3)) for heel, toe in points], 1)


def lowest(done: Locked, side: str) -> np.ndarray:
    """(F,) metres of heel or toe over the floor."""
    heights = [np.broadcast_to(point, (len(done.times), 3))[:, 2] for point in foot_points(done.moved, SLOTS, side)]
    return np.minimum(*heights)


@pytest.mark.parametrize("legs", [0.5, 1.0, 2.0])
def test_who_sits_sits_with_the_feet_on_the_floor(legs: float) -> None:
    person = legs_turned(90.0, 90.0)
    person[:, 2] -= min(at(person, side + "toe")[2] for side in LEGS.values())
    joints = swaying(person)
    done = lock(joints, make_rig(leg_scale=legs))
    assert done.stands.any(1).all()
    assert max(np.abs(lowest(done, side)).max() for side in "LR") < 0.01
    assert done.slide < 1
    assert np.abs(done.knees[1] - 90).max() < 8
    assert limb_error(done, joints).max() < 4
    seat = at(joints, "pelvis")[:, 2] * done.moved.scale
    assert np.abs(done.hips[1][:, 2] - seat).max() < 0.06 * done.moved.anatomy.leg


@pytest.mark.parametrize("legs", [0.5, 1.0, 2.0])
def test_who_crawls_keeps_shins_on_the_floor_and_soles_up(legs: float) -> None:
    """On knees: shins lie, the back of the foot, too, with the sole to the sky, and is dragged on slowly."""
    person = legs_turned(0.0, 90.0)
    for side in LEGS.values():
        for name in ("heel", "toe"):
            foot = at(person, side + "ankle") + turn("x", 150.0) @ (
                at(person, side + name) - at(person, side + "ankle")
            )
            person[TAKE.index(side + name)] = foot
    person[:, 2] -= person[:, 2].min()
    joints = np.repeat(person[None], 90, 0)
    joints[..., 1] -= (0.1 * np.arange(90) / FPS)[:, None]
    done = lock(joints, make_rig(leg_scale=legs))
    assert done.stands.any()
    assert limb_error(done, joints).max() < 8
    heading = unit(at(joints, "left_toe") - at(joints, "left_heel"))
    assert np.degrees(np.arccos(np.clip((soles(done)[:, 0] * heading).sum(-1), -1, 1))).max() < 10
    assert done.below < 10
    astray = np.linalg.norm((done.hips[1] - done.hips[0])[:, :2], axis=-1)
    assert astray.max() < 0.16 * done.moved.anatomy.leg


def test_who_lies_on_the_back_keeps_toes_up() -> None:
    joints = (turn("x", -90.0) @ adult().joints[..., None])[..., 0]
    joints[:, 2] -= joints[:, 2].min()
    done = lock(np.repeat(joints[None], 40, 0), make_rig(leg_scale=0.5))
    assert (soles(done)[..., 2] > 0.9).all()
    assert limb_error(done, np.repeat(joints[None], 40, 0)).max() < 8


def climb(rise: float = 0.18) -> tuple[np.ndarray, np.ndarray]:
    """(F, 26, 3) and contacts (F, 4): left foot up one step, right foot up to the next one, left foot beside it."""
    frames = 120
    person = legs_turned(25.0, 50.0)
    person[:, 2] -= min(at(person, side + "toe")[2] for side in LEGS.values())
    joints, contacts = np.repeat(person[None], frames, 0), np.ones((frames, 4))
    key = [0, 20, 35, 55, 70, 90, 105, frames]
    up = {"left_": [0, 0, 1, 1, 1, 1, 2, 2], "right_": [0, 0, 0, 0, 2, 2, 2, 2]}
    steps = {side: np.interp(np.arange(frames), key, values) for side, values in up.items()}
    low, high = np.minimum(*steps.values()), np.maximum(*steps.values())
    body = low + 0.25 * (high - low)
    ahead = np.array([0.0, -0.28, rise])
    joints += (body[:, None] * ahead)[:, None]
    for number, (side, step) in enumerate(steps.items()):
        contacts[np.gradient(step) > 0, 2 * number : 2 * number + 2] = 0
        thigh, shin = (np.linalg.norm(at(person, side + one) - at(person, side + "knee")) for one in ("hip", "ankle"))
        for part in ("ankle", "heel", "toe"):
            joints[:, TAKE.index(side + part)] += (step - body)[:, None] * ahead
        hip, ankle = at(joints, side + "hip"), at(joints, side + "ankle")
        distance = np.linalg.norm(ankle - hip, axis=-1)
        line, along = unit(ankle - hip), (thigh**2 + distance**2 - shin**2) / (2 * distance)
        front = perpendicular(np.broadcast_to([0.0, -1.0, 0.0], line.shape), line)
        joints[:, TAKE.index(side + "knee")] = (
            hip + along[:, None] * line + np.sqrt(thigh**2 - along**2)[:, None] * front
        )
    return joints, contacts


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("legs", [0.5, 1.0, 2.0])
def test_steps_are_climbed(legs: float, given: bool) -> None:
    joints, contacts = climb()
    done = lock(joints, make_rig(leg_scale=legs), contacts=contacts if given else find_contacts(joints, TIMES, 0.9))
    for side, frame, height in (("L", 45, 0.18), ("R", 80, 0.36), ("L", 115, 0.36)):
        assert lowest(done, side)[frame] == pytest.approx(height * done.moved.scale, abs=0.035 * done.moved.anatomy.leg)
    assert lowest(done, "R")[30] == pytest.approx(0.0, abs=0.02 * done.moved.anatomy.leg)
    if given:
        assert done.slide < 15


TIMES = np.arange(120) / FPS


def test_who_jumps_flies_as_high_as_the_take_says() -> None:
    joints = jump(0.3)
    done = lock(joints, make_rig(leg_scale=0.5))
    flown = np.minimum(lowest(done, "L"), lowest(done, "R"))[24:33]
    wanted = np.minimum(at(joints, "left_toe"), at(joints, "right_toe"))[24:33, 2] * done.moved.scale
    assert np.abs(flown - flown[0] - (wanted - wanted[0])).max() < 0.02
