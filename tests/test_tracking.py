# SPDX-License-Identifier: GPL-3.0-or-later
"""People of frames to tracks, and left and right along a track."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.tracking.sides import correct_sides
from video_mocap.backend.tracking.tracker import Tracker, Tracks
from video_mocap.rigging.joints import KEYPOINTS

sys.path.insert(0, str(Path(__file__).parent))
from walkers import FPS, walker


def track(frames: list[list[np.ndarray]], **options: int) -> Tracks:
    tracker = Tracker(KEYPOINTS.names, **options)
    for row, people in enumerate(frames):
        tracker.update(np.array(people).reshape(-1, len(KEYPOINTS), 3), row / FPS)
    return tracker.finish()


def test_two_people_who_cross_keep_their_tracks_through_the_occlusion() -> None:
    frames, paths = [], []
    for row in range(90):
        a, b = 100 + 6 * row, 640 - 6 * row
        paths.append((a, b))
        hidden = abs(a - b) < 60  # the one behind is not seen
        people = [walker(a, row / 4)] if hidden else [walker(b, row / 4, height=280), walker(a, row / 4)]
        frames.append(people)
    tracks = track(frames)
    assert tracks.person_ids.tolist() == [1, 2]
    nose = tracks.keypoints[:, :, 0, 0]
    a, b = np.array(paths, float).T
    np.testing.assert_allclose(nose[0], a, atol=1e-3)
    seen = np.isfinite(nose[1])
    assert not seen.all()
    np.testing.assert_allclose(nose[1][seen], b[seen], atol=1e-3)


def test_a_gap_stays_a_gap_and_the_person_keeps_their_track() -> None:
    frames = [[] if 20 <= row < 35 else [walker(200 + 2 * row)] for row in range(60)]
    tracks = track(frames)
    assert tracks.person_ids.tolist() == [1]
    seen = tracks.keypoints[0, :, :, 2] > 0
    assert seen.all(1).tolist() == [not 20 <= row < 35 for row in range(60)]
    assert np.isnan(tracks.keypoints[0, 20:35, :, :2]).all()


def test_somebody_who_comes_after_the_time_limit_is_somebody_new() -> None:
    frames = [[] if 20 <= row < 325 else [walker(200)] for row in range(345)]
    assert track(frames).person_ids.tolist() == [1, 2]


def test_ghosts_are_dropped() -> None:
    frames = [[walker(200 + row)] + ([walker(600)] if row in (7, 8, 9) else []) for row in range(60)]
    tracks = track(frames)
    assert tracks.person_ids.tolist() == [1]
    assert tracks.dropped == 1


def test_limbs_without_a_trunk_are_nobody_unless_there_is_nobody_else() -> None:
    reflection = walker(500)
    for row, name in enumerate(KEYPOINTS.names):
        if name.endswith(("_shoulder", "_hip")):
            reflection[row, 2] = 0.4
    waist_up = walker(900)
    waist_up[[row for row, name in enumerate(KEYPOINTS.names) if name.endswith(("_hip", "_knee", "_ankle"))], 2] = 0.35
    assert track([[walker(100), reflection, waist_up]] * 40).person_ids.tolist() == [1, 2]
    assert track([[reflection]] * 40).person_ids.tolist() == [1]


def test_max_persons_keeps_the_most_prominent_who_come_first() -> None:
    def people(row: int) -> list[np.ndarray]:
        return [walker(100, height=100), walker(400, height=300), *([walker(800, height=300)] if row < 40 else [])]

    tracks = track([people(row) for row in range(60)], max_persons=2)
    assert tracks.person_ids.tolist() == [1, 2]
    assert tracks.keypoints[:, 0, 0, 0].tolist() == [400, 800]


def test_one_frame_is_enough_for_a_still_picture() -> None:
    assert track([[walker(300)]]).keypoints.shape == (1, 1, 23, 3)


def test_a_sudden_exchange_of_sides_does_not_end_a_track() -> None:
    frames = [[walker(200)[KEYPOINTS.mirror] if 20 <= row < 30 else walker(200)] for row in range(60)]
    assert track(frames).person_ids.tolist() == [1]


def test_frames_must_come_in_order() -> None:
    tracker = Tracker(KEYPOINTS.names)
    tracker.update(walker(0)[None], 0.1)
    with pytest.raises(ValueError, match="order of time"):
        tracker.update(walker(0)[None], 0.1)


def _corrected(clip: np.ndarray, fps: float = FPS) -> tuple[np.ndarray, np.ndarray]:
    return correct_sides(clip, np.arange(len(clip)) / fps, KEYPOINTS.mirror, KEYPOINTS.names)


@pytest.mark.parametrize(("start", "end"), [(0, 8), (20, 61), (50, 51), (80, 100)])
def test_runs_of_exchanged_sides_are_put_right(start: int, end: int) -> None:
    clip = np.stack([walker(200 + row, row / 5) for row in range(100)])
    clip[..., :2] += np.random.default_rng(0).normal(0, 2, clip[..., :2].shape)
    confused = clip.copy()
    confused[start:end] = confused[start:end][:, KEYPOINTS.mirror]
    found, swapped = _corrected(confused)
    np.testing.assert_array_equal(found, clip)
    assert swapped.all(1).sum() == end - start


ENDS = {
    "face": ("eye", "ear"),
    "arms": ("shoulder", "elbow", "wrist", "hand"),
    "legs": ("hip", "knee", "ankle", "heel", "toe"),
}


@pytest.mark.parametrize("length", [1, 3, 30])
@pytest.mark.parametrize("parts", [("legs",), ("arms",), ("arms", "legs")])
def test_an_exchanged_part_is_put_right_and_nothing_else(parts: tuple[str, ...], length: int) -> None:
    clip = np.stack([walker(200 + row, row / 5) for row in range(90)])
    clip[..., :2] += np.random.default_rng(0).normal(0, 2, clip[..., :2].shape)
    ends = tuple(end for part in parts for end in ENDS[part])
    rows = [row for row, name in enumerate(KEYPOINTS.names) if name.endswith(ends)]
    confused = clip.copy()
    confused[30 : 30 + length, rows] = clip[30 : 30 + length][:, KEYPOINTS.mirror][:, rows]
    found, swapped = _corrected(confused)
    np.testing.assert_array_equal(found, clip)
    assert swapped.sum(0).tolist() == [length * (part in parts) for part in ENDS]


@pytest.mark.parametrize("fps", [5, 30, 60])
def test_somebody_who_walks_in_profile_or_turns_around_is_left_alone(fps: float) -> None:
    seconds = np.arange(0, 4, 1 / fps)
    profile = np.stack([walker(100 + 120 * t, 2 * np.pi * t, facing=0.15) for t in seconds])
    turning = np.stack([walker(300, 2 * np.pi * t, facing=np.cos(np.pi * t / 2)) for t in seconds])
    for clip in (profile, turning):
        noisy = clip.copy()
        noisy[..., :2] += np.random.default_rng(1).normal(0, 3, clip[..., :2].shape)
        assert not _corrected(noisy, fps)[1].any()


def test_missing_keypoints_and_frames_are_no_obstacle() -> None:
    clip = np.stack([walker(200, row / 5) for row in range(40)])
    clip[10:14] = (np.nan, np.nan, 0)
    clip[:, -6:] = (np.nan, np.nan, 0)
    confused = clip.copy()
    confused[20:26] = confused[20:26][:, KEYPOINTS.mirror]
    np.testing.assert_array_equal(_corrected(confused)[0], clip)


def test_where_nobody_is_there_are_no_tracks() -> None:
    tracks = track([[] for _ in range(5)])
    assert tracks.keypoints.shape == (0, 5, len(KEYPOINTS), 3)
    assert tracks.dropped == 0
