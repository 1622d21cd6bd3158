# SPDX-License-Identifier: GPL-3.0-or-later
"""Up, floor, sizes and contacts from feet whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.world.contacts import contact_probability, foot_speed, resting_weight
from video_mocap.backend.world.ground import GIVEN_TILT, fit_ground, mean_up, world_from_camera
from video_mocap.backend.world.posture import upright, vote_weight
from video_mocap.rigging.joints import TAKE

RNG = np.random.default_rng(11)


def tilted(degrees: float, axis: tuple[float, float, float] = (1, 0, 0)) -> np.ndarray:
    """Level up (0, -1, 0) turned about a camera axis."""
    angle, k = np.radians(degrees), np.asarray(axis, float)
    v = np.array([0.0, -1.0, 0.0])
    return v * np.cos(angle) + np.cross(k, v) * np.sin(angle) + k * (k @ v) * (1 - np.cos(angle))


def floor_points(up: np.ndarray, height: float, count: int = 200) -> np.ndarray:
    """(N / 2, 2, 3) points of the floor, for a left and a right foot, 3 to 7 m in front of the camera."""
    side = np.cross(up, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    ahead = np.cross(side, up)
    ahead *= np.sign(ahead[2])
    x, y = RNG.uniform(-2, 2, count), RNG.uniform(3, 7, count)
    return (x[:, None] * side + y[:, None] * ahead - height * up).reshape(-1, 2, 3)


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


def test_mean_up_ignores_a_fifth_of_wild_votes() -> None:
    up = tilted(20)
    votes = up + RNG.normal(0, 0.05, (100, 3))
    votes[:20] = tilted(-60, (0, 0, 1))
    assert angle_between(mean_up(votes, np.ones(100)), up) < 2
    assert mean_up(np.full((3, 3), np.nan), np.ones(3)).tolist() == [0, -1, 0]


def test_feet_that_stand_correct_the_tilt_and_give_the_height() -> None:
    true_up = tilted(-15)
    points = floor_points(true_up, 1.6) + RNG.normal(0, 0.01, (100, 2, 3))
    start = tilted(-9)
    ground = fit_ground(start, [points], [np.full((100, 2), 0.1)])
    assert angle_between(ground.up, true_up) < 0.8 * angle_between(start, true_up)
    assert abs(ground.height - 1.6) < 0.35  # tilt, size and height trade off within their priors


def test_one_spot_says_nothing_about_tilt() -> None:
    up = tilted(-10)
    stance = floor_points(up, 1.5, 2)
    stance[0, 1] += 0.08 * up - 0.9 * stance[0, 1] + 0.9 * stance[0, 0]  # one foot lifted wrongly
    points = stance + RNG.normal(0, 0.005, (50, 2, 3))
    ground = fit_ground(up, [points], [np.full((50, 2), 0.1)])
    assert angle_between(ground.up, up) < 1.0
    assert abs(np.median(ground.sizes[0] * points @ ground.up) + ground.height) < 1e-3
    hour = fit_ground(up, [np.tile(points, (70, 1, 1))], [np.full((3500, 2), 1.0)])
    assert angle_between(hour.up, up) < 1.0  # nor does it when somebody stands there for an hour


def test_two_people_stand_on_one_floor() -> None:
    up = tilted(-12)
    tall, small = floor_points(up, 1.5), floor_points(up, 1.5) * 1.1  # the second was taken for larger than it is
    ground = fit_ground(up, [tall, small], [np.full((100, 2), 0.1)] * 2)
    heights = [np.median(size * points @ ground.up) for size, points in zip(ground.sizes, (tall, small), strict=True)]
    assert abs(heights[0] - heights[1]) < 0.03
    assert ground.sizes[1] < ground.sizes[0]


def walking(up: np.ndarray, height: float, count: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Feet (F, 2, 3) that stand for 0.5 s on each of some places of the floor, in turn, and their standing (F, 2)."""
    places = floor_points(up, height, count).reshape(-1, 3)
    feet = np.repeat(places, 15, axis=0)[:, None].repeat(2, axis=1)
    standing = np.repeat(np.arange(count) % 2, 15)[:, None] == [0, 1]
    return feet, standing / 30


