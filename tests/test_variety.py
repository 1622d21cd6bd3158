# SPDX-License-Identifier: GPL-3.0-or-later
"""More motion than a library holds: what is rare is drawn more often, other arms fit, who is laid down stays whole."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from video_mocap.backend.lifting.training.motion import MotionSet
from video_mocap.backend.lifting.training.variety import brought_down, by_rarity, with_other_arms

sys.path.insert(0, str(Path(__file__).parent))
from made_library import STANDING, generator

NAMES = tuple(STANDING)
POSE = torch.tensor(list(STANDING.values()), dtype=torch.float32)
ARMS = [NAMES.index(side + part) for side in ("left_", "right_") for part in ("elbow", "wrist", "hand")]
BONES = [
    (NAMES.index(side + child), NAMES.index(side + parent))
    for side in ("left_", "right_")
    for child, parent in (("elbow", "shoulder"), ("wrist", "elbow"), ("hand", "wrist"))
]


def library(*clips: Tensor, fps: tuple[float, ...]) -> MotionSet:
    """Clips (F, 29, 3) of so many frames a second."""
    count = torch.tensor([len(clip) for clip in clips])
    return MotionSet(torch.cat(clips), NAMES, count.cumsum(0) - count, count, torch.tensor(fps))


def swaying(frames: int) -> Tensor:
    """Somebody who stands and moves the arms once a second, hardly ever otherwise."""
    clip = POSE.repeat(frames, 1, 1)
    time = torch.arange(frames)[:, None, None] / 60
    clip[:, ARMS] += (0.2 + 1e-4 * time) * torch.sin(2 * math.pi * time + torch.arange(18).view(6, 3))
    return clip


def crouching(frames: int) -> Tensor:
    """The same, with knees bent and the trunk low."""
    clip = swaying(frames)
    upper = [
        row for row, name in enumerate(NAMES) if not any(part in name for part in ("knee", "ankle", "heel", "toe"))
    ]
    clip[:, upper, 2] -= 0.5
    clip[:, upper, 0] -= 0.2
    return clip


def walking(frames: int, fps: float) -> Tensor:
    """Somebody who is moved along x at 1 m/s, and never changes."""
    clip = POSE.repeat(frames, 1, 1)
    clip[..., 0] += torch.arange(frames)[:, None] / fps
    return clip


def chances(motion: MotionSet) -> Tensor:
    """(N,) of each row."""
    assert motion.chance is not None
    return motion.chance.diff(prepend=torch.zeros(1, dtype=torch.float64))


RARE = library(swaying(1800), crouching(60), fps=(60.0, 60.0))


def test_a_rare_pose_is_drawn_more_often() -> None:
    motion = by_rarity(RARE, 0.25)
    clips, rows = motion.draw(20_000, generator())
    share = float((clips == 1).double().mean())
    assert share > 2 * 60 / 1860
    assert share == pytest.approx(float(chances(motion)[1800:].sum()), abs=0.01)
    assert (rows >= 0).all()
    assert (rows < RARE.length[clips]).all()
    stronger = by_rarity(RARE, 0.5)
    assert chances(stronger)[1800:].sum() > chances(motion)[1800:].sum()


def test_every_row_can_be_drawn_and_none_takes_over() -> None:
    chance = chances(by_rarity(RARE, 3.0))
    assert float(chance.sum()) == pytest.approx(1)
    assert 0 < chance.max() < 41 * chance.min()


def test_without_power_every_second_is_drawn_alike() -> None:
    """Also where a clip ends between two moments that are compared, and the next one has another rate."""
    motion = by_rarity(library(swaying(101), swaying(3), swaying(98), fps=(120.0, 30.0, 24.0)), 0.0)
    rates = torch.tensor([120.0, 30.0, 24.0]).repeat_interleave(torch.tensor([101, 3, 98]))
    torch.testing.assert_close(
        chances(motion) * rates, torch.full((202,), 1 / (101 / 120 + 3 / 30 + 98 / 24)).double(), atol=1e-7, rtol=0
    )


def test_rarity_is_the_same_every_time() -> None:
    torch.manual_seed(1)
    once = by_rarity(RARE, 1.5)
    torch.manual_seed(2)
    again = by_rarity(RARE, 1.5)
    assert torch.equal(chances(once), chances(again))
    drawn = [once.draw(50, generator(seed))[1] for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_end_of_a_clip_is_not_taken_for_a_rest() -> None:
    """Who moves steadily is no rarer in the last moments, although nothing is known of the time after."""
    chance = chances(by_rarity(library(walking(203, 60), walking(100, 60), fps=(60.0, 60.0)), 1.5))
    torch.testing.assert_close(chance, torch.full_like(chance, 1 / 303), atol=1e-7, rtol=0)


def test_who_was_compared_with_themselves_is_not_less_rare() -> None:
    """Of few moments all are compared with all, each then with itself, too; of many only some."""
    far = torch.cat([POSE.repeat(8, 1, 1) * (1 + 0.02 * step) for step in range(20)])
    chance = chances(by_rarity(library(far, fps=(60.0,)), 1.0))
    # Evenly spaced moments: the fourth nearest is two steps off in the middle, four at the ends.
    assert float(chance[0] / chance[80]) == pytest.approx(2, rel=0.05)


def turned(points: Tensor, about: tuple[float, float, float]) -> Tensor:
    """Points turned by a vector, radians."""
    x, y, z = about
    return points @ torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])).T


def waving(frames: int = 30) -> Tensor:
    """(T, 29, 3): stands still and waves, with the left arm alone."""
    clip = POSE.repeat(frames, 1, 1)
    shoulder, elbow, wrist, hand = (NAMES.index(f"left_{part}") for part in ("shoulder", "elbow", "wrist", "hand"))
    clip[:, [elbow, wrist, hand]] = clip[:, shoulder, None]
    angle = 0.5 + torch.sin(torch.arange(frames) / 5)
    away = torch.stack([0.2 * torch.ones_like(angle), angle.cos(), angle.sin()], dim=-1)
    for row, length in ((elbow, 0.28), (wrist, 0.53), (hand, 0.62)):
        clip[:, row] += length * away / away.norm(dim=-1, keepdim=True)
    return clip


def test_other_arms_move_as_they_do_on_their_own_trunk() -> None:
    """Whichever way both face and lean; and the left arm stays a left one."""
    still, wave = turned(POSE.repeat(30, 1, 1), (0.3, -0.2, 0.4)), turned(waving(), (-0.4, 0.3, 2.5)) + 3
    mixed = with_other_arms(torch.stack([still, wave]), NAMES, 1.0, generator())
    expected = turned(waving(), (0.3, -0.2, 0.4))
    bones = [mixed[0, :, child] - mixed[0, :, parent] for child, parent in BONES]
    wanted = [expected[:, child] - expected[:, parent] for child, parent in BONES]
    for one, other in zip(bones, wanted, strict=True):
        torch.testing.assert_close(
            torch.nn.functional.normalize(one, dim=-1), torch.nn.functional.normalize(other, dim=-1), atol=1e-4, rtol=0
        )


def test_other_arms_are_as_long_as_ones_own_and_the_rest_stays() -> None:
    people = torch.stack([POSE.repeat(30, 1, 1), 1.3 * waving(), turned(waving(), (0.0, 0.0, 1.0))])
    mixed = with_other_arms(people, NAMES, 1.0, generator())
    rest = [row for row in range(len(NAMES)) if row not in ARMS]
    assert torch.equal(mixed[:, :, rest], people[:, :, rest])
    assert not torch.allclose(mixed[:, :, ARMS], people[:, :, ARMS], atol=0.05)
    for child, parent in BONES:
        own, new = ((each[:, :, child] - each[:, :, parent]).norm(dim=-1) for each in (people, mixed))
        torch.testing.assert_close(new, own, atol=1e-4, rtol=0)


def test_nobody_gets_other_arms_for_a_share_of_none() -> None:
    people = torch.stack([POSE.repeat(3, 1, 1), waving(3)])
    assert torch.equal(with_other_arms(people, NAMES, 0.0, generator()), people)
    alone = waving(3)[None]
    torch.testing.assert_close(with_other_arms(alone, NAMES, 1.0, generator()), alone, atol=1e-5, rtol=0)


def crowd(count: int = 64) -> Tensor:
    """(B, T, 29, 3): people who walk off and wave."""
    clip = waving(20)
    clip[..., 0] += torch.arange(20)[:, None] / 30
    places = 5 * torch.rand(count, 1, 1, 3, generator=generator(4))
    return clip[None] + places


def test_who_is_laid_down_lies_whole_on_the_floor() -> None:
    people = crowd()
    lying = brought_down(people, 1.0, generator())
    torch.testing.assert_close(lying[..., 2].amin((1, 2)), torch.zeros(64), atol=1e-5, rtol=0)
    angles = []
    for before, after in zip(people.flatten(1, 2), lying.flatten(1, 2), strict=True):
        one, other = before - before.mean(0), after - after.mean(0)
        u, _, vh = torch.linalg.svd(other.T @ one)
        turn = u @ vh
        # One turn moves everything: lengths of bones and sides stay.
        torch.testing.assert_close(one @ turn.T, other, atol=1e-4, rtol=0)
        assert float(torch.linalg.det(turn)) == pytest.approx(1, abs=1e-4)
        angles.append(math.degrees(math.acos((float(turn.trace()) - 1) / 2)))
        # About a level axis: what was level along it still is.
        axis = torch.stack([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
        assert abs(float(axis[2] / axis.norm())) < 1e-3
    assert 50 <= min(angles) < 60
    assert 120 < max(angles) <= 130


def test_only_a_share_is_laid_down() -> None:
    people = crowd(400)
    lying = brought_down(people, 0.25, generator())
    moved = (lying != people).flatten(1).any(1)
    assert 0.15 < float(moved.double().mean()) < 0.35
    assert torch.equal(lying[~moved], people[~moved])
    assert torch.equal(brought_down(people, 0.0, generator()), people)
