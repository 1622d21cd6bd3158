# SPDX-License-Identifier: GPL-3.0-or-later
"""How the camera turned, and with what focal length, from how the background moved in the picture.

A camera that turns about its centre moves every far and near point alike: pixels go through the homography K R K^-1
(Hartley and Zisserman, Multiple View Geometry, section 8.4). With a lens K each homography gives a rotation; what no
rotation explains tells of a wrong focal length, or of a camera that does not only turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...rigging import quaternions
from ..camera import rays
from .movement import BackgroundMotion

#: Focal lengths to try, in longer sides of the picture.
_FOCALS = np.exp(np.linspace(np.log(0.35), np.log(6.0), 58))
#: Turns that say something about the focal length move the background by so much, in longer sides; so many are used.
_TELLING, _PAIRS = 0.08, 80
_TRUSTED = 0.5
#: Independent numbers in a homography, less those of a rotation; how well any lens is known at best (distortion).
_NUMBERS, _FREE, _LENS = 8, 5, 0.03
#: Cosine of the angle to a key frame from which on there is a new one, where turns are known beforehand.
_AFAR = np.cos(np.radians(12.0))
#: Relative uncertainty from which on a focal length is no longer believed.
_BELIEVED = 0.12


@dataclass(frozen=True)
class Focal:
    """A focal length, pixels, and its standard deviation as a fraction of it."""

    pixels: float
    uncertainty: float


def rotations(motion: BackgroundMotion, intrinsics: np.ndarray) -> np.ndarray:
    """(F, 3, 3) turns from the first frame's camera axes into every frame's.

    Frames in which too little background was seen get what lies between their neighbours. intrinsics: (3, 3) pixels.
    """
    points, there = motion.samples()
    own = _turns(points, there, intrinsics)[0]
    out = np.tile(np.eye(3), (len(motion), 1, 1))
    for row, reference in enumerate(motion.references):
        if reference != row:
            out[row] = own[row] @ out[reference]
    return _bridged(out, motion.quality > 0)


def motion_of(turns: np.ndarray, intrinsics: np.ndarray, image_size: tuple[int, int]) -> BackgroundMotion:
    """What a camera with known turns (F, 3, 3), first camera axes to every frame's, makes of the background."""
    references = np.zeros(len(turns), np.int64)
    key = 0
    for row in range(1, len(turns)):
        references[row] = key
        if np.trace(turns[row] @ turns[key].T) < 1 + 2 * _AFAR:
            key = row
    matrices = intrinsics @ turns[references] @ turns.swapaxes(-1, -2) @ np.linalg.inv(intrinsics)
    support = np.tile([0.0, 0.0, *image_size], (len(turns), 1))
    return BackgroundMotion(matrices, references, support, np.ones(len(turns)))


def misfits(motion: BackgroundMotion, intrinsics: np.ndarray) -> np.ndarray:
    """(F,) what is left between a frame's homography and a turn of the camera, root mean square, pixels."""
    points, there = motion.samples()
    return np.sqrt(_turns(points, there, intrinsics)[1])


def turning_focal(motion: BackgroundMotion, image_size: tuple[int, int]) -> Focal | None:
    """The focal length with which the background moved as it does before a turning camera; None if that does not show.

    Square pixels, the optical axis in the middle of the picture, one focal length for the whole clip.
    """
    longer = max(image_size)
    points, there = motion.samples()
    far = np.median(np.linalg.norm(np.nan_to_num(there - points), axis=-1), axis=-1)
    telling = np.flatnonzero((far > _TELLING * longer) & (motion.quality > _TRUSTED) & np.isfinite(there).all((1, 2)))
    if not len(telling):
        return None
    rows = telling[np.unique(np.linspace(0, len(telling) - 1, min(_PAIRS, len(telling))).astype(int))]
    middle = 0.5 * np.array(image_size)
    costs = []
    for focal in _FOCALS * longer:
        intrinsics = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
        costs.append(np.median(_turns(points[rows], there[rows], intrinsics)[1]))
    return _minimum(np.log(_FOCALS * longer), np.array(costs), len(rows))


def _minimum(logs: np.ndarray, costs: np.ndarray, pairs: int) -> Focal | None:
    """Where the squared misfits have their minimum, and how sharp it is."""
    best = int(costs.argmin())
    if best in (0, len(costs) - 1):
        return None
    bend, slope, _ = np.polyfit(logs[best - 1 : best + 2] - logs[best], costs[best - 1 : best + 2], 2)
    if bend <= 0:
        return None
    at = float(np.clip(-slope / (2 * bend), logs[best - 1] - logs[best], logs[best + 1] - logs[best]))
    # A homography has eight numbers of which five are left over; those of a clip are far from independent.
    noise = max(float(costs[best]) * _NUMBERS / _FREE, 1e-12)
    spread = np.sqrt(noise / (_NUMBERS * bend * min(pairs, _NUMBERS)))
    uncertainty = float(np.hypot(spread, _LENS))
    return Focal(float(np.exp(logs[best] + at)), uncertainty) if uncertainty < _BELIEVED else None


def _turns(points: np.ndarray, there: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (N, 3, 3) that turn the lines of sight of pixels `there` into those of `points`, both (N, M, 2), and
    (N,) the mean squared error in pixels that is left (Kabsch)."""
    here = rays(points, intrinsics)
    reference = rays(np.nan_to_num(there), intrinsics)
    known = np.isfinite(there).all(-1)[..., None]
    # Long rays at the edges would weigh more: what is minimised is then close to pixels, not to angles.
    length = np.linalg.norm(here, axis=-1, keepdims=True)
    target = reference / np.linalg.norm(reference, axis=-1, keepdims=True) * length * known
    u, _, v = np.linalg.svd(np.swapaxes(here * known, -1, -2) @ target)
    flip = np.ones((len(points), 1, 3))
    flip[:, 0, 2] = np.sign(np.linalg.det(u @ v))
    turn = (u * flip) @ v
    seen = reference @ np.swapaxes(turn, -1, -2)
    pixels = seen @ intrinsics.T
    error = np.where(known[..., 0], ((pixels[..., :2] / pixels[..., 2:] - points) ** 2).sum(-1), 0.0)
    return turn, error.sum(-1) / np.maximum(known[..., 0].sum(-1), 1)


def _bridged(turns: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Turns (F, 3, 3) with those that are not known put evenly between the known ones around them."""
    if known.all() or not known.any():
        return turns
    rows, frames = np.flatnonzero(known), np.arange(len(turns))
    right = np.clip(np.searchsorted(rows, frames), 0, len(rows) - 1)
    left = np.where(known, right, np.maximum(right - (rows[right] > frames), 0))
    span = np.maximum(rows[right] - rows[left], 1)
    fraction = np.clip((frames - rows[left]) / span, 0.0, 1.0)
    q = quaternions.from_matrix(turns)
    out = quaternions.to_matrix(quaternions.slerp(q[rows[left]], q[rows[right]], fraction))
    out[known] = turns[known]
    return out
