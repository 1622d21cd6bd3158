# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture of the preview: footage with skeletons at the left, the 3D view at the right."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...rigging.take import Take
from .draw import backdrop, draw_floor, draw_keypoints, draw_shadow, draw_skeleton
from .palette import limbs
from .view import Camera, View, fit_view

#: Longest side of a half, pixels.
SIDE = 720


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels, all even.

    left_width, right_width, height: of the two halves. footage_height: of the footage, centred in the left one.
    view: of the right one.
    """

    left_width: int
    right_width: int
    height: int
    footage_height: int
    view: View


def lay_out(take: Take, side: int = SIDE) -> Layout:
    """Halves for a take: the footage fitted into side x side, the 3D view as high and at least square."""
    scale = side / int(max(take.image_size))
    left, high = (max(2, round(int(value) * scale / 2) * 2) for value in take.image_size)
    # Beside a panorama the 3D view is still high enough to see people in.
    height = max(high, side // 4 * 2)
    right = max(left, height)
    return Layout(left, right, height, high, fit_view(take, right, height))


def draw_frame(image: np.ndarray, take: Take, row: int, layout: Layout | None = None) -> np.ndarray:
    """The preview's picture of one frame.

    image: (H, W, 3) uint8 RGB, the footage's frame. row: of the take. layout: from `lay_out`, made anew when None.
    Returns (height, left_width + right_width, 3) uint8 RGB.
    """
    layout = lay_out(take) if layout is None else layout
    return np.hstack([_footage_half(image, take, row, layout), _space_half(take, row, layout)])


def _footage_half(image: np.ndarray, take: Take, row: int, layout: Layout) -> np.ndarray:
    """The footage with the take's joints reprojected and the 2D keypoints they come from."""
    size = (layout.left_width, layout.footage_height)
    smaller = size[0] < image.shape[1]
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    to_panel = np.diag([*(np.array(size) / take.image_size), 1.0])
    pose = take.world_to_camera[row if len(take.world_to_camera) > 1 else 0]
    skeletons = canvas.copy()
    _people(skeletons, Camera(to_panel @ take.intrinsics, pose), take, row)
    canvas = cv2.addWeighted(skeletons, 0.85, canvas, 0.15, 0)
    for keypoints in take.keypoints[:, row]:
        draw_keypoints(canvas, keypoints * [to_panel[0, 0], to_panel[1, 1], 1], max(SIDE / 240, 1.5))
    half = np.zeros((layout.height, layout.left_width, 3), np.uint8)
    top = (layout.height - layout.footage_height) // 2
    half[top : top + layout.footage_height] = canvas
    return half


def _space_half(take: Take, row: int, layout: Layout) -> np.ndarray:
    """The take seen by the virtual camera, above the floor."""
    view = layout.view
    camera = view.camera(float(take.times[row] - take.times[0]), layout.right_width, layout.height)
    half = backdrop(layout.right_width, layout.height)
    draw_floor(half, camera, view.center, view.reach)
    for joints in take.joints[:, row]:
        draw_shadow(half, camera, joints, take.joint_parents)
    _people(half, camera, take, row)
    return half


def _people(canvas: np.ndarray, camera: Camera, take: Take, row: int) -> None:
    """Everybody of a frame, the farthest first."""
    people = len(take.person_ids)
    depth = np.nan_to_num([np.nanmax([0.0, *camera.project(joints)[1]]) for joints in take.joints[:, row]])
    for person in np.argsort(-depth):
        draw_skeleton(
            canvas,
            camera,
            take.joints[person, row],
            take.joints_confidence[person, row],
            take.joint_names,
            take.joint_parents,
            limbs(int(person), people),
        )
