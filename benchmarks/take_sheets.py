# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a take, to be looked at: on the footage through its camera, from the side and from the front.

    python benchmarks/take_sheets.py X.take.npz OUT.png [--video VIDEO] [--truth TRUTH [--camera N]] [--person ROW]
                                     [--frames 8] [--times SECONDS ...]

TRUTH is a take or a recording with truth (`--camera`: which of its cameras), thin and white beside the take. Side and
front are seen as the camera of that frame stands, level and without perspective, pelvis over pelvis; every height is
above the floor of its own world, which is the line, so feet in the floor, over it and bodies that lean are seen.
Orange is left, blue is right; a green ring is a heel or toe that is said to stand; grey squares are 0.5 m wide. Below
is the way of the pelvis over the floor from above, the camera at the bottom: dots are half seconds, green is where feet
stand; the truth's way starts where the take's does, and is turned as its camera is.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from video_mocap.backend.evaluation.truth import read_truth, select_joints
from video_mocap.backend.footage import read_frames
from video_mocap.backend.preview.draw import backdrop, disc, draw_keypoints, line
from video_mocap.backend.preview.palette import Color, Limbs, limbs
from video_mocap.backend.preview.view import Camera
from video_mocap.backend.preview.write import match_frames
from video_mocap.backend.world.contacts import FOOT_ROWS
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.take import Take, read_take

#: Pixels of a cell's sides; metres that a cell shows from side to side and below the floor.
CELL, WIDE, UNDER = 196, 2.6, 0.25
#: Of the picture: the person's height and a little more is this part of a cell's side.
_FILLS = 0.75
#: Pixels of the height of the view from above.
_PLAN = 300
_TRUE = Limbs((235, 235, 235), (175, 175, 175), (205, 205, 205))
_FLOOR, _SQUARES, _STANDS, _WORD = (120, 220, 120), (58, 62, 72), (90, 255, 90), (255, 255, 255)
_HIPS = [TAKE.index(name) for name in ("left_hip", "right_hip")]


