# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracklets joined over the clip: by motion, by colours, all together; suggestions, stitches and filled gaps."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.errors import UserError
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.tracking.appearance import BINS, colour_distance, colours_of
from video_mocap.backend.tracking.gaps import FILLED, fill_gaps, runs
from video_mocap.backend.tracking.links import Link, chains
from video_mocap.backend.tracking.pieces import Piece, give_scraps
from video_mocap.backend.tracking.stitch import parse_stitches, stitch
from video_mocap.backend.tracking.tracker import Tracker, Tracks
from video_mocap.backend.tracking.tracklets import Tracklet
from video_mocap.rigging.joints import KEYPOINTS

sys.path.insert(0, str(Path(__file__).parent))
from walkers import FPS, walker

RED, BLUE = (200, 40, 30), (30, 50, 160)


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 10, (450, 1000, 3)).astype(np.float32)


def picture(people: list[tuple[np.ndarray, tuple[int, int, int]]]) -> np.ndarray:
    """People as boxes of one colour before a grey wall, with noise."""
    image = 120 + _grain()
    for person, colour in people:
        low, high = person[:, :2].min(0).astype(int), person[:, :2].max(0).astype(int)
        part = slice(max(low[1], 0), high[1]), slice(max(low[0] - 5, 0), high[0] + 5)
        image[part] = np.array(colour, np.float32) + _grain()[part]
    return np.clip(image, 0, 255).astype(np.uint8)


def hidden_meeting(exchanged: bool) -> tuple[Tracks, np.ndarray]:
    """Two people walk behind a wall and come out after half a second, on their way or (exchanged) turned around.

    Gives the tracks and (2, F) true places, NaN behind the wall; the first person wears red, the other blue.
    """
    tracker = Tracker(KEYPOINTS.names)
    places = np.full((2, 90), np.nan)
    for row in range(90):
        x = np.array([200 + 4 * row, 560 - 4 * row])
        if exchanged and row >= 53:
            x = x[::-1]
        here = [] if 37 <= row < 53 else [(walker(x[0], row / 4), RED), (walker(x[1], row / 4), BLUE)]
        if here:
            places[:, row] = x
        people = np.array([person for person, _ in here]).reshape(-1, len(KEYPOINTS), 3)
        order = [1, 0] if row >= 53 else [0, 1]
        people = people[order] if len(people) else people
        tracker.update(people, row / FPS, colours_of(picture(here), people, KEYPOINTS.names))
    return tracker.finish(), places


def same_places(tracks: Tracks, places: np.ndarray) -> bool:
    nose = tracks.keypoints[:, :, 0, 0]
    return sorted(map(str, np.round(nose).tolist())) == sorted(map(str, np.round(places).tolist()))


@pytest.mark.parametrize("exchanged", [False, True])
def test_what_people_wear_says_who_turned_around_behind_the_wall(exchanged: bool) -> None:
    assert same_places(*hidden_meeting(exchanged))


def test_colours_do_not_depend_on_pose_size_or_noise_but_on_what_is_worn() -> None:
    clothes = [(walker(150), RED), (walker(400, 1.0, height=150), RED), (walker(700), BLUE)]
    people = np.array([person for person, _ in clothes])
    found = colours_of(picture(clothes), people, KEYPOINTS.names)
    assert found.shape == (3, 2, BINS)
    apart = colour_distance(found, found)
    assert apart[0, 1] < 0.05 < 0.5 < apart[0, 2]
    np.testing.assert_allclose(np.diag(apart), 0, atol=1e-6)


def test_colours_of_somebody_outside_the_picture_or_doubtful_are_unknown() -> None:
    outside, doubtful = walker(-500), walker(500)
    doubtful[:, 2] = 0.1
    found = colours_of(picture([]), np.array([outside, doubtful]), KEYPOINTS.names)
    assert found.sum() == 0
    assert np.isnan(colour_distance(found, found)).all()


def test_links_are_chosen_together_not_one_by_one() -> None:
    # 0 would take 2 (0.9), but then 1, which can only be 2, were left alone: together 0-3 and 1-2 are likelier.
    links = [Link(0, 2, 0.9), Link(0, 3, 0.85), Link(1, 2, 0.88), Link(1, 3, 0.2)]
    assert chains(links, 4) == [[0, 3], [1, 2]]
    assert chains([Link(0, 1, 0.4)], 2) == [[0], [1]]
    assert chains([Link(0, 1, 0.9), Link(1, 2, 0.9)], 3) == [[0, 1, 2]]


def test_a_doubtful_pair_is_suggested_not_joined() -> None:
    frames = [[walker(200)] if row < 40 else [walker(480, height=270)] if row >= 55 else [] for row in range(95)]
    tracker = Tracker(KEYPOINTS.names)
    for row, people in enumerate(frames):
        tracker.update(np.array(people).reshape(-1, len(KEYPOINTS), 3), row / FPS)
    tracks = tracker.finish()
    assert tracks.person_ids.tolist() == [1, 2]
    assert [(each.first, each.second) for each in tracks.suggestions] == [(1, 2)]
    assert 0.1 <= tracks.suggestions[0].probability <= 0.5


