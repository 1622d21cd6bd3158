# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing: noise goes, delay does not come, blows keep their reach, and what is still stays still."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging import quaternions
from video_mocap.rigging.retarget.smoothing import (
    METHODS,
    butterworth,
    smoothed,
    smoothed_rotations,
    smoothed_source,
    whittaker,
)
from video_mocap.rigging.retarget.transfer import Source

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import walk

RATES = [24.0, 30.0, 59.94, 120.0]


def seconds(count: float, fps: float) -> np.ndarray:
    return np.arange(round(count * fps)) / fps


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("method", METHODS)
def test_a_slow_swing_is_neither_late_nor_smaller(method: str, fps: float) -> None:
    times = seconds(6, fps)
    swing = 0.3 * np.sin(2 * np.pi * 0.5 * times)[:, None] * [1.0, 0.5, 0]
    found = smoothed(swing, times, method, 0.5)
    inside = (times > 1) & (times < 5)
    basis = np.stack([np.sin(np.pi * times), np.cos(np.pi * times)], 1)[inside]
    sine, cosine = np.linalg.lstsq(basis, found[inside, 0], rcond=None)[0]
    assert abs(np.degrees(np.arctan2(cosine, sine))) < 0.5
    assert np.hypot(sine, cosine) == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_passed_in_its_middle_by_symmetry(method: str) -> None:
    times = seconds(4, 30)
    step = np.where(times < 2, 0.0, 1.0)[:, None]
    found = smoothed(step, times, method, 0.6)[:, 0]
    middle = np.interp(0.5, found[50:70], times[50:70])
    assert middle == pytest.approx(2 - 0.5 / 30, abs=0.5 / 30)
    assert found.min() > -0.15
    assert found.max() < 1.15


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("method", METHODS)
def test_a_hand_that_is_still_stays_still_and_its_trembling_goes(method: str, fps: float) -> None:
    times = seconds(5, fps)
    still = np.tile([0.4, -0.2, 1.3], (len(times), 1))
    assert np.allclose(smoothed(still, times, method, 1.0), still, atol=1e-12)
    noisy = still + np.random.default_rng(0).normal(0, 0.004, still.shape)
    left = np.std(smoothed(noisy, times, method, 0.7) - still)
    assert left < 0.6 * 0.004


@pytest.mark.parametrize(("method", "kept"), [("one euro", 0.93), ("savitzky-golay", 0.93), ("butterworth", 0.85)])
def test_a_punch_keeps_its_reach(method: str, kept: float) -> None:
    times = seconds(3, 60)
    punch = 0.6 * np.exp(-0.5 * ((times - 1.5) / 0.08) ** 2)[:, None] * [0.0, -1.0, 0.0]
    found = smoothed(punch, times, method, 0.5)
    assert np.abs(found[:, 1]).max() > kept * 0.6
    assert abs(int(np.abs(found[:, 1]).argmax()) - 90) <= 1


@pytest.mark.parametrize("method", METHODS)
def test_more_strength_smooths_more_and_none_is_exact(method: str) -> None:
    times = seconds(3, 30)
    noise = np.random.default_rng(2).normal(size=(len(times), 3)) * 0.01
    jerks = [np.abs(np.diff(smoothed(noise, times, method, s), 2, axis=0)).mean() for s in (0.0, 0.3, 0.6, 1.0)]
    assert jerks == sorted(jerks, reverse=True)
    assert jerks[0] > 3 * jerks[3]
    assert np.array_equal(smoothed(noise, times, method, 0.0), noise)


