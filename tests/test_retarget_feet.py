# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet on rigs of other proportions: they stand still, stay on the floor, and the knees do not pop for it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.contacts import find_contacts, standing
from video_mocap.rigging.retarget.feet import foot_points, foot_slide, lock_feet
from video_mocap.rigging.retarget.limbs import bend
from video_mocap.rigging.retarget.rig import Rig
from video_mocap.rigging.retarget.transfer import Source, Transfer, hip_joints, person_leg, transfer
from video_mocap.rigging.vectors import unit

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, walk
from rigs import SLOTS, adult, make_rig, turn

FPS = 30.0
#: Degrees per frame and frame at 30 fps; calm motion may get this much, other motion half as much again as it has.
CALM, GROWTH = 12.0, 1.5


@dataclass
class Locked:
    """A motion on a rig before and after its feet were locked; ankles and knees (F, 2, ...)."""

    moved: Transfer
    stands: np.ndarray
    times: np.ndarray
    ankles: tuple[np.ndarray, np.ndarray]
    knees: tuple[np.ndarray, np.ndarray]
    hips: tuple[np.ndarray, np.ndarray]

    @property
    def slide(self) -> float:
        """mm/s of the feet while they stand."""
        found = [
            foot_slide(*foot_points(self.moved, SLOTS, side), self.stands[:, 2 * row : 2 * row + 2], self.times)
            for row, side in enumerate("LR")
        ]
        return float(np.mean(found))

    @property
    def below(self) -> float:
        """mm that heels and toes get under the floor."""
        floor = self.moved.poser.rig.world[2, 3]
        return 1000 * max(
            float(floor - point[:, 2].min()) for side in "LR" for point in foot_points(self.moved, SLOTS, side)
        )


def joints_of(moved: Transfer, part: str) -> np.ndarray:
    rig = moved.poser.rig
    return np.stack([rig.to_world(moved.poser.pose(rig.rows[SLOTS[f"{part}.{s}"]])[:, :3, 3]) for s in "LR"], 1)


def knee_angles(moved: Transfer) -> np.ndarray:
    hip, knee, ankle = (joints_of(moved, part) for part in ("thigh", "shin", "foot"))
    hip, knee, ankle = np.broadcast_arrays(hip, knee, ankle)
    return np.degrees(bend(hip, knee, ankle))


def lock(joints: np.ndarray, rig: Rig, fps: float = FPS, contacts: np.ndarray | None = None) -> Locked:
    seen = np.isfinite(joints).all(-1).astype(float)
    source = Source(joints, seen, np.arange(len(joints)) / fps, contacts)
    given = contacts if contacts is not None else find_contacts(joints, source.times, person_leg(source))
    moved = transfer(source, rig, SLOTS)
    before = joints_of(moved, "foot"), knee_angles(moved), hip_joints(moved.poser, SLOTS)
    lock_feet(moved, source, SLOTS)
    after = joints_of(moved, "foot"), knee_angles(moved), hip_joints(moved.poser, SLOTS)
    ankles, knees, hips = zip(before, after, strict=True)
    return Locked(moved, standing(given, source.times), source.times, ankles, knees, hips)


def jerk(knees: np.ndarray) -> float:
    return float(np.abs(np.diff(knees, 2, axis=0)).max())


def at_30(clip: str, source: str = "cmu") -> np.ndarray:
    joints, fps = library_clip(clip, source=source)
    return joints[:: max(1, round(fps / FPS))][:900]


CLIPS = [  # running, jumping from a run, leaping, martial arts twice, walking, ball play
    ("cmu_127_02", "cmu"),
    ("cmu_127_25", "cmu"),
    ("cmu_127_35", "cmu"),
    ("cmu_135_04", "cmu"),
    ("martial_s_024_2_2", "snu_timecritical"),
    ("tilling_s23_normal", "snu_tillingpatch"),
    ("vsports_s_008_2_1#1", "snu_vsports"),
]


@pytest.mark.parametrize("legs", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("clip", "source"), CLIPS)
def test_feet_stand_still_on_the_floor_and_knees_do_not_pop(clip: str, source: str, legs: float) -> None:
    done = lock(at_30(clip, source), make_rig(seed=3, leg_scale=legs, arms_down=48.0))
    assert done.slide < 15
    assert done.below < 10
    assert jerk(done.knees[1]) < max(GROWTH * jerk(done.knees[0]), CALM)


