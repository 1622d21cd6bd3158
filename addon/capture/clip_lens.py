# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The lens of a movie clip (its Lens panel, or what Blender solved) as an OpenCV camera.

Blender distorts coordinates that are divided by the focal length, about the principal point, with y up. Its Polynomial
(k1 k2 k3) is OpenCV's k1 k2 p1 p2 k3 with p1 = p2 = 0. Its Brown has a k4 that OpenCV's five do not have, and the two
tangential terms the other way round: OpenCV's p1 is minus Blender's p2, as y turns over, and its p2 is Blender's p1
(found by what Blender's solver makes of bent markers). Its other models are others.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

#: A coefficient that is smaller moves nothing by a tenth of a pixel.
_NOTHING = 1e-6
#: Pixels whose sides differ by more are not square; a principal point that is farther off, in longer sides, is told.
_SQUARE, _CENTRED = 0.005, 0.01
_MODELS = {
    "POLYNOMIAL": ("k1", "k2", "k3"),
    "BROWN": ("brown_k1", "brown_k2", "brown_k3", "brown_k4", "brown_p1", "brown_p2"),
    "DIVISION": ("division_k1", "division_k2"),
    "NUKE": ("nuke_k1", "nuke_k2", "nuke_p1", "nuke_p2"),
}


@dataclass(frozen=True)
class ClipLens:
    """focal_length: pixels. distortion: OpenCV's k1 k2 p1 p2 k3, or None. note: what a capture does not know of it, one
    sentence, or None."""

    focal_length: float
    distortion: tuple[float, ...] | None
    note: str | None


def is_distorted(clip: bpy.types.MovieClip) -> bool:
    """Whether the clip's lens bends straight lines."""
    return any(abs(value) > _NOTHING for value in _coefficients(clip).values())


def distortion_of(clip: bpy.types.MovieClip) -> tuple[float, ...] | None:
    """OpenCV's k1 k2 p1 p2 k3 of a clip's lens; None if it has none.

    Raises ValueError, in one sentence, for one of Blender's models that OpenCV's five numbers cannot say.
    """
    if not is_distorted(clip):
        return None
    model, found = clip.tracking.camera.distortion_model, _coefficients(clip)
    if model == "POLYNOMIAL":
        return found["k1"], found["k2"], 0.0, 0.0, found["k3"]
    if model != "BROWN":
        raise ValueError(
            f'A capture does not know the distortion model {model.title()} of "{clip.name}": choose Polynomial or '
            "Brown in the clip's Lens panel, or undistort the footage"
        )
    if abs(found["brown_k4"]) > _NOTHING:
        raise ValueError(f'A capture knows no k4 of a lens: set it to 0 in the Lens panel of "{clip.name}"')
    return found["brown_k1"], found["brown_k2"], -found["brown_p2"], found["brown_p1"], found["brown_k3"]


def clip_lens(clip: bpy.types.MovieClip) -> ClipLens:
    """What the clip's Lens panel says. Raises ValueError, in one sentence, if a capture cannot use it."""
    lens, (width, height) = clip.tracking.camera, clip.size
    if abs(lens.pixel_aspect - 1) > _SQUARE:
        raise ValueError(
            f'The pixels of "{clip.name}" are not square: set its Pixel Aspect to 1, or take its solved camera as Lens'
        )
    x, y = lens.principal_point_pixels
    note = None
    if max(abs(x - width / 2), abs(y - height / 2)) > _CENTRED * max(width, height):
        note = "The capture takes the optical centre of the lens for the middle of the picture"
    return ClipLens(float(lens.focal_length_pixels), distortion_of(clip), note)


def intrinsics_of(clip: bpy.types.MovieClip) -> np.ndarray:
    """(3, 3) in pixels. Blender measures the principal point from the bottom; its pixels may be wider than high."""
    lens = clip.tracking.camera
    x, y = lens.principal_point_pixels
    focal = float(lens.focal_length_pixels)
    return np.array([[focal, 0, x], [0, focal * float(lens.pixel_aspect), clip.size[1] - y], [0, 0, 1.0]])


def _coefficients(clip: bpy.types.MovieClip) -> dict[str, float]:
    lens = clip.tracking.camera
    names = _MODELS.get(lens.distortion_model, ())
    # A version of Blender may lack some of them.
    return {name: float(getattr(lens, name)) for name in names if name in lens.bl_rna.properties}