@pytest.mark.parametrize("method", METHODS)
def test_a_gap_stays_a_gap_and_does_not_spread(method: str) -> None:
    times = seconds(2, 30)
    path = np.stack([times, 0 * times, times**2], 1)
    path[20:26] = path[:3] = np.nan
    found = smoothed(path, times, method, 0.5)
    assert np.array_equal(np.isnan(found), np.isnan(path))
    assert np.nanmax(np.abs(found - path)) < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_frames_at_uneven_times_are_smoothed_by_their_times(method: str) -> None:
    chance = np.random.default_rng(5)
    times = np.cumsum(chance.uniform(0.02, 0.05, 120))
    swing = np.sin(2 * np.pi * 0.4 * times)[:, None]
    found = smoothed(swing, times, method, 0.4)
    assert np.abs(found - swing)[15:-15].max() < 0.04


@pytest.mark.parametrize("method", METHODS)
def test_rotations_go_round_and_round_without_flips(method: str) -> None:
    times = seconds(4, 30)
    half = np.pi * times * 0.75  # one and a half turns
    turns = np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], -1)
    turns *= np.where(np.arange(len(times)) % 7 < 3, -1.0, 1.0)[:, None]
    found = smoothed_rotations(turns, times, method, 0.5)
    assert np.allclose(np.linalg.norm(found, axis=-1), 1)
    assert (np.einsum("fc,fc->f", found[1:], found[:-1]) > 0.9).all()
    angle = 2 * np.arccos(np.clip(np.abs((found * turns).sum(-1)), 0, 1))
    assert np.degrees(angle[15:-15]).max() < 1.0


@pytest.mark.parametrize("method", METHODS)
def test_rotations_are_smoothed_alike_in_any_axes(method: str) -> None:
    times = seconds(2, 30)
    chance = np.random.default_rng(3)
    wobble = np.cumsum(chance.normal(size=(len(times), 4)) * 0.05, 0) + np.array([3.0, 0, 0, 0])
    turns = quaternions.continuous(wobble / np.linalg.norm(wobble, axis=-1, keepdims=True))
    other = quaternions.to_matrix(np.array([0.5, 0.5, -0.5, 0.5]))
    seen = quaternions.from_matrix(other @ quaternions.to_matrix(turns))
    one = other @ quaternions.to_matrix(smoothed_rotations(turns, times, method, 0.6))
    assert np.allclose(one, quaternions.to_matrix(smoothed_rotations(seen, times, method, 0.6)), atol=1e-9)


def test_a_source_keeps_its_raw_motion_and_its_gaps() -> None:
    joints = walk(60, 30.0)
    joints += np.random.default_rng(0).normal(0, 0.01, joints.shape)
    joints[5:9, 4] = np.nan
    source = Source(joints, np.isfinite(joints).all(-1).astype(float), seconds(2, 30))
    raw = joints.copy()
    found = smoothed_source(source, "butterworth", 0.6)
    assert np.array_equal(source.joints, raw, equal_nan=True)
    assert np.isnan(found.joints[5:9, 4]).all()
    assert np.nanstd(np.diff(found.joints, 2, axis=0)) < 0.3 * np.nanstd(np.diff(raw, 2, axis=0))
    assert smoothed_source(source, "none", 1.0) is source


def test_butterworth_leaves_seventy_one_percent_at_its_cut_off() -> None:
    times = seconds(8, 100)
    swing = np.sin(2 * np.pi * 5 * times)[:, None]
    found = butterworth(swing, times, 5.0)[200:600, 0]
    assert np.sqrt(2) * found.std() == pytest.approx(2**-0.5, rel=0.03)


@pytest.mark.parametrize("count", [3, 4, 5, 40])
def test_whittaker_is_the_least_squares_it_says(count: int) -> None:
    chance = np.random.default_rng(count)
    values, weight = chance.normal(size=(count, 2)), chance.uniform(size=count)
    second = np.diff(np.eye(count), 2, axis=0)
    exact = np.linalg.solve(np.diag(weight) + 3 * second.T @ second, weight[:, None] * values)
    assert np.allclose(whittaker(values, weight, 3.0), exact, atol=1e-7)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="no smoothing called 'gauss'; choose one of none, one euro"):
        smoothed(np.zeros((5, 3)), np.arange(5.0), "gauss", 0.5)
