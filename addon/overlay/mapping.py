# SPDX-License-Identifier: GPL-3.0-or-later
"""From pixels of the footage to pixels of a region, and from a frame on screen to a row of the take. No bpy.

Footage pixels have their origin at the top-left corner of the top-left pixel, y down; region pixels at the region's
bottom-left corner, y up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Placement:
    """Where the footage lies in a region: the rectangle's left, bottom, right and top in region pixels, and its size.

    image_size: width and height of the footage in its own pixels.
    """

    left: float
    bottom: float
    right: float
    top: float
    image_size: tuple[float, float]

    @property
    def scale(self) -> float:
        """Region pixels per pixel of the footage, along x."""
        return abs(self.right - self.left) / self.image_size[0]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) footage pixels -> (..., 2) region pixels; NaN stays NaN."""
        share = np.asarray(points, np.float64) / self.image_size
        x = self.left + share[..., 0] * (self.right - self.left)
        y = self.top + share[..., 1] * (self.bottom - self.top)
        return np.stack([x, y], -1)


def to_region(points: np.ndarray, matrix: np.ndarray, region_size: tuple[float, float]) -> np.ndarray:
    """(N, 3) points in view space -> (N, 2) region pixels. matrix: (4, 4) projection, `RegionView3D.window_matrix`."""
    points = np.asarray(points, np.float64)
    clip = np.concatenate([points, np.ones((len(points), 1))], 1) @ np.asarray(matrix, np.float64).T
    return (clip[:, :2] / clip[:, 3:] * 0.5 + 0.5) * region_size


def camera_placement(
    frame: np.ndarray,
    image_size: tuple[float, float],
    method: str = "STRETCH",
    pixel_aspect: float = 1.0,
) -> Placement | None:
    """The footage behind a camera's view, None where the frame is degenerate.

    frame: (4, 2) the corners of the camera frame in region pixels, in any order. method: how the background image fills
    the frame, Blender's STRETCH, FIT (whole inside it) or CROP (covers it). pixel_aspect: a pixel's width / height.
    """
    (left, bottom), (right, top) = np.min(frame, 0), np.max(frame, 0)
    width, height = float(right - left), float(top - bottom)
    if not (np.isfinite([width, height]).all() and width > 0 and height > 0):
        return None
    aspect = image_size[0] * pixel_aspect / image_size[1]
    if method != "STRETCH":
        wider = aspect > width / height
        if wider == (method == "FIT"):
            height = width / aspect
        else:
            width = height * aspect
    x, y = float(left + right) / 2, float(bottom + top) / 2
    return Placement(x - width / 2, y - height / 2, x + width / 2, y + height / 2, image_size)


def clip_placement(
    view_low: tuple[float, float],
    view_high: tuple[float, float],
    region_size: tuple[float, float],
    image_size: tuple[float, float],
) -> Placement | None:
    """The footage in the clip editor, whose view has (0, 0) at the picture's bottom left and (1, 1) at its top right.

    view_low, view_high: what the region's pixels (0, 0) and region_size are in that view
    (`View2D.region_to_view`, which is exact where `view_to_region` gives whole pixels). None where it has no area.
    """
    low, high = np.array(view_low, np.float64), np.array(view_high, np.float64)
    if not np.isfinite([*low, *high]).all() or (high - low <= 0).any():
        return None
    pixels = np.array(region_size) / (high - low)
    (left, bottom), (right, top) = -low * pixels, (1 - low) * pixels
    return Placement(float(left), float(bottom), float(right), float(top), image_size)


def clip_time(frame: int, frame_start: int, frame_offset: int, fps: float) -> float:
    """Seconds from the first frame of a movie clip to the picture that Blender shows at a scene frame.

    frame: of the scene, or of the clip editor's clip user. frame_start, frame_offset: of the clip. fps: at which the
    clip plays.
    """
    return (frame - frame_start + frame_offset) / fps


def nearest_row(times: np.ndarray, time: float, fps: float) -> int | None:
    """The row of the take nearest to a time, None more than one frame of the footage away from it.

    times: (F,) increasing seconds. fps: nominal rate of the footage.
    """
    if len(times) == 0 or not np.isfinite(time):
        return None
    after = int(np.searchsorted(times, time))
    row = min(
        (row for row in (after - 1, after) if 0 <= row < len(times)),
        key=lambda row: abs(float(times[row]) - time),
    )
    return row if abs(float(times[row]) - time) <= 1.0 / fps else None
