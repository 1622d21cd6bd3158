# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks of any rate to the lifter's and back."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.lifting.resampling import (
    fill_missing,
    interpolate,
    lifter_times,
    resample,
    resample_track,
)


def swing(times, hertz=1.5):
    return np.stack([np.sin(2 * np.pi * hertz * times), np.cos(2 * np.pi * hertz * times + 0.4)], axis=1)


def test_missing_points_are_bridged_and_held():
    times = np.array([0.0, 1.0, 3.0, 4.0])
    track = np.zeros((4, 3, 3))
    track[:, 0] = [[np.nan, np.nan, 0], [10, 20, 0.5], [np.nan, np.nan, 0], [40, 80, 0.9]]
    track[:, 1] = [[1, 1, 0.3], [1, 1, 0], [7, 7, 0.3], [np.nan, 3, 0.4]]
    track[:, 2] = [np.nan, np.nan, 0]
    filled = fill_missing(track, times)
    np.testing.assert_allclose(filled[:, 0], [[10, 20, 0], [10, 20, 0.5], [30, 60, 0], [40, 80, 0.9]])
    np.testing.assert_allclose(filled[:, 1], [[1, 1, 0.3], [3, 3, 0], [7, 7, 0.3], [7, 7, 0]])
    np.testing.assert_allclose(filled[:, 2, :2], filled[:, :2, :2].mean(1))
    assert (filled[:, 2, 2] == 0).all()
    assert not fill_missing(np.full((2, 3, 3), np.nan), times[:2]).any()


@pytest.mark.parametrize("times", [np.arange(90) / 30, np.arange(90) * 1001 / 30000, np.round(np.arange(90) / 30, 3)])
def test_agreeing_rates_change_nothing(times):
    grid = lifter_times(times, 30.0)
    assert grid is times
    values = np.random.default_rng(0).normal(size=(90, 2))
    assert interpolate(values, grid, times) is values


@pytest.mark.parametrize("rate", [15, 24, 25, 50, 59.94, 60, 120])
def test_there_and_back(rate):
    times = 3.0 + np.arange(int(4 * rate)) / rate
    grid = lifter_times(times, 30.0)
    assert grid[0] == times[0]
    assert times[-1] <= grid[-1] + 1e-9
    assert grid[-1] < times[-1] + 1 / 30
    there = resample(swing(times), times, grid)
    inner = slice(3, -4)
    assert np.abs(there - swing(np.minimum(grid, times[-1])))[inner].max() < 0.015
    back = interpolate(there, grid, times)
    assert np.abs(back - swing(times))[10:-10].max() < 0.02
    assert np.abs(back - swing(times)).max() < 0.15


def test_variable_times():
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, 150))
    grid = lifter_times(times, 30.0)
    back = interpolate(resample(swing(times), times, grid), grid, times)
    assert np.abs(back - swing(times))[5:-5].max() < 0.02


def test_coarser_grid_is_band_limited():
    """Jitter at 55 Hz in 120 fps footage would come out as a 5 Hz wobble at 60 / 2 fps if frames were just dropped."""
    times = np.arange(600) / 120
    slow, fast = swing(times), 0.3 * np.sin(2 * np.pi * 55 * times)[:, None]
    grid = lifter_times(times, 30.0)
    there = resample(slow + fast, times, grid)
    dropped = (slow + fast)[::4]
    truth = swing(grid)
    inner = slice(5, 140)
    assert np.abs(there[inner] - truth[inner]).max() < 0.02
    assert np.abs(dropped[inner] - truth[inner]).max() > 0.25


def test_no_swing_across_a_gap_of_time():
    times = np.concatenate([np.arange(30), np.arange(90, 120)]) / 60
    values = np.where(times < 0.75, np.sin(40 * times), 5.0)[:, None]
    grid = lifter_times(times, 100.0)
    there = resample(values, times, grid)
    inside = (grid > 0.55) & (grid < 1.45)
    assert there.min() > -1.2
    assert there.max() < 5.2
    assert np.abs(np.diff(there[inside, 0], 2)).max() < 0.01


def test_missing_points_and_gaps_of_time_are_bridged_with_fading_confidence():
    times = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 1.4, 1.5])
    track = np.ones((7, 2, 3))
    track[:, 0, 2] = [0.8, 0.4, 0.0, 0.8, 0.8, 0.8, 0.6]
    track[:, 1, 2] = 0
    grid = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.9, 1.4, 1.45])
    bridged = resample_track(track, times, grid)[..., 2]
    middle = 0.8 * np.exp(-0.4 / 0.5)  # 0.5 s from a frame, of which one step is as usual
    np.testing.assert_allclose(bridged[:, 0], [0.8, 0.6, 0.4, 0.5, 0.6, 0.8, 0.8, middle, 0.8, 0.7])
    assert not bridged[:, 1].any()
    unbridged = resample_track(track, times, grid, bridge=False)[:, 0, 2]
    np.testing.assert_allclose(unbridged, [0.8, 0.6, 0.4, 0, 0, 0.8, 0.8, 0, 0.8, 0.7], atol=1e-12)


def test_nothing_is_bridged_far_from_what_was_seen():
    times = np.arange(300) / 30
    track = np.ones((300, 2, 3))
    track[60:240, 0, 2] = track[100:145, 1, 2] = 0  # 6 s, and 1.5 s
    confidence = resample_track(track, times, times)[..., 2]
    assert not confidence[107:193, 0].any()
    assert confidence[:104, 0].all()
    assert confidence[196:, 0].all()
    assert 0.2 < confidence[122, 1] < 0.3
    assert (np.diff(confidence[59:104, 0]) <= 0).all()
    assert (confidence[track[..., 2] > 0] == 1).all()
    assert resample_track(track, times, times, bridge=False)[..., 2].tolist() == track[..., 2].tolist()


def test_before_the_first_and_after_the_last_observation_confidence_fades_too():
    times = np.arange(20) / 10
    track = np.ones((20, 1, 3))
    track[:8, 0, 2] = 0
    confidence = resample_track(track, times, times)[:, 0, 2]
    np.testing.assert_allclose(confidence[:8], np.exp(-np.arange(7, -1, -1) / 10 / 0.5))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_clips(frames):
    times = np.arange(frames) / 10
    grid = lifter_times(times, 50.0)
    values = np.arange(frames)[:, None] * 2.0
    np.testing.assert_allclose(interpolate(resample(values, times, grid), grid, times), values, atol=1e-9)