def test_a_child_and_two_adults_keep_their_sizes_and_do_not_tilt_the_floor() -> None:
    up = tilted(-12)
    people = [walking(up, 1.5) for _ in range(3)]
    lifted = [(feet / factor, standing) for (feet, standing), factor in zip(people, (0.7, 1.0, 1.05), strict=True)]
    ground = fit_ground(up, [feet for feet, _ in lifted], [standing for _, standing in lifted])
    assert angle_between(ground.up, up) < 1.5
    np.testing.assert_allclose(ground.sizes / ground.sizes.mean(), np.array([0.7, 1.0, 1.05]) / 2.75 * 3, rtol=0.03)


def test_somebody_on_a_box_is_no_giant_and_does_not_tilt_the_floor() -> None:
    up = tilted(-12)
    (first, standing), (second, also) = walking(up, 1.5), walking(up, 1.5)
    second = second.copy()
    second[:30] += 0.6 * up  # two steps of many
    ground = fit_ground(up, [first, second], [standing, also])
    assert angle_between(ground.up, up) < 1.0
    np.testing.assert_allclose(ground.sizes, 1, atol=0.03)


def test_walking_says_more_of_the_tilt_than_standing_and_both_know_how_much() -> None:
    up, errors, expected = tilted(-12), [], []
    feet, standing = walking(up, 1.5)
    stays = fit_ground(up, [feet[:1].repeat(60, axis=0)], [standing[:60]])
    for _ in range(20):
        start = up + RNG.normal(0, np.radians(2.0), 3)
        feet, standing = walking(up, 1.5)
        feet = feet + 0.04 * np.repeat(RNG.normal(0, 1, (len(feet) // 15, 1, 1)), 15, axis=0) * up
        ground = fit_ground(start / np.linalg.norm(start), [feet], [standing])
        errors.append(angle_between(ground.up, up))
        expected.append(ground.tilt_error)
    assert 0.3 * np.mean(expected) < np.mean(errors) < 1.2 * np.mean(expected)
    assert stays.tilt_error > 1.5 * np.mean(expected)


def test_a_measured_camera_height_says_how_large_people_are() -> None:
    up = tilted(-12)
    people = [walking(up, 1.5), walking(up, 1.5)]
    feet, standing = [feet for feet, _ in people], [standing for _, standing in people]
    ground = fit_ground(up, feet, standing, camera_height=1.2)
    assert (np.abs(np.log(ground.sizes / 0.8)) < 1.5 * ground.size_errors).all()
    assert abs(ground.height - 1.2) < 0.04
    assert ground.size_errors.max() < fit_ground(up, feet, standing).size_errors.min()


def test_a_known_up_is_kept() -> None:
    true, said = tilted(-12), tilted(-9)
    feet, standing = walking(true, 1.5)
    ground = fit_ground(said, [feet], [standing], tilt=GIVEN_TILT)
    assert angle_between(ground.up, said) < 1.0
    assert ground.tilt_error < 1.0


def test_nobody_stands() -> None:
    ground = fit_ground(tilted(0), [np.zeros((5, 2, 3))], [np.zeros((5, 2))])
    assert np.isnan(ground.height)
    assert ground.tilt_error > 3
    some = fit_ground(tilted(0), [np.zeros((5, 2, 3)), np.ones((5, 2, 3))], [np.zeros((5, 2)), np.ones((5, 2))])
    assert np.isfinite(some.height)
    assert some.size_errors[0] > 0.05


def test_world_has_its_floor_at_zero_and_the_origin_below_the_person() -> None:
    up = tilted(-20, (0.8, 0, 0.6))
    points = floor_points(up, 1.7)
    ground = fit_ground(up, [points], [np.full((100, 2), 0.1)])
    person = points[0, 0] + 0.9 * up
    to_world = world_from_camera(ground, person)
    world = points @ to_world[:3, :3].T + to_world[:3, 3]
    assert np.abs(world[..., 2]).max() < 0.02
    origin = to_world[:3, :3] @ person + to_world[:3, 3]
    np.testing.assert_allclose(origin, [0, 0, 0.9], atol=0.03)
    assert np.isclose(np.linalg.det(to_world[:3, :3]), 1)
    camera = to_world[:3, 3]
    assert camera[1] < -2  # the camera stands at -Y and looks along +Y
    assert (to_world[:3, :3] @ [0, 0, 1])[1] > 0.8


def test_straight_down_still_gives_a_rotation() -> None:
    ground = fit_ground(np.array([0.0, 0.0, -1.0]), [np.array([[[0.0, 0, 3], [0.0, 0, 3]]])], [np.ones((1, 2))])
    to_world = world_from_camera(ground, np.array([0.0, 0, 2]))
    np.testing.assert_allclose(to_world[:3, :3] @ to_world[:3, :3].T, np.eye(3), atol=1e-9)


def stepping(fps: float, seconds: float = 4.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(F, 4, 3) feet, camera axes with level up, that stand and swing in turn each half second; times; standing."""
    times = np.arange(round(seconds * fps)) / fps
    feet = np.zeros((len(times), 4, 3))
    standing = np.zeros((len(times), 4), bool)
    for side, offset in ((0, 0.0), (1, 0.5)):
        phase = (times + offset) % 1.0
        swing = np.clip(phase - 0.5, 0, None) * 2
        count = np.floor(times + offset)
        ease = swing * swing * (3 - 2 * swing)
        for joint in (2 * side, 2 * side + 1):
            feet[:, joint, 0] = 0.8 * (count + ease)
            feet[:, joint, 1] = 1.5 - 0.15 * np.sin(np.pi * swing)
            feet[:, joint, 2] = 4
            standing[:, joint] = swing == 0
    return feet, times, standing


def test_contacts_of_steps() -> None:
    up = np.array([0.0, -1.0, 0.0])
    for fps in (24.0, 60.0):
        feet, times, standing = stepping(fps)
        found = contact_probability(feet + RNG.normal(0, 0.001, feet.shape), times, up, -1.5) > 0.5
        assert (found == standing).mean() > 0.88
        assert not found[~standing & (feet[..., 1] < 1.38)].any()
        weight = resting_weight(feet, times, up)
        assert weight[standing[:, ::2]].sum() > 5 * weight[~standing[:, ::2]].sum()


def test_a_blink_is_no_contact_and_one_frame_is_no_error() -> None:
    up = np.array([0.0, -1.0, 0.0])
    times = np.arange(40) / 30
    feet = np.zeros((40, 4, 3))
    feet[..., 0] = 3.0 * times[:, None]
    feet[20:22, :, 0] = feet[20, 0, 0]
    feet[..., 1] = 1.5
    assert (contact_probability(feet, times, up, -1.5) < 0.5).all()
    assert foot_speed(feet[:1], times[:1]).tolist() == [[0, 0, 0, 0]]
    assert contact_probability(feet[:1], times[:1], up, -1.5).shape == (1, 4)


def standing_person(up: np.ndarray, frames: int = 40) -> np.ndarray:
    """(F, 26, 3) somebody who stands along `up`, camera axes; only the joints that say so."""
    along = {"left_ankle": 0.0, "left_knee": 0.42, "left_hip": 0.84, "pelvis": 0.84, "thorax": 1.34}
    joints = np.full((frames, len(TAKE), 3), np.nan)
    for name, height in along.items():
        for side in ("left", "right"):
            joints[:, TAKE.index(name.replace("left", side))] = height * up
    return joints + RNG.normal(0, 0.01, joints.shape)


def test_people_who_stand_say_which_way_is_up_and_people_who_lie_do_not() -> None:
    up = tilted(25)
    joints = standing_person(up)
    joints[:15] = standing_person(tilted(90))[:15]
    for side in ("left", "right"):  # who lies has drawn up the legs
        joints[:15, TAKE.index(f"{side}_ankle")] = joints[:15, TAKE.index("pelvis")]
    votes, weights = upright(joints)
    assert weights[:15].max() == 0
    assert angle_between(mean_up(votes, weights), up) < 2


def test_who_lies_hardly_votes_for_up() -> None:
    joints = np.zeros((3, len(TAKE), 3))
    joints[0, TAKE.index("thorax")] = (0.0, -0.5, 0.0)  # stands
    joints[1, TAKE.index("thorax")] = (0.5, 0.0, 0.0)  # lies
    joints[2, TAKE.index("thorax")] = (0.0, 0.5, 0.0)  # hangs upside down
    weights = vote_weight(joints, np.tile([0.0, -1.0, 0.0], (3, 1)))
    assert weights[0] == pytest.approx(1.0)
    assert weights[2] < weights[1] < 0.1