@dataclass(frozen=True)
class Figure:
    """One person's joints (F, 26, 3), metres, Z up, and contacts (F, 4) before a camera: (1 or F, 4, 4), (3, 3)."""

    joints: np.ndarray
    contacts: np.ndarray
    world_to_camera: np.ndarray
    intrinsics: np.ndarray

    def from_above(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(2, 3) unit rows to the camera's right and away from it, level; and the pelvis's place on the floor (3,)."""
        matrix = self.world_to_camera[row % len(self.world_to_camera)]
        away = matrix[2, :3] * [1, 1, 0]
        away /= max(float(np.linalg.norm(away)), 1e-9)
        return np.stack([np.cross(away, [0, 0, 1.0]), away]), self.joints[row, 0] * [1, 1, 0]


def of_take(take: Take, person: int = 0) -> Figure:
    """One of a take's people."""
    return Figure(take.joints[person].astype(np.float64), take.contacts[person], take.world_to_camera, take.intrinsics)


def of_truth(path: Path, times: np.ndarray, camera: int | None, person: int = 0) -> Figure:
    """A truth's person at the frames nearest to times (F,), seconds."""
    truth = read_truth(path, camera)
    rows = np.abs(truth.times[:, None] - times).argmin(0)
    joints = select_joints(truth.joints[person, rows], truth.joint_names, TAKE.names)
    # Who filmed it may not have told a pelvis.
    joints[:, 0] = np.where(np.isfinite(joints[:, 0]), joints[:, 0], joints[:, _HIPS].mean(1))
    return Figure(joints, np.zeros((len(times), 4)), truth.world_to_camera[rows], truth.intrinsics)


def sheet(
    take: Take, rows: list[int], pictures: dict[int, np.ndarray], truth: Figure | None = None, person: int = 0
) -> np.ndarray:
    """(H, W, 3) RGB: a column for every one of the frames `rows`, and the way over the floor.

    pictures: the footage's frames (H, W, 3) RGB by row; what is not there is dark.
    """
    figure = of_take(take, person)
    columns = []
    for row in rows:
        seen = _through_camera(take, row, pictures.get(row), truth, person)
        cells = [seen, *(_level_view(figure, truth, row, axis) for axis in (1, 0))]
        _write(cells[0], f"{take.times[row]:.2f} s")
        columns.append(np.vstack(cells))
    side, front = CELL + 14, 2 * CELL + 14
    _write(columns[0], "side, camera at the left", side)
    _write(columns[0], "front", front)
    above = np.hstack(columns)
    return np.vstack([above, _way(figure, truth, take.times, above.shape[1])])


def _through_camera(take: Take, row: int, picture: np.ndarray | None, truth: Figure | None, person: int) -> np.ndarray:
    """The part of the frame about the person, with everybody's skeleton; beyond the picture's edges it is dark."""
    at = take.world_to_camera[row % len(take.world_to_camera)]
    pixels, _ = Camera(take.intrinsics, at).project(take.joints[person, row].astype(np.float64))
    low, high = np.nanmin(pixels, 0), np.nanmax(pixels, 0)
    scale = _FILLS * CELL / float((high - low).max())
    to_cell = np.array([[scale, 0, CELL / 2], [0, scale, CELL / 2], [0, 0, 1.0]])
    to_cell[:2, 2] -= scale * (low + high) / 2
    width, height = (int(side) for side in take.image_size)
    grey = np.full((height, width, 3), (64, 68, 78), np.uint8)
    cell = cv2.warpAffine(grey if picture is None else picture, to_cell[:2], (CELL, CELL), flags=cv2.INTER_AREA)
    lens = to_cell @ take.intrinsics
    if truth is not None:
        true_camera = Camera(to_cell @ truth.intrinsics, truth.world_to_camera[row % len(truth.world_to_camera)])
        _skeleton(cell, true_camera, truth.joints[row], _TRUE)
    for number, joints in enumerate(take.joints[:, row].astype(np.float64)):
        _skeleton(cell, Camera(lens, at), joints, limbs(number, len(take.joints)))
        points = take.keypoints[number, row].astype(np.float64)
        points[:, :2] = scale * points[:, :2] + to_cell[:2, 2]
        draw_keypoints(cell, points, 1)
    return cell


def _level_view(figure: Figure, truth: Figure | None, row: int, axis: int) -> np.ndarray:
    """A cell without perspective; axis: of `from_above`, what is to the right (0 from the front, 1 from the side)."""
    cell = backdrop(CELL, CELL)
    scale = CELL / WIDE
    floor = CELL - UNDER * scale
    for step in np.arange(-3, 4) * 0.5 * scale:
        line(cell, np.array([CELL / 2 + step, 0]), np.array([CELL / 2 + step, floor]), _SQUARES, 1)
        line(cell, np.array([0, floor - step - 1.5 * scale]), np.array([CELL, floor - step - 1.5 * scale]), _SQUARES, 1)
    line(cell, np.array([0, floor]), np.array([CELL, floor]), _FLOOR, 1)
    for one, colors in ((truth, _TRUE), (figure, limbs(0, 1))):
        if one is None or not np.isfinite(one.joints[row, 0]).all():
            continue
        along, middle = one.from_above(row)
        # A camera far away whose picture is as large as the cell.
        far = 1000.0
        right = along[axis]
        towards = np.cross(right, [0.0, 0.0, 1.0])
        rotation = np.stack([right, [0.0, 0.0, -1.0], -towards])
        camera = np.eye(4)
        camera[:3, :3] = rotation
        camera[:3, 3] = -rotation @ (middle + far * towards)
        lens = np.array([[scale * far, 0, CELL / 2], [0, scale * far, floor], [0, 0, 1.0]])
        _skeleton(cell, Camera(lens, camera), one.joints[row], colors)
        pixels, _ = Camera(lens, camera).project(one.joints[row, FOOT_ROWS])
        for place, stands in zip(pixels, one.contacts[row], strict=True):
            if stands > 0.5 and np.isfinite(place).all():
                cv2.circle(cell, tuple(int(v) for v in place.round()), 5, _STANDS, 1, cv2.LINE_AA)
    return cell


def _skeleton(image: np.ndarray, camera: Camera, joints: np.ndarray, colors: Limbs) -> None:
    """Bones, thinner than a preview's, so that what is behind stays visible; over joints that are missing."""
    pixels, _ = camera.project(joints)
    for child, parent in enumerate(TAKE.parents):
        while parent >= 0 and not np.isfinite(pixels[parent]).all():
            parent = TAKE.parents[parent]
        if parent >= 0:
            line(image, pixels[parent], pixels[child], colors.of(TAKE.names[child]), 2)


def _way(figure: Figure, truth: Figure | None, times: np.ndarray, width: int) -> np.ndarray:
    """The way of the pelvis and the standing feet from above, (_PLAN, width, 3)."""
    cell = backdrop(width, _PLAN)
    start = int(np.isfinite(figure.joints[:, 0]).all(-1).argmax())
    flat = []
    for one in (truth, figure):
        if one is not None:
            along, middle = one.from_above(start)
            flat.append((one, (one.joints - middle) @ along.T * [1, -1]))
    reached = np.concatenate([places[:, 0] for _, places in flat])
    low, high = np.nanmin(reached, 0) - 0.6, np.nanmax(reached, 0) + 0.6
    scale = float((np.array([width, _PLAN]) / (high - low)).min())
    for one, places in flat:
        pixels = (places - (low + high) / 2) * scale + np.array([width, _PLAN]) / 2
        color: Color = limbs(0, 1).middle if one is figure else (120, 120, 120)
        for a, b in zip(pixels[:-1, 0], pixels[1:, 0], strict=True):
            line(cell, a, b, color, 2)
        for row in np.searchsorted(times, np.arange(times[start], times[-1], 0.5)):
            disc(cell, pixels[row, 0], color, 3)
        for number, foot in enumerate(FOOT_ROWS):
            for place in pixels[one.contacts[:, number] > 0.5, foot]:
                disc(cell, place, _STANDS, 1)
    _write(cell, f"from above, {width / scale:.1f} m wide")
    return cell


def _write(image: np.ndarray, text: str, height: int = 14) -> None:
    cv2.putText(image, text, (5, height), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _WORD, 1, cv2.LINE_AA)


def chosen_rows(take: Take, count: int, times: list[float] | None, person: int) -> list[int]:
    """Frames at some times, or so many from where the person is known first to where last."""
    if times:
        return [int(np.abs(take.times - time).argmin()) for time in times]
    known = np.flatnonzero(np.isfinite(take.joints[person, :, 0]).all(-1))
    return np.unique(np.linspace(known[0], known[-1], count).round().astype(int)).tolist()


def footage_frames(video: Path, take: Take, rows: list[int]) -> dict[int, np.ndarray]:
    """The footage's pictures at some of a take's frames."""
    frames = read_frames(video, max(float(take.times[0]) - 0.5 / take.fps, 0.0), fps=take.fps)
    return {row: frame.image for row, frame in match_frames(frames, take.times) if row in set(rows)}


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description="A sheet of pictures of a take.")
    parser.add_argument("take", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--camera", type=int, help="of a recording with truth")
    parser.add_argument("--person", type=int, default=0, help="row of the take, from 0")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--times", type=float, nargs="+")
    arguments = parser.parse_args()
    take = read_take(arguments.take)
    rows = chosen_rows(take, arguments.frames, arguments.times, arguments.person)
    pictures = {} if arguments.video is None else footage_frames(arguments.video, take, rows)
    truth = None if arguments.truth is None else of_truth(arguments.truth, take.times, arguments.camera)
    image = sheet(take, rows, pictures, truth, arguments.person)
    cv2.imwrite(str(arguments.output), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
