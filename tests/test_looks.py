# SPDX-License-Identifier: GPL-3.0-or-later
"""The carried detector: its networks as MediaPipe runs them, where it searches, whom it believes, whom it follows."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_mocap.backend.detection.blazepose import BlazePose, Found, squares_of
from video_mocap.backend.detection.closeups import CloseUps, alike, consistent, different, look_at, unique
from video_mocap.backend.detection.landmarks import MIRROR
from video_mocap.backend.detection.looks import Look, overlap
from video_mocap.backend.detection.mediapipe import MediaPipeDetector
from video_mocap.backend.detection.mediapipe_bundle import Landmarker, build_bundle, quiet_stderr, read_networks
from video_mocap.backend.detection.search import (
    COMMON,
    PERSON,
    SMALLEST,
    STEP,
    Search,
    SearchBudget,
    search_scales,
    tiles,
)
from video_mocap.backend.footage import read_frames
from video_mocap.backend.grouping.people import group_people
from video_mocap.rigging.joints import KEYPOINTS

FOOTAGE = Path(__file__).resolve().parents[2] / "shared" / "footage"
needs_footage = pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the development footage is not here")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """(576, 576, 3) with one person, 245 pixels tall from nose to ankles."""
    return next(islice(read_frames(FOOTAGE / "pose_1.mp4"), 1)).image


def pasted(picture: np.ndarray, scale: float, place: tuple[int, int], size: tuple[int, int] = (640, 360)) -> np.ndarray:
    """A picture of `size` with the other one in it, scaled, its left top corner at `place`."""
    small = cv2.resize(picture[60:520, 150:430], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    out = np.empty((size[1], size[0], 3), np.uint8)
    out[:] = np.median(picture[:, :20].reshape(-1, 3), 0)
    out[place[1] : place[1] + small.shape[0], place[0] : place[0] + small.shape[1]] = small
    return out


@needs_footage
def test_the_networks_give_what_mediapipe_itself_gives(picture: np.ndarray) -> None:
    networks = read_networks()
    with quiet_stderr():
        landmarker = Landmarker(build_bundle(networks), 1, 0.5)
        itself = landmarker(picture)[0, :, :2] * picture.shape[1::-1]
        landmarker.close()
    own = BlazePose(*networks, workers=1)
    found = own.find(picture, [Look(0, 0, 576, 576, PERSON / 576)], 0.5)[0]
    points = own.points(picture, found.squares)
    mirrored = own.points(picture, points.squares, MIRROR)
    own.close()
    assert len(points) == 1
    assert points.scores[0] > 0.95
    assert np.linalg.norm(points.points[0, :, :2] - itself, axis=-1).mean() < 2
    assert np.linalg.norm(mirrored.points[0, :, :2] - itself, axis=-1).mean() < 6  # sides as they are, too


@needs_footage
def test_a_large_picture_is_searched_at_every_place_at_once(picture: np.ndarray) -> None:
    own = BlazePose(*read_networks(), workers=1)
    image = pasted(picture, 0.4, (420, 100))
    squares = [
        own.find(image, [look], 0.5)[0].squares for look in (Look(0, 0, 640, 360, 1.0), Look(400, 60, 600, 360, 1.0))
    ]
    own.close()
    assert [len(each) for each in squares] == [1, 1]
    assert alike(squares[0], squares[1], 0.1, 1.2).all()
    assert np.hypot(*(squares[0][0, :2] - [475, 200])) < 20  # the hips


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (720, 1280), (480, 270), (200, 200)])
def test_people_of_every_size_down_to_the_smallest_are_well_sized_in_some_scale(width: int, height: int) -> None:
    scales = np.array(search_scales(width, height, 80.0))
    for tall in np.geomspace(80, max(width, height), 40):
        assert ((scales * tall >= 0.999 * SMALLEST * PERSON) & (scales * tall <= 1.001 * PERSON)).any()
    for scale in scales:
        covered = np.zeros((height, width), int)
        looks = tiles(width, height, scale)
        for look in looks:
            covered[look.y0 : look.y1, look.x0 : look.x1] += 1
        assert covered.min() >= 1
        side = COMMON * PERSON / scale
        for x in np.linspace(0, max(0, width - side), 9):  # a person is whole in one of them
            assert any(look.x0 <= x + 1 and look.x1 >= min(x + side, width) - 1 for look in looks)
    assert COMMON * STEP > 1  # a larger one is well-sized in the next coarser scale


def test_a_scale_is_searched_now_and_then_and_only_where_something_changed() -> None:
    image = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    image = cv2.resize(image[::20, ::20], (1280, 720))
    search = Search(SearchBudget(80.0, every=0.5, longest=2.0))
    first = search.due(image, 0.0, alone=True)
    assert len({look.scale for look in first}) == len(search_scales(1280, 720, 80.0))
    assert search.due(image, 60.0, alone=False) == []  # long due, but the same pixels
    image[300:380, 900:930] = 255 - image[300:380, 900:930]  # as large as the smallest person
    again = search.due(image, 120.0, alone=False)
    assert max(look.scale for look in again) == max(look.scale for look in first)
    assert len(again) < len(first)  # where such a person is too small to be found nothing has changed
    assert all(look.x0 < 930 and look.x1 > 900 and look.y0 < 380 and look.y1 > 300 for look in again)
    assert search.due(255 - image, 120.1, alone=False) == []  # not due yet


def test_squares_and_people_that_are_the_same() -> None:
    squares = np.array([[100, 100, 50, 0], [105, 100, 60, 1], [100, 100, 100, 0], [130, 100, 50, 0]], float)
    assert alike(squares[:1], squares).tolist() == [True, True, False, False]
    assert different(squares, np.array([1, 2, 3, 4]), np.zeros((0, 4)), 9).tolist() == [3, 2, 1]
    assert different(squares, np.array([1, 2, 3, 4]), squares[3:], 1).tolist() == [2]
    upright = squares_of(np.array([[50.0, 50]]), np.array([[50.0, 10]]))
    assert upright.tolist() == [[50, 50, 100, 0]]
    assert squares_of(np.array([[50.0, 50]]), np.array([[90.0, 50]]))[0, 3] == pytest.approx(np.pi / 2)  # on its right

    person = np.random.default_rng(1).uniform(0, 100, (1, 23, 3)) * [1, 2, 0.01]
    people = np.concatenate(
        [
            person,
            person + np.array([3, 0, 0]),
            person * [0.3, 0.3, 1] + np.array([30, 60, 0]),
            person + np.array([300, 0, 0]),
        ]
    )
    assert unique(people, np.array([2, 3, 1, 1])).tolist() == [1, 3]
    looks = [CloseUps(squares[:2], np.ones(2), (people[[0, 0]],)), CloseUps(squares[:2], np.ones(2), (people[[1, 3]],))]
    assert (consistent(*looks) > 0.5).tolist() == [True, False]


@needs_footage
def test_one_person_and_somebody_of_eighty_pixels_are_found_and_nobody_else(picture: np.ndarray) -> None:
    image = pasted(picture, 1.0, (330, 120), (960, 600))
    small = pasted(picture, 80 / 245, (0, 0), (100, 160))
    image[380:540, 120:220] = small
    detector = MediaPipeDetector(16)
    people = group_people(detector.detect(image, 0.0), KEYPOINTS)
    empty = MediaPipeDetector(16).detect(np.ascontiguousarray(image[::, :60]), 0.0)
    detector.close()
    assert len(people) == 2
    assert len(empty) == 0
    heights = sorted(float(np.ptp(person[person[:, 2] > 0.5, 1])) for person in people)
    assert 65 < heights[0] < 110
    assert 200 < heights[1] < 330


@needs_footage
def test_who_was_found_is_followed_without_searching_and_forgotten_when_gone(
    picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = MediaPipeDetector(1, workers=1)
    searched: list[int] = []
    find = BlazePose.find
    monkeypatch.setattr(
        BlazePose,
        "find",
        lambda self, image, looks, least: searched.append(len(looks)) or find(self, image, looks, least),
    )
    hips = []
    for frame in range(4):
        people = group_people(detector.detect(pasted(picture, 0.6, (100 + 30 * frame, 40)), frame / 30), KEYPOINTS)
        assert len(people) == 1
        hips.append(people[0, KEYPOINTS.index("left_hip"), 0])
    assert searched == [searched[0]]  # the first frame only: afterwards nobody else is looked for
    np.testing.assert_allclose(np.diff(hips), 30, atol=3)
    gone = np.full((360, 640, 3), 128, np.uint8)
    assert len(detector.detect(gone, 0.2)) == 0
    assert len(detector.detect(gone, 2.0)) == 0
    assert len(detector.detect(gone, 2.1)) == 0
    assert len(detector.detect(pasted(picture, 0.6, (300, 40)), 2.6)) > 0
    detector.close()


@needs_footage
@pytest.mark.parametrize("astray", ["straight", "mirror"])
def test_a_look_whose_views_see_two_people_gives_whom_it_followed(
    picture: np.ndarray, monkeypatch: pytest.MonkeyPatch, astray: str
) -> None:
    """As where somebody stands behind somebody else: the view in the mirror sees the other one."""
    detector = MediaPipeDetector(1, workers=1)
    image = pasted(picture, 0.6, (200, 40))
    before = group_people(detector.detect(image, 0.0), KEYPOINTS)
    points = BlazePose.points

    def elsewhere(self: BlazePose, image: np.ndarray, squares: np.ndarray, mirror: np.ndarray | None = None) -> Found:
        found = points(self, image, squares, mirror)
        if (mirror is None) != (astray == "straight"):
            return found
        away = np.array([60.0, 0, 0, 0])
        return Found(found.squares + away, found.scores, found.points + away)

    monkeypatch.setattr(BlazePose, "points", elsewhere)
    for frame in (1, 2, 3):
        people = group_people(detector.detect(image, frame / 30), KEYPOINTS, before)
        assert len(people) == 1
        sure = before[0, :, 2] > 0.5
        assert np.abs(people[0, sure, :2] - before[0, sure, :2]).max() < 15
    detector.close()


@needs_footage
def test_two_who_are_followed_into_one_place_are_one(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one hides the other, both are seen in the one in front, whose keypoints change from look to look."""
    detector = MediaPipeDetector(2, workers=1)
    image = np.concatenate([pasted(picture, 0.6, (100, 40), (320, 360)), pasted(picture, 0.7, (20, 20), (320, 360))], 1)
    assert len(group_people(detector.detect(image, 0.0), KEYPOINTS)) == 2
    points = BlazePose.points

    def one_place(self: BlazePose, image: np.ndarray, squares: np.ndarray, mirror: np.ndarray | None = None) -> Found:
        found = points(self, image, squares, mirror)
        rows = [0, 0][: len(squares)]  # the second one is looked at once more by itself, badly placed as it was
        seen = found.points[rows]
        seen[-1:, :, 0] += 60
        return Found(found.squares[rows], found.scores[rows], seen)

    monkeypatch.setattr(BlazePose, "points", one_place)
    image[:, :320] = image[:1, :1]  # the smaller one is hidden
    assert len(np.unique(detector.detect(image, 0.1).instances)) == 2  # the views of one look
    detector.close()


@needs_footage
def test_a_look_says_where_it_would_rather_have_been(picture: np.ndarray) -> None:
    networks = BlazePose(*read_networks(), workers=1)
    good = look_at(
        networks, picture, networks.find(picture, [Look(0, 0, 576, 576, PERSON / 576)], 0.5)[0].squares, True
    )
    off = good.squares + np.array([40, -30, 60, 0.3])
    corrected = look_at(networks, picture, look_at(networks, picture, off, True).squares, True)
    networks.close()
    assert not alike(off, good.squares, 0.05, 1.1).any()
    assert alike(corrected.squares, good.squares, 0.05, 1.1).all()
    assert corrected.there(0.9, 0.9).all()


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [2, 2, 6, 6], [20, 0, 30, 10]], float)
    assert overlap(boxes, boxes)[0].tolist() == [1, 0.9, 0.16, 0]
