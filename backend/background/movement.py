# SPDX-License-Identifier: GPL-3.0-or-later
"""How the background moved in the picture: what a camera's turning looks like before the lens is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...rigging.take import FileFormatError

#: A picture whose background has moved by less than this, in longer sides, is one of a camera at rest (0.17 degrees).
RESTING = 0.003
#: Frames in a row that have to say that the camera moved: an undetected passer-by is gone sooner than a pan.
_SUSTAINED = 4
#: Share of the frames in which enough background has to be seen for anything to be said.
_LEAST_SEEN = 0.25
#: Points along a side of the grid by which a homography is looked at, within the part of the picture that it is of.
_GRID = 5


@dataclass(frozen=True)
class BackgroundMotion:
    """Where the background of every frame lies in an earlier one.

    homographies: (F, 3, 3), pixels of the frame to pixels of its reference frame. references: (F,) row of that frame,
    never a later one; the frame itself where nothing comes before (the identity then). A frame far from the first one
    so reaches it over several key frames. support: (F, 4) x0 y0 x1 y1, pixels: where in the frame the background was
    seen, and the homography can be trusted. quality: (F,) share 0..1 of the corners found again that agree with
    the homography; 0 where too little was seen: the homography is then the identity, a guess.
    Raises FileFormatError on construction, in one sentence, if that is not so.
    """

    homographies: np.ndarray
    references: np.ndarray
    support: np.ndarray
    quality: np.ndarray

    def __post_init__(self) -> None:
        frames = len(self.references)
        shapes = (self.homographies.shape, self.references.shape, self.support.shape, self.quality.shape)
        if shapes != ((frames, 3, 3), (frames,), (frames, 4), (frames,)):
            raise FileFormatError(f"the background's movement has arrays of shapes {shapes}, which do not fit together")
        whole = all(np.isfinite(array).all() for array in (self.homographies, self.support, self.quality))
        if not whole or self.references.dtype.kind not in "iu":
            raise FileFormatError("the background's movement must be finite, with whole numbers as references")
        if ((self.references < 0) | (self.references > np.arange(frames))).any():
            raise FileFormatError("a reference of the background's movement must be an earlier frame")
        if (np.abs(np.linalg.det(self.homographies)) < 1e-12).any() or (self.quality < 0).any():
            raise FileFormatError("the background's movement must be made of homographies and qualities from 0")

    def __len__(self) -> int:
        return len(self.references)

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Points (F, 25, 2) of every frame where its background was seen, and (F, 25, 2) where its reference has them.

        Pixels; NaN where the homography sends a point behind the picture.
        """
        steps = np.linspace(0.0, 1.0, _GRID)
        x, y = (part.ravel() for part in np.meshgrid(steps, steps))
        low, high = self.support[:, None, :2], self.support[:, None, 2:]
        points = low + (high - low) * np.stack([x, y], axis=-1)
        return points, mapped(points, self.homographies)

    def shifts(self) -> np.ndarray:
        """(F,) how far the background has moved since the first frame, pixels.

        Where a key frame lies in between, the sum of the ways to both: less than the way there, never more.
        """
        points, there = self.samples()
        way = np.nan_to_num(there - points)
        far, middle = np.median(np.linalg.norm(way, axis=-1), axis=-1), np.median(way, axis=-2)
        offset = np.zeros((len(self), 2))
        for row, reference in enumerate(self.references):
            offset[row] = offset[reference] + middle[row]
        return np.where(self.references == 0, far, np.linalg.norm(offset, axis=-1))

    def moved(self, image_size: tuple[int, int]) -> bool | None:
        """Whether the camera moved; None if too little background was seen. image_size: width, height in pixels."""
        seen = self.quality > 0
        if seen.mean() < _LEAST_SEEN:
            return None
        away = (self.shifts() > RESTING * max(image_size))[seen]
        runs = np.convolve(away, np.ones(_SUSTAINED), "valid") if len(away) >= _SUSTAINED else np.array([away.sum()])
        return bool((runs >= min(_SUSTAINED, len(away))).any())


def mapped(points: np.ndarray, homographies: np.ndarray) -> np.ndarray:
    """Points (..., N, 2) through homographies (..., 3, 3); NaN where they leave the picture's plane."""
    ahead = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1) @ np.swapaxes(homographies, -1, -2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(ahead[..., 2:] > 1e-9, ahead[..., :2] / ahead[..., 2:], np.nan)


def motion_arrays(motion: BackgroundMotion) -> dict[str, np.ndarray]:
    """As arrays of a keypoints file."""
    return {
        "background_homographies": np.asarray(motion.homographies, np.float64),
        "background_references": np.asarray(motion.references, np.int64),
        "background_support": np.asarray(motion.support, np.float32),
        "background_quality": np.asarray(motion.quality, np.float32),
    }


def motion_from_arrays(arrays: dict[str, np.ndarray]) -> BackgroundMotion | None:
    """The reverse of `motion_arrays`; None if the file has none of it. Raises FileFormatError if it has only a part."""
    names = [f"background_{name}" for name in ("homographies", "references", "support", "quality")]
    missing = [name for name in names if name not in arrays]
    if len(missing) == len(names):
        return None
    if missing:
        raise FileFormatError(f"the background's movement lacks {', '.join(missing)}")
    found = [arrays[name] for name in names]
    if any(array.dtype.kind not in "iuf" for array in found):
        raise FileFormatError("the background's movement must hold numbers")
    return BackgroundMotion(found[0].astype(float), found[1], found[2].astype(float), found[3].astype(float))
