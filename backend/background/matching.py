# SPDX-License-Identifier: GPL-3.0-or-later
"""Two pictures of the same background: corners of one found in the other, and the homography between them.

Pictures are small and grey; all pixels here are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .movement import mapped

#: Corners of a key frame, and how far apart they are at least, pixels.
_CORNERS, _APART = 220, 9
#: Lucas-Kanade: half of a patch, levels of the pyramid, and how far back and forth may end from its start, pixels.
_LUCAS_KANADE = {"winSize": (17, 17), "maxLevel": 3, "criteria": (3, 20, 0.02)}
_RETURN = 0.8
#: Distance from the homography in pixels within which a corner agrees with it.
AGREEING = 1.5
#: A corner has stayed where it was if it moved by less, pixels.
_STAYED = 0.6
#: A camera that turns leaves nothing where it was. It rests if in this share of the picture's cells, of so many pixels,
#: most corners stayed: so many corners at least. Then a homography that moves their part by more, pixels, is wrong.
_RESTING, _CELL, _FEW, _SWAYED = 0.35, 60, 5, 1.2
#: What a homography needs: so many corners, and this share of those that were found again.
_LEAST, _LEAST_SHARE = 12, 0.35


@dataclass(frozen=True)
class KeyFrame:
    """A picture that others are compared with.

    row: of its frame. image: (H, W) uint8. corners: (N, 2) float32 pixels, none on people. people: (M, 4) their boxes.
    to_first: (3, 3) pixels of this picture to those of the first one; rough after large turns.
    """

    row: int
    image: np.ndarray
    corners: np.ndarray
    people: np.ndarray
    to_first: np.ndarray


@dataclass(frozen=True)
class Match:
    """A picture found to show what a key frame shows.

    to_key: (3, 3) pixels of the picture to those of the key frame. share: of the corners that agree, among those that
    should be seen; agreeing: among those that were found. resting: too many of the corners are where they were for the
    camera to have turned. support: (4,) x0 y0 x1 y1 of those that agree, in the picture.
    """

    to_key: np.ndarray
    share: float
    agreeing: float
    resting: bool
    support: np.ndarray


def find_corners(image: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Corners (N, 2) float32 of a grey picture outside boxes (M, 4) of people."""
    found = cv2.goodFeaturesToTrack(image, _CORNERS, 0.01, _APART, mask=_without(people, image.shape))
    return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)


def match(key: KeyFrame, image: np.ndarray, people: np.ndarray, guess: np.ndarray) -> Match | None:
    """Find a key frame's corners again. people: (M, 4) boxes to keep away from. guess: (3, 3) key frame to picture.

    None if too few are found, or they do not agree on a homography.
    """
    start = mapped(key.corners.astype(float), guess)
    visible = inside(start, image.shape) & ~covered(start, people)
    if visible.sum() < _FEW:
        return None
    corners, start = key.corners[visible], start[visible].astype(np.float32)
    flow = {**_LUCAS_KANADE, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
    there, found, _ = cv2.calcOpticalFlowPyrLK(key.image, image, corners, start.copy(), **flow)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(image, key.image, there, corners.copy(), **flow)
    good = (found.ravel() > 0) & (returned.ravel() > 0) & (np.linalg.norm(back - corners, axis=-1) < _RETURN)
    good &= inside(there, image.shape) & ~covered(there, people)
    return _fitted(corners[good], there[good], int(visible.sum()))


def _fitted(corners: np.ndarray, there: np.ndarray, visible: int) -> Match | None:
    if len(corners) < _FEW:
        return None
    resting = _stayed(corners, np.linalg.norm(there - corners, axis=-1) < _STAYED) > _RESTING
    matrix, agree = None, None
    if len(corners) >= _LEAST:
        matrix, agree = cv2.findHomography(there, corners, cv2.RANSAC, AGREEING, maxIters=500, confidence=0.999)
    if matrix is not None and agree is not None and agree.sum() >= max(_LEAST, _LEAST_SHARE * len(corners)):
        support = np.percentile(there[agree.ravel() > 0], (5, 95), axis=0)
        swayed = np.abs(mapped(support, matrix) - support).max() > _SWAYED
        if sane(matrix, support) and not (resting and swayed):
            count = float(agree.sum())
            return Match(matrix, count / visible, count / len(corners), resting, support.ravel())
    if not resting:
        return None
    # What moved was a part of the picture: somebody whom nobody saw, a shadow, a door, leaves.
    support = np.percentile(there, (5, 95), axis=0)
    return Match(np.eye(3), len(corners) / visible, 1.0, resting, support.ravel())


def _stayed(corners: np.ndarray, stayed: np.ndarray) -> float:
    """Share of the picture's cells in which at least half of the corners stayed: many on one thing count once."""
    cells = np.unique((corners // _CELL).astype(int), axis=0, return_inverse=True)[1].ravel()
    return float((np.bincount(cells, stayed) >= 0.5 * np.bincount(cells)).mean())


def sane(matrix: np.ndarray, support: np.ndarray) -> bool:
    """Whether a homography may be what a turning camera does to a part of the picture, low and high corner (2, 2):
    not mirrored, and nowhere much larger or smaller than in the middle of it."""
    ahead = np.array([*support, support.mean(0)]) @ matrix[2, :2] + matrix[2, 2]
    if not (np.isfinite(matrix).all() and (ahead > 0).all()):
        return False
    size = np.linalg.det(matrix) / ahead**3  # the determinant of the derivative there
    return bool((size > 0.1).all() and (size < 10.0).all() and 0.25 < size[-1] < 4.0)


def match_afar(key: KeyFrame, image: np.ndarray, people: np.ndarray) -> Match | None:
    """The same without a guess, by ORB descriptors (Rublee et al., ICCV 2011): after a cut or a blurred whip."""
    orb = cv2.ORB.create(600)
    points, features = orb.detectAndCompute(image, _without(people, image.shape))
    key_points, key_features = orb.detectAndCompute(key.image, _without(key.people, image.shape))
    if features is None or key_features is None:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(key_features, features)
    if len(pairs) < _LEAST:
        return None
    here = np.array([points[pair.trainIdx].pt for pair in pairs], np.float32)
    there = np.array([key_points[pair.queryIdx].pt for pair in pairs], np.float32)
    matrix, agree = cv2.findHomography(there, here, cv2.RANSAC, 3.0, maxIters=2000, confidence=0.999)
    if matrix is None or agree.sum() < 2 * _LEAST:
        return None
    return match(key, image, people, matrix)


def _without(people: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) uint8: 0 in boxes (M, 4), 255 elsewhere."""
    mask = np.full(shape, 255, np.uint8)
    for x0, y0, x1, y1 in np.clip(people, 0, 1e5).astype(int):
        mask[y0 : y1 + 1, x0 : x1 + 1] = 0
    return mask


def inside(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(N,) bool: which points lie in a picture of (H, W), with room for their patch."""
    size = np.array([shape[1], shape[0]])
    return ((points > 3) & (points < size - 4)).all(-1)


def covered(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N,) bool: which points lie in one of boxes (M, 4)."""
    within = (points[:, None] >= boxes[None, :, :2]) & (points[:, None] <= boxes[None, :, 2:])
    return within.all(-1).any(-1)