def test_two_who_wear_something_else_are_not_suggested() -> None:
    """In between is somebody whose clothes were not seen, and who could be either."""
    tracker, unknown = Tracker(KEYPOINTS.names), np.zeros((1, 2, BINS), np.float32)
    for row in range(110):
        clothes = RED if row < 40 else None if 50 <= row < 65 else BLUE if row >= 75 else ()
        people = np.zeros((0, len(KEYPOINTS), 3)) if clothes == () else walker(200)[None]
        seen = colours_of(picture([(walker(200), clothes)]), people, KEYPOINTS.names) if clothes else unknown
        tracker.update(people, row / FPS, seen[: len(people)])
    tracks = tracker.finish()
    assert tracks.person_ids.tolist() == [1, 2]
    assert tracks.suggestions == ()


def test_the_same_people_give_the_same_tracks_in_any_order_within_a_frame() -> None:
    def tracked(turn: bool) -> Tracks:
        tracker = Tracker(KEYPOINTS.names)
        for row in range(60):
            people = np.array([walker(100 + 6 * row, row / 4), walker(460 - 6 * row, row / 3, height=280)])
            tracker.update(people[::-1] if turn else people, row / FPS)
        return tracker.finish()

    np.testing.assert_array_equal(tracked(False).keypoints, tracked(True).keypoints)
    np.testing.assert_array_equal(tracked(False).keypoints, tracked(False).keypoints)


def test_short_gaps_are_filled_and_flagged_long_ones_left() -> None:
    clip = np.stack([walker(200 + 3 * row, row / 5) for row in range(60)])
    gappy = clip.copy()
    gappy[[10, 11, *range(20, 40)]] = (np.nan, np.nan, 0)
    gappy[9, 5] = (np.nan, np.nan, 0)  # a keypoint that is unknown before the gap
    filled, made = fill_gaps(gappy, np.arange(60) / FPS)
    assert runs(made) == [[10, 11]]
    assert (filled[10:12, :, 2] == np.where(np.arange(len(KEYPOINTS)) == 5, 0, FILLED)).all()
    others = np.delete(np.arange(len(KEYPOINTS)), 5)
    np.testing.assert_allclose(filled[10:12, others, :2], clip[10:12, others, :2], atol=3)
    np.testing.assert_array_equal(filled[~made], gappy[~made])


def _keypoints() -> Keypoints:
    values = np.full((3, 30, len(KEYPOINTS), 3), np.nan, np.float32)
    values[..., 2] = 0
    for person, frames in enumerate((range(10), range(20, 30), range(5, 15))):
        for row in frames:
            values[person, row] = walker(100 * person + row)
    source = {
        "name": "made",
        "tracking": {
            "filled": {"1": [[3, 4]], "2": [[22, 22]]},
            "suggestions": [{"persons": [1, 2], "probability": 0.4}, {"persons": [1, 3], "probability": 0.2}],
        },
    }
    return Keypoints(FPS, np.arange(30) / FPS, (640, 480), KEYPOINTS.names, np.array([1, 2, 3]), values, source=source)


def test_a_stitch_gives_one_person_the_frames_of_another() -> None:
    before = _keypoints()
    after = stitch(before, parse_stitches("2=1"))
    assert after.person_ids.tolist() == [1, 3]
    seen = (after.keypoints[0, ..., 2] > 0).any(-1)
    assert seen.tolist() == [row < 10 or row >= 20 for row in range(30)]
    np.testing.assert_array_equal(after.keypoints[0, 20:], before.keypoints[1, 20:])
    tracking = after.source["tracking"]
    assert tracking["filled"] == {"1": [[3, 4], [22, 22]]}
    assert tracking["suggestions"] == [{"persons": [1, 3], "probability": 0.2}]
    assert tracking["stitched"] == ["2=1"]
    assert before.person_ids.tolist() == [1, 2, 3]


def test_a_stitch_that_is_none_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match=r"both are seen in 5 frames, first at 0\.17 s"):
        stitch(_keypoints(), [(3, 1)])
    with pytest.raises(UserError, match="no person 7 to stitch; there are 1, 2, 3"):
        stitch(_keypoints(), [(7, 1)])
    for text in ("2", "1=1", "2=1,", "a=b", ""):
        with pytest.raises(UserError, match="as in 2=1"):
            parse_stitches(text)
    assert parse_stitches("2=1, 5 = 3") == [(2, 1), (5, 3)]
    imported = replace(_keypoints(), source={"name": "imported"})
    assert stitch(imported, [(2, 1)]).person_ids.tolist() == [1, 3]


def test_scraps_of_somebody_who_is_never_certain_are_one_person() -> None:
    def scrap(origin: int, first: int, x: float) -> Piece:
        tracklet = Tracklet()
        for frame in range(first, first + 6):
            tracklet.extend(frame, frame / FPS, walker(x + 2 * frame), 0.5, None)
        return Piece(tracklet, origin, scrap=True)

    pieces = [scrap(0, 0, 100), scrap(1, 6, 100), scrap(2, 12, 700), scrap(3, 12, 105)]
    assert give_scraps([], pieces) == [[0, 1, 3], [2]]
