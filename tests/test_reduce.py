# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys: how few, how near the joints stay on every frame, and in what time."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.curves import Curve, curves_of
from video_mocap.rigging.retarget.feet import lock_feet
from video_mocap.rigging.retarget.fewer import reduced
from video_mocap.rigging.retarget.pose import Poser
from video_mocap.rigging.retarget.reduce import Keys, reduce_curves
from video_mocap.rigging.retarget.rig import Rig
from video_mocap.rigging.retarget.splines import Splines, block_tridiagonal, hermite
from video_mocap.rigging.retarget.transfer import Source, channels, transfer

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, walk
from rigs import SLOTS, make_rig


def curves_on(joints: np.ndarray, rig: Rig, fps: float = 30.0) -> list[Curve]:
    source = Source(joints, np.isfinite(joints).all(-1).astype(float), np.arange(len(joints)) / fps)
    moved = transfer(source, rig, SLOTS)
    lock_feet(moved, source, SLOTS)
    return curves_of(channels(moved, source, SLOTS), rig)


def points(rig: Rig, curves: list[Curve], values: list[np.ndarray]) -> np.ndarray:
    """(F, 2 B, 3) heads and tails of all bones, world."""
    poser = Poser(rig)
    for curve, given in zip(curves, values, strict=True):
        if curve.path == "location":
            poser.put(rig.rows[curve.bone], None, given)
        else:
            poser.put(rig.rows[curve.bone], curve.rotations(given))
    found = []
    for row, bone in enumerate(rig.bones):
        pose = poser.pose(row)
        found += [pose[:, :3, 3], pose[:, :3, 3] + bone.length * pose[:, :3, 1]]
    return rig.to_world(np.stack(np.broadcast_arrays(*found), 1))


def moved_away(rig: Rig, keys: list[Keys], frames: np.ndarray) -> float:
    """mm, the furthest that any bone's end is from where it was."""
    curves = [key.curve for key in keys]
    was = points(rig, curves, [curve.values for curve in curves])
    now = points(rig, curves, [key.evaluate(frames) for key in keys])
    return 1000 * float(np.linalg.norm(now - was, axis=-1).max())


def share(keys: list[Keys]) -> float:
    return sum(key.values.size for key in keys) / sum(key.curve.values.size for key in keys)


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "AXIS_ANGLE"])
def test_a_walk_keeps_the_bound_with_few_keys(mode: str) -> None:
    rig = make_rig(arms_down=48.0, seed=2)
    rig = replace(rig, bones=tuple(replace(bone, rotation_mode=mode) for bone in rig.bones))
    frames = 1.0 + np.arange(90)
    keys = reduced(curves_on(walk(90, 30.0), rig), rig, SLOTS, frames, 0.005)
    assert moved_away(rig, keys, frames) < 5.0 + 1e-6
    assert share(keys) < 0.2


@pytest.mark.parametrize(
    ("clip", "source", "most"), [("tilling_s23_normal", "snu_tillingpatch", 0.2), ("cmu_135_04", "cmu", 0.3)]
)
def test_captured_motion_keeps_the_bound_with_few_keys(clip: str, source: str, most: float) -> None:
    joints, fps = library_clip(clip, source=source)
    joints = joints[:: max(1, round(fps / 30))][:240]
    rig = make_rig(arms_down=48.0, seed=2)
    frames = np.arange(len(joints)) * 0.8
    keys = reduced(curves_on(joints, rig), rig, SLOTS, frames, 0.005)
    assert moved_away(rig, keys, frames) < 5.0 + 1e-6
    assert share(keys) < most


def test_a_tighter_bound_takes_more_keys_and_is_kept() -> None:
    rig = make_rig(arms_down=48.0)
    frames = np.arange(60.0)
    curves = curves_on(walk(60, 30.0), rig)
    loose, tight = (reduced(curves, rig, SLOTS, frames, bound) for bound in (0.01, 0.0005))
    assert share(loose) < share(tight)
    assert moved_away(rig, tight, frames) < 0.5 + 1e-6