def test_scale_turn_and_place_of_the_object_change_nothing() -> None:
    world = np.eye(4)
    world[:3, :3] = 0.01 * turn("z", 0.0) @ turn("x", 90.0)
    world[:3, 3] = [2.0, -1.0, 0.5]
    plain = make_rig(leg_scale=0.5)
    turned = make_rig(leg_scale=0.5, scale=100.0)
    # The same body, stored lying down in centimetres, as files of other programs have it.
    bones = []
    for bone in turned.bones:
        rest = bone.rest.copy()
        rest[:3] = turn("x", -90.0) @ bone.rest[:3]
        bones.append(type(bone)(bone.name, bone.parent, rest, bone.length))
    one, other = lock(walk(60, FPS), plain), lock(walk(60, FPS), Rig("turned", tuple(bones), world))
    assert np.abs(other.ankles[1] - world[:3, 3] - one.ankles[1]).max() < 1e-4
    assert np.abs(other.knees[1] - one.knees[1]).max() < 0.1


def jump(height: float = 0.4) -> np.ndarray:
    """(F, 26, 3) somebody stands, is thrown up, lands and stands."""
    joints = np.repeat(adult().joints[None], 60, 0)
    air = np.zeros(60)
    flight = np.arange(17)
    air[20:37] = height * (1 - (flight / 8 - 1) ** 2)
    joints[..., 2] += air[:, None]
    return joints


@pytest.mark.parametrize("legs", [0.5, 1.0, 2.0])
def test_hips_keep_the_shape_of_a_jump(legs: float) -> None:
    done = lock(jump(), make_rig(leg_scale=legs))
    assert done.stands[:18].any()
    assert not done.stands[24:33].any()
    change = (done.hips[1] - done.hips[0])[:, 2] / done.moved.anatomy.leg
    assert np.ptp(change) < 0.01
    assert np.abs(done.knees[1][22:35] - done.knees[0][22:35]).max() < 8
    lowest = min(point[28, 2] for side in "LR" for point in foot_points(done.moved, SLOTS, side))
    assert lowest == pytest.approx(0.4 * done.moved.scale, abs=0.03)


def test_a_foot_on_a_step_stays_on_the_step() -> None:
    joints = walk(2)[:1].repeat(30, 0)
    rise = 0.25
    for name in ("left_knee", "left_ankle", "left_heel", "left_toe"):
        joints[:, TAKE.index(name), 2] += rise
    joints[:, TAKE.index("left_knee"), 1] -= 0.25
    contacts = np.tile([1.0, 1, 0, 0], (30, 1))
    done = lock(joints, make_rig(), contacts=contacts)
    assert done.ankles[1][0, 0, 2] > 0.2


def test_somebody_who_lies_is_left_lying() -> None:
    joints = (turn("x", -90.0) @ adult().joints[..., None])[..., 0]
    joints[:, 2] += 0.02 - joints[:, 2].min()
    done = lock(np.repeat(joints[None], 40, 0), make_rig(leg_scale=0.5))
    assert np.abs(done.hips[1] - done.hips[0]).max() < 0.02
    assert np.abs(np.diff(done.ankles[1], axis=0)).max() < 1e-6
    assert done.below < 10


def test_a_foot_that_shuffles_on_slowly_is_not_left_behind() -> None:
    joints = walk(2)[:1].repeat(300, 0)
    joints[..., 1] -= np.linspace(0, 1.5, 300)[:, None]
    done = lock(joints, make_rig(), contacts=np.ones((300, 4)))
    away = np.linalg.norm((done.ankles[1] - done.ankles[0])[..., :2], axis=-1)
    assert away.max() < 0.2 * done.moved.anatomy.leg


def test_somebody_who_hangs_for_long_moves_as_in_the_take() -> None:
    joints = walk(330, FPS)
    height = np.interp(np.arange(330), [0, 30, 60, 270, 300, 330], [0, 0, 1.2, 1.2, 0, 0])
    joints[..., 2] += height[:, None]
    done = lock(joints, make_rig(leg_scale=0.5))
    assert not done.stands[60:270].any()
    assert np.abs(done.ankles[1] - done.ankles[0])[120:210].max() < 1e-6


def test_feet_that_never_stand_do_not_go_through_the_floor() -> None:
    joints = walk(60, FPS)
    joints[..., 2] -= 0.05
    done = lock(joints, make_rig(leg_scale=0.5), contacts=np.zeros((60, 4)))
    assert done.below < 10


def test_somebody_placed_below_the_floor_comes_up_with_straight_knees() -> None:
    joints = walk(90, FPS)
    joints[..., 2] -= np.interp(np.arange(90), [0, 30, 90], [0, 0, 0.3])[:, None]
    contacts = np.zeros((90, 4))
    done = lock(joints, make_rig(), contacts=contacts)
    assert done.below < 10
    ways = [ankles - hips[:, None] for ankles, hips in zip(done.ankles, done.hips, strict=True)]
    turned = (unit(ways[0]) * unit(ways[1])).sum(-1)
    assert np.degrees(np.arccos(np.clip(turned, -1, 1))).max() < 5
    assert (
        np.abs(np.linalg.norm(ways[1], axis=-1) - np.linalg.norm(ways[0], axis=-1)).max() < 0.04
    )  # of the 0.3 that it sank