def test_time_grows_as_the_motion_does() -> None:
    rig = make_rig(arms_down=48.0)
    taken = []
    for frames in (250, 1000):
        curves = curves_on(walk(frames, 30.0), rig)
        start = time.process_time()
        reduced(curves, rig, SLOTS, np.arange(float(frames)), 0.005)
        taken.append(time.process_time() - start)
    assert taken[1] < 10 * taken[0] + 0.5


def test_stillness_needs_only_its_ends() -> None:
    rig = make_rig()
    keys = reduced(curves_on(walk(1).repeat(50, 0), rig), rig, SLOTS, np.arange(50.0), 0.005)
    assert all(len(key.rows) <= 4 for key in keys)


def test_noise_that_no_cubic_follows_keeps_the_bound_all_the_same() -> None:
    noise = np.random.default_rng(1).normal(size=(40, 3))
    curve = Curve("b", "location", noise)
    frames = np.arange(40.0)
    keys = reduce_curves([curve], frames, {"b": np.eye(3)}, [{"b"}], 0.001, lambda v: v["b", "location"][:, None])
    assert np.abs(keys[0].evaluate(frames) - noise).max() < 0.001 + 1e-9


@pytest.mark.parametrize("frames", [1, 2])
def test_one_or_two_frames_are_kept(frames: int) -> None:
    curve = Curve("b", "location", np.arange(3.0 * frames).reshape(frames, 3))
    at = np.arange(float(frames))
    keys = reduce_curves([curve], at, {}, [{"b"}], 0.005, lambda values: values["b", "location"][:, None])
    assert np.allclose(keys[0].evaluate(at), curve.values)


def test_the_nearest_cubic_is_the_cubic_itself() -> None:
    frames = np.array([0.0, 1, 2, 4, 5, 7, 8, 9])
    cubic = np.stack([0.1 * frames**3 - frames**2, 2 - frames], 1)
    splines = Splines(frames, np.stack([cubic, 3 * cubic]))
    keyed = np.zeros(16, bool)
    keyed[[0, 7, 8, 12, 15]] = True
    found = splines.evaluate(keyed, *splines.fit(keyed))
    assert np.abs(found[:8] - cubic).max() < 0.02 * np.ptp(cubic)
    at = np.array([0, 3.0, 9])
    slopes = np.stack([0.3 * at**2 - 2 * at, np.full(3, -1.0)], 1)
    values = np.stack([0.1 * at**3 - at**2, 2 - at], 1)
    assert np.allclose(hermite(at, values, slopes, frames), cubic)


@pytest.mark.parametrize("size", [2, 6])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_block_tridiagonal_systems_are_solved(count: int, size: int) -> None:
    chance = np.random.default_rng(count)
    whole = np.zeros((count, size, count, size))
    diagonal, upper = np.zeros((count, size, size)), chance.normal(size=(count - 1, size, size))
    for row in range(count):
        block = chance.normal(size=(size, size))
        diagonal[row] = whole[row, :, row] = block @ block.T + 4 * size * np.eye(size)
    for row in range(count - 1):
        whole[row, :, row + 1], whole[row + 1, :, row] = upper[row], upper[row].T
    right = chance.normal(size=(count, size, 3))
    exact = np.linalg.solve(whole.reshape(size * count, -1), right.reshape(-1, 3)).reshape(count, size, 3)
    assert np.allclose(block_tridiagonal(diagonal, upper, right), exact)


@pytest.mark.parametrize("frames", [2, 3, 9, 20])
def test_one_short_curve(frames: int) -> None:
    """Of so few stretches that none is left beside those from which keys were taken."""
    values = 0.01 * np.random.default_rng(4).normal(size=(frames, 3)).cumsum(0).cumsum(0)
    curve = Curve("root", "location", values)
    clock = np.arange(frames, dtype=float)
    keys = reduce_curves(
        [curve], clock, {"root": np.eye(3)}, [{"root"}], 0.005, lambda found: found["root", "location"][:, None]
    )
    assert np.abs(keys[0].evaluate(clock) - values).max() <= 0.005
